"""A network paints: pictures become text, a character for each pixel, and what it writes becomes pictures again.

    python examples/course/painting.py                     learns from landscapes of its own making
    python examples/course/painting.py --pictures FOLDER   learns from your paintings (png or jpg)
    python examples/course/painting.py --blind             the same without a look at the row above
    python examples/course/painting.py --help              tells all options

Colours are reduced to a small palette, each with a letter. A picture is then a text: an empty line, and a line for each
row. The network is that of lyrics.py, an LSTM that predicts the next character from all before it; so it paints row by
row, from left to right, as PixelRNN does (van den Oord, Kalchbrenner and Kavukcuoglu, 2016).

What is right above a pixel is a whole row of characters ago, and an LSTM would have to remember a row. Here it need
not: another state m has the last row of characters as one-hot vectors, which move on by one place at every step,

    m_t = (m_(t-1) without its first, x_t)            c_t, h_t = LSTM((x_t, first three of m_t), c_(t-1), h_(t-1))

m has two characters more than a row has pixels. Then its first three are the neighbours above of the pixel that comes
next: upper left, above, upper right. Nothing of m is learned. A state is whatever a step hands on to the next one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import characters
import lecture
import nn
import pygraphnn
import torch7
from torch7.optional import optional

LETTERS = "abcdefghijklmnopqrstuvwxyz"  # of the palette's colours
SUFFIXES = (".png", ".jpg", ".jpeg")
SKY = (((0.20, 0.40, 0.75), (0.35, 0.20, 0.45)), ((0.75, 0.88, 0.95), (0.98, 0.65, 0.35)))  # above, below: day, evening
SUN = (1.0, 0.92, 0.55)
HILLS = ((0.55, (0.36, 0.45, 0.58)), (0.75, (0.22, 0.40, 0.22)))


# -- pictures to learn from


def landscape(size: int) -> np.ndarray:
    """Sky, sun and two ranges of hills in strokes of a brush: bytes (size, size, 3)."""
    y, x = np.mgrid[:size, :size][..., None] / size
    evening = torch7.uniform(0, 1)
    top, low = (np.array(day) + evening * np.subtract(late, day) for day, late in SKY)
    picture = top + (low - top) * (y / 0.6).clip(0, 1)
    sun = np.hypot(x - torch7.uniform(0.15, 0.85), y - torch7.uniform(0.12, 0.35)) < torch7.uniform(0.07, 0.12)
    picture = np.where(sun, SUN, picture)
    for horizon, colour in HILLS:
        wave = torch7.uniform(0.05, 0.1) * np.sin(torch7.uniform(3, 8) * x + torch7.uniform(0, 2 * np.pi))
        picture = np.where(y > horizon + wave, colour, picture)
    strokes = np.repeat(torch7.randn(size, size // 3 + 1), 3, axis=1)[:, :size, None]
    return (255 * (picture + 0.03 * strokes).clip(0, 1)).astype(np.uint8)


def paintings(folder: Path, size: int) -> np.ndarray:
    """The pictures of a folder, cut to squares from their middle: bytes (N, size, size, 3)."""
    image, ops = (optional(f"PIL.{name}", "course", "reading pictures") for name in ("Image", "ImageOps"))
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"expected pictures that end in {', '.join(SUFFIXES)}, got none in {folder}")
    pictures = []
    for path in paths:
        try:
            with image.open(path) as opened:
                pictures.append(np.array(ops.fit(ops.exif_transpose(opened).convert("RGB"), (size, size))))
        except (OSError, SyntaxError, ValueError) as error:  # all three come from broken files
            raise ValueError(f"cannot read {path} as a picture: {error}")
    return np.stack(pictures)


# -- pictures as text


class Palette:
    """A few colours (N, 3), bytes, from dark to bright; and pictures (H, W) as which of them every pixel is."""

    def __init__(self, pictures: np.ndarray, colours: int):
        image = optional("PIL.Image", "course", "the palette")
        mosaic = image.fromarray(np.concatenate(list(pictures)))
        reduced = mosaic.quantize(colours, kmeans=3)
        places = np.array(mosaic.quantize(palette=reduced, dither=0)).reshape(pictures.shape[:3])
        found, places = np.unique(places, return_inverse=True)
        kept = np.array(reduced.getpalette()).reshape(-1, 3)[found]
        order = np.argsort(kept.sum(1), kind="stable")
        self.colours = np.uint8(kept[order])
        self.pictures = np.argsort(order)[places.reshape(pictures.shape[:3])]


def as_text(picture: np.ndarray) -> str:
    """A picture (H, W) of places in the palette as text: an empty line, and a line for each row."""
    rows = ["".join(LETTERS[place] for place in row) for row in picture]
    return "\n".join([" " * len(rows[0]), *rows, ""])


def as_picture(text: str) -> np.ndarray:
    """The picture of a text."""
    return np.array([[LETTERS.index(letter) for letter in row] for row in text.split("\n")[1:-1]])


# -- the network


def seeing_step(letters: int, size: int, width: int) -> pygraphnn.gModule:
    """One time step, [x, c, h, m] to [c', h', m', log y]."""
    x, c, h, m = (nn.Identity()().annotate(name=name) for name in "xchm")
    letter = nn.OneHot(letters)(x)
    moved = nn.JoinTable(2)([nn.Narrow(2, letters + 1, (width + 1) * letters)(m), letter]).annotate(name="m'")
    seen = nn.JoinTable(2)([letter, nn.Narrow(2, 1, 3 * letters)(moved).annotate(name="three above")])
    new_c, new_h = pygraphnn.lstm_cell(seen, c, h, 4 * letters, size, forget_bias=1)
    y = nn.LogSoftMax()(nn.Linear(size, letters)(new_h)).annotate(name="log y")
    return pygraphnn.gModule([x, c, h, m], [new_c, new_h, moved, y])


def states(letters: int, options: argparse.Namespace, batch: int) -> list[np.ndarray]:
    """The states before anything was read: c, h and, unless the network is blind, an empty m."""
    widths = [options.size, options.size, (options.width + 2) * letters][: 2 if options.blind else 3]
    return [np.zeros((batch, width), np.float32) for width in widths]


def paint(step: pygraphnn.gModule, alphabet: characters.Alphabet, options: argparse.Namespace) -> np.ndarray:
    """Pictures (N, H, W) by the network. It draws colours only: lines end where they have to."""
    writer = pygraphnn.SequenceWriter(step, states(len(alphabet), options, options.samples), len(alphabet))
    text = " " * options.width + "\n"
    for index in alphabet.indices(text):
        writer.read(index)
    texts = [text] * options.samples
    while len(texts[0]) < len(text) * (options.width + 1):
        colours = writer.probabilities(options.temperature)
        colours[:, : len("\n ")] = 0
        ended = len(texts[0]) % len(text) == options.width
        drawn = np.full(options.samples, alphabet.index["\n"]) if ended else torch7.multinomial(colours, 1)[:, 0]
        writer.read(drawn.tolist())
        texts = [before + letter for before, letter in zip(texts, alphabet.text(drawn))]
    return np.stack([as_picture(text) for text in texts])


# -- what pictures are like


def judge(pictures: np.ndarray, originals: np.ndarray) -> dict[str, float]:
    """How often neighbours have one colour, and what share of a row has other colours than in the originals."""
    rows = [
        [np.mean(each == colour, (0, 2)) for colour in range(originals.max() + 1)] for each in (pictures, originals)
    ]
    return {
        "neighbours side by side are alike": float(np.mean(pictures[:, :, 1:] == pictures[:, :, :-1])),
        "neighbours above each other are alike": float(np.mean(pictures[:, 1:] == pictures[:, :-1])),
        "a row has other colours": float(abs(np.subtract(*map(np.array, rows))).sum(0).mean() / 2),
    }


def draw(rows: dict[str, np.ndarray], colours: np.ndarray, path: Path) -> None:
    """Rows of pictures."""
    count = len(next(iter(rows.values())))
    figure = lecture.figure(1.3 * count, 1.45 * len(rows))
    for axes, (title, pictures) in zip(figure.subplots(len(rows), count, squeeze=False), rows.items()):
        for axis in axes:
            axis.axis("off")
        for axis, picture in zip(axes, pictures):
            axis.imshow(colours[picture])
        axes[0].set_title(title, fontsize=10, loc="left")
    lecture.save(figure, path)


# -- the program


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options, with the pictures as a palette and a text."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--pictures", type=lecture.folder, metavar="FOLDER", help="paintings to learn from, png or jpg")
    parser.add_argument("--count", type=lecture.whole(1), default=200, help="landscapes to make and learn from")
    parser.add_argument("--width", type=lecture.whole(4), default=24, help="and height of the pictures, in pixels")
    parser.add_argument("--colours", type=lecture.whole(2), default=12, help=f"of the palette, {len(LETTERS)} at most")
    parser.add_argument("--blind", action="store_true", help="do not see the row above")
    parser.add_argument("--temperature", type=lecture.real(above=0), default=1.0, help="below 1: what is likely")
    parser.add_argument("--samples", type=lecture.whole(1), default=40, help="pictures to paint and judge; 8 are shown")
    characters.options(parser, size=100, epochs=8, rate=0.01, batch=10, piece=50)
    options = lecture.parse(parser, words, count=60, width=16, size=64, epochs=3, samples=8)
    if options.colours > len(LETTERS):
        parser.error(f"--colours: expected {len(LETTERS)} or less, got {options.colours}")
    torch7.manualSeed(options.seed)
    try:
        originals = paintings(options.pictures, options.width) if options.pictures else None
    except ValueError as error:
        parser.error(f"--pictures: {error}")
    if originals is None:
        originals = np.stack([landscape(options.width) for _ in range(options.count)])
    options.palette = Palette(originals, options.colours)
    options.text = "".join(map(as_text, options.palette.pictures))
    characters.check(parser, "--pictures" if options.pictures else "--count", options.text, options.batch)
    return options


def main(words: list[str] | None = None) -> list[dict[str, float]]:
    """Paints, trains, paints again; returns what judge finds of the paintings, before and after."""
    options = arguments(words)
    palette, text, alphabet = options.palette, options.text, characters.Alphabet(options.text)
    print(f"{len(palette.pictures)} pictures of {len(palette.colours)} colours, {len(text)} characters; the first:")
    print(as_text(palette.pictures[0]))
    letters, size = len(alphabet), options.size
    step = pygraphnn.lstm(letters, size, forget_bias=1) if options.blind else seeing_step(letters, size, options.width)
    rows = {"paintings": palette.pictures, "before training": paint(step.float(), alphabet, options)}
    back = {i: i - 1 for i in range(2, step.nInputs + 1)}
    lecture.draw(step, options.output / "painting-graph.svg", title="One time step", states=back)
    training = characters.train(step, states(letters, options, options.batch), alphabet, text, options)
    losses = list(lecture.track(training, "training", characters.pieces(text, options)))
    rows["after training"] = paint(step, alphabet, options)
    print(characters.told(losses, options.epochs))
    found = [judge(pictures, palette.pictures) for pictures in rows.values()]
    print(f"{'':40}{'paintings':>11}{'before':>9}{'after':>9}")
    for name in found[0]:
        print(f"{name:40}{found[0][name]:11.1%}" + "".join(f"{each[name]:9.1%}" for each in found[1:]))
    draw({title: pictures[:8] for title, pictures in rows.items()}, palette.colours, options.output / "painting.png")
    characters.draw_losses(losses, options.epochs, letters, options.output / "painting-loss.png")
    return found


if __name__ == "__main__":
    lecture.run(main)

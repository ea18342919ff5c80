"""Pictures to sentences: a convolutional network looks at coloured shapes, an LSTM says what it sees.

    python examples/course/caption.py                     trains, prints and draws what it says of new pictures
    python examples/course/caption.py --beam 5            beam search in place of the likeliest word at every step
    python examples/course/caption.py --hold-out large    what is never shown large is shown small
    python examples/course/caption.py --help              tells all options

A picture x shows one or two shapes, and a caption y_1 ... y_n tells their sizes, colours, kinds and places, such as "a
small red circle above a large blue cross". The convolutional network makes a code of the picture, from which the state
of the LSTM starts; the LSTM writes a word after the other, until it writes the end symbol ".":

    c_0 = CNN(x)    h_0 = tanh(c_0)    (c_t, h_t) = LSTM(y_(t-1), c_(t-1), h_(t-1))    p(y_t) = softmax(V h_t)

In training y_(t-1) is the right word. Afterwards it is the likeliest one; or a beam of the likeliest beginnings goes on
together, and the caption with the largest p(y_1) p(y_2) ... wins.

Some colours never come with some shapes: no red square is ever shown. What does it say of one? The pictures at the end
are of three kinds: their captions were there in training; the things were, but not together; or the things were not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7

Thing = tuple[str, str, str]  # size, colour, shape
Caption = list[str]
Pictures = tuple[np.ndarray, list[Caption]]

SIDE = 24
SIZES = {"small": 3.4, "large": 5.3}
COLOURS = {
    "red": (0.85, 0.15, 0.15),
    "green": (0.15, 0.65, 0.2),
    "blue": (0.2, 0.3, 0.9),
    "yellow": (0.9, 0.85, 0.2),
    "purple": (0.6, 0.2, 0.7),
}
SHAPES = ("circle", "square", "triangle", "cross")
NEVER = {("red", "square"), ("green", "circle"), ("blue", "triangle"), ("yellow", "cross")}
END = "."
WORDS = [END, "a", *SIZES, *COLOURS, *SHAPES, "above", "left", "of"]
LIMIT = 12
KINDS = ("captions seen in training", "new captions of things seen", "things never seen")


def inside(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points belong to a shape of size 1 around (0, 0); y goes down."""
    if shape == "circle":
        return np.hypot(x, y) <= 1
    if shape == "triangle":
        return (y <= 0.8) & (y >= 1.8 * abs(x) - 1)
    square = np.maximum(abs(x), abs(y)) <= 1
    return square & (np.minimum(abs(x), abs(y)) <= 0.33) if shape == "cross" else square


def paint(picture: np.ndarray, thing: Thing, centre: tuple[float, float]) -> None:
    """Puts a thing on a picture (3, SIDE, SIDE), in about its size and colour."""
    size, colour, shape = thing
    radius = SIZES[size] + torch7.uniform(-0.4, 0.4)
    y, x = np.mgrid[:SIDE, :SIDE]
    shade = np.clip(COLOURS[colour] + 0.1 * torch7.uniform_(np.empty(3), -1, 1), 0, 1)
    picture[:, inside(shape, (x - centre[0]) / radius, (y - centre[1]) / radius)] = shade[:, None]


def about(middle: float, most: float) -> float:
    """A number near another."""
    return middle + torch7.uniform(-most, most)


def scene(things: list[Thing]) -> tuple[np.ndarray, Caption]:
    """A picture of one or two of these things, and its caption."""
    picture = np.full((3, SIDE, SIDE), torch7.uniform(0, 0.15))
    chosen = [lecture.choose(things) for _ in range(torch7.random(1, 2))]
    where: list[tuple[float, float]] = [(about(11.5, 5), about(11.5, 5))]
    caption = ["a", *chosen[0]]
    if len(chosen) == 2:
        where = [(about(5.5, 0.7), about(11.5, 4)), (about(17.5, 0.7), about(11.5, 4))]
        left = torch7.random(1, 2) == 1
        where = where if left else [(y, x) for x, y in where]
        caption += [*(["left", "of"] if left else ["above"]), "a", *chosen[1]]
    for thing, centre in zip(chosen, where):
        paint(picture, thing, centre)
    noisy = picture + torch7.normal_(np.empty_like(picture), 0, 0.03)
    return 4 * (noisy - 0.25).astype(np.float32), caption


def scenes(count: int, things: list[Thing]) -> Pictures:
    """Pictures (count, 3, SIDE, SIDE) and captions."""
    pictures, captions = zip(*(scene(things) for _ in range(count)))
    return np.array(pictures), list(captions)


def table(captions: list[Caption]) -> tuple[np.ndarray, np.ndarray]:
    """What the decoder reads and what it should write, each (LIMIT, B): words from 1; label 0 is none."""
    labels = np.zeros((LIMIT, len(captions)), int)
    for column, caption in zip(labels.T, captions):
        column[: len(caption) + 1] = [1 + WORDS.index(word) for word in (*caption, END)]
    before = np.vstack([np.ones_like(labels[:1]), np.maximum(labels[:-1], 1)])
    return before, labels


def encoder(size: int) -> pygraphnn.gModule:
    """Pictures (B, 3, SIDE, SIDE) to codes (B, size)."""
    picture = node = nn.Identity()().annotate(name="x")
    for planes, more, width, stride in ((3, 24, 5, 2), (24, 48, 3, 2), (48, 64, 3, 1)):
        layer = nn.SpatialConvolution(planes, more, width, width, stride, stride, width // 2, width // 2)
        layer.weight *= 6**0.5  # so that signals do not fade behind rectifiers (He et al., 2015): it learns sooner
        node = nn.ReLU(True)(layer(node))
    values = 64 * (SIDE // 8) ** 2
    flat = nn.View(-1, values)(nn.SpatialMaxPooling(2, 2)(node))
    return pygraphnn.gModule([picture], [nn.Linear(values, size)(flat).annotate(name="code")])


class Captioner:
    """The encoder, the decoder [y before, c, h] to [c', h', log p(y)], and a network of both for training."""

    def __init__(self, size: int):
        self.encoder = encoder(size)
        words = len(WORDS)
        self.decoder = pygraphnn.Unroll(pygraphnn.lstm(words, size, input="lookup", output_size=words, forget_bias=1))
        x, before = (nn.Identity()().annotate(name=name) for name in ("x", "y before"))
        code = self.encoder(x).annotate(name="encoder")
        h = nn.Tanh()(code).annotate(name="h_0")
        written = self.decoder([before, code, h]).annotate(name="decoder")
        y = nn.View(-1, words)(nn.SelectTable(3)(written)).annotate(name="log p(y)")
        self.net = pygraphnn.gModule([x, before], [y]).float()

    def start(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The states [c_0, h_0]."""
        self.net.evaluate()
        code = self.encoder.forward(pictures).copy()
        return [code, np.tanh(code)]

    def step(self, words: np.ndarray, state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """log p (B, words) of what follows words (B), and the next states."""
        *state, y = (part.copy() for part in self.decoder.forward([words[None], *state]))
        return y[0], state

    def greedy(self, pictures: np.ndarray) -> list[Caption]:
        """Captions of the likeliest words."""
        state, rows = self.start(pictures), [np.ones(len(pictures), int)]
        for _ in range(LIMIT):
            y, state = self.step(rows[-1], state)
            rows.append(1 + y.argmax(1))
        texts = ([WORDS[i - 1] for i in column] + [END] for column in np.array(rows[1:]).T)
        return [text[: text.index(END)] for text in texts]

    def beam(self, picture: np.ndarray, width: int) -> tuple[Caption, float]:
        """The likeliest caption that is found by going on with `width` beginnings, and its log p."""
        state, rows, scores = self.start(picture[None]), [[1]], np.zeros(1)
        best: tuple[Caption, float] = ([], -np.inf)
        for _ in range(LIMIT):
            y, state = self.step(np.array([row[-1] for row in rows]), state)
            sums = scores[:, None] + y
            if sums[:, 0].max() > best[1]:  # one of them ends here
                best = [WORDS[i - 1] for i in rows[sums[:, 0].argmax()][1:]], float(sums[:, 0].max())
            sums[:, 0] = -np.inf
            likely = np.argsort(-sums, axis=None, kind="stable")[:width]
            origins, words = np.divmod(likely[sums.flat[likely] > best[1]], len(WORDS))
            if not len(words):  # no beginning is likelier than the best caption, and no word makes it so
                break
            rows = [[*rows[origin], word + 1] for origin, word in zip(origins, words)]
            scores, state = sums[origins, words], [part[origins] for part in state]
        return best


def right(texts: list[Caption], captions: list[Caption]) -> float:
    """The share of captions that are right, word for word."""
    return float(np.mean([text == caption for text, caption in zip(texts, captions)]))


def train(
    model: Captioner, data: Pictures, tests: dict[str, Pictures], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Trains with Adam, whose steps become smaller in the second half; gives the shares of right captions."""
    training = lecture.Training(model.net, nn.ClassNLLCriterion(ignoreIndex=0).float(), options.rate, clip=5)
    before, labels = table(data[1])
    shares: dict[str, list[float]] = {kind: [] for kind in tests}
    for epoch in lecture.track(range(1, options.epochs + 1), "training"):
        training.rate = optim.exponential_decay(options.rate, epoch, 0.7, after=options.epochs / 2)
        model.net.training()
        batches = lecture.minibatches(len(data[0]), 32)
        losses = [training([data[0][batch], before[:, batch]], labels[:, batch].ravel()) for batch in batches]
        for kind, (pictures, captions) in tests.items():
            shares[kind].append(right(model.greedy(pictures), captions))
        percents = ", ".join(f"{each[-1]:.1%}" for each in shares.values())
        print(f"epoch {epoch:2}: loss {sum(losses) / len(losses):.4f}, right of these {percents}")
    return shares


def parts_right(texts: list[Caption], captions: list[Caption]) -> dict[str, float]:
    """The shares of captions that are right, and of sizes, colours and shapes in those with the right length."""
    pairs = [pair for t, c in zip(texts, captions) if len(t) == len(c) for pair in zip(t, c)]
    kinds: dict[str, list[str]] = {"size": [*SIZES], "colour": [*COLOURS], "shape": [*SHAPES]}
    parts = {kind: float(np.mean([t == c for t, c in pairs if c in words] or [False])) for kind, words in kinds.items()}
    return {"caption": right(texts, captions), **parts}


def draw_shares(shares: dict[str, list[float]], parts: dict[str, dict[str, float]], path: Path) -> None:
    """How many captions are right after every epoch, and which parts of them in the end."""
    figure = lecture.figure(10, 3.6)
    curves, bars = figure.subplots(1, 2, sharey=True)
    for i, (kind, values) in enumerate(shares.items()):
        curves.plot(range(1, len(values) + 1), values, label=kind)
        bars.bar(np.arange(4) + 0.27 * (i - 1), [*parts[kind].values()], 0.25)
    curves.set(title="captions right, word for word", xlabel="epoch", ylabel="share", ylim=(-0.02, 1.02))
    bars.set(title="parts right in the end")
    bars.set_xticks(range(4), [*next(iter(parts.values()))])
    curves.legend(loc="center right")
    for axes in (curves, bars):
        axes.grid(alpha=0.3, axis="y")
    lecture.save(figure, path)


def draw_captions(tests: dict[str, Pictures], texts: dict[str, list[Caption]], path: Path) -> None:
    """Pictures and what was said of them; in red what is wrong."""
    figure = lecture.figure(11, 1.75 * len(tests))
    for axes, (kind, (pictures, captions)) in zip(figure.subplots(len(tests), 1), tests.items()):
        mosaic = np.ones((SIDE, 8 * (SIDE + 12), 3))
        for i, (picture, caption, text) in enumerate(zip(pictures[:8], captions, texts[kind])):
            left = i * (SIDE + 12) + 6
            mosaic[:, left : left + SIDE] = np.clip(picture.transpose(1, 2, 0) / 4 + 0.25, 0, 1)
            lines = " ".join(text).replace(" left of ", "\nleft of\n").replace(" above ", "\nabove\n")
            colour = "black" if text == caption else "red"
            axes.text(left + SIDE / 2, SIDE + 1, lines, color=colour, ha="center", va="top", fontsize=7)
        axes.imshow(mosaic)
        axes.set_title(kind, fontsize=10, loc="left")
        axes.set_axis_off()
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--pictures", type=lecture.whole(32), default=6000, help="to learn from")
    parser.add_argument("--hold-out", choices=("both", "large"), default="both", help="sizes of the things never shown")
    parser.add_argument("--size", type=lecture.whole(1), default=128, help="of the code and of the states")
    parser.add_argument("--epochs", type=lecture.whole(1), default=10, help="how often to see all pictures")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.003, help="Adam's learning rate, at first")
    parser.add_argument("--beam", type=lecture.whole(1), default=1, help="beginnings to go on with; 1 is greedy")
    return lecture.parse(parser, words, pictures=640, epochs=2, rate=0.005)


def data(options: argparse.Namespace) -> tuple[Pictures, dict[str, Pictures]]:
    """What to learn from, and what to be tried on."""
    things = [(size, colour, shape) for size in SIZES for colour in COLOURS for shape in SHAPES]
    never = [thing for thing in things if thing[1:] in NEVER and options.hold_out in ("both", thing[0])]
    seen = [thing for thing in things if thing not in never]
    learned = scenes(options.pictures, seen)
    pictures, captions = scenes(options.pictures // 8, seen)
    known = np.array([caption in learned[1] for caption in captions])
    tests = [(pictures[keep], [c for c, kept in zip(captions, keep) if kept]) for keep in (known, ~known)]
    tests.append(scenes(options.pictures // 16, never))
    return learned, {kind: test for kind, test in zip(KINDS, tests) if test[1]}


def main(words: list[str] | None = None) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """Trains, tells and draws; returns shares that are right, by kind: of captions after every epoch, of parts last."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    learned, tests = data(options)
    counts = ", ".join(f"{len(captions)} with {kind}" for kind, (_, captions) in tests.items())
    print(f"{len(learned[0])} pictures to learn from; others to be tried on: {counts}")
    model = Captioner(options.size)
    shares = train(model, learned, tests, options)
    if options.beam > 1:
        texts = {kind: [model.beam(p, options.beam)[0] for p in pictures] for kind, (pictures, _) in tests.items()}
    else:
        texts = {kind: model.greedy(pictures) for kind, (pictures, _) in tests.items()}
    parts = {kind: parts_right(texts[kind], tests[kind][1]) for kind in tests}
    for kind, part in parts.items():
        print(f"{kind}: right are " + ", ".join(f"{share:.1%} of the {name}s" for name, share in part.items()))
    model.net.forward([learned[0][:1], table(learned[1][:1])[0]])
    lecture.draw(model.net, options.output / "caption-graph.svg", title="A picture becomes a sentence")
    draw_shares(shares, parts, options.output / "caption.png")
    draw_captions(tests, texts, options.output / "caption-pictures.png")
    return shares, parts


if __name__ == "__main__":
    lecture.run(main)

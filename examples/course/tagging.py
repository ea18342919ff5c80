"""Two LSTMs, one from each end, tell for every character of Python source what it belongs to, and colour it.

    python examples/course/tagging.py                      trains, prints and draws how it does, colours itself
    python examples/course/tagging.py --file mine.py       colours a file of yours
    python examples/course/tagging.py --help               tells all options

A sequence goes in, and a tag for each of its elements comes out. The sequence is a text of characters x_1, ..., x_T,
the tags are the classes of what they belong to: a keyword, a string, a comment... A name before a bracket is a
function. The tokenize module knows the right tags, so the source of Python's standard library is as much data as one
wants; a tenth of the files is held out.

A recurrent network that reads from left to right has to tell at the f of "for", "format" and "format(" whether this is
a keyword, a name or a function. What it would have to know stands to the right. So a second one reads from right to
left, and the tag is made of both states:

    h_t = LSTM(x_t, h_(t-1))     g_t = LSTM'(x_t, g_(t+1))     y_t = softmax(W [h_t, g_t] + b)

(Graves and Schmidhuber, 2005). Beside it learns a network that reads forwards only and has as many parameters.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import io
import itertools
import keyword
import os
import string
import tokenize
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7

BLACK = "#222222"
COLOURS = {
    "space": BLACK,
    "keyword": "#0033b3; font-weight: bold",
    "function": "#8e24aa",
    "name": BLACK,
    "number": "#00707c",
    "string": "#1a7f37",
    "comment": "#6e6e6e; font-style: italic",
    "operator": "#b3541e",
}
CLASSES = list(COLOURS)
NUMBERS = {character: i for i, character in enumerate(string.printable, 1)}
OTHER = len(NUMBERS) + 1  # the number of any other character
LIBRARY = Path(os.__file__).parent
UNREADABLE = (tokenize.TokenError, SyntaxError, ValueError)  # what is no Python, or in another encoding
LARGEST = 20000  # bytes of a file to learn from
BEFORE, LINE, AFTER = "def first():\n    ", 'for format in formats(3, "for x"):  # for all', "\n        yield format\n"
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; background: #ffffff; color: #222222; margin: 2em }}
pre {{ font-size: 13px; line-height: 1.35 }}
.wrong {{ background: #ffdddd; text-decoration: underline 2px #d00000 }}
{styles}</style>
<h1>{title}</h1>
<p>{legend} <span class="wrong">tagged wrongly</span></p>
{sections}</html>
"""

Token = tuple[str, str, tuple[int, int], tuple[int, int]]  # kind, text, where it begins and ends: (row, column)
Tagged = tuple[str, np.ndarray]  # a source, and the classes of its characters


def whole_strings(tokens: Iterator[Token]) -> Iterator[Token]:
    """The tokens with every f-string as one STRING, as Python 3.11 has it; from 3.12 on it comes in parts."""
    depth, start = 0, (0, 0)
    for kind, text, begin, end in tokens:
        if kind.endswith("STRING_START"):
            start = start if depth else begin
            depth += 1
        elif kind.endswith("STRING_END"):
            depth -= 1
            if not depth:
                yield "STRING", "", start, end
        elif not depth:
            yield kind, text, begin, end


def tokens(source: str) -> Iterator[Token]:
    """What the tokenize module makes of a source; raises TokenError or SyntaxError for what is no Python."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.ERRORTOKEN or token.string in ("$", "?", "`"):  # operators from Python 3.12 on
            raise tokenize.TokenError(f"unexpected {token.string!r}", token.start)
        yield tokenize.tok_name[token.type], token.string, token.start, token.end


def tags(source: str) -> np.ndarray:
    """The classes of all characters, from 1; what is in no token is space."""
    rows = np.cumsum([0, *(len(line) for line in io.StringIO(source))])
    classes = np.ones(len(source), int)
    kinds = {"NUMBER": "number", "STRING": "string", "COMMENT": "comment", "OP": "operator"}
    for (kind, text, begin, end), (_, follows, _, _) in itertools.pairwise(whole_strings(tokens(source))):
        name = kinds.get(kind, "space")
        if kind == "NAME":
            name = "keyword" if keyword.iskeyword(text) else "function" if follows == "(" else "name"
        classes[rows[begin[0] - 1] + begin[1] : rows[end[0] - 1] + end[1]] = 1 + CLASSES.index(name)
    return classes


def encoded(source: str) -> np.ndarray:
    """The numbers of the characters, from 1."""
    return np.array([NUMBERS.get(character, OTHER) for character in source])


def read(path: Path) -> str:
    """The text of a Python file, in the encoding that it names; raises OSError, SyntaxError or ValueError."""
    with tokenize.open(path) as file:
        return file.read()


def corpus(count: int) -> tuple[list[Tagged], list[Tagged]]:
    """So many files of the standard library, in the order of their names: nine of ten to learn from, the tenth not."""
    found: list[Tagged] = []
    for path in sorted(LIBRARY.glob("*.py")):
        if path.stat().st_size <= LARGEST and len(found) < count:
            with contextlib.suppress(*UNREADABLE):  # not every version reads every file
                found.append((source := read(path), tags(source)))
    if len(found) < 10:
        raise FileNotFoundError(f"expected 10 Python files or more in {LIBRARY}, found {len(found)}")
    return [tagged for i, tagged in enumerate(found) if i % 10 != 9], found[9::10]


class Tagger:
    """An LSTM from left to right, with `both` a second one from right to left, and what makes tags of their states."""

    def __init__(self, size: int, both: bool):
        self.size, self.directions = size, 2 if both else 1
        x = nn.Identity()().annotate(name="characters")
        inputs, states = [x], []
        for name in ("forwards", "backwards")[: self.directions]:
            start = [nn.Identity()().annotate(name=f"{state} {name}") for state in "ch"]
            step = pygraphnn.lstm(OTHER, size, output="h", forget_bias=1)
            all_steps = pygraphnn.Unroll(step, reverse=name == "backwards")([x, *start]).annotate(name=name)
            states.append(nn.SelectTable(3)(all_steps))  # after the last c and h: h of all steps
            inputs += start
        width = self.directions * size
        joined = nn.View(-1, width)(nn.JoinTable(3)(states) if both else states[0])
        scores = nn.Linear(width, len(CLASSES))(joined).annotate(name="W [h, g] + b")
        self.net = pygraphnn.gModule(inputs, [nn.LogSoftMax()(scores).annotate(name="log y")]).float()

    def inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Characters (T, B), and states of zeros."""
        return [x, *[np.zeros((x.shape[1], self.size), np.float32)] * 2 * self.directions]

    def probabilities(self, source: str) -> np.ndarray:
        """The probabilities (T, 8) of the tags of a text, read at once."""
        self.net.evaluate()
        return np.exp(self.net.forward(self.inputs(encoded(source)[:, None])))


def size_of_one(size: int) -> int:
    """How large one LSTM has to be to have as many parameters as two of this size: G^2 + b G = 2 (H^2 + b H)."""
    b = OTHER + 4
    return round(-b / 2 + (b * b / 4 + 2 * (size * size + b * size)) ** 0.5)


def train(name: str, tagger: Tagger, data: list[Tagged], options: argparse.Namespace) -> list[float]:
    """Adam on pieces of the sources, cut out anywhere; gives the losses. The rate falls in the second half."""
    x, y = encoded("".join(source for source, _ in data)), np.concatenate([classes for _, classes in data])
    training = lecture.Training(tagger.net, nn.ClassNLLCriterion().float(), options.rate, clip=1)
    tagger.net.training()
    losses, length = [], min(options.length, len(x))
    for step in lecture.track(range(options.steps), name):
        training.rate = optim.exponential_decay(options.rate, step, 0.01 ** (2 / options.steps), options.steps / 2)
        starts = torch7.rand(options.batch_size) * (len(x) - length)
        places = np.arange(length)[:, None] + starts.astype(int)
        losses.append(training(tagger.inputs(x[places]), y[places].ravel()))
    return losses


def confusions(tagger: Tagger, data: list[Tagged]) -> optim.ConfusionMatrix:
    """Which class of characters is taken for which."""
    matrix = optim.ConfusionMatrix(CLASSES)
    for source, classes in data:
        matrix.batchAdd(tagger.probabilities(source), classes)
    matrix.updateValids()
    return matrix


def table(matrices: dict[str, optim.ConfusionMatrix]) -> None:
    """Prints how much of each class is right."""
    print(f"{'':12}{'characters':>12}" + "".join(f"{name:>18}" for name in matrices))
    for i, name in enumerate(CLASSES):
        shares = "".join(f"{matrix.valids[i]:18.2%}" for matrix in matrices.values())
        print(f"{name:12}{matrices['both directions'].mat[i].sum():12}{shares}")


def coloured(source: str, right: np.ndarray, given: np.ndarray) -> str:
    """A text as HTML: a span for each run of characters of one tag, all right or all wrong; none if it is black."""
    parts, place = [], 0
    for (tag, wrong), run in itertools.groupby(zip(given, given != right)):
        end = place + len(list(run))
        text, place = html.escape(source[place:end]), end
        plain = not wrong and COLOURS[CLASSES[tag - 1]] == BLACK
        parts.append(text if plain else f'<span class="c{tag}{" wrong" if wrong else ""}">{text}</span>')
    return "".join(parts)


def page(title: str, source: str, taggers: dict[str, Tagger]) -> str:
    """A text, coloured by each of the networks."""
    right, sections = tags(source), ""
    for name, tagger in reversed(taggers.items()):
        given = 1 + tagger.probabilities(source).argmax(1)
        told = f"{name}: {(given == right).mean():.2%} of {len(source)} characters right"
        sections += f"<h2>{told}</h2>\n<pre><code>{coloured(source, right, given)}</code></pre>\n"
        print(f"{title}, {told}")
    styles = "".join(f".c{i} {{ color: {colour} }}\n" for i, colour in enumerate(COLOURS.values(), 1))
    legend = " ".join(f'<span class="c{i}">{name}</span>' for i, name in enumerate(CLASSES, 1) if i > 1)
    return PAGE.format(title=html.escape(title), styles=styles, legend=legend, sections=sections)


def draw_shares(losses: dict[str, list[float]], matrices: dict[str, optim.ConfusionMatrix], path: Path) -> None:
    """How the losses fell, and how much of each class is right."""
    figure = lecture.figure(12, 3.8)
    curve, bars = figure.subplots(1, 2, width_ratios=(1, 1.6))
    for i, (name, values) in enumerate(losses.items()):
        window = max(1, len(values) // 50)
        smooth = np.convolve(values, np.full(window, 1 / window), "valid")
        curve.plot(np.arange(len(smooth)) + window, smooth, label=name)
        bars.bar(np.arange(len(CLASSES)) + 0.4 * i - 0.2, matrices[name].valids, 0.4, label=name)
    curve.set(xlabel="step", ylabel=f"loss per character, mean of {window} steps (nats)", yscale="log")
    curve.legend()
    bars.set(ylabel="right, of the held-out characters", ylim=(0, 1))
    bars.set_xticks(range(len(CLASSES)), CLASSES)
    for axes in curve, bars:
        axes.grid(alpha=0.3)
    lecture.save(figure, path)


def draw_line(taggers: dict[str, Tagger], path: Path) -> None:
    """The probabilities of the tags along a line, with the right ones."""
    figure = lecture.figure(11, 5.2)
    for axes, (name, tagger) in zip(figure.subplots(len(taggers), 1), taggers.items()):
        y = tagger.probabilities(BEFORE + LINE + AFTER)[len(BEFORE) : -len(AFTER)]
        image = axes.imshow(y.T, "Blues", vmin=0, vmax=1, aspect="auto")
        axes.plot(range(len(LINE)), tags(LINE) - 1, "o", ms=5, mfc="none", mec="red", label="right")
        axes.set_xticks(range(len(LINE)), LINE, family="monospace")
        axes.set_yticks(range(len(CLASSES)), CLASSES)
        axes.set_title(name)
    axes.legend(loc="lower left", fontsize="small")
    figure.colorbar(image, ax=figure.axes, label="probability")
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> tuple[argparse.Namespace, str]:
    """The options, and the text of the file to be coloured."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--file", type=Path, default=Path(__file__), help="Python source to be coloured")
    parser.add_argument("--files", type=lecture.whole(10), default=100, help="of the standard library to use, at most")
    parser.add_argument("--size", type=lecture.whole(1), default=64, help="of the states h and g")
    parser.add_argument("--steps", type=lecture.whole(1), default=800, help="of Adam")
    parser.add_argument("--length", type=lecture.whole(1), default=100, help="of a piece of source, in characters")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="pieces in a minibatch")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.01, help="Adam's learning rate, at first")
    options = lecture.parse(parser, words, files=20, size=24, steps=60, length=50, rate=0.03)
    try:
        if not len(tags(source := read(options.file))):
            raise ValueError("it is empty")
    except OSError as error:
        parser.error(f"--file: cannot read {str(options.file)!r}: {error.strerror}")
    except UNREADABLE as error:
        parser.error(f"--file: expected Python source, got {str(options.file)!r}: {error}")
    return options, source


def main(words: list[str] | None = None) -> dict[str, optim.ConfusionMatrix]:
    """Trains, tells and draws; returns which class each network takes for which."""
    options, source = arguments(words)
    torch7.manualSeed(options.seed)
    kept, held_out = corpus(options.files)
    print(f"{len(kept)} files to learn from, {len(held_out)} held out")
    taggers = {"forwards only": Tagger(size_of_one(options.size), False), "both directions": Tagger(options.size, True)}
    losses, matrices = {}, {}
    for name, tagger in taggers.items():
        losses[name] = train(name, tagger, kept, options)
        matrices[name] = confusions(tagger, held_out)
        count = sum(p.size for p in tagger.net.parameters()[0])
        print(f"{name}: {count} parameters, {matrices[name].totalValid:.2%} of the held-out characters are right")
    table(matrices)
    draw_shares(losses, matrices, options.output / "tagging.png")
    draw_line(taggers, options.output / "tagging-line.png")
    lecture.draw(taggers["both directions"].net, options.output / "tagging-graph.svg", title="From both ends")
    lecture.write(page(options.file.name, source, taggers), options.output / "tagging.html")
    return matrices


if __name__ == "__main__":
    lecture.run(main)

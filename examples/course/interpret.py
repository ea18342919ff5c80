"""What single cells of a network do: one knows strings, another counts brackets; a text in the colours of its cells.

    python examples/course/interpret.py                    trains on programs of its own making, finds and draws cells
    python examples/course/interpret.py --file mine.py     on your program
    python examples/course/interpret.py --help             tells all options

A network that predicts the next character of a program should know more than the last one: whether it is in a string,
how many brackets are open, how far the line is indented. All it keeps is its state, so the state must tell. The cells c
of an LSTM are numbers that may stay as they are for long. tanh(c) is between -1 and 1, and colours the text that the
network reads: red is negative, blue is positive. Karpathy, Johnson and Fei-Fei (2015) found telling cells by eye.

Here they are found by a number. What a character of a program is part of, Python's own tokenizer knows: p_t. Then

    r = sum_t (a_t - mean a) (p_t - mean p) / sqrt(sum_t (a_t - mean a)^2 sum_t (p_t - mean p)^2)

is 1 or -1 if a_t = tanh(c_t) of a cell tells it exactly, and near 0 if it does not at all. The best of many cells is
good by chance. So the best is chosen on one text, and r is that on another, neither of which the network trained on.
Beside it is r of the best cell of a network of the same size that has learned nothing.
"""

from __future__ import annotations

import argparse
import html
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import characters
import lecture
import pygraphnn
import torch7
from tagging import Token, whole_strings

WORDS = "red green blue left right up down sum item name value list count first last text line word"
WIDTH = 88  # of the picture of a text, in characters
LEVELS = 8  # of colour, to both sides of white
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Cells of a network that reads Python</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 1.5em }}
main {{ display: flex; flex-wrap: wrap; gap: 1.5em }}
pre {{ font-size: 12px; line-height: 1.3; border: 1px solid #ccc; padding: 0.5em; margin: 0 }}
{colours}</style>
<h1>Cells of a network that reads Python</h1>
<p>The colour of a character is tanh(c) of one cell after reading it: <i class="c0">-1</i>, red, to
<i class="c{most}">1</i>, blue.</p>
<main>
{cells}</main>
</html>
"""


# -- programs to learn from


def name() -> str:
    """A word."""
    return lecture.choose(WORDS.split())


def words() -> str:
    """One to six words."""
    return " ".join(name() for _ in range(torch7.random(6)))


def expression(depth: int = 0) -> str:
    """A name, a number, a string, a sum, or a call or a list of some of these."""
    kind = torch7.random(7 if depth < 3 else 4)
    if kind <= 2:
        return name()
    if kind <= 4:
        return str(torch7.random(99)) if kind == 3 else f'"{words()}"'
    if kind == 5:
        return f"{expression(depth + 1)} + {expression(depth + 1)}"
    inside = ", ".join(expression(depth + 1) for _ in range(torch7.random(3)))
    return f"{name()}({inside})" if kind == 6 else f"[{inside}]"


def block(indent: int) -> str:
    """One to four statements, some of which have blocks of their own."""
    text, blanks = "", " " * indent
    for _ in range(torch7.random(4)):
        kind = torch7.random(6 if indent < 16 else 4)
        if kind <= 3:
            text += f"{blanks}{name()} = {expression()}\n"
        elif kind == 4:
            text += f"{blanks}# {words()} {words()}\n"
        else:
            text += f"{blanks}{lecture.choose(['if', 'while'])} {name()}:\n{block(indent + 4)}"
    return text + f"{blanks}return {expression()}\n"


def programs(length: int) -> str:
    """Functions of such statements, as many as make a text of this length or a little more."""
    text = ""
    while len(text) < length:
        text += f"def {name()}({name()}):\n{block(4)}\n"
    return text


# -- what is true of the characters of a program


def properties(text: str) -> dict[str, np.ndarray]:
    """Of every character: whether it is in a string, in a comment; brackets open, blanks that its line has begun with,
    its position in the line. Raises ValueError for a text that is no Python."""
    lines = io.StringIO(text).readlines()
    lengths = list(map(len, lines))
    starts = np.cumsum([0, *lengths])
    string, comment, bracket = np.zeros((3, len(text)))
    try:
        for kind, part, first, last in tokens(text):
            span = slice(starts[first[0] - 1] + first[1], starts[last[0] - 1] + last[1])
            if kind in ("STRING", "COMMENT"):
                (string if kind == "STRING" else comment)[span] = 1
            elif kind == "OP" and part in tuple("()[]{}"):
                bracket[span] = 1 if part in "([{" else -1
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"expected a program in Python, got: {error.args[0]}")
    columns = np.concatenate([np.arange(length) for length in lengths])
    blanks = np.repeat([len(line) - len(line.lstrip(" ")) for line in lines], lengths)
    return {
        "in a string": string,
        "in a comment": comment,
        "open brackets": bracket.cumsum(),
        "indentation": np.minimum(columns + 1, blanks).astype(float),
        "position in the line": columns.astype(float),
    }


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a program: kind, text, first place and the one after the last; of each string only the whole."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return whole_strings((tokenize.tok_name[each.type], each.string, each.start, each.end) for each in found)


# -- what cells do


def watch(step: pygraphnn.gModule, alphabet: characters.Alphabet, text: str) -> np.ndarray:
    """tanh(c) after every character of a text, (T, cells)."""
    writer = pygraphnn.SequenceWriter(step, pygraphnn.initial_states(step, 1), len(alphabet))
    cells = []
    for index in alphabet.indices(text):
        writer.read(index)
        cells.append(np.tanh(writer.states[0][0]))
    return np.stack(cells)


def correlations(cells: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """r of every column of `cells` with `truth`; 0 where one of both never changes."""
    a, p = cells - cells.mean(0, dtype=float), truth - truth.mean()
    scale = np.sqrt((a * a).sum(0) * (p * p).sum())
    r: np.ndarray = p @ a / np.where(scale > 0, scale, 1)
    return r


@dataclass
class Found:
    """The best cell for a property, its correlation r, and that of the best sum of all cells."""

    cell: int
    r: float
    together: float


def best(cells: np.ndarray, truths: dict[str, np.ndarray]) -> dict[str, Found]:
    """For every property what is best in the first half, with its r in the second."""
    half = len(cells) // 2
    ones = np.append(cells, np.ones((len(cells), 1), cells.dtype), axis=1)
    found = {}
    for name, truth in truths.items():
        cell = int(abs(correlations(cells[:half], truth[:half])).argmax())
        weights = np.linalg.lstsq(ones[:half], truth[:half])[0]
        sums = np.stack([cells[half:, cell], ones[half:] @ weights], axis=1)
        r, together = correlations(sums, truth[half:])
        found[name] = Found(cell, float(r), float(together))
    return found


def telling(truths: dict[str, np.ndarray], text: str, lines: int) -> int:
    """Where so many lines of a text begin in which the properties change most."""
    starts = [0, *(i + 1 for i, letter in enumerate(text) if letter == "\n")]
    spans = [slice(a, b) for a, b in zip(starts, starts[lines:])] or [slice(0, len(text))]
    scaled = [truth / (truth.std() or 1) for truth in truths.values()]
    return int(max(spans, key=lambda span: min(truth[span].std() for truth in scaled)).start)


# -- text in colours


def colour(value: float) -> tuple[float, float, float]:
    """From red for -1 by way of white to blue for 1."""
    return (1 - value, 1 - 0.6 * value, 1.0) if value > 0 else (1.0, 1 + 0.7 * value, 1 + value)


def coloured(text: str, values: np.ndarray) -> str:
    """A text as HTML; characters that follow each other in one colour are together."""
    levels = np.rint(LEVELS * (1 + values)).astype(int)
    runs = itertools.groupby(zip(levels, text), key=lambda pair: pair[0])
    return "".join(f'<i class="c{level}">{html.escape("".join(c for _, c in run))}</i>' for level, run in runs)


def page(text: str, cells: np.ndarray, found: dict[str, Found]) -> str:
    """The text once for each property, in the colours of its best cell."""
    colours = "i { font-style: normal }\n"
    for level in range(2 * LEVELS + 1):
        red, green, blue = (round(255 * part) for part in colour(level / LEVELS - 1))
        colours += f".c{level} {{ background: rgb({red}, {green}, {blue}) }}\n"
    sections = ""
    for name, best in found.items():
        told = f"<h2>{html.escape(name)}</h2><p>cell {best.cell + 1}, r = {best.r:.2f}</p>"
        sections += f"<section>{told}\n<pre>{coloured(text, cells[:, best.cell])}</pre></section>\n"
    return PAGE.format(colours=colours, most=2 * LEVELS, cells=sections)


def draw_cells(text: str, cells: np.ndarray, found: dict[str, Found], path: Path) -> None:
    """The first lines of the page, as a picture."""
    lines = text.split("\n")[:12]
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
    figure = lecture.figure(WIDTH * 0.079, 1.9 * len(found))  # as wide as these characters of 9 points are
    for axes, (name, best) in zip(figure.subplots(len(found), 1), found.items()):
        shades = np.ones((len(lines), WIDTH, 3))
        for i, line in enumerate(lines):
            values = cells[starts[i] :, best.cell][: min(len(line), WIDTH)]
            shades[i, : len(values)] = np.reshape([colour(float(value)) for value in values], (-1, 3))
            for word in re.finditer(r"\S+", line[:WIDTH]):
                middle = (word.start() + word.end() - 1) / 2
                axes.text(middle, i, word[0], family="monospace", fontsize=9, ha="center", va="center_baseline")
        axes.imshow(shades, aspect="auto")
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{name}: cell {best.cell + 1}, r = {best.r:.2f}", fontsize=10, loc="left")
    lecture.save(figure, path)


def draw_correlations(found: dict[str, Found], chance: dict[str, Found], path: Path) -> None:
    """How well the best cell, and all cells together, tell the properties, before and after training."""
    figure = lecture.figure(8, 3.5)
    axes, y = figure.subplots(), np.arange(len(found))
    bars = [
        ("all cells, trained", found, True, "tab:blue"),
        ("best cell, trained", found, False, "navy"),
        ("all cells, untrained", chance, True, "lightgray"),
        ("best cell, untrained", chance, False, "gray"),
    ]
    for i, (label, each, together, shade) in enumerate(bars):
        values = [abs(best.together if together else best.r) for best in each.values()]
        axes.barh(y + 0.2 * i, values, 0.2, label=label, color=shade)
    axes.set_yticks(y + 0.3, list(found))
    axes.set(xlabel="|r| on a text that was neither learned nor chosen on", xlim=(0, 1))
    axes.invert_yaxis()
    figure.legend(loc="outside right upper", fontsize="small")
    axes.grid(alpha=0.3, axis="x")
    lecture.save(figure, path)


# -- the program


def tell(found: dict[str, Found], chance: dict[str, Found]) -> None:
    """Prints a table of both."""
    print(f"{'':22}{'untrained: best cell':>22}{'all':>7}{'trained: best cell':>22}{'all':>7}")
    for name, after in found.items():
        numbers = [f"{f'{each.cell + 1}, r = {each.r:5.2f}':>22}{each.together:7.2f}" for each in (chance[name], after)]
        print(f"{name:22}{''.join(numbers)}")


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options, with the program and its properties."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--file", type=characters.file, metavar="FILE", help="a program in Python to learn from")
    parser.add_argument("--length", type=lecture.whole(1), default=200_000, help="of programs to make, in characters")
    characters.options(parser, size=64, epochs=12, rate=0.01, batch=10, piece=100)
    options = lecture.parse(parser, words, length=40_000, epochs=4, rate=0.02, piece=50)
    torch7.manualSeed(options.seed)
    option = "--length" if options.file is None else "--file"
    options.text = programs(options.length) if options.file is None else options.file
    options.held = len(options.text) // 10  # what to choose and to judge cells on
    characters.check(parser, option, options.text[options.held :], options.batch)
    try:
        options.properties = properties(options.text)
    except ValueError as error:
        parser.error(f"{option}: {error}")
    return options


def main(words: list[str] | None = None) -> tuple[dict[str, Found], dict[str, Found]]:
    """Trains, finds cells and draws them; returns what was best before training and after."""
    options = arguments(words)
    alphabet = characters.Alphabet(options.text)
    text, held = options.text[: -options.held], options.text[-options.held :]
    truths = {name: truth[-options.held :] for name, truth in options.properties.items()}
    print(f"{len(text)} characters to learn from, {len(held)} to judge cells on; {len(alphabet)} different characters")
    step = pygraphnn.lstm(len(alphabet), options.size).float()
    chance = best(watch(step, alphabet, held), truths)
    lecture.draw(step, options.output / "interpret-graph.svg", title="One time step", states={2: 1, 3: 2})
    start = pygraphnn.initial_states(step, options.batch)
    training = characters.train(step, start, alphabet, text, options)
    losses = list(lecture.track(training, "training", characters.pieces(text, options)))
    print(characters.told(losses, options.epochs))
    cells = watch(step, alphabet, held)
    found = best(cells, truths)
    tell(found, chance)
    half = len(held) // 2
    place = half + telling({name: truth[half:] for name, truth in truths.items()}, held[half:], 12)
    shown = "".join(io.StringIO(held[place:]).readlines()[:36])
    colours = cells[place : place + len(shown)]
    lecture.write(page(shown, colours, found), options.output / "interpret.html")
    draw_cells(shown, colours, found, options.output / "interpret-cells.png")
    draw_correlations(found, chance, options.output / "interpret.png")
    return chance, found


if __name__ == "__main__":
    lecture.run(main)

"""Handwriting: a network writes with a pen, point by point, while a soft window slides along the text.

    python examples/course/handwriting.py                      trains two networks, writes a word, four pictures
    python examples/course/handwriting.py --text trains        writes another word
    python examples/course/handwriting.py --help               tells all options

A. Graves, Generating sequences with recurrent neural networks (2013). A line of writing is a sequence of offsets of the
pen, (dx, dy), each with a mark that says whether the stroke ends there. What comes next is uncertain, so the network
gives a density: M Gaussians in two dimensions, and the probability e of the end of a stroke, from 6 M + 1 outputs

    weight_j = softmax_j(.)   mean_j = .   deviation_j = exp(.)   correlation_j = tanh(.)   e = 1 / (1 + exp(.))

The loss of a point is -log sum_j weight_j N(dx, dy | mean_j, deviation_j, correlation_j), less the log probability of
its mark. The first network predicts: it knows the pen only. The second is told a text c_1 ... c_U, and looks at it
through K Gaussians that can move forward only:

    (a, b, d) = exp(W h)   kappa = kappa' + d   phi_u = sum_k a_k exp(-b_k (kappa_k - u)^2)   w = sum_u phi_u c_u

Its LSTM reads the pen and the last w. Nobody tells it which point belongs to which letter. The lines that it learns
from are random words in a font of Hershey's, each with a slant, a size, waves and a tremor of its own.
"""

from __future__ import annotations

import argparse
import functools
import html
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from pygraphnn.node import Node
from torch7.optional import optional

SPACING = 0.1  # between two points of the pen, in heights of a tall letter
UNIT = 0.075  # of offsets, in such heights, so that they are about as large as a normal random number
POINTS = 13  # of a letter, about
WINDOWS = 3  # Gaussians of the window

Strokes = list[np.ndarray]
Lines = tuple[list[str], list[np.ndarray]]  # texts and offsets


# -- lines of writing


@functools.cache
def script() -> Any:
    """Hershey's script of one pen, tall letters of height 1."""
    font = optional("HersheyFonts", "course", "the font").HersheyFonts()
    font.load_default_font("scripts")
    font.normalize_rendering(1)
    return font


def printed(text: str) -> Strokes:
    """The font's strokes (n, 2) of a text; where one ends as the next begins, the pen stays down."""
    strokes: Strokes = []
    for stroke in map(np.array, script().strokes_for_text(text)):
        joined = strokes and np.allclose(strokes[-1][-1], stroke[0])
        strokes.append(np.concatenate([strokes.pop(), stroke[1:]]) if joined else stroke)
    return strokes


def paced(stroke: np.ndarray) -> np.ndarray:
    """A stroke with points at equal distances along it."""
    way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    at = np.linspace(0, way[-1], 1 + max(1, round(way[-1] / SPACING)))
    return np.stack([np.interp(at, way, column) for column in stroke.T], 1)


def written(text: str) -> Strokes:
    """A text as somebody might write it: no two lines are alike."""
    slant, width, height = torch7.uniform(-0.1, 0.3), torch7.uniform(0.85, 1.15), torch7.uniform(0.85, 1.15)
    size, phase = torch7.rand(2, 2) * 0.04, torch7.rand(2, 2, 1) * 2 * math.pi
    strokes = []
    for stroke in printed(text):
        waves = [size[i] @ np.sin([[2], [5]] * stroke[:, 0] + phase[i]) for i in (0, 1)]
        points = paced((stroke + np.transpose(waves)) @ [[width, 0], [slant, height]])
        strokes.append(points + torch7.randn(*points.shape) * 0.008)
    return strokes


def to_offsets(strokes: Strokes) -> np.ndarray:
    """Rows (dx, dy, whether a stroke ends), from the first point on, which is where the pen begins."""
    ends = np.concatenate([np.arange(1, len(stroke) + 1) == len(stroke) for stroke in strokes])
    points = np.concatenate(strokes)
    return np.column_stack([np.diff(points, axis=0, prepend=points[:1]) / UNIT, ends])


def to_strokes(offsets: np.ndarray) -> Strokes:
    """The strokes that such rows make, from the origin."""
    points = np.cumsum(offsets[:, :2], axis=0) * UNIT
    cut = np.split(points, np.flatnonzero(offsets[:, 2] > 0.5) + 1)
    return [stroke for stroke in cut if len(stroke)]


def lines(count: int, letters: str) -> Lines:
    """Words of three to six random letters, and how they were written."""
    length = [torch7.random(3, 6) for _ in range(count)]
    texts = ["".join(lecture.choose(letters) for _ in range(n)) for n in length]
    return texts, [to_offsets(written(text)) for text in texts]


# -- the density of the next point


def log_sum(x: np.ndarray) -> np.ndarray:
    """log sum_j exp(x_j), without overflow."""
    largest = x.max(-1, keepdims=True)
    return np.asarray(largest + np.log(np.exp(x - largest).sum(-1, keepdims=True)))


class Density:
    """What outputs (..., 6 M + 1) mean: M Gaussians, and `end`, of which comes the probability of a stroke's end.

    A bias above 0, one or one for each row, makes likely points likelier.
    """

    def __init__(self, y: np.ndarray, bias: Any = 0.0):
        weight, mean1, mean2, size1, size2, r = np.split(y[..., :-1], 6, axis=-1)
        by = np.asarray(bias, y.dtype)[..., None]
        self.log_weight = weight * (1 + by) - log_sum(weight * (1 + by))
        self.means, self.log_deviations = (mean1, mean2), (size1 - by, size2 - by)
        self.correlation, self.end = np.tanh(r), y[..., -1]
        self.ends = (1 - np.tanh(self.end / 2)) / 2  # the same as 1 / (1 + exp(end)), without overflow
        # log(1 - correlation^2), of which rounding would leave nothing where the correlation is almost 1
        self.log_rest = 2 * (math.log(2) - abs(r) - np.log1p(np.exp(-2 * abs(r))))

    def distances(self, x: np.ndarray) -> list[np.ndarray]:
        """How many deviations points are away from the means, in both directions."""
        return [(x[..., i, None] - self.means[i]) * np.exp(-self.log_deviations[i]) for i in (0, 1)]

    def log_shares(self, x: np.ndarray) -> np.ndarray:
        """log(weight_j N_j(x)) of points."""
        z1, z2 = self.distances(x)
        square = (z1**2 + z2**2 - 2 * self.correlation * z1 * z2) * np.exp(-self.log_rest)
        scale = math.log(2 * math.pi) + self.log_deviations[0] + self.log_deviations[1] + self.log_rest / 2
        return np.asarray(self.log_weight - scale - square / 2)

    def draw(self) -> np.ndarray:
        """Random points (..., 3) of this density."""
        sums = np.exp(self.log_weight).cumsum(-1)
        j = (sums < torch7.rand(*sums.shape[:-1], 1) * sums[..., -1:]).sum(-1, keepdims=True)
        r, *chosen = (
            np.take_along_axis(a, j, -1)[..., 0] for a in (self.correlation, *self.means, *self.log_deviations)
        )
        z1, z2 = torch7.randn(2, *r.shape)
        x1, x2 = chosen[0] + np.exp(chosen[2]) * z1, chosen[1] + np.exp(chosen[3]) * (r * z1 + np.sqrt(1 - r**2) * z2)
        ends = torch7.rand(*r.shape) < self.ends
        return np.stack([x1, x2, ends], -1).astype(np.float32)


class DensityCriterion(nn.Criterion):
    """The mean loss of points (..., 3) for outputs (..., 6 M + 1); points of NaN do not count."""

    def updateOutput(self, input: Any, target: Any) -> Any:
        self.counts = ~np.isnan(target[..., 0])
        d, x = Density(input[self.counts]), target[self.counts]
        # -log e = log(1 + exp(end)), and -log(1 - e) = log(1 + exp(-end))
        mark = np.logaddexp(0, (2 * x[:, 2] - 1) * d.end)
        self.output = float(np.mean(mark - log_sum(d.log_shares(x))[:, 0]))
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> Any:
        d, x = Density(input[self.counts]), target[self.counts]
        shares = d.log_shares(x)
        gamma = np.exp(shares - log_sum(shares))  # which part of the density each Gaussian has
        z1, z2 = d.distances(x)
        pull1, pull2 = (np.exp(-d.log_rest) * z for z in (z1 - d.correlation * z2, z2 - d.correlation * z1))
        parts = [
            np.exp(d.log_weight) - gamma,
            -gamma * pull1 * np.exp(-d.log_deviations[0]),
            -gamma * pull2 * np.exp(-d.log_deviations[1]),
            gamma * (1 - pull1 * z1),
            gamma * (1 - pull2 * z2),
            -gamma * (d.correlation + pull1 * pull2 * np.exp(d.log_rest)),
            x[:, 2:] - d.ends[:, None],
        ]
        self.gradInput = np.zeros_like(input)
        self.gradInput[self.counts] = np.concatenate(parts, 1) / len(x)
        return self.gradInput


def baseline(offsets: list[np.ndarray]) -> np.ndarray:
    """The outputs of one Gaussian for all points: what is known without any memory."""
    x, y, ends = np.concatenate([rows[1:] for rows in offsets]).T
    outputs = [0, x.mean(), y.mean(), np.log(x.std()), np.log(y.std()), np.arctanh(np.corrcoef(x, y)[0, 1])]
    return np.array([*outputs, np.log(1 / ends.mean() - 1)])


# -- the networks


def window(a: Node, b: Node, kappa: Node, positions: int) -> Node:
    """phi_u = sum_k a_k exp(-b_k (kappa_k - u)^2), for u = 1 ... positions."""
    a, b, wide = (nn.Replicate(positions, 2, 1)(node) for node in (a, b, kappa))
    u = nn.Constant(np.tile(np.arange(1.0, positions + 1), (WINDOWS, 1)), 1)(kappa).annotate(name="u")
    square = nn.Square()(nn.CSubTable()([wide, u]))
    bells = nn.Exp()(nn.MulConstant(-1)(nn.CMulTable()([b, square])))
    return nn.Sum(1, 2)(nn.CMulTable()([a, bells])).annotate(name="phi")


def synthesis(letters: int, size: int, positions: int, outputs: int) -> pygraphnn.gModule:
    """One step, [pen, c, h, kappa, w, text] to [c', h', kappa', w', text, y, phi]; text is (B, positions, letters)."""
    names = ("pen", "c", "h", "kappa", "w", "text")
    pen, c, h, kappa, w, text = (nn.Identity()().annotate(name=name) for name in names)
    next_c, next_h = pygraphnn.lstm_cell(nn.JoinTable(2)([pen, w]), c, h, 3 + letters, size)
    linear = nn.Linear(size, 3 * WINDOWS)
    linear.bias[2 * WINDOWS :] = -math.log(POINTS)  # a letter lasts for about so many points
    positive = nn.Exp()(linear(next_h))
    a, b, d = (nn.Narrow(2, 1 + k * WINDOWS, WINDOWS)(positive).annotate(name="abd"[k]) for k in range(3))
    next_kappa = nn.CAddTable()([kappa, d]).annotate(name="kappa'")
    phi = window(a, b, next_kappa, positions)
    row = nn.MM()([nn.View(1, positions).setNumInputDims(1)(phi), text])
    next_w = nn.View(letters).setNumInputDims(2)(row).annotate(name="w'")
    y = nn.Linear(size + letters, outputs)(nn.JoinTable(2)([next_h, next_w])).annotate(name="y")
    same = nn.Identity()(text).annotate(name="text, as it is")
    return pygraphnn.gModule([pen, c, h, kappa, w, text], [next_c, next_h, next_kappa, next_w, same, y, phi])


class Writer:
    """A network over sequences, with what it starts from. With letters it is told texts, without it predicts."""

    def __init__(self, options: argparse.Namespace, letters: str):
        self.size, self.letters, self.positions = options.size, letters, 1 + max(6, len(options.text))
        outputs = 6 * options.gaussians + 1
        if letters:
            step = synthesis(len(letters), options.size, self.positions, outputs)
        else:
            step = pygraphnn.lstm(3, options.size, input="vectors", output="linear", output_size=outputs)
        self.unrolled = pygraphnn.Unroll(step).float()
        self.net = nn.Sequential().add(self.unrolled).add(nn.SelectTable(6 if letters else 3))

    def start(self, texts: list[str]) -> list[np.ndarray]:
        """The states before the first point."""
        sizes = [self.size, self.size] + [WINDOWS, len(self.letters)] * bool(self.letters)
        states = [np.zeros((len(texts), size), np.float32) for size in sizes]
        if self.letters:
            states.append(np.zeros((len(texts), self.positions, len(self.letters)), np.float32))
            for row, text in zip(states[-1], texts):
                row[range(len(text)), [self.letters.index(letter) for letter in text]] = 1
        return states

    def inputs(self, texts: list[str], offsets: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Lines as a minibatch (T, B, ...), and the points that follow; NaN after the end."""
        points = np.full((max(map(len, offsets)), len(offsets), 3), np.nan, np.float32)
        for b, rows in enumerate(offsets):
            points[: len(rows), b] = rows
        return [np.nan_to_num(points[:-1]), *self.start(texts)], points[1:]

    def write(self, texts: list[str], bias: np.ndarray, most: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Draws a line for each text, point by point, until the window leaves the text; and phi (T, B, positions)."""
        self.net.evaluate()
        states, points, phis = self.start(texts), np.zeros((1, len(texts), 3), np.float32), []
        ends = np.full(len(texts), most)
        while len(points) < ends.max():
            found = self.unrolled.forward([points[-1:], *states])
            points = np.concatenate([points, Density(found[len(states)], bias).draw()])
            states = found[: len(states)]
            if self.letters:
                phis.append(found[-1][0].copy())
                left = phis[-1].argmax(1) >= [len(text) for text in texts]
                ends[left & (ends == most)] = len(points)
        return [points[:end, b] for b, end in enumerate(ends)], np.array(phis)


def train(writer: Writer, data: Lines, epochs: int, options: argparse.Namespace) -> Iterator[float]:
    """Epoch by epoch with Adam, lines of about the same length in a minibatch; gives the mean losses."""
    training = lecture.Training(writer.net, DensityCriterion(), options.rate, clip=1)
    (texts, offsets), size = data, options.batch_size
    for epoch in range(epochs):
        training.rate = optim.exponential_decay(options.rate, epoch, 0.8, after=epochs * 0.6)
        order = np.argsort([len(rows) + torch7.uniform(0, 10) for rows in offsets])
        losses = []
        for start in (torch7.randperm(math.ceil(len(order) / size)).astype(int) - 1) * size:
            chosen = order[start : start + size]
            losses.append(training(*writer.inputs([texts[i] for i in chosen], [offsets[i] for i in chosen])))
        yield sum(losses) / len(losses)


# -- pictures


def page(rows: dict[str, Strokes], scale: float = 110, height: int = 160) -> str:
    """Lines of writing, with their captions, as SVG."""
    width = 60 + scale * max(np.concatenate(strokes)[:, 0].max() for strokes in rows.values())
    size = f'width="{width:.0f}" height="{height * len(rows)}" fill="none" font-family="sans-serif" font-size="11"'
    text = f'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" {size}>\n'
    for top, (caption, strokes) in zip(range(0, height * len(rows), height), rows.items()):
        text += f'<text x="10" y="{top + 16}" fill="black">{html.escape(caption)}</text>\n'
        for stroke in strokes:
            way = "L".join(f"{30 + scale * x:.1f},{top + 90 - scale * y:.1f}" for x, y in stroke)
            text += f'<path d="M{way}" stroke="navy" stroke-width="2" stroke-linecap="round"/>\n'
    return text + "</svg>\n"


def pen(axes: Any, title: str, strokes: Strokes) -> None:
    """Draws a line of writing."""
    for stroke in strokes:
        axes.plot(*stroke.T, color="navy", solid_capstyle="round")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_aspect("equal", anchor="W")
    axes.axis("off")


def examples(columns: list[dict[str, Strokes]], path: Path) -> None:
    """Lines that were learned from, and lines that the networks wrote."""
    figure = lecture.figure(11, 1.2 * len(columns[0]))
    for axes, column in zip(figure.subplots(len(columns[0]), len(columns)).T, columns):
        for axis, row in zip(axes, column.items()):
            pen(axis, *row)
    lecture.save(figure, path)


def alignment(text: str, offsets: np.ndarray, phi: np.ndarray, path: Path) -> None:
    """The written points in the colour of the letter that the window looks at, and the window's weights."""
    figure = lecture.figure(11, 5)
    line, heat = figure.subplots(2, 1, height_ratios=(1, 2))
    pen(line, "what is written, in the colours of the letters that the window looks at", to_strokes(offsets))
    line.scatter(*np.cumsum(offsets[1:, :2], axis=0).T * UNIT, c=[f"C{u}" for u in phi.argmax(1)], s=30, zorder=3)
    image = heat.imshow(phi.T, "viridis", aspect="auto", extent=(0.5, len(phi) + 0.5, len(phi.T) - 0.5, -0.5))
    figure.colorbar(image, ax=heat, label="phi")
    heat.set_yticks(range(len(text) + 1), [*text, "end"])
    for u, label in enumerate(heat.get_yticklabels()):
        label.set_color(f"C{u}")
    heat.set(xlabel="point of the pen", ylim=(len(text) + 0.5, -0.5))
    lecture.save(figure, path)


# -- the program


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--text", default="neurons", help="what to write")
    parser.add_argument("--letters", default="aehilnorstu", help="the letters to learn")
    parser.add_argument(
        "--bias", type=lecture.real(least=0), default=1.0, help="how much likelier likely points become"
    )
    parser.add_argument("--lines", type=lecture.whole(1), default=2000, help="of writing to learn from")
    parser.add_argument("--epochs", type=lecture.whole(1), default=12, help="of the second network; half for the first")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="lines in a minibatch")
    parser.add_argument("--size", type=lecture.whole(1), default=128, help="of the LSTM")
    parser.add_argument("--gaussians", type=lecture.whole(1), default=8, help="of the density")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.005, help="Adam's learning rate, at first")
    options = lecture.parse(parser, words, lines=96, epochs=4, size=40, rate=0.01)
    for name, text in (("--letters", options.letters), ("--text", options.text)):
        if not text:
            parser.error(f"{name}: expected one letter or more, got none")
    for letter in options.letters:
        if not printed(letter) or options.letters.count(letter) > 1:
            parser.error(f"--letters: expected letters of the font, each once, got {letter!r} in {options.letters!r}")
    for letter in options.text:
        if letter not in options.letters:
            parser.error(f"--text: expected letters of --letters, {options.letters!r}, got {letter!r}")
    return options


def learn(data: Lines, options: argparse.Namespace) -> tuple[list[Writer], dict[str, float]]:
    """Both networks, trained, and the losses of lines that are held out."""
    writers, held_out = [Writer(options, letters) for letters in ("", options.letters)], lines(100, options.letters)
    criterion, (_, target) = DensityCriterion(), writers[0].inputs(*held_out)
    losses = {"one Gaussian": criterion.forward(np.tile(baseline(data[1]), (*target.shape[:2], 1)), target)}
    for name, writer, epochs in zip(("prediction", "synthesis"), writers, ((options.epochs + 1) // 2, options.epochs)):
        *_, last = lecture.track(train(writer, data, epochs, options), name, epochs)
        losses[name] = criterion.forward(writer.net.forward(writer.inputs(*held_out)[0]), target)
        count = sum(p.size for p in writer.net.parameters()[0])
        print(f"{name}: {count} parameters, {epochs} epochs, loss {last:.3f} in the last")
    return writers, losses


def main(words: list[str] | None = None) -> tuple[dict[str, float], list[np.ndarray], np.ndarray]:
    """Trains, writes, tells and draws; returns losses, four lines (the last two with the bias), and phi of the last."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    data, text = lines(options.lines, options.letters), options.text
    print(f"{options.lines} lines of {np.mean([len(rows) for rows in data[1]]):.1f} points on average")
    (predicting, writer), losses = learn(data, options)
    for name, loss in losses.items():
        print(f"{name:13} {loss:7.3f} nats for a point of lines that are held out")
    scrawls, _ = predicting.write(["", ""], np.zeros(2), 90)
    bias = np.array([0, 0, options.bias, options.bias])
    wrote, phi = writer.write([text] * 4, bias, 30 * len(text))
    phi = phi[: len(wrote[-1]) - 1, -1]
    captions = [f"{text}, bias {by:g}, drawn {('once', 'again')[i % 2]}" for i, by in enumerate(bias)]
    right = {caption: to_strokes(rows) for caption, rows in zip(captions, wrote)}
    left = {f"to learn from: {data[0][i]}": to_strokes(data[1][i]) for i in (0, 1)}
    left |= {f"predicted without a text, {i}": to_strokes(rows) for i, rows in zip(("once", "again"), scrawls)}
    step = writer.unrolled.step
    step.forward([np.zeros((1, 3), np.float32), *writer.start([text])])
    lecture.draw(step, options.output / "handwriting-graph.svg", title="One point", states=writer.unrolled.states)
    examples([left, right], options.output / "handwriting.png")
    alignment(text, wrote[-1], phi, options.output / "handwriting-window.png")
    lecture.write(page(right), options.output / "handwriting.svg")
    return losses, wrote, phi


if __name__ == "__main__":
    lecture.run(main)

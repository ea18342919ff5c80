"""A recurrent network reads a digit row by row, or pixel by pixel, and says in the end which digit it was.

    python examples/course/classify.py                  trains both readers, prints and draws how they do
    python examples/course/classify.py --network irnn   with another network: lstm, gru, irnn or rnn
    python examples/course/classify.py --scramble       the pixels in a random order, the same for all digits
    python examples/course/classify.py --help           tells all options

A sequence goes in, one class comes out: many to one. A recurrent network reads x_1, ..., x_T, and its last state is all
that the answer is made of:

    h_t = f(x_t, h_(t-1))        y = softmax(W h_T + b)

The digits are those of cnn.py, pictures of 8 x 8 pixels, a fifth of them held out. They are not given as pictures, but
as sequences: 8 steps of 8 numbers, a row at a time, or 64 steps of 1 number, a pixel at a time, row after row. It is
the same picture both times, but not the same task: what was read at step t is in h_T only if T - t steps kept it, and
the gradient for it has to come back by the same way.

The readout W h + b learns from the last state only. It can be put to any other state: what would the answer be if the
digit ended here? One of the pictures shows this, step by step, beside the digits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from cnn import CLASSES, counted, digits, draw_confusions

WIDTHS = {"rows": 8, "pixels": 1}  # how many numbers a step reads

STEPS: dict[str, Callable[[int, int], pygraphnn.gModule]] = {
    "lstm": lambda width, size: pygraphnn.lstm(width, size, input="vectors", output="h", forget_bias=1),
    "gru": lambda width, size: pygraphnn.gru(width, size, input="vectors", output="h"),
    "irnn": lambda width, size: pygraphnn.rnn(
        width, size, input="vectors", output="h", activation="relu", recurrent_init="identity"
    ),
    "rnn": lambda width, size: pygraphnn.rnn(width, size, input="vectors", output="h"),
}


def sequences(pictures: np.ndarray, width: int) -> np.ndarray:
    """Pictures (N, 1, 8, 8) as sequences (64 / width, N, width): rows from top to bottom, each from left to right."""
    return np.ascontiguousarray(pictures.reshape(len(pictures), -1, width).swapaxes(0, 1))


def scrambled(pictures: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The pictures with their 64 pixels in another order."""
    return pictures.reshape(len(pictures), -1)[:, order].reshape(pictures.shape)


class Reader:
    """A network that reads sequences of vectors of `width` numbers into a state of `size` numbers."""

    def __init__(self, kind: str, width: int, size: int):
        self.width, step = width, STEPS[kind](width, size)
        self.unrolled = pygraphnn.Unroll(step)
        self.readout = nn.Sequential().add(nn.Linear(size, CLASSES)).add(nn.LogSoftMax())
        names = ["x", "c", "h"] if kind == "lstm" else ["x", "h"]
        x, *states = (nn.Identity()().annotate(name=name) for name in names)
        # the last states come out where the first ones went in: h is the last of them
        last = nn.SelectTable(len(states))(self.unrolled([x, *states]).annotate(name="all steps"))
        answer = self.readout(last.annotate(name="h_T"))
        self.net = pygraphnn.gModule([x, *states], [answer]).float()
        self.zeros = pygraphnn.initial_states(step, 1)

    def inputs(self, pictures: np.ndarray) -> list[np.ndarray]:
        """What the network reads: sequences, and states of zeros."""
        return [sequences(pictures, self.width), *(np.repeat(zero, len(pictures), 0) for zero in self.zeros)]

    def answers(self, pictures: np.ndarray) -> np.ndarray:
        """The logarithms of the probabilities (N, 10)."""
        self.net.evaluate()
        return np.copy(self.net.forward(self.inputs(pictures)))

    def answers_on_the_way(self, picture: np.ndarray) -> np.ndarray:
        """The probabilities (T, 10) that the readout makes of every state, for one picture."""
        self.net.evaluate()
        *_, states = self.unrolled.forward(self.inputs(picture[None]))
        return np.exp(self.readout.forward(states[:, 0]))


@dataclass
class Curves:
    """What became of a reader, epoch by epoch."""

    losses: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


def train(reader: Reader, data: tuple[np.ndarray, np.ndarray], options: argparse.Namespace) -> Iterator[float]:
    """Trains epoch by epoch with Adam and gives the mean loss of each; the rate falls in the second half."""
    pictures, labels = data
    training = lecture.Training(reader.net, nn.ClassNLLCriterion().float(), options.rate, clip=1)
    for epoch in range(options.epochs):
        training.rate = optim.exponential_decay(options.rate, epoch, 0.8, after=options.epochs / 2)
        reader.net.training()
        batches = lecture.minibatches(len(labels), options.batch_size)
        losses = [training(reader.inputs(pictures[batch]), labels[batch]) for batch in batches]
        yield sum(losses) / len(losses)


def learn(way: str, reader: Reader, data: tuple, held_out: tuple, options: argparse.Namespace) -> Curves:
    """Trains a reader, tells how it does, and gives its curves. No step of training looks at what is held out."""
    curves = Curves()
    epochs = lecture.track(train(reader, data, options), way, options.epochs)
    for epoch, loss in enumerate(epochs, 1):
        curves.losses.append(loss)
        curves.shares.append(counted(reader.answers(held_out[0]), held_out[1]).totalValid)
        if epoch % 10 == 0 or epoch == options.epochs:
            print(f"{way}, epoch {epoch:3}: loss {loss:.4f}, {curves.shares[-1]:.2%} of the held-out digits are right")
    return curves


def draw_curves(curves: dict[str, Curves], path: Path) -> None:
    """Losses and shares of right answers, side by side."""
    figure = lecture.figure(11, 3.6)
    losses, shares = figure.subplots(1, 2)
    for way, curve in curves.items():
        epochs = range(1, len(curve.losses) + 1)
        losses.plot(epochs, curve.losses, label=f"{way}: {64 // WIDTHS[way]} steps of {WIDTHS[way]}")
        shares.plot(epochs, curve.shares, label=way)
    losses.set(xlabel="epoch", ylabel="mean loss in training (nats)", yscale="log")
    shares.set(xlabel="epoch", ylabel="right, of the held-out digits", ylim=(0, 1))
    losses.legend()
    for axes in losses, shares:
        axes.grid(alpha=0.3)
    lecture.save(figure, path)


def draw_reading(readers: dict[str, Reader], pictures: dict[int, np.ndarray], path: Path) -> None:
    """Every digit, and beside it, from top to bottom as it is read, the answers on the way."""
    figure = lecture.figure(1.5 + 3.5 * len(pictures), 5.4)
    figure.suptitle("What the answer would be if the digit ended here")
    axes = figure.subplots(2, 2 * len(pictures), squeeze=False, width_ratios=[1.1, 1.3] * len(pictures))
    for row, (way, reader) in zip(axes, readers.items()):
        for i, (digit, picture) in enumerate(pictures.items()):
            shown, heat = row[2 * i : 2 * i + 2]
            shown.imshow(picture[0], "gray_r", aspect="auto")
            shown.set(xticks=[], yticks=[], title=f"a {digit}", ylabel=way if i == 0 else "")
            image = heat.imshow(reader.answers_on_the_way(picture), "viridis", vmin=0, vmax=1, aspect="auto")
            heat.set(xticks=range(CLASSES), yticks=[])
            heat.tick_params(labelsize=8)
    for i in range(len(pictures)):
        axes[1, 2 * i + 1].set_xlabel("answer")
    figure.colorbar(image, ax=axes, label="probability", shrink=0.6)
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--network", choices=STEPS, default="lstm", help="what reads")
    parser.add_argument("--size", type=lecture.whole(1), default=64, help="of the state h")
    parser.add_argument("--epochs", type=lecture.whole(1), default=40, help="how often to see all digits")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="digits in a minibatch")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.01, help="Adam's learning rate, at first")
    parser.add_argument("--scramble", action="store_true", help="put the pixels in a random order, one for all digits")
    parser.add_argument("--show", type=int, choices=range(CLASSES), nargs="+", default=[3, 5, 8], help="digits to draw")
    return lecture.parse(parser, words, epochs=4, size=32, rate=0.02)


def main(words: list[str] | None = None) -> dict[str, float]:
    """Trains, tells and draws; returns the share of held-out digits that each reader reads rightly."""
    options = arguments(words)
    data, held_out = digits(options.seed)
    if options.scramble:
        order = torch7.randperm(64).astype(int) - 1
        data, held_out = ((scrambled(pictures, order), labels) for pictures, labels in (data, held_out))
    readers = {way: Reader(options.network, width, options.size) for way, width in WIDTHS.items()}
    curves = {way: learn(way, reader, data, held_out, options) for way, reader in readers.items()}
    lecture.draw(readers["pixels"].net, options.output / "classify-graph.svg", title="A sequence in, one class out")
    draw_curves(curves, options.output / "classify-curves.png")
    shown = {digit: held_out[0][held_out[1] == digit + 1][0] for digit in options.show}
    draw_reading(readers, shown, options.output / "classify-reading.png")
    matrix = counted(readers["pixels"].answers(held_out[0]), held_out[1])
    draw_confusions(matrix, options.output / "classify-confusion.png", "Pixel by pixel, ")
    return {way: curve.shares[-1] for way, curve in curves.items()}


if __name__ == "__main__":
    lecture.run(main)

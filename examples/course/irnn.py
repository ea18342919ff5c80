"""A rectifier whose recurrent matrix begins as the identity keeps a number for 150 steps, where tanh forgets it.

    python examples/course/irnn.py                                  three networks at three lengths, and a picture
    python examples/course/irnn.py --lengths 200 --steps 3000       longer sequences
    python examples/course/irnn.py --networks relu tanh-identity    the rectifier alone, and the identity alone
    python examples/course/irnn.py --help                           tells all options

The adding problem: a sequence of T pairs (number, marker). The numbers are random, from 0 to 1; the marker is 1 at one
place in each half, and 0 elsewhere. After the last step the network tells the sum of the two marked numbers. Whoever
always answers 1, the mean sum, has a mean squared error of 2/12 = 0.167, the variance of the sum. To do better is to
keep a number over up to T steps, and to let all others pass.

All networks are plain ones, but for the LSTM:

    h_t = f(W x_t + U h_(t-1) + b)        y = V h_T + c

    tanh    f = tanh, and a random U
    irnn    f = max(0, .), U = 1 and b = 0 to begin with: without input h stays, for max(0, h) = h when h >= 0
    lstm    gates decide what is kept; the forget gates' bias is 1 to begin with

The gradient of y with respect to h_t is a product of T - t factors U^T f'(.). Of tanh they make it smaller and smaller,
or, when U grows, larger and larger. At the irnn's beginning each of them is 1 for every unit that is not at zero. (Le,
Jaitly and Hinton: A simple way to initialize recurrent networks of rectified linear units, 2015.)
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import lecture
import nn
import pygraphnn
import torch7

BASELINE = 1 / 6  # the variance of a sum of two numbers from 0 to 1
SOLVED = 0.01
EVERY = 50  # steps between two looks at the test set
COLORS = {"tanh": "C3", "irnn": "C0", "lstm": "C2", "relu": "C1", "tanh-identity": "C4"}

Data = tuple[np.ndarray, np.ndarray]


@dataclass
class Run:
    """A network at a length: its errors on the test set, after how many steps, and the steps to solve it, if it did."""

    length: int
    network: str
    steps: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    solved: int | None = None

    def add(self, step: int, error: float) -> bool:
        """Notes an error; tells whether the problem is solved."""
        self.steps.append(step)
        self.errors.append(error)
        if error < SOLVED:
            self.solved = step
        return error < SOLVED


def problem(length: int, batch: int) -> Data:
    """Sequences (length, batch, 2) of numbers and markers, and the sums (batch, 1) of the two marked numbers."""
    x = np.zeros((length, batch, 2), np.float32)
    x[:, :, 0] = torch7.rand(length, batch)
    half, rows = length // 2, np.arange(batch)
    x[(torch7.rand(batch) * half).astype(int), rows, 1] = 1
    x[half + (torch7.rand(batch) * (length - half)).astype(int), rows, 1] = 1
    return x, (x[:, :, 0] * x[:, :, 1]).sum(0)[:, None]


def network(name: str, size: int) -> pygraphnn.gModule:
    """One time step, [x, states] to [new states, y]."""
    if name == "lstm":
        return pygraphnn.lstm(2, size, input="vectors", output="linear", output_size=1, forget_bias=1)
    x, h = (nn.Identity()().annotate(name=name) for name in ("x", "h"))
    activation = "tanh" if name.startswith("tanh") else "relu"
    init = "identity" if name in ("irnn", "tanh-identity") else None
    new = pygraphnn.rnn_cell(x, h, 2, size, activation, init).annotate(name="h'")
    return pygraphnn.gModule([x, h], [new, nn.Linear(size, 1)(new).annotate(name="y")])


def rate(name: str, length: int) -> float:
    """A learning rate that suits the network, found by trying. It falls with the length where U = 1 must stay near 1,
    because a factor a little above 1 counts at every step."""
    return {"tanh": 0.003, "lstm": 0.01}.get(name, 0.15 / length)


class Adding:
    """A network that reads whole sequences, from states of zero, and is trained on its last answer."""

    def __init__(self, step: pygraphnn.gModule, rate: float):
        unrolled = pygraphnn.Unroll(step)
        self.net = nn.Sequential().add(unrolled).add(nn.SelectTable(-1)).add(nn.Select(1, -1)).float()
        self.zeros = pygraphnn.initial_states(step, 1)
        self.criterion = nn.MSECriterion().float()
        self.training = lecture.Training(self.net, self.criterion, rate, clip=1)

    def inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """What the unrolled network reads: sequences and initial states."""
        return [x, *(np.repeat(zero, x.shape[1], 0) for zero in self.zeros)]

    def learn(self, length: int, batch: int) -> None:
        """One step of training, on sequences that it never saw."""
        x, sums = problem(length, batch)
        self.training(self.inputs(x), sums)

    def error(self, x: np.ndarray, sums: np.ndarray) -> float:
        """The mean squared error."""
        self.net.evaluate()
        error = float(self.criterion.forward(self.net.forward(self.inputs(x)), sums))
        self.net.training()
        return error


def train(run: Run, step: pygraphnn.gModule, test: Data, options: argparse.Namespace) -> None:
    """Trains until the test error is below SOLVED, the steps are over, or a state is too large to be a number."""
    adding = Adding(step, options.rate * rate(run.network, run.length))
    run.add(0, adding.error(*test))
    try:
        for i in lecture.track(range(1, options.steps + 1), f"length {run.length}, {run.network}"):
            adding.learn(run.length, options.batch_size)
            if (i % EVERY == 0 or i == options.steps) and run.add(i, adding.error(*test)):
                return
    except FloatingPointError:
        run.add(i, np.inf)


def tell(run: Run) -> None:
    """One line about a run."""
    end = f"solved after {run.solved} steps" if run.solved else "not solved"
    print(f"length {run.length:4}  {run.network:14} error {min(run.errors):.4f} at best: {end}", flush=True)


def picture(runs: list[Run], path: Path) -> None:
    """A panel for each length with the errors of all networks."""
    lengths = list(dict.fromkeys(run.length for run in runs))
    figure = lecture.figure(1.5 + 3.5 * len(lengths), 3.6)
    panels = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    for length, panel in zip(lengths, panels):
        panel.axhline(BASELINE, color="black", linestyle="--", label="always 1")
        for run in runs:
            if run.length == length:
                panel.plot(run.steps, run.errors, color=COLORS[run.network], label=run.network)
                if run.solved:
                    panel.plot(run.steps[-1], run.errors[-1], "o", color=COLORS[run.network])
        panel.set(title=f"length {length}", xlabel="step", yscale="log", ylim=(SOLVED / 3, 4))
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("mean squared error")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    known = ["tanh", "irnn", "lstm"]
    parser.add_argument("--lengths", type=lecture.whole(2), nargs="+", default=[50, 100, 150], help="of the sequences")
    parser.add_argument("--networks", choices=COLORS, nargs="+", default=known, help="which to train")
    parser.add_argument("--size", type=lecture.whole(1), default=32, help="units of each network")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=50, help="sequences in a step of training")
    parser.add_argument("--steps", type=lecture.whole(1), default=1500, help="of training at most, for each")
    parser.add_argument("--rate", type=lecture.real(above=0), default=1.0, help="of Adam, times what suits a network")
    return lecture.parse(parser, words, lengths=[16], steps=300)


def main(words: list[str] | None = None) -> list[Run]:
    """Trains, tells and draws; returns what came out for each length and network."""
    options = arguments(words)
    lecture.draw(
        network("irnn", options.size), options.output / "irnn-graph.svg", title="One step of the irnn", states={2: 1}
    )
    print(f"always to answer 1: error {BASELINE:.4f}")
    runs = []
    for length in options.lengths:
        torch7.manualSeed(options.seed)
        test = problem(length, 500)
        for name in options.networks:
            torch7.manualSeed(options.seed + 1)  # the same sequences for all networks of the same size
            runs.append(Run(length, name))
            train(runs[-1], network(name, options.size), test, options)
            tell(runs[-1])
    picture(runs, options.output / "irnn.png")
    return runs


if __name__ == "__main__":
    lecture.run(main)

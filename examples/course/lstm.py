"""An LSTM wired by hand, whose gates can be watched while it keeps a number in mind; and stacks of it.

    python examples/course/lstm.py                     checks the wiring, trains, draws gates and stacks
    python examples/course/lstm.py --units 2           a smaller memory
    python examples/course/lstm.py --first-delay 40    without short delays in the beginning
    python examples/course/lstm.py --help              tells all options

A cell c runs through all time steps; gates, numbers from 0 to 1, decide what is written into it, kept and shown:

    i = sigmoid(W_i x + U_i h)          what to write
    f = sigmoid(W_f x + U_f h)          what to keep
    z = tanh(W_z x + U_z h)             what could be written
    c' = f c + i z
    o = sigmoid(W_o x + U_o h + V_o c')     what to show; this gate looks at the new cell
    h' = o tanh(c')

and W_i x and its like have biases. The function `cell` below is these lines again, as nodes of a graph.

The task: at every step the network sees a number from -1 to 1, at random. With one of them comes a mark: remember it.
Some numbers later comes a cue, and the network has to tell the remembered number; at all other steps, 0. Then there is
another mark. The delay between mark and cue is random, up to a longest one, which is 1 in the beginning and grows by 1
after every step of training at which nine of ten of the latest answers were near, within 0.2. (Always to tell 0 is near
in one of five.)

Several cells can stand on each other, each reading the h' of the one below. Stacks get a task for which remembering is
not enough: to tell cos(2 pi x) of the number x that was seen two steps before. The second picture has the losses of
one, two and three layers of four units, and of one layer with about as many parameters as the three.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from pygraphnn.node import Node

SEEN = ("number", "mark", "cue")
WATCHED = ("i", "f", "o", "c")
NEAR = 0.2


# -- the network


def cell(x: Node, c: Node, h: Node, width: int, size: int, forget_bias: float = 0) -> dict[str, Node]:
    """The nodes of the formulas above, by their names. The bias of f begins with what is drawn, plus forget_bias."""

    def of_x(gate: str) -> Node:
        return nn.Linear(width, size)(x).annotate(name=f"W_{gate} x")

    def of_h(gate: str) -> Node:
        return nn.Linear(size, size, False)(h).annotate(name=f"U_{gate} h")

    i = nn.Sigmoid()(nn.CAddTable()([of_x("i"), of_h("i")])).annotate(name="i")
    f_x = of_x("f")
    f_x.data.module.bias += forget_bias
    f = nn.Sigmoid()(nn.CAddTable()([f_x, of_h("f")])).annotate(name="f")
    z = nn.Tanh()(nn.CAddTable()([of_x("z"), of_h("z")])).annotate(name="z")
    new_c = nn.CAddTable()([nn.CMulTable()([f, c]), nn.CMulTable()([i, z])]).annotate(name="c'")
    of_c = nn.Linear(size, size, False)(new_c).annotate(name="V_o c'")
    o = nn.Sigmoid()(nn.CAddTable()([of_x("o"), of_h("o"), of_c])).annotate(name="o")
    new_h = nn.CMulTable()([o, nn.Tanh()(new_c)]).annotate(name="h'")
    return {"c": new_c, "h": new_h, "i": i, "f": f, "o": o}


def step(size: int, layers: int = 1, forget_bias: float = 0, watched: bool = True) -> pygraphnn.gModule:
    """One time step, [x, c, h, ...] to [c', h', ..., y, i, f, o, c'], with a c and an h for each layer.

    The last four are the top layer's: as outputs that are no states they can be `watched` at all time steps.
    """
    top = x = nn.Identity()().annotate(name="x")
    before, after = [x], list[Node]()
    for layer in range(layers):
        c, h = (nn.Identity()().annotate(name=name) for name in ("c", "h"))
        made = cell(top, c, h, size if layer else len(SEEN), size, forget_bias)
        before += [c, h]
        after += [made["c"], made["h"]]
        top = made["h"]
    y = nn.Linear(size, 1)(top).annotate(name="y")
    more = [made["i"], made["f"], made["o"], nn.Identity()(made["c"])] if watched else []
    return pygraphnn.gModule(before, [*after, y, *more])


def parameters(size: int, layers: int) -> int:
    """How many parameters a step has."""
    widths = [len(SEEN), *[size] * (layers - 1)]
    return sum(4 * size * (width + 1 + size) + size * size for width in widths) + size + 1


def modules(net: pygraphnn.gModule) -> dict[str, nn.Module]:
    """The modules of a graph, by the names of their nodes."""
    return {str(node.data.annotations.get("name")): node.data.module for node in net.forwardnodes}


def compare(size: int) -> float:
    """Gives the library's cell the weights of the one above; the largest difference of c' and h', for random inputs."""
    x, c, h = (nn.Identity()() for _ in range(3))
    made = cell(x, c, h, 3, size)
    by_hand = pygraphnn.gModule([x, c, h], [made["c"], made["h"]])
    x, c, h = (nn.Identity()() for _ in range(3))
    library = pygraphnn.gModule([x, c, h], pygraphnn.lstm_cell(x, c, h, 3, size, peepholes="output", layer=1))
    mine, other = modules(by_hand), modules(library)
    order = ("i", "f", "o", "z")  # the library has the four side by side, in this order
    other["i2h_1"].weight[...] = np.concatenate([mine[f"W_{gate} x"].weight for gate in order])
    other["i2h_1"].bias[...] = np.concatenate([mine[f"W_{gate} x"].bias for gate in order])
    other["h2h_1"].weight[...] = np.concatenate([mine[f"U_{gate} h"].weight for gate in order])
    other["h2h_1"].bias.fill(0)
    other["c2o_1"].weight[...] = mine["V_o c'"].weight
    inputs = [torch7.randn(5, 3), torch7.randn(5, size), torch7.randn(5, size)]
    return float(max(abs(a - b).max() for a, b in zip(by_hand.forward(inputs), library.forward(inputs))))


# -- the task


def problem(delay: int, batch: int, rounds: int = 2, least: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (T, batch, 3) of numbers, marks and cues, and what is to be told (T, batch, 1). Cues come after this
    delay, or, with `least`, after random delays from it to this."""
    shorter = delay - (delay if least is None else least) + 1
    T, rows, start = rounds * (delay + 4), np.arange(batch), np.zeros(batch, int)
    x, wanted = np.zeros((T, batch, len(SEEN)), np.float32), np.zeros((T, batch, 1), np.float32)
    x[:, :, 0] = 2 * torch7.rand(T, batch) - 1
    for _ in range(rounds):
        mark = start + (torch7.rand(batch) * 4).astype(int)
        x[mark, rows, SEEN.index("mark")] = 1
        cue = mark + delay - (torch7.rand(batch) * shorter).astype(int)
        x[cue, rows, SEEN.index("cue")] = 1
        wanted[cue, rows, 0] = x[mark, rows, 0]
        start = cue + 1
    return x, wanted


class Memory:
    """A stack of cells that learns the task."""

    def __init__(self, size: int, layers: int, options: argparse.Namespace):
        self.step, self.answer = step(size, layers, options.forget_bias), 2 * layers + 1
        self.states = {k: k - 1 for k in range(2, 2 * layers + 2)}
        self.unrolled = pygraphnn.Unroll(self.step, states=self.states)
        self.net = nn.Sequential().add(self.unrolled).add(nn.SelectTable(self.answer)).float()
        self.zeros = pygraphnn.initial_states(self.step, 1, self.states)
        self.training = lecture.Training(self.net, nn.MSECriterion().float(), options.rate, clip=1)

    def inputs(self, x: np.ndarray) -> list[np.ndarray]:
        """What the unrolled network reads: a sequence and states of zero."""
        return [x, *(np.repeat(zero, x.shape[1], 0) for zero in self.zeros)]

    def learn(self, delay: int, batch: int) -> float:
        """One step of training; gives the share of near answers."""
        x, wanted = problem(delay, batch, least=1)
        self.training(self.inputs(x), wanted)
        return near(x, self.net.output, wanted)

    def test(self, delay: int) -> float:
        """The share of near answers in 500 new sequences."""
        x, wanted = problem(delay, 500)
        return near(x, self.net.forward(self.inputs(x)), wanted)

    def reach(self, delay: int) -> float:
        """How much the answer changes with the number so many steps before: |dy/dx| on average, by backward."""
        x, _ = problem(delay, 100, rounds=1)
        mark, cue = (x[:, :, SEEN.index(name)] for name in ("mark", "cue"))
        inputs = self.inputs(x)
        self.net.forward(inputs)
        dx = self.net.backward(inputs, cue[:, :, None])[0][:, :, SEEN.index("number")]
        return float(abs((dx * mark).sum(0)).mean())

    def watch(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What is told, the top layer's gates and its cell (T, batch, size), at all time steps."""
        outputs = self.unrolled.forward(self.inputs(x))[self.answer - 1 :]
        return {name: array.copy() for name, array in zip(("y", *WATCHED), outputs)}


def near(x: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> float:
    """The share of cues with an answer that is near."""
    return float((abs(y - wanted)[x[:, :, SEEN.index("cue")] > 0] < NEAR).mean())


def learn(memory: Memory, options: argparse.Namespace, steps: int) -> Iterator[int]:
    """Trains; gives the delay after each step. In the second half of the steps the rate falls."""
    delay, lately = options.first_delay, 0.0
    for i in range(steps):
        memory.training.rate = optim.exponential_decay(options.rate, i, 0.99, after=steps / 2)
        lately = 0.9 * lately + 0.1 * memory.learn(delay, options.batch_size)
        if lately > 0.9:
            delay = min(delay + 1, options.delay)
        yield delay


# -- what came out


def gates(memory: Memory, delay: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """For each unit, the correlation of its cell before the cue with the number, without sign; and its gates' means
    (3, size): at marks, between mark and cue, and at cues."""
    x, wanted = problem(delay, 500, rounds=1)
    seen, rows, steps = memory.watch(x), np.arange(500), np.arange(len(x))[:, None]
    mark, cue = (x[:, :, SEEN.index(name)].argmax(0) for name in ("mark", "cue"))
    number = wanted[cue, rows, 0]
    correlation = np.array([abs(np.corrcoef(c, number)[0, 1]) for c in seen["c"][cue - 1, rows].T])
    between = (steps > mark) & (steps < cue)
    parts = {name: (seen[name][mark, rows], seen[name][between], seen[name][cue, rows]) for name in ("i", "f", "o")}
    return correlation, {name: np.stack([part.mean(0) for part in three]) for name, three in parts.items()}


def tell(correlation: np.ndarray, means: dict[str, np.ndarray]) -> None:
    """A line for each unit, the one first whose cell tells the number best."""
    print("gates on average at the mark / between / at the cue, and correlation of the cell with the number")
    for unit in np.argsort(-correlation):
        columns = "   ".join(name + "".join(f" {mean:.2f}" for mean in means[name][:, unit]) for name in means)
        print(f"unit {unit + 1:2}   {columns}   correlation {correlation[unit]:.2f}")


def picture(memory: Memory, delay: int, order: np.ndarray, path: Path) -> None:
    """One sequence, from left to right: what is seen and told, and what gates and cells do, in this order of units."""
    x, wanted = problem(delay, 100)
    clear = [int(np.ptp(wanted, axis=0).argmax())]  # two numbers that are far from each other
    x, wanted = x[:, clear], wanted[:, clear]
    seen = memory.watch(x)
    seen["c"] /= abs(seen["c"]).max(0)
    figure = lecture.figure(12, 9)
    read, *heats, told = figure.subplots(6, 1, sharex=True)
    read.bar(range(len(x)), x[:, 0, 0], color="lightgray")
    for name, color in (("mark", "C1"), ("cue", "C0")):
        at = np.flatnonzero(x[:, 0, SEEN.index(name)])
        read.bar(at, x[at, 0, 0], color=color, label=name)
        for axis in (read, told, *heats):
            axis.vlines(at, *(-1.1, 1.1) if axis in (read, told) else (-0.5, len(order) - 0.5), color, "dotted")
    read.set(ylabel="number", ylim=(-1.1, 1.1))
    titles = {"i": "i: written?", "f": "f: kept?", "o": "o: shown?", "c": "cell c', each row divided by its largest"}
    for axis, (name, title) in zip(heats, titles.items()):
        rows = seen[name][:, 0, order].T
        low, colors = (-1, "RdBu") if name == "c" else (0, "viridis")
        image = axis.imshow(rows, colors, vmin=low, vmax=1, aspect="auto", interpolation="nearest")
        if name in ("o", "c"):
            figure.colorbar(image, ax=heats[:3] if name == "o" else axis, pad=0.01)
        axis.set_yticks(range(len(order)), order + 1, fontsize=8)
        axis.set(title=title, ylabel="unit")
    told.plot(wanted[:, 0, 0], "o", mfc="none", color="black", label="wanted")
    told.plot(seen["y"][:, 0, 0], ".-", color="C3", label="told")
    told.set(xlabel="step", ylabel="y", ylim=(-1.1, 1.1))
    for axis in (read, told):
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    lecture.save(figure, path)


def waves(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Twelve numbers (T, batch, 3) without marks, and cos(2 pi x) of the number two steps before, at first 0."""
    x, wanted = np.zeros((12, batch, len(SEEN)), np.float32), np.zeros((12, batch, 1), np.float32)
    x[:, :, 0] = 2 * torch7.rand(12, batch) - 1
    wanted[2:, :, 0] = np.cos(2 * np.pi * x[:-2, :, 0])
    return x, wanted


def stacks(options: argparse.Namespace) -> dict[str, list[np.ndarray]]:
    """The losses of each step of training, by the name of the stack and for several seeds; tells the last ones."""
    losses: dict[str, list[np.ndarray]] = {}
    size = options.stack_units
    wide = min(range(1, 100), key=lambda units: abs(parameters(units, 1) - parameters(size, 3)))
    for layers, units in ((1, size), (2, size), (3, size), (1, wide)):
        name = f"{layers} x {units} units"
        losses[name] = [train_stack(units, layers, run, options) for run in lecture.track(range(options.runs), name)]
        told = ", ".join(f"{each[-100:].mean():.4f}" for each in losses[name])
        print(f"{name}, {parameters(units, layers):3} parameters: loss {told}")
    return losses


def train_stack(size: int, layers: int, run: int, options: argparse.Namespace) -> np.ndarray:
    """The losses of each step of training a stack on waves. The rate falls in the second half."""
    torch7.manualSeed(options.seed + run)
    memory, losses = Memory(size, layers, options), []
    for i in range(options.stack_steps):
        memory.training.rate = optim.exponential_decay(options.stack_rate, i, 0.99, after=options.stack_steps / 2)
        x, wanted = waves(32)
        losses.append(memory.training(memory.inputs(x), wanted))
    return np.array(losses)


def draw_stacks(losses: dict[str, list[np.ndarray]], path: Path) -> None:
    """A curve for every run, each point the mean of up to 50 steps."""
    figure = lecture.figure(8, 4)
    axis = figure.subplots()
    for k, (name, runs) in enumerate(losses.items()):
        for values, label in zip(runs, [name, *[None] * len(runs)]):
            width = min(50, len(values))
            axis.plot(np.convolve(values, np.ones(width) / width, "valid"), f"C{k}", alpha=0.8, label=label)
    axis.axhline(1 / 2 * 10 / 12, color="gray", ls="--", label="always 0")  # the mean of cos^2, at ten of twelve steps
    axis.set(xlabel="step of training", ylabel="mean squared error", yscale="log", title="stacks of layers")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right")
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--units", type=lecture.whole(1), default=8, help="of the cell that is watched")
    parser.add_argument("--delay", type=lecture.whole(2), default=40, help="the longest between mark and cue")
    parser.add_argument("--first-delay", type=lecture.whole(1), default=1, help="in the beginning")
    parser.add_argument("--forget-bias", type=lecture.real(), default=1.0, help="added to the bias of f")
    parser.add_argument("--steps", type=lecture.whole(1), default=1000, help="of training")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=64, help="sequences in a step of training")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.04, help="Adam's learning rate, at first")
    parser.add_argument("--stack-units", type=lecture.whole(1), default=4, help="of each layer of a stack")
    parser.add_argument("--stack-steps", type=lecture.whole(1), default=1200, help="of training a stack")
    parser.add_argument("--stack-rate", type=lecture.real(above=0), default=0.02, help="of training a stack, at first")
    parser.add_argument("--runs", type=lecture.whole(1), default=3, help="of each stack, with different seeds")
    options = lecture.parse(parser, words, delay=8, steps=200, batch_size=32, rate=0.06, stack_steps=20, runs=1)
    if options.first_delay > options.delay:
        parser.error(f"--first-delay: expected at most the {options.delay} of --delay, got {options.first_delay}")
    return options


def main(words: list[str] | None = None) -> tuple[Memory, np.ndarray, dict[str, np.ndarray]]:
    """Compares, trains, tells and draws; returns what was trained, and its units' correlations and gates."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    print(f"the cell wired here and the library's differ by at most {compare(20):.1e}")
    memory = Memory(options.units, 1, options)
    alone = step(options.units, watched=False)
    lecture.draw(alone, options.output / "lstm-graph.svg", title="One step of the LSTM", states=memory.states)
    for i, delay in enumerate(lecture.track(learn(memory, options, options.steps), "training", options.steps), 1):
        if i % 200 == 0 or i == options.steps:
            print(f"step {i:4}: delays up to {delay}")
    for delay in (options.delay, 2 * options.delay):
        print(f"delay {delay}: {memory.test(delay):.1%} of the answers are near")
    correlation, means = gates(memory, options.delay)
    tell(correlation, means)
    picture(memory, min(options.delay, 25), np.argsort(-correlation), options.output / "lstm.png")
    for name, each in (("untrained", Memory(options.units, 1, options)), ("trained", memory)):
        told = ", ".join(f"{each.reach(delay):.1e} over {delay}" for delay in (options.delay, 2 * options.delay))
        print(f"{name} network: |dy/dx| is {told} steps")
    draw_stacks(stacks(options), options.output / "lstm-stacks.png")
    return memory, correlation, means


if __name__ == "__main__":
    lecture.run(main)

"""What running a graph costs beyond its modules, and what clones of it cost.

    python benchmarks/graphs.py

Every graph is timed in turn with two loops over the same modules: one as a person would write it, which keeps the
values and gradients in lists and adds up the gradients of what is read several times; and the bare calls, with inputs
that a run of the graph left behind. Overhead is also told as a ratio to calling an empty Python method, so that
machines can be compared. Times are the best of the rounds, one thread.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "char_rnn")]

import nn  # noqa: E402
from model.gru import gru  # noqa: E402
from model.lstm import lstm  # noqa: E402
from pygraphnn import clone_many_times, gModule  # noqa: E402

Call = Callable[[], Any]


def plumbing(n: int = 200) -> gModule:
    """n nodes that compute next to nothing."""
    x = node = nn.Identity()()
    for _ in range(n // 2 - 1):
        node = nn.CAddTable()([nn.Identity()(node), node])
    return gModule([x], [nn.Identity()(node)])


def perceptron(*widths: int) -> gModule:
    """Linear layers with Tanh between them."""
    x = node = nn.Identity()()
    for n, m in itertools.pairwise(widths):
        node = nn.Tanh()(nn.Linear(n, m)(node))
    return gModule([x], [node])


def batch(*shapes: tuple[int, ...]) -> Any:
    arrays = [np.random.default_rng(1).normal(size=shape) for shape in shapes]
    return arrays if len(arrays) > 1 else arrays[0]


def characters(rows: int, *widths: int) -> Any:
    return [np.random.default_rng(1).integers(1, 66, rows).astype(float), *(batch((rows, w)) for w in widths)]


GRAPHS: dict[str, tuple[Callable[[], gModule], Any]] = {
    "200 x Identity, CAddTable, 1x1": (plumbing, batch((1, 1))),
    "6 x Linear 16, Tanh, batch 1": (lambda: perceptron(*[16] * 7), batch((1, 16))),
    "LSTM 2x128, batch 1": (lambda: lstm(65, 128, 2, 0), characters(1, *[128] * 4)),
    "LSTM 2x128, batch 50": (lambda: lstm(65, 128, 2, 0), characters(50, *[128] * 4)),
    "GRU 2x128, batch 50": (lambda: gru(65, 128, 2, 0), characters(50, *[128] * 2)),
}


class Loop:
    """The modules of a graph, called by hand."""

    def __init__(self, g: gModule):
        place = {id(node.data): i for i, node in enumerate(g.forwardnodes)}
        data = [node.data for node in g.forwardnodes]
        self.reads = [[place[id(d)] for d in d.mapindex.list_part()] for d in data]
        self.modules = [d.module for d in data]
        self.parts = [d.selectindex for d in data]
        self.splits = [d.nSplitOutputs for d in data]
        self.innode, self.outnode = place[id(g.innode.data)], place[id(g.outnode.data)]
        self.backwards = [place[id(node.data)] for node in g.backwardnodes]
        self.values: list[Any] = [None] * len(data)
        self.inputs: list[Any] = [None] * len(data)
        self.arrived: list[Any] = [None] * len(data)
        self.sums: list[Any] = [None] * len(data)

    def forward(self, x: Any) -> Any:
        values = self.values
        for i, module in enumerate(self.modules):
            reads = self.reads[i]
            if i == self.innode:
                value = x
            elif len(reads) == 1:
                value = values[reads[0]]
            else:
                value = [values[k] for k in reads]
            if self.parts[i] is not None:
                value = value[self.parts[i] - 1]
            self.inputs[i] = value
            values[i] = value if module is None else module.updateOutput(value)
        return values[self.outnode]

    def backward(self, gradOutput: Any) -> Any:
        arrived: list[list[Any]] = [[] for _ in self.modules]
        arrived[self.outnode].append(gradOutput)
        for i, splits in enumerate(self.splits):
            if splits is not None:
                arrived[i].append([None] * splits)
        for i in self.backwards:
            gradient = arrived[i][0]
            for other in arrived[i][1:]:
                gradient = self.sums[i] = np.add(gradient, other, out=self.sums[i])
            self.arrived[i] = gradient
            if self.modules[i] is not None:
                gradient = self.modules[i].updateGradInput(self.inputs[i], gradient)
            if self.parts[i] is not None:
                arrived[self.reads[i][0]][0][self.parts[i] - 1] = gradient
            elif len(self.reads[i]) == 1:
                arrived[self.reads[i][0]].append(gradient)
            else:
                for k, each in zip(self.reads[i], gradient):
                    arrived[k].append(each)
        for i in self.backwards:
            if self.modules[i] is not None:
                self.modules[i].accGradParameters(self.inputs[i], self.arrived[i], 1)
        return arrived[self.innode][0]

    def bare(self) -> tuple[Call, Call]:
        """The calls alone, with the inputs and gradients of the last run."""
        forward = [(m, x) for m, x in zip(self.modules, self.inputs) if m is not None]
        used = [i for i in self.backwards if self.modules[i] is not None]
        backward = [(self.modules[i], self.inputs[i], self.arrived[i]) for i in used]

        def run_forward() -> None:
            for module, x in forward:
                module.updateOutput(x)

        def run_backward() -> None:
            for module, x, gradient in backward:
                module.updateGradInput(x, gradient)
            for module, x, gradient in backward:
                module.accGradParameters(x, gradient, 1)

        return run_forward, run_backward


def best(calls: list[Call], seconds: float) -> list[float]:
    """The best time of each, in turn, in seconds."""
    found = [float("inf")] * len(calls)
    for call in calls:
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            found[i] = min(found[i], time.perf_counter() - start)
    return found


class Empty:
    def method(self) -> None:
        pass


def empty_call(n: int = 1000) -> float:
    """The time of calling an empty method, in seconds."""
    empty = Empty()

    def calls() -> None:
        for _ in range(n):
            empty.method()

    return best([calls], 0.3)[0] / n


def nested(function: Callable[[Any], Any], x: Any) -> Any:
    return [nested(function, a) for a in x] if isinstance(x, list) else function(x)


def time_graph(g: gModule, loop: Loop, x: Any, seconds: float) -> dict[str, list[float]]:
    """Best times of the graph, the loop and the bare calls."""
    g.zeroGradParameters()
    gradOutput = nested(np.ones_like, g.forward(x))
    loop.forward(x), loop.backward(gradOutput)
    bare = loop.bare()
    return {
        "forward": best([lambda: g.forward(x), lambda: loop.forward(x), bare[0]], seconds),
        "backward": best([lambda: g.backward(x, gradOutput), lambda: loop.backward(gradOutput), bare[1]], seconds),
    }


def time_graphs(seconds: float) -> None:
    empty = empty_call()
    print(f"an empty method call: {1e6 * empty:.3f} us\n")
    print("per node, with a module or without: us, and as many empty method calls; ratio to the loops over the modules")
    print(f"{'':32}{'nodes':>6}{'':10}{'us':>7}{'calls':>7}{'/ loop':>8}{'/ bare':>8}")
    for name, (make, x) in GRAPHS.items():
        g = make()
        n = len(g.forwardnodes)
        for way, (ours, loop, bare) in time_graph(g, Loop(g), x, seconds).items():
            per_node = ours / n
            print(f"{name:32}{n:>6} {way:9}{1e6 * per_node:>7.2f}{per_node / empty:>7.0f}", end="")
            print(f"{ours / loop:>8.2f}{ours / bare:>8.2f}")


def time_clones(n: int = 200) -> None:
    """Time and memory of clones, and the memory of the buffers that one gets when it runs."""
    net = lstm(65, 128, 2, 0)
    start = time.perf_counter()
    clone_many_times(net, n)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    clones = clone_many_times(net, n)
    assert all(clone.schedule() is net.schedule() for clone in clones)
    memory = tracemalloc.get_traced_memory()[0] / n
    x = characters(50, *[128] * 4)
    clones[0].backward(x, nested(np.ones_like, clones[0].forward(x)))
    buffers = tracemalloc.get_traced_memory()[0] - n * memory
    tracemalloc.stop()
    kib = f"{memory / 1024:.0f} KiB each, and {buffers / 1024:.0f} KiB of buffers once run on a batch of 50"
    print(f"\n{n} clones of the 2-layer LSTM: {seconds:.2f} s, {kib}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-seconds", type=float, default=1.0, help="how long each graph and direction is timed")
    arguments = parser.parse_args()
    time_graphs(arguments.seconds)
    time_clones()


if __name__ == "__main__":
    main()

"""Vanishing and exploding gradients, measured: how much a state depends on the one before n steps.

    python examples/course/gradient_flow.py                  measures, prints a table, draws six panels
    python examples/course/gradient_flow.py --scales 1 1.5   recurrent matrices of other spectral norms
    python examples/course/gradient_flow.py --help           tells all options

The gradient of an error at step t with respect to what happened at step k has the factor dh_t/dh_k, a product of t - k
Jacobians. The norm of a product is at most the product of the norms:

    |dh_t/dh_k| = |product of diag(f'(.)) W_hh| <= (beta_W beta_h)^(t - k)

where beta_W is the spectral norm of W_hh and beta_h the largest slope of f: 1/4 for the sigmoid, 1 for tanh and the
rectifier. Below 1 the gradient must vanish. Above 1 it may explode: the bound allows it, and whether it happens depends
on f and on W.

An LSTM adds to its cell, c_t = f_t c_(t-1) + i_t g_t, so that dc_t/dc_(t-1) has the forget gate f_t as a factor of its
own, and no matrix. Where the gate is open, the gradient passes; a bias opens it from the beginning.

Everything is measured by backward of pygraphnn.Unroll: the gradient of unit i of the last state is row i of dh_t/dh_k.
For an LSTM, h here is cell and output side by side.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

import lecture
import nn
import pygraphnn
import torch7

WIDTH, WARM = 4, 20  # of the input; so many steps are read before the first state h_k
SLOPES = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}  # beta_h
ORTHOGONAL = [("sigmoid", "orthogonal"), ("tanh", "orthogonal"), ("relu", "orthogonal")]
PLAIN = [*ORTHOGONAL, ("tanh", "random"), ("relu", "positive")]

Norms = dict[tuple[str, str], dict[float, np.ndarray]]  # by transfer function and kind of matrix, and by spectral norm


def matrix(kind: str, size: int, scale: float) -> np.ndarray:
    """A matrix of spectral norm `scale`.

    "orthogonal" turns and mirrors: it scales all directions alike. "random" has normally distributed elements and
    scales most directions less. "positive" has no negative element, so that positive states stay positive.
    """
    W = torch7.randn(size, size)
    if kind == "orthogonal":
        W, _ = np.linalg.qr(W)
    elif kind == "positive":
        W = abs(W)
    return scale * W / np.linalg.norm(W, 2)


def plain(size: int, activation: str, kind: str, scale: float) -> pygraphnn.gModule:
    """One step of a plain recurrent network, [x, h] to [h', h'], whose W_hh is such a matrix."""
    step = pygraphnn.rnn(WIDTH, size, input="vectors", output="h", activation=activation)
    W_hh = next(node.data.module for node in step.forwardnodes if reads(node.data.module, size))
    W_hh.weight[...] = matrix(kind, size, scale)
    return step


def reads(module: nn.Module | None, size: int) -> bool:
    """Whether a module is the linear map of the state (the input has another width)."""
    return isinstance(module, nn.Linear) and module.weight.shape == (size, size)


def gated(size: int) -> dict[str, Callable[[], pygraphnn.gModule]]:
    """Steps with Torch's initial weights: networks with gates, and one without to compare."""

    def lstm(forget_bias: float | None) -> pygraphnn.gModule:
        return pygraphnn.lstm(WIDTH, size, input="vectors", output="h", forget_bias=forget_bias)

    return {
        "tanh": lambda: pygraphnn.rnn(WIDTH, size, input="vectors", output="h"),
        "GRU": lambda: pygraphnn.gru(WIDTH, size, input="vectors", output="h"),
        "LSTM": lambda: lstm(None),
        "LSTM, forget bias 1": lambda: lstm(1),
        "LSTM, forget bias 3": lambda: lstm(3),
    }


def cell(size: int) -> pygraphnn.gModule:
    """One step of an LSTM, [x, c, h] to [c', h'], with names, to be drawn."""
    x, c, h = (nn.Identity()().annotate(name=name) for name in ("x", "c", "h"))
    next_c, next_h = pygraphnn.lstm_cell(x, c, h, WIDTH, size, layer=1)
    return pygraphnn.gModule([x, c, h], [next_c.annotate(name="c'"), next_h.annotate(name="h'")])


def flow(step: pygraphnn.gModule, x: np.ndarray) -> np.ndarray:
    """The spectral norms of dh_t/dh_k for t - k = 1, 2, ..., along one sequence x (WARM + T, 1, WIDTH)."""
    net, zeros = pygraphnn.Unroll(step), pygraphnn.initial_states(step, 1)
    *states, _ = net.forward([x[:WARM], *zeros])
    sizes = [state.shape[1] for state in states]
    one_hot = [part.copy() for part in np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)]
    start = [np.repeat(state, sum(sizes), 0) for state in states]  # a row of the batch for each row of the Jacobian
    rest = np.repeat(x[WARM:], sum(sizes), 1)
    norms = []
    for distance in range(1, len(rest) + 1):
        inputs = [rest[:distance], *start]
        net.forward(inputs)
        _, *gradients = net.backward(inputs, [*one_hot, None])  # with respect to x, which does not matter, and h_k
        norms.append(np.linalg.norm(np.concatenate(gradients, 1), 2))
    return np.array(norms)


def bounds(activation: str, scale: float, steps: int) -> np.ndarray:
    """(beta_W beta_h)^n for n = 1, ..., steps."""
    powers: np.ndarray = (scale * SLOPES[activation]) ** np.arange(1.0, steps + 1)
    return powers


# -- to look at


def line(name: str, norms: np.ndarray, bound: str = "") -> str:
    """A row of the table; the factor is the mean one of a step."""
    factor = (norms[-1] / norms[0]) ** (1 / (len(norms) - 1))
    return f"{name:26}{bound:>8}{factor:10.3f}{norms[len(norms) // 6 - 1]:12.1e}{norms[-1]:12.1e}"


def measure(options: argparse.Namespace) -> tuple[Norms, dict[str, np.ndarray]]:
    """Measures all networks along sequences of the same numbers, and prints the table."""

    def along(made: Callable[[], pygraphnn.gModule]) -> np.ndarray:
        torch7.manualSeed(options.seed)
        x = options.input * torch7.randn(WARM + options.steps, 1, WIDTH)
        return flow(made(), x)

    print(f"{'':26}{'factor of a step':>18}{'|dh_t/dh_k| after':>22}")
    print(f"{'network':26}{'bound':>8}{'measured':>10}{options.steps // 6:9} steps{options.steps:6} steps")
    found: Norms = {}
    for activation, kind in PLAIN:
        found[activation, kind] = {}
        for scale in lecture.track(options.scales, f"{activation}, {kind}"):
            norms = along(lambda: plain(options.size, activation, kind, scale))  # noqa: B023 (called at once)
            found[activation, kind][scale] = norms
            print(line(f"{activation}, {kind}, {scale:g}", norms, f"{scale * SLOPES[activation]:.3f}"), flush=True)
    gates = {}
    for name, made in lecture.track(gated(options.size).items(), "gates"):
        gates[name] = along(made)
        print(line(name, gates[name]), flush=True)
    return found, gates


def picture(found: Norms, gates: dict[str, np.ndarray], path: Path) -> None:
    """A panel for each kind of network: the norms against the number of steps, and the bounds as dashed lines."""
    figure = lecture.figure(12, 7.4)
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    for axis, ((activation, kind), by_scale) in zip(axes.flat, found.items()):
        for color, (scale, norms) in enumerate(sorted(by_scale.items())):
            n = range(1, len(norms) + 1)
            axis.plot(n, bounds(activation, scale, len(norms)), f"C{color}--", lw=1, alpha=0.7)
            axis.plot(n, np.where(norms > 0, norms, np.nan), f"C{color}", label=f"{scale:g}")
        axis.set(title=f"{activation}, {kind} $W_{{hh}}$")
    last = axes.flat[-1]
    for tint, (name, norms) in zip(("k", "C6", "C7", "C8", "C9"), gates.items()):
        last.plot(range(1, len(norms) + 1), norms, tint, label=name)
    last.set(title="gates, Torch's initial weights")
    last.legend(loc="upper left", fontsize="small")
    for axis in axes.flat:
        axis.axhline(1, color="gray", lw=0.5)
        axis.set(yscale="log", ylim=(1e-20, 1e20))
        axis.grid(alpha=0.3)
    figure.supxlabel("steps from k to t")
    figure.supylabel("$|dh_t / dh_k|$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    title = "spectral norm of $W_{hh}$ (dashed: the bound)"
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), title=title)
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    scales = (0.5, 0.9, 1.0, 1.2, 2.0)
    parser.add_argument(
        "--scales", type=lecture.real(above=0), nargs="+", default=scales, help="spectral norms of W_hh"
    )
    parser.add_argument("--size", type=lecture.whole(WIDTH + 1), default=32, help="of the state h")
    parser.add_argument("--steps", type=lecture.whole(6), default=60, help="the largest t - k")
    parser.add_argument("--input", type=lecture.real(least=0), default=0.1, help="standard deviation of the input")
    return lecture.parse(parser, words, size=12, steps=12, scales=(0.5, 2.0))


def main(words: list[str] | None = None) -> tuple[Norms, dict[str, np.ndarray]]:
    """Measures and draws; returns the norms of plain networks and of those with gates."""
    options = arguments(words)
    found, gates = measure(options)
    drawing = options.output / "gradient_flow-lstm.svg"
    lecture.draw(cell(options.size), drawing, title="One time step of an LSTM", states={2: 1, 3: 2})
    picture(found, gates, options.output / "gradient_flow.png")
    return found, gates


if __name__ == "__main__":
    lecture.run(main)

"""Back-propagation through time, by hand: the gradient as a sum over all pairs of time steps.

    python examples/course/bptt.py                      compares gradients, draws where they come from
    python examples/course/bptt.py --activation sigmoid --scale 2    another network
    python examples/course/bptt.py --help               tells all options

A recurrent network with the states h_t, outputs y_t and wanted outputs r_t,

    h_t = f(W_hh h_(t-1) + W_hx x_t + b)        y_t = W_s h_t        E_t = |y_t - r_t|^2        E = sum over t of E_t

has the same W at all steps k. A change of W acts at step k on h_k, from there on all later states, and so on E_t:

    dE/dW = sum over t and k <= t of   dE_t/dy_t  dy_t/dh_t  dh_t/dh_k  dh_k/dW
    dh_t/dh_k = product over j = t, t-1, ..., k+1 of dh_j/dh_(j-1)        dh_j/dh_(j-1) = diag(f'(.)) W_hh

where dh_k/dW counts step k alone, as if h_(k-1) did not depend on W. The program computes all these terms, compares
their sum with what pygraphnn.Unroll's backward gives (which never multiplies two matrices of these: it goes from the
last step to the first with a vector) and with finite differences, and draws how large every term is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lecture
import neuron
import nn
import pygraphnn
import torch7

WIDTH = 3  # of x and y
TRANSFER = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}
FUNCTION: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
}
SLOPE: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # f'(z), told by h = f(z)
    "tanh": lambda h: 1 - h**2,
    "sigmoid": lambda h: h * (1 - h),
    "relu": lambda h: (h > 0) * 1.0,
}

Gradients = dict[str, np.ndarray]


class Network:
    """The step as a graph, unrolled, and its parameters under the names of the formulas (b is the bias of W_hx)."""

    def __init__(self, size: int, activation: str, scale: float):
        self.activation = activation
        W_hx, W_hh, W_s = nn.Linear(WIDTH, size), nn.Linear(size, size, False), nn.Linear(size, WIDTH, False)
        W_hh.weight *= scale / np.linalg.norm(W_hh.weight, 2)  # the spectral norm becomes `scale`
        x, h = (nn.Identity()().annotate(name=name) for name in ("x", "h"))
        read, remembered = W_hx(x).annotate(name="W_hx x + b"), W_hh(h).annotate(name="W_hh h")
        new = TRANSFER[activation]()(nn.CAddTable()([remembered, read])).annotate(name="h'")
        self.step = pygraphnn.gModule([x, h], [new, W_s(new).annotate(name="y")])
        self.unrolled = pygraphnn.Unroll(self.step)
        self.W_s = W_s.weight
        self.weights = {"W_hh": W_hh.weight, "W_hx": W_hx.weight, "b": W_hx.bias}
        self.gradients = {"W_hh": W_hh.gradWeight, "W_hx": W_hx.gradWeight, "b": W_hx.gradBias}


class Sequence:
    """What the network reads (T, WIDTH), what is wanted of it (T, WIDTH), and the state before."""

    def __init__(self, steps: int, size: int):
        self.x, self.r = torch7.randn(steps, WIDTH), torch7.randn(steps, WIDTH)
        self.start = 0.1 * torch7.randn(size)


# -- the sum


def states(net: Network, seq: Sequence) -> list[np.ndarray]:
    """h_0, h_1, ..., h_T."""
    h = [seq.start]
    for x in seq.x:
        h.append(FUNCTION[net.activation](net.weights["W_hh"] @ h[-1] + net.weights["W_hx"] @ x + net.weights["b"]))
    return h


def terms(net: Network, seq: Sequence) -> dict[str, np.ndarray]:
    """Every term of the sum, as arrays (T, T, *the shape of W) by t and k; zero where k > t."""
    h, T = states(net, seq), len(seq.x)
    slopes = [SLOPE[net.activation](state) for state in h]
    found = {name: np.zeros((T, T, *W.shape)) for name, W in net.weights.items()}
    for t in range(1, T + 1):
        dE_dy = 2 * (net.W_s @ h[t] - seq.r[t - 1])
        dE_dh = dE_dy @ net.W_s  # dE_t/dy_t dy_t/dh_t
        dh_dh = np.eye(len(h[t]))  # dh_t/dh_k, to begin with for k = t
        for k in range(t, 0, -1):
            reads = {"W_hh": h[k - 1], "W_hx": seq.x[k - 1], "b": np.ones(1)}
            for name, read in reads.items():
                found[name][t - 1, k - 1].flat = dE_dh @ dh_dh @ alone(slopes[k], read)
            dh_dh = dh_dh @ np.diag(slopes[k]) @ net.weights["W_hh"]  # dh_t/dh_(k-1) = dh_t/dh_k dh_k/dh_(k-1)
    return found


def alone(slopes: np.ndarray, read: np.ndarray) -> np.ndarray:
    """dh_k/dW of step k alone, for the W that multiplies `read`: a row for every unit, a column for every weight.

    Only row i of W acts on unit i: the derivative with respect to W[i, j] is f'(.)[i] read[j].
    """
    return np.kron(np.diag(slopes), read)


def last_steps(terms: np.ndarray, n: int) -> np.ndarray:
    """The sum of the terms with t - k < n: errors go back n steps, and no further. With n = T it is the gradient."""
    T = len(terms)
    near = np.subtract.outer(np.arange(T), np.arange(T)) < n
    gradient: np.ndarray = terms[near].sum(0)
    return gradient


# -- the same in two other ways


def loss(net: Network, seq: Sequence) -> float:
    """E, by the library."""
    _, y = net.unrolled.forward([seq.x[:, None], seq.start[None]])
    return nn.MSECriterion(False).forward(y, seq.r[:, None])


def by_backward(net: Network, seq: Sequence) -> Gradients:
    """dE/dW by Unroll's backward."""
    criterion, inputs = nn.MSECriterion(False), [seq.x[:, None], seq.start[None]]
    net.unrolled.zeroGradParameters()
    _, y = net.unrolled.forward(inputs)
    net.unrolled.backward(inputs, [None, criterion.backward(y, seq.r[:, None])])
    return {name: gradient.copy() for name, gradient in net.gradients.items()}


def by_differences(net: Network, seq: Sequence) -> Gradients:
    """dE/dW by changing one weight at a time, as neuron.py does it."""
    return dict(zip(net.weights, neuron.by_differences(lambda: loss(net, seq), *net.weights.values())))


# -- to look at


def compare(net: Network, seq: Sequence) -> tuple[Gradients, Gradients, Gradients]:
    """Prints the three ways for some weights, and by how much they differ at most; returns them."""
    sums = {name: each.sum((0, 1)) for name, each in terms(net, seq).items()}
    ways = sums, by_backward(net, seq), by_differences(net, seq)
    print(f"{'dE/dW of':12}{'sum over t and k':>20}{'backward of Unroll':>20}{'differences':>20}")
    for name, W in net.weights.items():
        for i in list(np.ndindex(W.shape))[:2]:
            weight = f"{name}[{', '.join(str(j + 1) for j in i)}]"
            print(f"{weight:12}" + "".join(f"{way[name][i]:20.12f}" for way in ways))
    for title, other in zip(("backward", "differences"), ways[1:]):
        most = max(abs(sums[name] - other[name]).max() for name in sums)
        print(f"largest difference between the sum and {title}, all {sum(W.size for W in sums.values())}: {most:.1e}")
    return ways


def truncated(terms: np.ndarray) -> list[float]:
    """How far the sum over the last 1, 2, ..., T steps is from the gradient, as a share of its length."""
    whole, T = terms.sum((0, 1)), len(terms)
    missing = [last_steps(terms, n) - whole for n in range(1, T + 1)]
    return [float(np.linalg.norm(each) / np.linalg.norm(whole)) for each in missing]


def picture(contributions: np.ndarray, errors: dict[float, list[float]], path: Path) -> None:
    """How large every term is, and how far truncated sums are from the gradient."""
    figure = lecture.figure(11.5, 4.6)
    heat, curves = figure.subplots(1, 2)
    sizes = np.linalg.norm(contributions, axis=(2, 3))
    T = len(sizes)
    shown = np.where(sizes > 0, np.log10(np.maximum(sizes, 1e-300)), np.nan)
    top = np.ceil(np.nanmax(shown))
    image = heat.imshow(shown, "viridis", vmin=top - 8, vmax=top, extent=(0.5, T + 0.5, T + 0.5, 0.5))
    figure.colorbar(image, ax=heat, label="$\\log_{10}$ of the term's length", extend="min")
    heat.set(xlabel="k, the step at which W acts", ylabel="t, the step of the error", title="terms of $dE/dW_{hh}$")
    for scale, error in sorted(errors.items()):
        positive = [value if value > 1e-14 else np.nan for value in error]
        curves.plot(range(1, T + 1), positive, ".-", label=f"{scale:g}")
    curves.set(xlabel="n, steps that errors go back", ylabel="what is missing, as a share", yscale="log")
    curves.set(title="truncated after n steps")
    curves.grid(alpha=0.3)
    curves.legend(title="spectral norm\nof $W_{hh}$")
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--activation", choices=TRANSFER, default="tanh", help="the function f")
    parser.add_argument("--size", type=lecture.whole(1), default=8, help="of the state h")
    parser.add_argument("--steps", type=lecture.whole(2), default=30, help="length T of the sequence")
    parser.add_argument("--scale", type=lecture.real(above=0), default=1.0, help="spectral norm of W_hh")
    return lecture.parse(parser, words, steps=12)


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Compares and draws; returns the gradients in three ways, and the errors of truncated sums by spectral norm."""
    options = arguments(words)

    def network(scale: float) -> tuple[Network, Sequence]:
        torch7.manualSeed(options.seed)
        return Network(options.size, options.activation, scale), Sequence(options.steps, options.size)

    net, seq = network(options.scale)
    ways = compare(net, seq)
    scales = sorted({0.5 * options.scale, options.scale, 1.5 * options.scale, 2 * options.scale})
    every = {scale: terms(*network(scale))["W_hh"] for scale in lecture.track(scales, "summing")}
    errors = {scale: truncated(each) for scale, each in every.items()}
    for n in (1, 2, 5, 10, 20):
        if n <= options.steps:
            print(f"errors go back {n:2} steps: a share of {errors[options.scale][n - 1]:.1e} of dE/dW_hh is missing")
    lecture.draw(net.step, options.output / "bptt-graph.svg", title="One time step", states={2: 1})
    picture(every[options.scale], errors, options.output / "bptt.png")
    return {"ways": ways, "errors": errors}


if __name__ == "__main__":
    lecture.run(main)

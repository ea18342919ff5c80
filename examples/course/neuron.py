"""One neuron: the chain rule by hand, beside the library's gradient and finite differences.

    python examples/course/neuron.py               prints three gradients, trains, writes two pictures
    python examples/course/neuron.py --target or   learns "or" instead of "and"
    python examples/course/neuron.py --help        tells all options

A neuron weighs what it reads, and answers more or less strongly:

    z = w . x + b        y = sigmoid(z) = 1 / (1 + exp(-z))        l = (y - t)^2

with the loss l for the wanted answer t. How l changes with a weight is a product along the way from l back to it:

    dl/dy = 2 (y - t)    dl/dz = dl/dy y (1 - y)    dl/dw = dl/dz x    dl/dx = dl/dz w    dl/db = dl/dz

Large networks are this, many times: dl/dx of one neuron is dl/dy of those that it reads.
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

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
TARGETS = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1]}


def neuron() -> pygraphnn.gModule:
    """Two inputs, one output, as a graph."""
    x = nn.Identity()().annotate(name="x")
    z = nn.Linear(2, 1)(x).annotate(name="z")
    y = nn.Sigmoid()(z).annotate(name="y")
    return pygraphnn.gModule([x], [y])


def by_hand(w: np.ndarray, b: np.ndarray, x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the formulas above."""
    y = 1 / (1 + np.exp(-(w @ x + b)))
    dl_dy = 2 * (y - t)
    dl_dz = dl_dy * y * (1 - y)
    return {"dl/dw": dl_dz * x, "dl/db": dl_dz, "dl/dx": dl_dz * w}


def by_modules(net: pygraphnn.gModule, x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    """The same from forward and backward."""
    criterion, (_, (dl_dw, dl_db)) = nn.MSECriterion(), net.parameters()
    net.zeroGradParameters()
    criterion.forward(net.forward(x), t)
    dl_dx = net.backward(x, criterion.backward(net.output, t))
    return {"dl/dw": dl_dw[0], "dl/db": dl_db, "dl/dx": dl_dx}


def by_differences(loss: Callable[[], float], *arrays: np.ndarray, step: float = 1e-5) -> list[np.ndarray]:
    """The same without any calculus: the loss a step above, less that a step below, for one number at a time."""
    gradients = [np.zeros_like(a) for a in arrays]
    for a, gradient in zip(arrays, gradients):
        for i in range(a.size):
            here = a.flat[i]
            a.flat[i] = here + step
            above = loss()
            a.flat[i] = here - step
            below = loss()
            a.flat[i] = here
            gradient.flat[i] = (above - below) / (2 * step)
    return gradients


def compare(net: pygraphnn.gModule) -> dict[str, list[np.ndarray]]:
    """Prints the three ways side by side, for one example; returns them."""
    x, t, criterion = np.array([0.5, -1.5]), np.array([1.0]), nn.MSECriterion()
    (w, b), _ = net.parameters()
    differences = by_differences(lambda: criterion.forward(net.forward(x), t), w, b, x)
    columns = [by_hand(w[0], b, x, t), by_modules(net, x, t), dict(zip(("dl/dw", "dl/db", "dl/dx"), differences))]
    ways = {name: [column[name].ravel() for column in columns] for name in columns[0]}
    print(f"w = {w[0]}, b = {b}, x = {x}, t = {t}")
    print(f"{'':8}{'by hand':>20}{'forward, backward':>20}{'differences':>20}")
    for name, rows in ways.items():
        for numbers in zip(*rows):
            print(f"{name:8}" + "".join(f"{number:20.12f}" for number in numbers))
    return ways


def learn(net: pygraphnn.gModule, targets: np.ndarray, steps: int, rate: float) -> list[float]:
    """Gradient descent, w = w - rate dl/dw, on the mean loss of the four corners; gives the losses."""
    criterion, (parameters, gradients) = nn.MSECriterion(), net.getParameters()
    losses = []
    for _ in lecture.track(range(steps), "learning"):
        gradients.fill(0)
        losses.append(criterion.forward(net.forward(CORNERS), targets))
        net.backward(CORNERS, criterion.backward(net.output, targets))
        parameters -= rate * gradients
    return losses


def picture(net: pygraphnn.gModule, targets: np.ndarray, losses: list[float], path: Path) -> None:
    """The loss of one example over its two weights, with the gradient; what the neuron learned; how the loss fell."""
    figure = lecture.figure(12, 3.8)
    surface, plane, curve = figure.subplots(1, 3)

    x, t = np.array([0.5, -1.5]), 1.0
    w1, w2 = np.meshgrid(np.linspace(-4, 4, 81), np.linspace(-4, 4, 81))
    contours = surface.contourf(w1, w2, (1 / (1 + np.exp(-(w1 * x[0] + w2 * x[1]))) - t) ** 2, 20, cmap="viridis")
    figure.colorbar(contours, ax=surface, label="loss")
    w = np.stack(np.meshgrid(np.linspace(-3, 3, 4), np.linspace(-3, 3, 4)), -1).reshape(-1, 2)
    arrows = np.array([by_hand(point, np.zeros(1), x, np.array([t]))["dl/dw"] for point in w])
    surface.quiver(*w.T, *-arrows.T, color="white", angles="xy")
    surface.set(title="the loss of one example; -dl/dw is along x", xlabel="$w_1$", ylabel="$w_2$")

    x1, x2 = np.meshgrid(np.linspace(-0.5, 1.5, 81), np.linspace(-0.5, 1.5, 81))
    y = net.forward(np.stack([x1.ravel(), x2.ravel()], 1)).reshape(x1.shape)
    figure.colorbar(plane.contourf(x1, x2, y, np.linspace(0, 1, 21), cmap="RdBu"), ax=plane, label="y")
    plane.contour(x1, x2, y, [0.5], colors="black")
    plane.scatter(*CORNERS.T, c=targets.ravel(), cmap="RdBu", s=80, edgecolors="white", zorder=3)
    plane.set(title="what it learned; y = 1/2 on the line", xlabel="$x_1$", ylabel="$x_2$")

    curve.plot(losses)
    curve.set(title="gradient descent", xlabel="step", ylabel="mean loss of the four corners", yscale="log")
    curve.grid(alpha=0.3)
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--target", choices=TARGETS, default="and", help="what to learn")
    parser.add_argument("--steps", type=lecture.whole(1), default=2000, help="of gradient descent")
    parser.add_argument("--rate", type=lecture.real(above=0), default=2.0, help="the learning rate")
    return lecture.parse(parser, words, steps=500)


def main(words: list[str] | None = None) -> pygraphnn.gModule:
    """Compares, learns and draws; returns the trained neuron."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    net = neuron()
    compare(net)
    lecture.draw(net, options.output / "neuron-graph.svg", title="One neuron")
    targets = np.array(TARGETS[options.target], float).reshape(4, 1)
    losses = learn(net, targets, options.steps, options.rate)
    for corner, y in zip(CORNERS, net.forward(CORNERS)[:, 0]):
        print(f"{corner[0]:.0f} {options.target} {corner[1]:.0f}: {y:.3f}")
    picture(net, targets, losses, options.output / "neuron.png")
    return net


if __name__ == "__main__":
    lecture.run(main)

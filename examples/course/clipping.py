"""Clipping the norm of the gradient: training that explodes without it, and the cliff that it falls off.

    python examples/course/clipping.py               prints both parts, writes a picture and a graph
    python examples/course/clipping.py --rate 0.003  smaller steps without clipping, instead
    python examples/course/clipping.py --help        tells all options

A gradient through many time steps is a product of many factors. Where these are above 1 it is huge, and a step along it
leads anywhere. Algorithm 1 of Pascanu, Mikolov and Bengio (On the difficulty of training recurrent neural networks,
2013) keeps its direction and limits its length:

    g = dE/dw        if |g| > limit:  g = g limit / |g|

The first part is the paper's smallest recurrent network, one unit without input, which is to answer 0.7 after 50 steps:

    x_t = w sigmoid(x_(t-1)) + b        x_0 = 1/2        E = (sigmoid(x_50) - 0.7)^2

Over w and b its error has a cliff: on one side x goes to a low fixed point, on the other to a high one. Gradient
descent that meets the cliff is thrown far away; with clipping it stays near and finds its way along.

The second part is a network that learns: rectified linear units that begin with the identity as recurrent matrix add
the two marked numbers of a sequence (irnn.py tells more about it).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from irnn import problem

STEPS, GOAL = 50, 0.7  # of the one unit
START = (6.0, -2.2)  # its w and b
SIZE, BATCH = 50, 50  # of the network that adds


def clip(gradient: np.ndarray, limit: float) -> float:
    """Algorithm 1, in place; returns the length before. It is what optim.clip_by_norm does."""
    norm = float(np.linalg.norm(gradient))
    if limit < norm < np.inf:
        gradient *= limit / norm
    return norm


# -- one unit


def unit() -> pygraphnn.gModule:
    """One step of one unit, [0, x] to [x', sigmoid(x')]: the sequence of zeros that it reads only counts the steps."""
    zero, x = (nn.Identity()().annotate(name=name) for name in ("0", "x"))
    new = nn.CAddTable()([zero, nn.Linear(1, 1)(nn.Sigmoid()(x)).annotate(name="w sigmoid(x) + b")]).annotate(name="x'")
    return pygraphnn.gModule([zero, x], [new, nn.Sigmoid()(new)])


class Unit:
    """The error of the unit after all steps, and its gradient, by forward and backward."""

    def __init__(self) -> None:
        self.net = pygraphnn.Unroll(unit())
        self.parameters, self.gradients = self.net.getParameters()
        self.x = [np.zeros((STEPS, 1, 1)), np.full((1, 1), 0.5)]

    def derivative(self, w: float, b: float) -> tuple[float, np.ndarray]:
        self.parameters[:] = w, b
        self.gradients.fill(0)
        _, y = self.net.forward(self.x)
        difference = y[-1] - GOAL
        last = np.zeros_like(y)
        last[-1] = 2 * difference
        self.net.backward(self.x, [None, last])
        return difference.item() ** 2, self.gradients.copy()


def descend(limit: float, steps: int, rate: float = 0.5, start: tuple[float, float] = START) -> np.ndarray:
    """Gradient descent on w and b; gives a row (w, b, error, length of the gradient) for every step."""
    one, path = Unit(), []
    place = np.array(start)
    for _ in range(steps):
        error, gradient = one.derivative(*place)
        before = place.copy()
        norm = clip(gradient, limit)
        place -= rate * gradient
        path.append([*before, error, norm])
    return np.array(path)


def surface(w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The error at many places at once."""
    x = np.full(w.shape, 0.5)
    for _ in range(STEPS):
        x = w / (1 + np.exp(-x)) + b
    error: np.ndarray = (1 / (1 + np.exp(-x)) - GOAL) ** 2
    return error


# -- a network that learns


def learn(T: int, steps: int, rate: float, limit: float, name: str) -> tuple[list[float], list[float], str]:
    """Stochastic gradient descent; gives the losses, the lengths of the gradients, and why it ended early if so."""
    step = pygraphnn.rnn(
        2, SIZE, input="vectors", output="linear", output_size=1, activation="relu", recurrent_init="identity"
    )
    net, criterion, h = pygraphnn.Unroll(step.float()), nn.MSECriterion().float(), np.zeros((BATCH, SIZE), np.float32)
    parameters, gradients = net.getParameters()
    losses: list[float] = []
    norms: list[float] = []

    @np.errstate(over="ignore")  # that is what is shown
    def feval(_: np.ndarray) -> tuple[float, np.ndarray]:
        x, target = problem(T, BATCH)
        gradients.fill(0)
        _, y = net.forward([x, h])
        loss = criterion.forward(y[-1], target)
        last = np.zeros_like(y)
        last[-1] = criterion.backward(y[-1], target)
        net.backward([x, h], [None, last])
        norms.append(clip(gradients, limit))
        return loss, gradients

    state = {"learningRate": rate}
    for _ in lecture.track(range(steps), name):
        try:
            _, (loss,) = optim.sgd(feval, parameters, state)
        except FloatingPointError as error:
            return losses, norms, str(error)
        losses.append(loss)
    return losses, norms, ""


# -- what came of it


def tell(name: str, losses: list[float], norms: list[float], end: str) -> None:
    """How a training went."""
    print(f"{name}: {len(losses)} steps, gradients up to {np.nanmax(norms):.3g}")
    print(f"  {end}" if end else f"  mean loss of the last {min(len(losses), 50)} steps {np.mean(losses[-50:]):.4f}")


def picture(paths: dict[str, np.ndarray], runs: dict[str, list[float]], path: Path) -> None:
    """The cliff, the two ways over it, and the losses of the network."""
    figure = lecture.figure(14, 4.2)
    w, b = np.meshgrid(np.linspace(3, 9, 241), np.linspace(-5, 1, 241))
    error = surface(w, b)
    cliff = figure.add_subplot(1, 3, 1, projection="3d")
    cliff.plot_surface(w, b, error, cmap="viridis", rcount=120, ccount=120, linewidth=0)
    cliff.view_init(35, -120)
    cliff.set(title="the error of one unit after 50 steps", xlabel="w", ylabel="b", zlabel="E")
    plane = figure.add_subplot(1, 3, 2)
    figure.colorbar(plane.contourf(w, b, error, 20, cmap="viridis"), ax=plane, label="E")
    for (name, steps), color in zip(paths.items(), ("red", "white")):
        plane.plot(*steps[:, :2].T, ".-", color=color, label=name, linewidth=1, markersize=4)
    plane.plot(*START, "o", color="black", label="start")
    plane.set(title="gradient descent", xlabel="w", ylabel="b", xlim=(3, 9), ylim=(-5, 1))
    plane.legend(loc="lower left", facecolor="lightgray")
    curves = figure.add_subplot(1, 3, 3)
    for (name, losses), color in zip(runs.items(), ("red", "tab:blue")):
        curves.plot(range(1, len(losses) + 1), losses, color=color, label=name)
        curves.plot(len(losses), losses[-1], "o", color=color)
    curves.axhline(1 / 6, color="gray", linestyle="--", label="always answering 1")
    curves.set(title="a network that adds", xlabel="step", ylabel="loss", xscale="log", yscale="log")
    curves.legend()
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--limit", type=lecture.real(above=0), default=1.0, help="of the gradient's length, part two")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.05, help="the learning rate, part two")
    parser.add_argument("--length", type=lecture.whole(2), default=30, help="of the sequences, part two")
    parser.add_argument("--steps", type=lecture.whole(1), default=3000, help="of training, part two")
    return lecture.parse(parser, words, steps=600)


def main(words: list[str] | None = None) -> dict[str, list[float]]:
    """Both parts; returns the losses without and with clipping."""
    options = arguments(words)
    paths = {"without clipping": descend(np.inf, 200), "clipped to 0.2": descend(0.2, 200)}
    for name, steps in paths.items():
        w, b, error, _ = steps[-1]
        print(f"one unit {name}: w = {w:.2f}, b = {b:.2f}, E = {error:.4f}, gradients up to {steps[:, 3].max():.3g}")
    lecture.draw(unit(), options.output / "clipping-graph.svg", title="One unit, one step", states={2: 1})
    runs = {}
    for name, limit in (("without clipping", np.inf), (f"clipped to {options.limit:g}", options.limit)):
        torch7.manualSeed(options.seed)
        losses, norms, end = learn(options.length, options.steps, options.rate, limit, name)
        tell(f"adding numbers {name}", losses, norms, end)
        runs[name] = losses
    picture(paths, runs, options.output / "clipping.png")
    return runs


if __name__ == "__main__":
    lecture.run(main)

"""A fully connected network approximates any curve, the better the wider it is; minibatch SGD in full.

    python examples/course/mlp.py                      trains eight networks, prints their errors, draws their curves
    python examples/course/mlp.py --curve chirp        another curve
    python examples/course/mlp.py --widths 4 8         other widths of the hidden layer
    python examples/course/mlp.py --help               tells all options

A network with one hidden layer is a weighted sum of as many steps of the function tanh as the layer is wide:

    h = tanh(W_1 x + b_1)        y = W_2 h + b_2

Each hidden unit turns around at one place of the curve, where w x + b = 0, and the output adds them up. Enough of them
approximate any continuous curve on an interval. Which weights do so is found by stochastic gradient descent: a few
examples at a time, the gradient g of their mean squared error, and a step against it, with a memory of earlier steps:

    v = momentum v + g           w = w - rate v

`train` below has the whole loop: forward, the criterion, backward, the step. It first learns "exclusive or", which no
neuron can, and which four hidden units can.
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

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
EXCLUSIVE = np.array([[0.0], [1], [1], [0]], np.float32)
CURVES = {
    "waves": lambda x: 0.5 * np.sin(3 * x) + 0.5 * np.sin(10 * x),
    "chirp": lambda x: np.sin(10 * x**2),
    "zigzag": lambda x: 1 - 2 * abs((3 * x + 0.3) % 2 - 1),
    "steps": lambda x: np.sign(np.sin(7 * x + 1)),
}


def network(inputs: int, width: int) -> nn.Sequential:
    """One hidden layer. Where its units turn around is drawn from -1 to 1, so that the whole curve has some."""
    net, first = nn.Sequential(), nn.Linear(inputs, width)
    net.add(first)
    net.add(nn.Tanh())
    net.add(nn.Linear(width, 1))
    first.weight *= 8  # Torch's weights are so small that tanh is almost straight
    turns = torch7.uniform_(np.zeros((width, inputs)), -1, 1)
    first.bias[...] = -(first.weight * turns).sum(1)  # w x + b = w (x - turn)
    return net.float()


def examples(curve: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """So many points of a curve, side by side: x (N, 1) from -1 to 1, and t (N, 1)."""
    x = np.linspace(-1, 1, number, dtype=np.float32)[:, None]
    return x, CURVES[curve](x).astype(np.float32)


def minibatches(x: np.ndarray, t: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All examples once, in random order, so many at a time."""
    order = torch7.randperm(len(x)).astype(int) - 1
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], t[chosen]


def train(net: nn.Module, x: np.ndarray, t: np.ndarray, options: argparse.Namespace, width: int) -> Iterator[float]:
    """Stochastic gradient descent, epoch by epoch; gives the mean loss of each.

    The sum of more units is steeper, so a wider network takes smaller steps; and all steps become smaller with time.
    """
    criterion, (parameters, gradients) = nn.MSECriterion().float(), net.getParameters()
    state = {"momentum": options.momentum, "dampening": 0}

    for epoch in range(options.epochs):
        state["learningRate"] = options.rate / width**0.5 * (1 - epoch / options.epochs)
        losses = []
        for some_x, some_t in minibatches(x, t, options.batch_size):

            def evaluate(_: np.ndarray, x: np.ndarray = some_x, t: np.ndarray = some_t) -> tuple[float, np.ndarray]:
                gradients.fill(0)
                y = net.forward(x)
                loss = criterion.forward(y, t)
                net.backward(x, criterion.backward(y, t))
                return loss, gradients

            _, (loss,) = optim.sgd(evaluate, parameters, state)
            losses.append(loss)
        yield sum(losses) / len(losses)


def error(net: nn.Module, curve: str) -> float:
    """The mean squared error on five times as many points as were learned."""
    x, t = examples(curve, 1000)
    return float(((net.forward(x) - t) ** 2).mean())


def exclusive_or(options: argparse.Namespace) -> dict[str, np.ndarray]:
    """What a layer alone and a network with four hidden units answer to the four corners, once trained."""
    nets = {"one layer": nn.Linear(2, 1).float(), "four hidden units": network(2, 4)}
    answers = {}
    for name, net in nets.items():
        for _ in train(net, CORNERS, EXCLUSIVE, options, 4):
            pass
        answers[name] = net.forward(CORNERS)[:, 0].copy()
        print(f"{name}: " + ", ".join(f"{a:.0f} xor {b:.0f}: {y:.3f}" for (a, b), y in zip(CORNERS, answers[name])))
    return answers


def graph(net: nn.Sequential) -> pygraphnn.gModule:
    """The same modules as a graph, to be drawn."""
    x = node = nn.Identity()().annotate(name="x")
    for module, name in zip(net.modules, ("W_1 x + b_1", "h", "y")):
        node = module(node).annotate(name=name)
    return pygraphnn.gModule([x], [node]).float()


def picture(nets: dict[int, nn.Sequential], losses: dict[int, list[float]], curve: str, path: Path) -> None:
    """The curve and what networks make of it, the error against the width, and how the losses fell."""
    figure = lecture.figure(13, 4)
    curves, widths, falls = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    x, t = examples(curve, 1000)
    curves.plot(x, t, "k", lw=5, alpha=0.2, label="the curve")
    chosen = sorted(nets)[:: max(1, len(nets) // 4)]
    for color, width in enumerate(chosen):
        curves.plot(x, nets[width].forward(x), f"C{color}", label=f"{width} wide")
        falls.plot(losses[width], f"C{color}", label=f"{width} wide", lw=0.8)
    curves.set(xlabel="x", ylabel="y", title="what networks make of the curve")
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=len(chosen) + 1)

    widths.plot(sorted(nets), [error(nets[width], curve) for width in sorted(nets)], "o-k")
    widths.set(xscale="log", yscale="log", xlabel="units of the hidden layer", title="error against width")
    widths.set_xticks(sorted(nets), [str(width) for width in sorted(nets)])
    widths.minorticks_off()
    widths.set_ylabel("mean squared error")
    falls.set(xlabel="epoch", ylabel="mean loss of an epoch", yscale="log", title="training")
    for axis in (curves, widths, falls):
        axis.grid(alpha=0.3)
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    widths = (1, 2, 4, 8, 16, 32, 64, 128)
    parser.add_argument("--curve", choices=CURVES, default="waves", help="what to approximate")
    parser.add_argument("--widths", type=lecture.whole(1), nargs="+", default=widths, help="of the hidden layer")
    parser.add_argument("--epochs", type=lecture.whole(1), default=2000, help="how often to see all examples")
    parser.add_argument("--examples", type=lecture.whole(2), default=200, help="points of the curve to learn from")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="examples in a minibatch")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.2, help="learning rate of one unit, at first")
    parser.add_argument("--momentum", type=lecture.real(least=0, below=1), default=0.9, help="of the velocity v")
    return lecture.parse(parser, words, epochs=200, widths=(1, 4, 32))


def main(words: list[str] | None = None) -> dict[int, float]:
    """Trains, tells and draws; returns the error of each width."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    nets, losses = {}, {}
    x, t = examples(options.curve, options.examples)
    exclusive_or(options)
    for width in sorted(set(options.widths)):
        nets[width] = network(1, width)
        epochs = train(nets[width], x, t, options, width)
        losses[width] = list(lecture.track(epochs, f"{width} wide", options.epochs))
        print(f"{width:4} hidden units: mean squared error {error(nets[width], options.curve):.6f}", flush=True)
    drawn = graph(nets[max(nets)])
    drawn.forward(x[: options.batch_size])
    lecture.draw(drawn, options.output / "mlp-graph.svg", title="A minibatch and one hidden layer")
    picture(nets, losses, options.curve, options.output / "mlp.png")
    return {width: error(net, options.curve) for width, net in nets.items()}


if __name__ == "__main__":
    lecture.run(main)

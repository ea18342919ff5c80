"""A recurrent network predicts the next letter: the same letter, another prediction, because it remembers.

    python examples/course/rnn.py                      trains on "hello ", prints and draws its predictions
    python examples/course/rnn.py --text "to be or not to be, "    another text, over and over
    python examples/course/rnn.py --forget             the same network without its memory
    python examples/course/rnn.py --help               tells all options

A recurrent network reads a sequence x_1, x_2, ... and keeps what it has seen in a state h:

    h_t = sigmoid(W_hh h_(t-1) + W_hx x_t)        y_t = softmax(W_s h_t)

x_t is the t-th letter as a one-hot vector, y_t the probabilities of the letter that follows it. The weights are the
same at all time steps: `rnn-step.svg` shows one step, whose state comes back to it, `rnn-unrolled.svg` the same over
four steps, a network without cycles in which boxes with the same letter share their weights.

In "hello" an l is followed by an l, and then by an o. What follows cannot be told from the l alone: without memory both
get the probability 1/2. The picture shows what the trained network expects after every letter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lecture
import nn
import pygraphnn
import torch7
from pygraphnn.node import Node


def step(letters: int, size: int, memory: bool = True) -> pygraphnn.gModule:
    """One time step, [x, h] to [h', log y]. Without memory the last state counts nothing."""
    x, h = (nn.Identity()().annotate(name=name) for name in ("x", "h"))
    before = h if memory else nn.MulConstant(0)(h)
    new, y = layer(x, before, nn.Linear(letters, size), nn.Linear(size, size), nn.Linear(size, letters))
    return pygraphnn.gModule([x, h], [new, y])


def layer(x: Node, h: Node, W_hx: nn.Module, W_hh: nn.Module, W_s: nn.Module) -> tuple[Node, Node]:
    """The nodes of h' and log y."""
    read, remembered = W_hx(x).annotate(name="W_hx x"), W_hh(h).annotate(name="W_hh h")
    new = nn.Sigmoid()(nn.CAddTable()([remembered, read])).annotate(name="h'")
    return new, nn.LogSoftMax()(W_s(new).annotate(name="W_s h'")).annotate(name="log y")


def unrolled(letters: int, size: int, steps: int) -> pygraphnn.gModule:
    """Several time steps wired one after the other, [x_1, ..., x_T, h_0] to [log y_1, ..., log y_T, h_T]."""
    maps = [nn.Linear(letters, size), nn.Linear(size, size), nn.Linear(size, letters)]
    start = h = nn.Identity()().annotate(name="h_0")
    xs, ys = [], []
    for t in range(1, steps + 1):
        xs.append(nn.Identity()().annotate(name=f"x_{t}"))
        # each step has modules of its own, whose weights are those of the first step's
        h, y = layer(xs[-1], h, *(m if t == 1 else m.clone("weight", "bias", "gradWeight", "gradBias") for m in maps))
        ys.append(y)
    return pygraphnn.gModule([*xs, start], [*ys, h])


def sequences(text: str, repeats: int) -> tuple[str, np.ndarray, np.ndarray]:
    """The alphabet; the text over and over as one-hot vectors (T, 1, letters), and the letters that follow, from 1."""
    alphabet = "".join(sorted(set(text)))
    indices = np.array([alphabet.index(letter) for letter in text * repeats])
    return alphabet, np.eye(len(alphabet))[indices][:, None], 1 + np.roll(indices, -1)


def train(net: nn.Module, x: np.ndarray, target: np.ndarray, size: int, epochs: int, rate: float) -> list[float]:
    """Adam on the whole sequence; gives the mean losses of a letter."""
    whole = nn.Sequential().add(net).add(nn.SelectTable(2)).add(nn.View(-1, x.shape[-1]))
    training = lecture.Training(whole, nn.ClassNLLCriterion(), rate, clip=5)
    return [training([x, np.zeros((1, size))], target) for _ in lecture.track(range(epochs), "training")]


def predictions(net: nn.Module, x: np.ndarray, size: int) -> np.ndarray:
    """The probabilities y (T, letters) of what follows every letter."""
    _, y = net.forward([x, np.zeros((1, size))])
    probabilities: np.ndarray = np.exp(y[:, 0])
    return probabilities


def picture(text: str, alphabet: str, y: np.ndarray, losses: list[float], path: Path) -> None:
    """What is expected after every letter of the text, and how the loss fell."""
    figure = lecture.figure(11, 3.5)
    heat, curve = figure.subplots(1, 2, width_ratios=(2, 1))
    image = heat.imshow(y.T, "viridis", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=heat, label="probability")
    shown = [letter if letter != " " else "␣" for letter in text]
    heat.set_xticks(range(len(text)), shown)
    heat.set_yticks(range(len(alphabet)), [letter if letter != " " else "␣" for letter in alphabet])
    follows = [alphabet.index(letter) for letter in text[1:] + text[:1]]
    heat.plot(range(len(text)), follows, "o", mfc="none", mec="red", label="what does follow")
    heat.set(xlabel="letter read", ylabel="letter expected next", title="predictions, from left to right")
    heat.legend(loc="lower left", fontsize="small")
    curve.plot(losses)
    curve.set(xlabel="epoch", ylabel="loss per letter (nats)", yscale="log")
    curve.grid(alpha=0.3)
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--text", default="hello ", help="what to learn, over and over")
    parser.add_argument("--size", type=lecture.whole(1), default=16, help="of the state h")
    parser.add_argument("--epochs", type=lecture.whole(1), default=400, help="how often to read the text ten times")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.02, help="Adam's learning rate")
    parser.add_argument("--forget", action="store_true", help="give the network no memory")
    options = lecture.parse(parser, words, epochs=200)
    if len(set(options.text)) < 2:
        parser.error(f"--text: expected two different letters or more, got {options.text!r}")
    return options


def main(words: list[str] | None = None) -> tuple[str, np.ndarray]:
    """Trains, tells and draws; returns the alphabet, and the predictions for the text at its second reading."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    alphabet, x, target = sequences(options.text, 10)
    cell = step(len(alphabet), options.size, not options.forget)
    lecture.draw(cell, options.output / "rnn-step.svg", title="One time step", states={2: 1})
    wide = unrolled(len(alphabet), options.size, 4)
    lecture.draw(wide, options.output / "rnn-unrolled.svg", title="Four time steps, one W")
    net = pygraphnn.Unroll(cell)
    losses = train(net, x, target, options.size, options.epochs, options.rate)
    n = len(options.text)
    y = predictions(net, x, options.size)[n : 2 * n]
    print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} in the end")
    for i, letter in enumerate(options.text):
        likely = np.argsort(-y[i])[:3]
        print(
            f"{options.text[:i]}[{letter}]{'':{n - i}} " + "  ".join(f"{alphabet[j]!r} {y[i, j]:.3f}" for j in likely)
        )
    picture(options.text, alphabet, y, losses, options.output / "rnn.png")
    return alphabet, y


if __name__ == "__main__":
    lecture.run(main)

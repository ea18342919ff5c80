"""Wires an encoder and a decoder, graphs in a graph, runs them once, and draws them.

The encoder reads a sequence with one recurrent cell, step after step; the decoder starts from the state in which it
ends, and writes a sequence. All steps of each share their parameters.

python examples/encoder_decoder.py encoder_decoder.svg
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import nn
import pygraphnn
import torch7


class Cell:
    """A plain recurrent cell, h' = tanh(W x + b + U h + d), whose nodes share their parameters."""

    def __init__(self, inputs: int, size: int):
        self.i2h, self.h2h = nn.Linear(inputs, size), nn.Linear(size, size)

    def step(self, x: Any, h: Any, t: int) -> Any:
        """The node of the state that follows h."""
        i2h = tied(self.i2h)(x)
        h2h = tied(self.h2h)(h)
        return nn.Tanh()(nn.CAddTable()([i2h, h2h])).annotate(name=f"h{t}")


def tied(layer: nn.Linear) -> Any:
    """The layer once more, with buffers of its own, and the same parameters."""
    return layer.clone("weight", "bias", "gradWeight", "gradBias")


def encoder(inputs: int, size: int, steps: int) -> Any:
    """The graph that maps [x1, ..., xn, h] to the state after the last x."""
    cell = Cell(inputs, size)
    xs = [nn.Identity()().annotate(name=f"x{t}") for t in range(1, steps + 1)]
    h0 = h = nn.Identity()().annotate(name="h0")
    for t, x in enumerate(xs, 1):
        h = cell.step(x, h, t)
    return pygraphnn.gModule([*xs, h0], [h])


def decoder(outputs: int, size: int, steps: int) -> Any:
    """The graph that maps [start, h] to the log-probabilities of each step, the input of the next."""
    cell, scores = Cell(outputs, size), nn.Linear(size, outputs)
    start = y = nn.Identity()().annotate(name="start")
    h0 = h = nn.Identity()().annotate(name="h0")
    ys = []
    for t in range(1, steps + 1):
        h = cell.step(y, h, t)
        y = nn.LogSoftMax()(tied(scores)(h)).annotate(name=f"y{t}")
        ys.append(y)
    return pygraphnn.gModule([start, h0], ys)


def translator(inputs: int, outputs: int, size: int, read: int, write: int) -> Any:
    """The graph that maps [x1, ..., xn, h, start] to [y1, ..., ym]."""
    xs = [nn.Identity()().annotate(name=f"x{t}") for t in range(1, read + 1)]
    h = nn.Identity()().annotate(name="h")
    start = nn.Identity()().annotate(name="start")
    meaning = encoder(inputs, size, read)([*xs, h]).annotate(name="encoder")
    ys = decoder(outputs, size, write)([start, meaning]).annotate(name="decoder")
    return pygraphnn.gModule([*xs, h, start], list(ys.split(write)))


def main() -> None:
    """Runs the network once, so that the shapes are known, and draws it to the file that the command line names."""
    parser = argparse.ArgumentParser(description="Draws an encoder and a decoder, graphs in a graph.")
    parser.add_argument("picture", nargs="?", default="encoder_decoder.svg", help="a .svg, .png, .pdf or .dot file")
    parser.add_argument("--read", type=int, default=3, metavar="N", help="how many steps the encoder reads (3)")
    parser.add_argument("--write", type=int, default=2, metavar="N", help="how many steps the decoder writes (2)")
    parser.add_argument("--size", type=int, default=32, metavar="N", help="the size of the states (32)")
    parser.add_argument("--fold", action="store_true", help="draw encoder and decoder as one box each")
    options = parser.parse_args()
    if options.read < 1 or options.write < 2 or options.size < 1:
        parser.error("there should be one step or more to read, two or more to write, and a size above 0")
    torch7.manualSeed(1)
    net = translator(10, 12, options.size, options.read, options.write)
    x = [torch7.randn(4, 10) for _ in range(options.read)]
    ys = net.forward([*x, np.zeros((4, options.size)), np.zeros((4, 12))])
    print("read", ", ".join(str(part.shape) for part in x), "and wrote", ", ".join(str(y.shape) for y in ys))
    pygraphnn.draw(net, options.picture, title="Encoder and decoder", fold=options.fold)


if __name__ == "__main__":
    main()

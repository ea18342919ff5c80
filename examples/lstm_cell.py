"""Wires one time step of an LSTM, runs it, and draws it.

python examples/lstm_cell.py lstm.svg
"""

from __future__ import annotations

import sys

import numpy as np

import nn
import pygraphnn


def lstm_cell(inputs: int, size: int) -> pygraphnn.gModule:
    """The graph that maps [x, c, h] to [c', h']."""
    x, c, h = (nn.Identity()().annotate(name=name) for name in "xch")
    gates = nn.JoinTable(1, 1)([x, h])
    i = nn.Sigmoid()(nn.Linear(inputs + size, size)(gates)).annotate(name="input gate")
    f = nn.Sigmoid()(nn.Linear(inputs + size, size)(gates)).annotate(name="forget gate")
    o = nn.Sigmoid()(nn.Linear(inputs + size, size)(gates)).annotate(name="output gate")
    new = nn.Tanh()(nn.Linear(inputs + size, size)(gates)).annotate(name="new content")
    kept = nn.CMulTable()([f, c])
    written = nn.CMulTable()([i, new])
    next_c = nn.CAddTable()([kept, written]).annotate(name="next c")
    next_h = nn.CMulTable()([o, nn.Tanh()(next_c)]).annotate(name="next h")
    return pygraphnn.gModule([x, c, h], [next_c, next_h])


def main() -> None:
    """Draws the cell to the file that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} PICTURE.svg (or .png, .pdf, .dot)")
    cell = lstm_cell(10, 20)
    batch = [np.ones((5, 10)), np.zeros((5, 20)), np.zeros((5, 20))]
    next_c, next_h = cell.forward(batch)
    print("next c", next_c.shape, "next h", next_h.shape)
    pygraphnn.draw(cell, sys.argv[1], title="One time step of an LSTM", states={2: 1, 3: 2})


if __name__ == "__main__":
    main()

"""The long short-term memory network."""

from __future__ import annotations

import nn
import pygraphnn
from util.onehot import OneHot


def lstm(input_size: int, rnn_size: int, n: int, dropout: float = 0) -> pygraphnn.gModule:
    """One time step of an LSTM of n layers that reads and predicts one of `input_size` characters.

    It maps [x, c1, h1, ..., cn, hn] to [c1', h1', ..., cn', hn', log-probabilities], x being character indices (B),
    cells c and outputs h of shape (B, rnn_size). In every layer, from its input x and with the weights side by side,

        (i, f, o, g) = W x + b + U h + d
        c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    and h' is the next layer's input. Dropout acts between the layers and before the decoder.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; gates as in Graves, Generating sequences with
    recurrent neural networks, 2013, without peepholes.
    """
    inputs = [nn.Identity()() for _ in range(2 * n + 1)]
    outputs: list[pygraphnn.Node] = []
    for layer in range(1, n + 1):
        prev_c, prev_h = inputs[2 * layer - 1], inputs[2 * layer]
        if layer == 1:
            x, width = OneHot(input_size)(inputs[0]), input_size
        else:
            x, width = dropped(outputs[-1], dropout), rnn_size
        outputs += tick(x, prev_c, prev_h, width, rnn_size, layer)
    decoder = nn.Linear(rnn_size, input_size)(dropped(outputs[-1], dropout)).annotate(name="decoder")
    outputs.append(nn.LogSoftMax()(decoder))
    return pygraphnn.gModule(inputs, outputs)


def tick(
    x: pygraphnn.Node, prev_c: pygraphnn.Node, prev_h: pygraphnn.Node, width: int, size: int, layer: int
) -> list[pygraphnn.Node]:
    """The next cell and output of one layer."""
    i2h = nn.Linear(width, 4 * size)(x).annotate(name=f"i2h_{layer}")
    if layer == 1:
        i2h.data.module.gradInput = None  # nothing is learned from the gradient of one-hot vectors: it is not computed
    h2h = nn.Linear(size, 4 * size)(prev_h).annotate(name=f"h2h_{layer}")
    sums = nn.Reshape(4, size)(added(i2h, h2h))
    i, f, o, g = nn.SplitTable(2)(sums).split(4)
    in_gate, forget_gate, out_gate = nn.Sigmoid()(i), nn.Sigmoid()(f), nn.Sigmoid()(o)
    in_transform = nn.Tanh()(g)
    kept = nn.CMulTable()([forget_gate, prev_c])
    written = nn.CMulTable()([in_gate, in_transform])
    next_c = added(kept, written)
    next_h = nn.CMulTable()([out_gate, nn.Tanh()(next_c)])
    return [next_c, next_h]


def added(a: pygraphnn.Node, b: pygraphnn.Node) -> pygraphnn.Node:
    """a + b, made in the memory of a: a sum per time step less to keep.

    Nothing else may read a; nor may a state that is made so be read by more than a, for the next step of the same
    network computes a in the state's memory.
    """
    return nn.CAddTable(True)([a, b])


def dropped(x: pygraphnn.Node, dropout: float) -> pygraphnn.Node:
    """x behind dropout, if there is any."""
    return nn.Dropout(dropout)(x) if dropout > 0 else x

"""The network of gated recurrent units."""

from __future__ import annotations

import nn
import pygraphnn
from util.onehot import OneHot

from .lstm import added, dropped


def gru(input_size: int, rnn_size: int, n: int, dropout: float = 0) -> pygraphnn.gModule:
    """One time step of a GRU of n layers that reads and predicts one of `input_size` characters.

    It maps [x, h1, ..., hn] to [h1', ..., hn', log-probabilities], x being character indices (B) and h of shape
    (B, rnn_size). In every layer, with weights and biases of its own for each sum,

        u = sigmoid(W x + U h), r = sigmoid(W x + U h), candidate = tanh(W x + U (r h))
        h' = u candidate + (1 - u) h

    Source: Chung, Gulcehre, Cho and Bengio, Empirical evaluation of gated recurrent neural networks on sequence
    modeling, 2014.
    """
    inputs = [nn.Identity()() for _ in range(n + 1)]
    outputs: list[pygraphnn.Node] = []
    for layer in range(1, n + 1):
        if layer == 1:
            x, width = OneHot(input_size)(inputs[0]), input_size
        else:
            x, width = dropped(outputs[-1], dropout), rnn_size
        outputs.append(tick(x, inputs[layer], width, rnn_size))
    decoder = nn.Linear(rnn_size, input_size)(dropped(outputs[-1], dropout))
    outputs.append(nn.LogSoftMax()(decoder))
    return pygraphnn.gModule(inputs, outputs)


def tick(x: pygraphnn.Node, prev_h: pygraphnn.Node, width: int, size: int) -> pygraphnn.Node:
    """The next output of one layer."""

    def gate() -> pygraphnn.Node:
        i2h = nn.Linear(width, size)(x)
        h2h = nn.Linear(size, size)(prev_h)
        return nn.Sigmoid()(added(i2h, h2h))

    update, reset = gate(), gate()
    reset_h = nn.CMulTable()([reset, prev_h])
    from_h = nn.Linear(size, size)(reset_h)
    from_x = nn.Linear(width, size)(x)
    candidate = nn.Tanh()(added(from_x, from_h))
    renewed = nn.CMulTable()([update, candidate])
    kept = nn.CMulTable()([nn.AddConstant(1)(nn.MulConstant(-1)(update)), prev_h])
    return nn.CAddTable()([renewed, kept])

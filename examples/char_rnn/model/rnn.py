"""The plain recurrent network."""

from __future__ import annotations

import nn
import pygraphnn
from util.onehot import OneHot

from .lstm import added, dropped


def rnn(input_size: int, rnn_size: int, n: int, dropout: float = 0) -> pygraphnn.gModule:
    """One time step of a recurrent network of n layers that reads and predicts one of `input_size` characters.

    It maps [x, h1, ..., hn] to [h1', ..., hn', log-probabilities], x being character indices (B) and h of shape
    (B, rnn_size). In every layer h' = tanh(W x + b + U h + d), and h' is the next layer's input.
    """
    inputs = [nn.Identity()() for _ in range(n + 1)]
    outputs: list[pygraphnn.Node] = []
    for layer in range(1, n + 1):
        if layer == 1:
            x, width = OneHot(input_size)(inputs[0]), input_size
        else:
            x, width = dropped(outputs[-1], dropout), rnn_size
        i2h = nn.Linear(width, rnn_size)(x)
        h2h = nn.Linear(rnn_size, rnn_size)(inputs[layer])
        outputs.append(nn.Tanh()(added(i2h, h2h)))
    decoder = nn.Linear(rnn_size, input_size)(dropped(outputs[-1], dropout))
    outputs.append(nn.LogSoftMax()(decoder))
    return pygraphnn.gModule(inputs, outputs)

"""The network of gated recurrent units."""

from __future__ import annotations

import pygraphnn
from util.onehot import OneHot


def gru(input_size: int, rnn_size: int, n: int, dropout: float = 0) -> pygraphnn.gModule:
    """One time step of a GRU of n layers that reads and predicts one of `input_size` characters.

    It maps [x, h1, ..., hn] to [h1', ..., hn', log-probabilities], x being character indices (B) and h of shape
    (B, rnn_size).
    """
    return pygraphnn.gru(input_size, rnn_size, n, dropout, input=OneHot(input_size))

"""The long short-term memory network."""

from __future__ import annotations

import pygraphnn
from util.onehot import OneHot


def lstm(input_size: int, rnn_size: int, n: int, dropout: float = 0) -> pygraphnn.gModule:
    """One time step of an LSTM of n layers that reads and predicts one of `input_size` characters.

    It maps [x, c1, h1, ..., cn, hn] to [c1', h1', ..., cn', hn', log-probabilities], x being character indices (B),
    cells c and outputs h of shape (B, rnn_size). Dropout acts between the layers and before the decoder.
    """
    return pygraphnn.lstm(input_size, rnn_size, n, dropout, input=OneHot(input_size))

"""Recurrent networks as graphs of one time step: LSTM, GRU and the plain network, whole or cell by cell.

`lstm`, `gru` and `rnn` build whole steps; `lstm_cell`, `gru_cell` and `rnn_cell` are one layer of them as nodes, for
networks of one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import nn
import torch7
from nn.checks import described
from torch7.dims import whole

from .gmodule import gModule
from .node import Node

INPUTS = ("onehot", "lookup", "vectors")
OUTPUTS = ("logsoftmax", "linear", "h")
PEEPHOLES = ("output", "diagonal")
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}

Cell = Callable[..., list[Node]]  # of x, its width, which layer it is, and the states


# -- whole steps


def lstm(
    input_size: int,
    rnn_size: int,
    n: int = 1,
    dropout: float = 0,
    *,
    input: str | nn.Module = "onehot",
    output: str = "logsoftmax",
    output_size: int | None = None,
    residual: bool = False,
    peepholes: str | None = None,
    forget_bias: float | None = None,
) -> gModule:
    """One time step of an LSTM of n layers, each a `lstm_cell`, as char-rnn wires it.

    It maps [x, c1, h1, ..., cn, hn] to [c1', h1', ..., cn', hn', y], cells c and outputs h of shape (B, rnn_size).
    What a layer gives, y_l = h_l', is the next layer's input.

    `input` says what x is: "onehot", indices (B) from 1 to input_size as one-hot vectors; "lookup", such indices with a
    learned vector of rnn_size numbers for each; "vectors", a matrix (B, input_size). Or it is a module that makes
    vectors of input_size numbers of x, such as `nn.LookupTable(1000, 64)` with an input_size of 64.
    `output` says what y is: "logsoftmax", the logarithms of output_size probabilities, by default as many as
    input_size; "linear", as many sums; "h", what the top layer gives.
    `dropout` is the probability with which numbers are dropped between the layers and before the decoder.
    With `residual`, y_l = h_l' + y_(l-1) from the second layer on, where y_(l-1) was not dropped from.
    `peepholes` and `forget_bias`: see `lstm_cell`.

    Nodes are named i2h_1, h2h_1, ..., decoder. Raises ValueError for an option of another value and for sizes below 1,
    TypeError for what is no number where one belongs.

    Source: char-rnn; Zaremba, Sutskever and Vinyals, Recurrent neural network regularization, 2014 (dropout); Wu et
    al., Google's neural machine translation system, 2016 (residual connections).

    >>> import numpy as np, pygraphnn
    >>> step = lstm(65, 128, 2)
    >>> state = pygraphnn.initial_states(step, 50)
    >>> *state, y = step.forward([np.full(50, 7), *state])
    >>> len(state), y.shape
    (4, (50, 65))
    """

    def cell(x: Node, width: int, layer: int, c: Node, h: Node) -> list[Node]:
        return lstm_cell(x, c, h, width, rnn_size, peepholes, forget_bias, layer)

    ends = _Ends("pygraphnn.lstm", input_size, rnn_size, n, dropout, input, output, output_size, residual)
    return ends.step(cell, 2, decoder="decoder")


def gru(
    input_size: int,
    rnn_size: int,
    n: int = 1,
    dropout: float = 0,
    *,
    input: str | nn.Module = "onehot",
    output: str = "logsoftmax",
    output_size: int | None = None,
    residual: bool = False,
) -> gModule:
    """One time step of a GRU of n layers, each a `gru_cell`, as char-rnn wires it.

    It maps [x, h1, ..., hn] to [h1', ..., hn', y]. All options and errors are those of `lstm`.

    >>> import numpy as np
    >>> step = gru(8, 5, input="vectors", output="h")
    >>> h, y = step.forward([np.ones((2, 8)), np.zeros((2, 5))])
    >>> np.array_equal(h, y)
    True
    """

    def cell(x: Node, width: int, layer: int, h: Node) -> list[Node]:
        return [gru_cell(x, h, width, rnn_size)]

    return _Ends("pygraphnn.gru", input_size, rnn_size, n, dropout, input, output, output_size, residual).step(cell, 1)


def rnn(
    input_size: int,
    rnn_size: int,
    n: int = 1,
    dropout: float = 0,
    *,
    input: str | nn.Module = "onehot",
    output: str = "logsoftmax",
    output_size: int | None = None,
    residual: bool = False,
    activation: str = "tanh",
    recurrent_init: str | None = None,
) -> gModule:
    """One time step of a plain recurrent network of n layers, each a `rnn_cell`, as char-rnn wires it.

    It maps [x, h1, ..., hn] to [h1', ..., hn', y]. `activation` and `recurrent_init`: see `rnn_cell`; all other options
    and errors are those of `lstm`.

    >>> step = rnn(2, 9, input="vectors", output="h", activation="relu", recurrent_init="identity")
    >>> step.forward([np.zeros((1, 2)), np.arange(9.0).reshape(1, 9)])[0]
    array([[0., 1., 2., 3., 4., 5., 6., 7., 8.]])
    """

    def cell(x: Node, width: int, layer: int, h: Node) -> list[Node]:
        return [rnn_cell(x, h, width, rnn_size, activation, recurrent_init)]

    return _Ends("pygraphnn.rnn", input_size, rnn_size, n, dropout, input, output, output_size, residual).step(cell, 1)


# -- one layer


def lstm_cell(
    x: Node,
    c: Node,
    h: Node,
    input_size: int,
    rnn_size: int,
    peepholes: str | None = None,
    forget_bias: float | None = None,
    layer: int | str | None = None,
) -> list[Node]:
    """The nodes [c', h'] of one layer of an LSTM, of its input x (B, input_size), its cell c and its output h.

    With the weights side by side,

        (i, f, o, g) = W x + b + U h + d
        c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    `peepholes`: "output" adds V c' to o, V a matrix; "diagonal" adds p c to i, q c to f and r c' to o, with vectors
    p, q and r that are multiplied element by element.
    `forget_bias`, if given, is the initial value of the forget gate's b; its d is drawn as all others are.
    `layer`, if given, names the nodes of the weights: i2h_1, h2h_1, c2i_1, c2f_1, c2o_1.

    The gradient with respect to one-hot vectors is not computed. Without "diagonal", c' is made in the memory of
    sigmoid(f) c: in a network that is its own next step, nothing else may read c.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; Gers, Schraudolph and Schmidhuber, Learning
    precise timing with LSTM recurrent networks, 2002, and Graves, Generating sequences with recurrent neural networks,
    2013 ("diagonal"); Jozefowicz, Zaremba and Sutskever, An empirical exploration of recurrent network architectures,
    2015 (a forget_bias of 1).
    """
    who = "pygraphnn.lstm_cell"
    _check_choice(who, "peepholes", peepholes, (None, *PEEPHOLES))
    input_size, rnn_size = _size(who, "input_size", input_size), _size(who, "rnn_size", rnn_size)

    def named(node: Node, name: str) -> Node:
        return node if layer is None else node.annotate(name=f"{name}_{layer}")

    i2h = named(nn.Linear(input_size, 4 * rnn_size)(x), "i2h")
    if isinstance(x.data.module, nn.OneHot):
        i2h.data.module.gradInput = None
    if forget_bias is not None:
        i2h.data.module.bias[rnn_size : 2 * rnn_size] = _number(who, "forget_bias", forget_bias)
    h2h = named(nn.Linear(rnn_size, 4 * rnn_size)(h), "h2h")
    # the sum is made in the memory of i2h: one per time step less to keep
    sums = nn.Reshape(4, rnn_size)(nn.CAddTable(True)([i2h, h2h]))
    i, f, o, g = nn.SplitTable(2)(sums).split(4)
    if peepholes == "diagonal":
        i = nn.CAddTable()([i, named(nn.CMul(rnn_size)(c), "c2i")])
        f = nn.CAddTable()([f, named(nn.CMul(rnn_size)(c), "c2f")])
    kept = nn.CMulTable()([nn.Sigmoid()(f), c])
    written = nn.CMulTable()([nn.Sigmoid()(i), nn.Tanh()(g)])
    next_c = nn.CAddTable(peepholes != "diagonal")([kept, written])
    if peepholes is not None:
        peep = nn.CMul(rnn_size) if peepholes == "diagonal" else nn.Linear(rnn_size, rnn_size, False)
        o = nn.CAddTable()([o, named(peep(next_c), "c2o")])
    next_h = nn.CMulTable()([nn.Sigmoid()(o), nn.Tanh()(next_c)])
    return [next_c, next_h]


def gru_cell(x: Node, h: Node, input_size: int, rnn_size: int) -> Node:
    """The node h' of one layer of gated recurrent units, of its input x (B, input_size) and its output h.

    With weights and biases of its own for each sum,

        u = sigmoid(W x + U h), r = sigmoid(W x + U h), candidate = tanh(W x + U (r h))
        h' = u candidate + (1 - u) h

    Source: Chung, Gulcehre, Cho and Bengio, Empirical evaluation of gated recurrent neural networks on sequence
    modeling, 2014.
    """
    who = "pygraphnn.gru_cell"
    input_size, rnn_size = _size(who, "input_size", input_size), _size(who, "rnn_size", rnn_size)

    def gate() -> Node:
        i2h = nn.Linear(input_size, rnn_size)(x)
        h2h = nn.Linear(rnn_size, rnn_size)(h)
        return nn.Sigmoid()(nn.CAddTable(True)([i2h, h2h]))

    update, reset = gate(), gate()
    reset_h = nn.CMulTable()([reset, h])
    from_h = nn.Linear(rnn_size, rnn_size)(reset_h)
    from_x = nn.Linear(input_size, rnn_size)(x)
    candidate = nn.Tanh()(nn.CAddTable(True)([from_x, from_h]))
    renewed = nn.CMulTable()([update, candidate])
    kept = nn.CMulTable()([nn.AddConstant(1)(nn.MulConstant(-1)(update)), h])
    return nn.CAddTable()([renewed, kept])


def rnn_cell(
    x: Node, h: Node, input_size: int, rnn_size: int, activation: str = "tanh", recurrent_init: str | None = None
) -> Node:
    """The node h' = f(W x + b + U h + d) of one plain recurrent layer, of its input x (B, input_size) and its output h.

    `activation` is f: "tanh", "relu" or "sigmoid". `recurrent_init`: "identity" begins with U = 1 and b = d = 0, which
    with "relu" makes an IRNN; W, and without it everything, is drawn as nn.Linear draws it.

    Source: Elman, Finding structure in time, 1990; Le, Jaitly and Hinton, A simple way to initialize recurrent networks
    of rectified linear units, 2015 ("identity").
    """
    who = "pygraphnn.rnn_cell"
    _check_choice(who, "activation", activation, tuple(ACTIVATIONS))
    _check_choice(who, "recurrent_init", recurrent_init, (None, "identity"))
    input_size, rnn_size = _size(who, "input_size", input_size), _size(who, "rnn_size", rnn_size)
    i2h = nn.Linear(input_size, rnn_size)(x)
    h2h = nn.Linear(rnn_size, rnn_size)(h)
    if recurrent_init == "identity":
        h2h.data.module.weight[...] = np.eye(rnn_size)
        for node in (i2h, h2h):
            node.data.module.bias.fill(0)
    return ACTIVATIONS[activation]()(nn.CAddTable(True)([i2h, h2h]))


# -- what all steps have in common


@dataclass
class _Ends:
    """What is around the cells of a step: how it reads x, how the layers follow each other, and how it makes y."""

    who: str
    input_size: int
    rnn_size: int
    n: int
    dropout: float
    input: str | nn.Module
    output: str
    output_size: int | None
    residual: bool

    def __post_init__(self) -> None:
        for name in ("input_size", "rnn_size", "n"):
            setattr(self, name, _size(self.who, name, getattr(self, name)))
        if not 0 <= _number(self.who, "dropout", self.dropout) < 1:
            raise ValueError(f"{self.who}: expected a probability 0 <= p < 1 as dropout, got {self.dropout}")
        if not isinstance(self.input, nn.Module):
            _check_choice(self.who, "input", self.input, INPUTS, " or a module")
        _check_choice(self.who, "output", self.output, OUTPUTS)
        if self.output_size is not None:
            if self.output == "h":
                raise ValueError(f'{self.who}: output "h" has no decoder, got an output_size of {self.output_size}')
            _size(self.who, "output_size", self.output_size)

    def step(self, cell: Cell, states: int, decoder: str | None = None) -> gModule:
        """The graph of n cells of so many states each; `decoder` is the name of that node."""
        inputs = [nn.Identity()() for _ in range(states * self.n + 1)]
        outputs: list[Node] = []
        top, width = self.vectors(inputs[0])
        for layer in range(1, self.n + 1):
            below = top
            previous = inputs[states * (layer - 1) + 1 : states * layer + 1]
            x = self.dropped(below) if layer > 1 else below
            outputs += cell(x, width, layer, *previous)
            top, width = outputs[-1], self.rnn_size
            if self.residual and layer > 1:
                top = nn.CAddTable()([top, below])
        return gModule(inputs, [*outputs, self.prediction(top, decoder)])

    def vectors(self, x: Node) -> tuple[Node, int]:
        """The node of the vectors that the first layer reads, and how wide they are."""
        if self.input == "vectors":
            return x, self.input_size
        if self.input == "lookup":
            return nn.LookupTable(self.input_size, self.rnn_size)(x).annotate(name="lookup"), self.rnn_size
        module = nn.OneHot(self.input_size) if isinstance(self.input, str) else self.input
        return module(x), self.input_size

    def dropped(self, x: Node) -> Node:
        """x behind dropout, if there is any."""
        return nn.Dropout(self.dropout)(x) if self.dropout > 0 else x

    def prediction(self, top: Node, name: str | None) -> Node:
        """The node of y."""
        if self.output == "h":
            return nn.Identity()(top)  # a node can be one output only, and the top layer's h is a state
        decoder = nn.Linear(self.rnn_size, int(self.output_size or self.input_size))(self.dropped(top))
        if name is not None:
            decoder.annotate(name=name)
        return nn.LogSoftMax()(decoder) if self.output == "logsoftmax" else decoder


def _check_choice(who: str, name: str, value: Any, choices: tuple[str | None, ...], more: str = "") -> None:
    """Raises ValueError for an option that is none of the choices."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        known = ", ".join("None" if choice is None else f'"{choice}"' for choice in choices)
        got = f'"{value}"' if isinstance(value, str) else described(value)
        raise ValueError(f"{who}: expected one of {known}{more} as {name}, got {got}")


def _number(who: str, name: str, value: Any) -> float:
    """An option that should be a number."""
    if torch7.type(value) != "number":
        raise TypeError(f"{who}: expected a number as {name}, got {described(value)}")
    return value


def _size(who: str, name: str, value: Any) -> int:
    """An option that should be a whole number above 0."""
    size = whole(value, who, name)
    if size < 1:
        raise ValueError(f"{who}: expected a number from 1 on as {name}, got {size}")
    return size

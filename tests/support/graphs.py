"""Graphs that tests run, and what the tests do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import nn
from pygraphnn import gModule

from .char_rnn import lstm
from .nested import copied, mapped


def net(*modules: nn.Module) -> Any:
    """The modules one after the other, as a graph."""
    x = node = nn.Identity()()
    for module in modules:
        node = module(node)
    return gModule([x], [node])


def mlp() -> Any:
    """x -> Linear -> Tanh -> Linear."""
    x = nn.Identity()().annotate(name="x")
    h = nn.Tanh()(nn.Linear(4, 3)(x).annotate(name="hidden"))
    return gModule([x], [nn.Linear(3, 2)(h)])


def adder() -> Any:
    """[a, b] -> Linear(a + b)."""
    a, b = nn.Identity()(), nn.Identity()()
    return gModule([a, b], [nn.Linear(3, 2)(nn.CAddTable()([a, b]))])


def two() -> Any:
    """[a, b] -> [Tanh(a + b), Sigmoid(a + b)]."""
    a, b = nn.Identity()(), nn.Identity()()
    s = nn.CAddTable()([a, b])
    return gModule([a, b], [nn.Tanh()(s), nn.Sigmoid()(s)])


def residual(n: int = 4) -> Any:
    """x -> x + Tanh(Linear(x))."""
    x = nn.Identity()()
    return gModule([x], [nn.CAddTable()([x, nn.Tanh()(nn.Linear(n, n)(x))])])


def nested() -> Any:
    """Two residual blocks in a graph in a Sequential."""
    x = nn.Identity()()
    return nn.Sequential().add(gModule([x], [residual()(residual()(x))])).add(nn.Linear(4, 2))


def chain(n: int) -> Any:
    """n nodes, one after the other."""
    x = node = nn.Identity()()
    for _ in range(n // 2):
        node = nn.Tanh()(nn.MulConstant(1.01)(node))
    return gModule([x], [node])


def cell() -> Any:
    """One step of a character LSTM."""
    return lstm(5, 4, 2, 0.5)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


# Graphs by what is special about them, and an input of each.
GRAPHS: dict[str, tuple[Callable[[], Any], Any]] = {
    "one input": (mlp, numbers(2, 4)),
    "two inputs": (adder, [numbers(2, 3), numbers(2, 3)]),
    "two outputs": (two, [numbers(3), numbers(3)]),
    "nested": (nested, numbers(2, 4)),
    "lstm": (cell, [np.array([1.0, 5]), *(numbers(2, 4) for _ in range(4))]),
}


class Run(NamedTuple):
    """What a run gave, in memory of its own."""

    output: Any
    gradInput: Any
    params: list[np.ndarray]
    gradParams: list[np.ndarray]


def ran(net: Any, x: Any) -> Run:
    """A forward and a backward of ones in evaluate mode."""
    net.evaluate()
    net.zeroGradParameters()
    output = copied(net.forward(x))
    gradInput = copied(net.backward(x, mapped(np.ones_like, output)))
    return Run(output, gradInput, *map(copied, net.parameters()))

"""The library's recurrent networks, and their formulas written out on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn
import pygraphnn
import torch7
from pygraphnn import gModule

Case = tuple[str, int, dict[str, Any]]  # the kind of network, its number of layers, and its options

BUILDERS = {"lstm": pygraphnn.lstm, "gru": pygraphnn.gru, "rnn": pygraphnn.rnn}
I, R, B, SEED = 3, 2, 4, 11  # noqa: E741

CASES: list[Case] = [
    *[(kind, n, {}) for kind in BUILDERS for n in (1, 3)],
    *[(kind, 2, {"input": "lookup", "output": "linear"}) for kind in BUILDERS],
    *[(kind, 2, {"input": "vectors", "output": "h", "residual": True}) for kind in BUILDERS],
    *[(kind, 3, {"dropout": 0.4, "residual": True, "output_size": 5}) for kind in BUILDERS],
    ("gru", 1, {"input": "vectors", "output": "h", "dropout": 0.4}),
    ("lstm", 2, {"peepholes": "output"}),
    ("lstm", 2, {"peepholes": "diagonal"}),
    ("lstm", 1, {"peepholes": "diagonal", "input": "vectors", "output": "linear", "output_size": 1}),
    ("lstm", 2, {"forget_bias": 1}),
    ("rnn", 2, {"activation": "relu"}),
    ("rnn", 2, {"activation": "sigmoid"}),
    ("rnn", 2, {"activation": "relu", "recurrent_init": "identity", "input": "vectors"}),
]


def name(case: Case) -> str:
    kind, n, options = case
    return "-".join([kind, str(n), *[f"{k}={v}" for k, v in options.items()]])


def build(case: Case) -> gModule:
    kind, n, options = case
    torch7.manualSeed(SEED)
    return BUILDERS[kind](I, R, n, **options)


def given(case: Case, seed: int = 5) -> list[np.ndarray]:
    """Inputs for a step: indices or vectors, and states."""
    kind, n, options = case
    torch7.manualSeed(seed)
    x = torch7.randn(B, I) if options.get("input") == "vectors" else np.array([1, 3, 2, 3])
    return [x, *[torch7.randn(B, R) for _ in range(n * (2 if kind == "lstm" else 1))]]


# -- the formulas


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {"tanh": np.tanh, "sigmoid": sigmoid, "relu": lambda x: np.maximum(x, 0)}


class Drawn:
    """A linear map with the numbers that nn.Linear draws at this moment."""

    def __init__(self, width: int, size: int, bias: bool = True):
        drawn = nn.Linear(width, size, bias)
        self.weight, self.bias = drawn.weight, drawn.bias if bias else np.zeros(size)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight.T + self.bias


def lstm(x: Any, c: Any, h: Any, peepholes: str | None = None, forget_bias: float | None = None) -> list[np.ndarray]:
    i2h, h2h = Drawn(x.shape[1], 4 * R), Drawn(R, 4 * R)
    if forget_bias is not None:
        i2h.bias[R : 2 * R] = forget_bias
    i, f, o, g = np.split(i2h(x) + h2h(h), 4, 1)
    if peepholes == "diagonal":
        i, f = i + c * nn.CMul(R).weight, f + c * nn.CMul(R).weight
    next_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    if peepholes == "diagonal":
        o = o + next_c * nn.CMul(R).weight
    elif peepholes == "output":
        o = o + Drawn(R, R, False)(next_c)
    return [next_c, sigmoid(o) * np.tanh(next_c)]


def gru(x: Any, h: Any) -> list[np.ndarray]:
    update, reset = (sigmoid(Drawn(x.shape[1], R)(x) + Drawn(R, R)(h)) for _ in range(2))
    from_h = Drawn(R, R)(reset * h)
    candidate = np.tanh(Drawn(x.shape[1], R)(x) + from_h)
    return [update * candidate + (1 - update) * h]


def rnn(x: Any, h: Any, activation: str = "tanh", recurrent_init: str | None = None) -> list[np.ndarray]:
    i2h, h2h = Drawn(x.shape[1], R), Drawn(R, R)
    if recurrent_init == "identity":
        return [FUNCTIONS[activation](x @ i2h.weight.T + h)]
    return [FUNCTIONS[activation](i2h(x) + h2h(h))]


FORMULAS: dict[str, Any] = {"lstm": lstm, "gru": gru, "rnn": rnn}


def expected(case: Case, inputs: list[np.ndarray], masks: list[Any]) -> list[np.ndarray]:
    """What the formulas give, with the numbers drawn in the order of the layers; a mask for every dropout."""
    kind, n, options = case
    own = {k: v for k, v in options.items() if k in ("peepholes", "forget_bias", "activation", "recurrent_init")}
    x, *states = inputs
    left = iter(masks)
    torch7.manualSeed(SEED)
    if options.get("input", "onehot") == "onehot":
        x = np.eye(I)[x - 1]
    elif options["input"] == "lookup":
        x = nn.LookupTable(I, R).weight[x - 1]
    made: list[np.ndarray] = []
    for layer in range(n):
        per_layer = len(states) // n
        seen = x * next(left) if layer and masks else x
        made += FORMULAS[kind](seen, *states[per_layer * layer : per_layer * (layer + 1)], **own)
        x = made[-1] + x if layer and options.get("residual") else made[-1]
    if options.get("output") == "h":
        return [*made, x]
    y = Drawn(R, options.get("output_size", I))(x * next(left) if masks else x)
    if options.get("output", "logsoftmax") == "logsoftmax":
        y = y - np.log(np.exp(y).sum(1, keepdims=True))
    return [*made, y]


# -- what is in a network


def masks_of(net: gModule) -> list[np.ndarray]:
    """What every dropout multiplied by in the last run."""
    return [module.noise for module in net.findModules("nn.Dropout")[0]]


def named(net: gModule) -> dict[str, Any]:
    """The modules of the nodes that have a name."""
    found = {node.data.annotations.name: node.data.module for node in net.forwardnodes}
    found.pop(None, None)
    return found

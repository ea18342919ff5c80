"""Steps to unroll, and a loop over clones that a person would write, to compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import nn
import torch7
from pygraphnn import clone_many_times, gModule

from .char_rnn import gru, lstm, rnn
from .nested import copied, mapped
from .random_graphs import bare, listed

CHARACTERS = 5


def peephole(width: int, size: int) -> Any:
    """[x, c, h] -> [c', h', y]: an LSTM whose gates see the cells."""
    x, c, h = (nn.Identity()() for _ in range(3))

    def total(*terms: Any) -> Any:
        return nn.CAddTable()([nn.Linear(width, size)(x), nn.Linear(size, size)(h), *terms])

    i = nn.Sigmoid()(total(nn.CMul(size)(c)))
    f = nn.Sigmoid()(total(nn.CMul(size)(c)))
    new = nn.CAddTable()([nn.CMulTable()([f, c]), nn.CMulTable()([i, nn.Tanh()(total())])])
    o = nn.Sigmoid()(total(nn.CMul(size)(new)))
    out = nn.CMulTable()([o, nn.Tanh()(new)])
    return gModule([x, c, h], [new, out, nn.LogSoftMax()(nn.Linear(size, width)(out))])


def elman(width: int = 3, size: int = 4) -> Any:
    """[x, h] -> [h', y] with h' = tanh(W x + U h) and y = h'."""
    x, h = nn.Identity()(), nn.Identity()()
    new = nn.Tanh()(nn.CAddTable()([nn.Linear(width, size)(x), nn.Linear(size, size)(h)]))
    return gModule([x, h], [new, nn.Identity()(new)])


def normalized(width: int = 3, size: int = 4) -> Any:
    """An `elman` whose sums are normalized over the batch."""
    x, h = nn.Identity()(), nn.Identity()()
    both = nn.CAddTable()([nn.Linear(width, size)(x), nn.Linear(size, size)(h)])
    new = nn.Tanh()(nn.BatchNormalization(size)(both))
    return gModule([x, h], [new, nn.Linear(size, 2)(new)])


def nested_state(width: int = 3, size: int = 4) -> Any:
    """[state, [x1, x2]] -> [y, state'] where the state is [c, [h]]."""
    state, inputs = nn.Identity()(), nn.Identity()()
    x1, x2 = inputs.split(2)
    c, rest = state.split(2)
    h = nn.SelectTable(1)(rest)
    new_c = nn.Tanh()(nn.CAddTable()([nn.Linear(width, size)(x1), c]))
    new_h = nn.CMulTable()([new_c, nn.Sigmoid()(nn.CAddTable()([nn.Linear(width, size)(x2), h]))])
    new = nn.Identity()([new_c, nn.NarrowTable(1, 1)([new_h, nn.Identity()(new_c)])])
    return gModule([state, inputs], [nn.Identity()([new_h, nn.Square()(new_c)]), new])


class Counting(nn.Identity):
    """`count` is how often it ran."""

    LEARNED = ("count",)

    def __init__(self) -> None:
        super().__init__()
        self.count = np.zeros(1)

    def updateOutput(self, input: Any) -> Any:
        self.count += 1
        return super().updateOutput(input)


class Case(NamedTuple):
    """A step with inputs for it; `states` as Unroll takes them."""

    make: Callable[[], Any]
    input: Callable[[np.random.Generator, int, int], list[Any]]
    states: dict[int, int] | None = None


def characters(n: int, size: int) -> Callable[[np.random.Generator, int, int], list[Any]]:
    """Characters (T, B) and n states."""
    return lambda rng, T, B: [
        rng.integers(1, CHARACTERS + 1, (T, B)).astype(float),
        *(rng.normal(size=(B, size)) for _ in range(n)),
    ]


def vectors(width: int, *states: int) -> Callable[[np.random.Generator, int, int], list[Any]]:
    """A sequence of vectors, and states of these widths."""
    return lambda rng, T, B: [rng.normal(size=(T, B, width)), *(rng.normal(size=(B, n)) for n in states)]


def nested_input(rng: np.random.Generator, T: int, B: int) -> list[Any]:
    """Input of `nested_state`."""
    state, sequence = (B, 4), (T, B, 3)
    return [
        [rng.normal(size=state), [rng.normal(size=state)]],
        [rng.normal(size=sequence), rng.normal(size=sequence)],
    ]


CASES = {
    "lstm": Case(lambda: lstm(CHARACTERS, 4, 2), characters(4, 4)),
    "lstm with dropout": Case(lambda: lstm(CHARACTERS, 4, 2, 0.5), characters(4, 4)),
    "gru": Case(lambda: gru(CHARACTERS, 3, 2), characters(2, 3)),
    "rnn": Case(lambda: rnn(CHARACTERS, 4, 2, 0.3), characters(2, 4)),
    "peephole": Case(lambda: peephole(3, 4), vectors(3, 4, 4)),
    "elman": Case(elman, vectors(3, 4)),
    "batch normalization": Case(normalized, vectors(3, 4)),
    "nested": Case(nested_state, nested_input, {1: 2}),
}
RANDOM = {"lstm with dropout", "rnn"}


def made(name: str, seed: int = 1) -> Any:
    """The step of a case, the same at every call."""
    torch7.manualSeed(seed)
    return CASES[name].make()


class Result(NamedTuple):
    """All that a forward and a backward give, in memory of its own."""

    output: Any
    gradInput: Any
    gradients: list[np.ndarray]


def random_like(x: Any, seed: int) -> Any:
    """A gradient for an output."""
    rng = np.random.default_rng(seed)
    return mapped(lambda a: rng.normal(size=a.shape).astype(a.dtype), x)


def ran(net: Any, x: Any, seed: int = 3, scale: float = 1) -> Result:
    """What a module gives for x and for random gradients; the seed is that of all random numbers."""
    net.zeroGradParameters()
    torch7.manualSeed(seed)
    output = copied(net.forward(x))
    gradInput = copied(net.backward(x, random_like(output, seed), scale))
    return Result(output, gradInput, copied(net.parameters()[1]))


def looped(
    step: Any,
    x: Any,
    states: dict[int, int] | None = None,
    reverse: bool = False,
    mask: np.ndarray | None = None,
    seed: int = 3,
    scale: float = 1,
) -> Result:
    """The same as `ran(Unroll(step, states, reverse), x)`, as a loop over clones of the step.

    Where the mask (T, B) is False, the state of before goes on and the output is zero; the step runs on all rows.
    """
    n, m = step.nInputs, len(step.outnode.children)
    states = {i + 1: i for i in range(1, n)} if states is None else states
    inputs = listed(x) if n > 1 else [x]
    sequences = [i for i in range(n) if i + 1 not in states]
    T, B = first(inputs[sequences[0]]).shape[:2]
    mask = np.ones((T, B), bool) if mask is None else mask
    steps = range(T)[::-1] if reverse else range(T)
    clones, given = clone_many_times(step, T), [None] * T
    step.zeroGradParameters()
    torch7.manualSeed(seed)

    state = {i: copied(inputs[i - 1]) for i in states}
    outputs: list[Any] = [None] * T
    for t in steps:
        given[t] = [state[i + 1] if i + 1 in states else mapped(lambda a, t=t: a[t], inputs[i]) for i in range(n)]
        y = listed(clones[t].forward(bare(given[t]))) if m > 1 else [clones[t].forward(bare(given[t]))]
        state = {i: chosen(mask[t], y[k - 1], state[i]) for i, k in states.items()}
        outputs[t] = [chosen(mask[t], v, mapped(np.zeros_like, v)) for v in y]
    fed = {k: i for i, k in states.items()}
    output = [state[fed[k]] if k in fed else joined([y[k - 1] for y in outputs]) for k in range(1, m + 1)]

    gradOutput = random_like(bare(output) if m == 1 else output, seed)
    gradOutput = [gradOutput] if m == 1 else gradOutput
    flow = {i: gradOutput[k - 1] for i, k in states.items()}
    found: list[Any] = [None] * T
    for t in reversed(list(steps)):
        g = [flow[fed[k]] if k in fed else mapped(lambda a, t=t: a[t], gradOutput[k - 1]) for k in range(1, m + 1)]
        g = [chosen(mask[t], v, mapped(np.zeros_like, v)) for v in g]
        gradInput = clones[t].backward(bare(given[t]), bare(g), scale)
        found[t] = [gradInput] if n == 1 else list(gradInput)
        empty = [isinstance(g, np.ndarray) and g.size == 0 for g in found[t]]  # the gradient of indices
        found[t] = [np.zeros(np.shape(x)) if none else g for none, g, x in zip(empty, found[t], given[t])]
        flow = {i: added(found[t][i - 1], chosen(mask[t], mapped(np.zeros_like, v), v)) for i, v in flow.items()}
    gradInput = [flow[i + 1] if i + 1 in states else joined([g[i] for g in found]) for i in range(n)]
    return Result(bare(copied(output)), bare(copied(gradInput)), copied(step.parameters()[1]))


def first(x: Any) -> np.ndarray:
    """The first array in x."""
    return first(x[0]) if isinstance(x, list) else x


def chosen(mask: np.ndarray, new: Any, old: Any) -> Any:
    """Rows of `new` where the mask is True, of `old` elsewhere."""
    if isinstance(new, list):
        return [chosen(mask, a, b) for a, b in zip(new, old)]
    if new is None or mask.all():
        return new
    return np.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)


def added(a: Any, b: Any) -> Any:
    """a + b; b alone where a is None."""
    if isinstance(b, list):
        return [added(x, y) for x, y in zip(a or [None] * len(b), b)]
    return b if a is None else a + b


def joined(values: list[Any]) -> Any:
    """The values of all steps along a new dimension."""
    if isinstance(values[0], list):
        return [joined(list(parts)) for parts in zip(*values)]
    return None if values[0] is None else np.stack(values)

"""What is needed to try a class of nn: how to make one, what to feed it, and derivatives by differences.

A `Case` describes a module and its input by the sizes that the class allows. A shape is a tuple of numbers and of
letters, which stand for any size: `("N", 4)` is a batch of vectors of four. The letter `*` stands for any number of
further dimensions. A list of shapes is a table of tensors.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import torch7

from .nested import copied, leaves, mapped

Shape = tuple[Any, ...]
Sizes = dict[str, Any]

ANY: Shape = ("N", "*")
SEEDS = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-14}
some = settings(max_examples=5, deadline=None, derandomize=True)

RANGES = {"N": (1, 3), "T": (1, 4), "D": (3, 4), "H": (4, 5), "W": (4, 6)}


@dataclass(frozen=True)
class Index:
    """An input of whole numbers from 1 to `high`."""

    shape: Shape
    high: int


@dataclass(frozen=True)
class Choice:
    """An input of numbers out of `values`."""

    shape: Shape
    values: tuple[float, ...]


@dataclass(frozen=True)
class Between:
    """An input of numbers from a range of its own."""

    shape: Shape
    low: float
    high: float


@dataclass(frozen=True)
class Case:
    """How to make an object of a class, and what is special about it."""

    name: str
    make: Callable[[], Any]
    input: Any
    target: Any = None  # of a criterion
    note: str = ""
    low: float = -2  # the range of the input's numbers...
    high: float = 2
    avoid: tuple[float, ...] = ()  # ... which stay away from these, where the function has a kink or a jump
    sizes: Sizes = field(default_factory=dict)  # ranges of letters, other than RANGES
    view: bool = False  # the output is the input's memory
    inplace: bool = False  # the output is written over the input
    random: bool = False  # forward draws random numbers
    derivative: bool = True  # backward gives the derivative of forward
    additive: bool = True  # gradients of parameters add up, and follow the scale
    anytype: bool = False  # takes tensors of any type
    keepstype: bool = False  # float() does not convert it
    old: tuple[str, ...] = ()  # fields that files of other years do not have

    def __str__(self) -> str:
        return f"{self.name}-{self.note}" if self.note else self.name


def specs(spec: Any) -> Iterator[Any]:
    """The descriptions of single tensors in a description of an input."""
    if isinstance(spec, list):
        for s in spec:
            yield from specs(s)
    elif spec is not None:
        yield spec


def shape_of(spec: Any) -> Shape:
    """The shape in a description of a tensor."""
    return spec if isinstance(spec, tuple) else spec.shape


def letters(case: Case) -> set[str]:
    """The letters that the shapes of a case use."""
    found = [*specs(case.input), *specs(case.target)]
    return {n for spec in found for n in shape_of(spec) if isinstance(n, str)}


def sizes(case: Case) -> st.SearchStrategy[Sizes]:
    """Any sizes that a case allows."""
    ranges = RANGES | case.sizes
    chosen = {n: st.integers(*ranges[n]) for n in sorted(letters(case) - {"*"})}
    return st.fixed_dictionaries(chosen | {"*": st.lists(st.integers(1, 3), max_size=2).map(tuple)})


def largest(case: Case) -> Sizes:
    """The largest of these sizes."""
    ranges = RANGES | case.sizes
    return {n: ranges[n][1] for n in letters(case) - {"*"}} | {"*": (2, 3)}


def concrete(shape: Shape, chosen: Sizes) -> tuple[int, ...]:
    """A shape with numbers for its letters."""
    parts = [chosen[n] if isinstance(n, str) else n for n in shape]
    return tuple(n for part in parts for n in (part if isinstance(part, tuple) else (part,)))


def spread(count: int, case: Case, rng: np.random.Generator) -> np.ndarray:
    """Numbers in the range of a case, in random order, all different and away from its kinks."""
    cell = (case.high - case.low) / max(count, 1)
    x = case.low + cell * (np.arange(count) + rng.uniform(0.3, 0.7, count))
    for kink in case.avoid:
        near = abs(x - kink) < 0.02
        x[near] = kink + np.where(x[near] < kink, -1, 1) * rng.uniform(0.02, 0.03, near.sum())
    return rng.permutation(x)


def sample(case: Case, spec: Any, chosen: Sizes, seed: int) -> Any:
    """An input as described by `spec`, a part of the case."""
    rng = np.random.default_rng(seed)
    plain = [concrete(s, chosen) for s in specs(spec) if isinstance(s, tuple)]
    numbers = spread(sum(map(math.prod, plain)), case, rng)
    used = 0

    def build(spec: Any) -> Any:
        nonlocal used
        if isinstance(spec, list):
            return [build(s) for s in spec]
        shape = concrete(shape_of(spec), chosen)
        if isinstance(spec, Index):
            return rng.integers(1, spec.high + 1, shape)
        if isinstance(spec, Choice):
            return rng.choice(np.array(spec.values, float), shape)
        if isinstance(spec, Between):
            return rng.uniform(spec.low, spec.high, shape)
        used += math.prod(shape)
        return numbers[used - math.prod(shape) : used].reshape(shape).copy()

    return None if spec is None else build(spec)


def input_of(case: Case, chosen: Sizes | None = None, seed: int = 1) -> Any:
    """An input for the module of a case."""
    return sample(case, case.input, largest(case) if chosen is None else chosen, seed)


def target_of(case: Case, chosen: Sizes | None = None, seed: int = 2) -> Any:
    """A target for the criterion of a case."""
    return sample(case, case.target, largest(case) if chosen is None else chosen, seed)


def made(case: Case) -> Any:
    """A new module or criterion, the same at every call."""
    torch7.manualSeed(11)
    return case.make()


def forward(module: Any, x: Any) -> Any:
    """module.forward(x), with the same random numbers at every call."""
    torch7.manualSeed(12)
    return module.forward(x)


def output(module: Any, x: Any) -> Any:
    """What forward gives for x, in memory of its own; x stays as it is."""
    return copied(forward(module, copied(x)))


def like(x: Any, seed: int = 3) -> Any:
    """Random numbers, nested as x: a gradient for an output."""
    rng = np.random.default_rng(seed)
    return mapped(lambda a: rng.normal(size=a.shape).astype(a.dtype), x)


def backward(module: Any, x: Any, gradOutput: Any, scale: float = 1) -> Any:
    """forward and backward; the gradient of the input is in memory of its own, x and gradOutput stay as they are."""
    x = copied(x)
    forward(module, x)
    return copied(module.backward(x, copied(gradOutput), scale))


def gradients(module: Any, x: Any, gradOutput: Any, *scales: float) -> list[np.ndarray]:
    """The parameters' gradients after a forward and backward per scale (one of scale 1 without any)."""
    module.zeroGradParameters()
    for scale in scales or (1,):
        backward(module, x, gradOutput, scale)
    return copied(module.parameters()[1])


def floating(x: Any) -> list[np.ndarray]:
    """The arrays of floating numbers in x."""
    return [a for a in leaves(x) if a.dtype.kind == "f"]


def single(x: Any) -> Any:
    """x in single precision; whole numbers stay."""
    return mapped(lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a.copy(), x)


def strided(a: np.ndarray) -> np.ndarray:
    """The same numbers, with gaps between them."""
    room = np.full((*a.shape, 2), 77, a.dtype)
    room[..., 0] = a
    return room[..., 0]


def differences(function: Callable[[], float], a: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """Up to 40 positions in a, and the derivatives of function() with respect to the numbers there."""
    step = 1e-5
    where = rng.permutation(a.size)[:40]
    found = np.empty(len(where))
    for n, i in enumerate(where):
        position = np.unravel_index(i, a.shape)
        value, values = a[position], []
        for moved in (value + step, value - step):
            a[position] = moved
            values.append(function())
        a[position] = value
        found[n] = (values[0] - values[1]) / (2 * step)
    return np.unravel_index(where, a.shape), found


def assert_derivative(function: Callable[[], float], a: np.ndarray, gradient: np.ndarray, seed: int) -> None:
    """Fails unless `gradient` is the derivative of function() with respect to the array a, which it depends on."""
    assert gradient.shape == a.shape
    where, wanted = differences(function, a, np.random.default_rng(seed))
    np.testing.assert_allclose(gradient[where], wanted, rtol=1e-6, atol=1e-7)


def over(*cases: Case) -> Any:
    """Runs a test for every case; those of classes with one initial are one test, as pytest's own work for thousands of
    tests would take longer than they do."""
    initials: dict[str, list[Case]] = {}
    for case in cases:
        initials.setdefault(case.name[0], []).append(case)

    def decorate(test: Any) -> Any:
        def each(initial: str) -> None:
            failed = []
            for case in initials[initial]:
                try:
                    test(case=case)
                except Exception as error:
                    error.add_note(f"with the case {case}")
                    failed.append(error)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(initials[initial])} cases", failed)

        each.__doc__ = test.__doc__
        return pytest.mark.parametrize("initial", sorted(initials))(each)

    return decorate


def without(obj: Any, *fields: str) -> Any:
    """obj as read from a file in which these fields are missing."""
    old = obj.clone()
    for name in fields:
        assert name in vars(old)
        del vars(old)[name]
    return torch7.deserialize(torch7.serialize(old))


def copies(m: Any) -> list[Any]:
    """Copies of a module or criterion in all ways."""
    return [m.clone(), copy.deepcopy(m), pickle.loads(pickle.dumps(m)), torch7.deserialize(torch7.serialize(m))]

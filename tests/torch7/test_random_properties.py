"""What holds for every stream: saved states resume it, and arrays are filled as single calls would."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import draws

# Name and arguments of a draw; True where log, exp, sin, cos or tan may differ in the last bit between processors.
DRAWS: dict[str, tuple[tuple[float, ...], bool]] = {
    "uniform": ((-0.3, 0.7), False),
    "bernoulli": ((0.3,), False),
    "random": ((3, 17), False),
    "geometric": ((0.7,), False),
    "normal": ((1, 2), True),
    "logNormal": ((0, 0.5), True),
    "exponential": ((1.5,), True),
    "cauchy": ((1, 0.5), True),
}

seeds = st.integers(0, 2**32 - 1)
names = st.sampled_from(sorted(DRAWS))
sizes = st.one_of(st.integers(0, 9), st.integers(0, 1400))


def scalars(gen: torch7.Generator, name: str, n: int) -> list[float]:
    return [getattr(torch7, name)(gen, *DRAWS[name][0]) for _ in range(n)]


def filled(gen: torch7.Generator, name: str, x: np.ndarray) -> np.ndarray:
    return getattr(torch7, name + "_")(gen, x, *DRAWS[name][0])


def seeded(seed: int, before: int = 0) -> torch7.Generator:
    """A generator in the middle of a stream, perhaps with a kept normal number."""
    gen = torch7.Generator()
    torch7.manualSeed(gen, seed)
    torch7.normal_(gen, np.empty(before))
    return gen


def assert_same(name: str, got: np.ndarray, expected: np.ndarray) -> None:
    if DRAWS[name][1]:
        np.testing.assert_array_max_ulp(got, expected, 2)
    else:
        np.testing.assert_array_equal(got, expected)


Step = Callable[[torch7.Generator], Any]

steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda name, n: lambda g: scalars(g, name, n), names, st.integers(1, 5)),
    st.builds(lambda name, n: lambda g: filled(g, name, np.zeros(n)).tolist(), names, sizes),
    st.builds(lambda name, n: lambda g: filled(g, name, np.zeros(n, np.float32)).tolist(), names, sizes),
    st.builds(lambda n: lambda g: torch7.randperm(g, n).tolist(), st.integers(1, 700)),
    st.builds(lambda n: lambda g: torch7.multinomial(g, np.ones(7), n, True).tolist(), st.integers(1, 9)),
    st.just(lambda g: torch7.randn(g, 3).tolist()),
)


@given(seeds, st.lists(steps, max_size=5), st.lists(steps, min_size=1, max_size=5))
def test_a_saved_state_resumes_the_stream(seed: int, before: list[Step], after: list[Step]) -> None:
    gen = seeded(seed)
    for step in before:
        step(gen)
    state, pickled = torch7.getRNGState(gen), pickle.dumps(gen)
    expected = [step(gen) for step in after]
    end = gen.state()
    torch7.setRNGState(gen, state)
    assert gen.state() == state.tobytes()
    for again in (gen, pickle.loads(pickled)):
        assert [step(again) for step in after] == expected
        assert again.state() == end


@given(seeds, sizes, names, st.integers(0, 700))
def test_a_fill_is_that_many_single_draws(seed: int, before: int, name: str, n: int) -> None:
    gen, other = seeded(seed, before), seeded(seed, before)
    expected = np.array(scalars(other, name, n), np.float64)
    assert_same(name, filled(gen, name, np.zeros(n)), expected)
    assert torch7.random(gen) == torch7.random(other)
    assert_same("normal", np.array([torch7.normal(gen)]), np.array([torch7.normal(other)]))


@given(seeds, sizes, names, st.lists(sizes, min_size=1, max_size=4))
def test_fills_in_parts_are_one_fill(seed: int, before: int, name: str, parts: list[int]) -> None:
    gen, other = seeded(seed, before), seeded(seed, before)
    whole = filled(gen, name, np.zeros(sum(parts)))
    got = np.concatenate([filled(other, name, np.zeros(n)) for n in parts])
    assert_same(name, got, whole)
    assert torch7.random(gen) == torch7.random(other)


@pytest.mark.parametrize("chunk", [1, 7, 64, 624])
@pytest.mark.parametrize("name", sorted(DRAWS))
def test_the_size_of_the_pieces_computed_at_a_time_has_no_effect(
    name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = filled(seeded(5, 3), name, np.zeros(1000))
    monkeypatch.setattr(draws, "CHUNK", chunk)
    assert_same(name, filled(seeded(5, 3), name, np.zeros(1000)), expected)


def test_a_fill_of_several_pieces() -> None:
    n = 2 * draws.CHUNK + 3
    got = torch7.normal_(seeded(11, 1), np.zeros(n))
    assert_same("normal", got[-5:], np.array([torch7.normal(g) for g in [seeded(11, n - 4)] for _ in range(5)]))


@given(seeds, names, st.sampled_from(["transposed", "reversed", "strided", "part", "columns"]), st.booleans())
def test_strides_have_no_effect(seed: int, name: str, layout: str, single: bool) -> None:
    dtype = np.float32 if single else np.float64
    room = np.full((12, 10), -7, dtype)
    x = {
        "transposed": room.T,
        "reversed": room[::-1, ::-1],
        "strided": room[::3, ::2],
        "part": room[2:5, 3:9],
        "columns": np.asfortranarray(room),
    }[layout]
    outside = room.copy()
    assert filled(seeded(seed), name, x) is x
    expected = filled(seeded(seed), name, np.zeros(x.shape, dtype))
    np.testing.assert_array_equal(x, expected)
    x[...] = -7
    np.testing.assert_array_equal(room, outside)


@given(seeds, names)
def test_single_precision_is_the_rounded_double(seed: int, name: str) -> None:
    args = [float(np.float32(a)) for a in DRAWS[name][0]]
    fill = getattr(torch7, name + "_")
    expected = fill(seeded(seed), np.zeros(50), *args).astype(np.float32)
    np.testing.assert_array_equal(fill(seeded(seed), np.zeros(50, np.float32), *args), expected)


@given(seeds, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_uniform_is_the_formula_on_one_word(seed: int, a: float, b: float) -> None:
    word = torch7.random(seeded(seed))
    assert torch7.uniform(seeded(seed), a, b) == word / 2**32 * (b - a) + a


@given(seeds, st.floats(0, 1))
def test_bernoulli_compares_a_uniform(seed: int, p: float) -> None:
    u = torch7.uniform(seeded(seed))
    for probability in (p, u, math.nextafter(u, 0) if u else 0):
        assert torch7.bernoulli(seeded(seed), probability) == (u <= probability)


@given(seeds, st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_random_is_the_remainder_of_one_word(seed: int, low: int, more: int) -> None:
    expected = torch7.random(seeded(seed)) % (more + 1) + low
    assert torch7.random(seeded(seed), low, low + more) == expected
    assert torch7.random_(seeded(seed), np.zeros(1, np.int64), low, low + more) == expected
    assert torch7.random_(seeded(seed), np.zeros(1, np.int8), low, low + more) == np.int64(expected).astype(np.int8)

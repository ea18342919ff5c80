"""Permutations and samples from probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import torch7
from tests.support.randomness import refused
from torch7.sampling import picks

P = np.array([0.1, 0.2, 0.3, 0.4])


# --- randperm


@given(st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_randperm_is_a_permutation_of_n_minus_1_words(n: int, seed: int) -> None:
    torch7.manualSeed(seed)
    assert sorted(torch7.randperm(n).tolist()) == list(range(1, n + 1))
    after = torch7.random()
    torch7.manualSeed(seed)
    torch7.default_generator.words(n - 1)
    assert torch7.random() == after


def test_randperm_into_a_result() -> None:
    torch7.manualSeed(123)
    expected = torch7.randperm(300)
    gen = torch7.Generator()
    for dtype in (np.uint8, np.int16, np.int64, np.float32):
        torch7.manualSeed(gen, 123)
        result = np.zeros(300, dtype)
        assert torch7.randperm(result, gen, 300) is result
        np.testing.assert_array_equal(result, expected.astype(np.int64).astype(dtype))
    resized = torch7.randperm(gen, np.zeros(3, np.int32), 5)
    assert (resized.shape, resized.dtype) == ((5,), np.int32)


def test_randperm_refuses() -> None:
    for n in (0, -3):
        refused(ValueError, "randperm: expected a positive number", torch7.randperm, n)
    refused(TypeError, "randperm: expected a whole number", torch7.randperm, "many")
    refused(TypeError, "randperm: expected a whole number", torch7.randperm, np.zeros(3))


# --- multinomial


probabilities = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 10)), min_size=1, max_size=12).filter(any)
seeds = st.integers(0, 2**32 - 1)


@given(probabilities, st.integers(1, 30), seeds, st.sampled_from([np.float32, np.float64]))
def test_with_replacement_is_the_first_sum_that_reaches_the_uniform(p: Any, n: int, seed: int, dtype: Any) -> None:
    p = np.array(p, dtype)
    torch7.manualSeed(seed)
    got = torch7.multinomial(p, n, True)
    assert (got.dtype, got.shape) == (np.int64, (n,))
    torch7.manualSeed(seed)
    sums = np.cumsum(p.astype(np.float64))
    sums /= sums[-1]
    for index in got.tolist():
        u = torch7.uniform()
        assert index == 1 + next(i for i, s in enumerate([*sums[:-1], 1]) if s >= u)
        assert p[index - 1] > 0 or u == 0


@given(probabilities, seeds, st.data())
def test_without_replacement_draws_each_once(p: Any, seed: int, data: st.DataObject) -> None:
    p = np.array(p)
    n = data.draw(st.integers(1, int((p > 0).sum())))
    torch7.manualSeed(seed)
    got = torch7.multinomial(p, n).tolist()
    assert len(set(got)) == n
    torch7.manualSeed(seed)
    assert torch7.multinomial(p, n, False).tolist() == got
    torch7.manualSeed(seed)
    assert torch7.multinomial(p, 1, True).tolist() == got[:1]


@given(seeds, st.booleans())
def test_a_matrix_is_drawn_row_by_row(seed: int, replacement: bool) -> None:
    p = np.arange(1.0, 13).reshape(3, 4)
    torch7.manualSeed(seed)
    rows = [torch7.multinomial(row, 3, replacement) for row in p]
    for matrix in (p, np.asfortranarray(p), p.astype(np.float32)):
        torch7.manualSeed(seed)
        np.testing.assert_array_equal(torch7.multinomial(matrix, 3, replacement), rows)
    torch7.manualSeed(seed)
    strided = np.repeat(p[0], 2)[::2]
    np.testing.assert_array_equal(torch7.multinomial(strided, 3, replacement), rows[0])


def test_the_probabilities_are_not_changed() -> None:
    p = P.copy()
    torch7.multinomial(p, 4)
    np.testing.assert_array_equal(p, P)


def test_more_than_there_is_without_replacement() -> None:
    """When all the probability is drawn Torch divides 0 by 0, and its search ends at the first element."""
    assert torch7.multinomial(np.array([1.0, 0.0]), 2).tolist() == [1, 1]


def test_multinomial_into_a_result() -> None:
    gen = torch7.Generator()
    torch7.manualSeed(gen, 5)
    expected = torch7.multinomial(gen, P, 6, True)
    room = np.zeros((6, 2), np.int64)
    for result in (np.zeros(6, np.int64), room[:, 0]):
        torch7.manualSeed(gen, 5)
        assert torch7.multinomial(result, gen, P, 6, True) is result
        np.testing.assert_array_equal(result, expected)
    torch7.manualSeed(gen, 5)
    np.testing.assert_array_equal(
        torch7.multinomial(gen, P, 6, replacement=True, result=np.zeros(2, np.int64)), expected
    )
    assert not room[:, 1].any()
    torch7.manualSeed(gen, 5)
    first = torch7.multinomial(gen, P, 3)
    torch7.manualSeed(gen, 5)
    np.testing.assert_array_equal(torch7.multinomial(np.zeros(3, np.int64), gen, P, 3), first)


def test_multinomial_refuses() -> None:
    for p in (np.zeros(3), np.array([1.0, -2.0]), np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([math.nan, 1.0])):
        refused(ValueError, "expected probabilities with a positive sum", torch7.multinomial, p, 1)
    for other in (np.array([1, 2]), [0.5, 0.5], None):
        refused(TypeError, "expected probabilities of type Float or Double", torch7.multinomial, other, 1)
    for p in (np.ones(()), np.ones((1, 1, 2)), np.ones(0), np.ones((0, 3)), np.ones((3, 0))):
        refused(ValueError, "got shape", torch7.multinomial, p, 1, True)
    for n in (0, -1):
        refused(ValueError, "expected a positive number of samples", torch7.multinomial, P, n, True)
    refused(ValueError, "cannot draw 5 of 4 without replacement", torch7.multinomial, P, 5)
    refused(TypeError, "expected a whole number", torch7.multinomial, P, None)
    refused(TypeError, "torch.LongTensor for the result", torch7.multinomial, np.zeros(2), P, 2)


# --- the alias method


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=20))
def test_alias_tables_add_up_to_the_probabilities(values: list[float]) -> None:
    """Each class has its own column and parts of others; the lightest comes first, as the first is never an alias."""
    p = np.sort(values) / sum(values)
    J, q = torch7.multinomialAliasSetup(p)
    assert (J.dtype, q.dtype, J.shape, q.shape) == (np.int64, np.float64, p.shape, p.shape)
    assert ((q > 0) & (q <= 1)).all()
    total = q.copy()
    np.add.at(total, J, 1 - q)
    np.testing.assert_allclose(total / len(p), p, rtol=1e-12, atol=1e-14)


def test_alias_tables_of_known_probabilities() -> None:
    J, q = torch7.multinomialAliasSetup(np.array([0.125, 0.125, 0.25, 0.5]))
    assert (J.tolist(), q.tolist()) == ([3, 3, 0, 0], [0.5, 0.5, 1.0, 1.0])
    J, q = torch7.multinomialAliasSetup(np.array([0.5, 0.25, 0.25], np.float32))
    assert (J.tolist(), q.tolist(), q.dtype) == ([0, 0, 0], [1.0, 1.0, 1.0], np.float32)
    _, q = torch7.multinomialAliasSetup(np.array([2.0, 2.0]))
    assert q.tolist() == [1.0, 1.0]


def test_alias_tables_are_used_again() -> None:
    state = torch7.multinomialAliasSetup(P)
    J, q = state
    assert torch7.multinomialAliasSetup(P[::-1].copy(), state) is state
    assert state[0] is J
    assert state[1] is q
    other = torch7.multinomialAliasSetup(np.array([0.5, 0.5]), state)
    assert other is state
    assert state[0].shape == state[1].shape == (2,)
    new = [np.zeros(0, np.int64), np.zeros(0)]
    assert torch7.multinomialAliasSetup(P, new) is new
    assert new[1].tolist() == torch7.multinomialAliasSetup(P)[1].tolist()


def test_alias_draws_take_two_words_each() -> None:
    state = torch7.multinomialAliasSetup(P)
    torch7.manualSeed(123)
    expected = []
    for _ in range(50):
        i = int(torch7.uniform(0, 4))
        expected.append(i + 1 if torch7.bernoulli(state[1][i]) else state[0][i])
    gen = torch7.Generator()
    room = np.zeros((50, 2), np.int64)
    for output in (np.zeros(50, np.int64), room[:, 1]):
        torch7.manualSeed(gen, 123)
        assert torch7.multinomialAlias(gen, output, state) is output
        assert output.tolist() == expected
    assert torch7.random(gen) == torch7.random()


def test_alias_refuses() -> None:
    setup, draw = torch7.multinomialAliasSetup, torch7.multinomialAlias
    refused(TypeError, "type Float or Double", setup, np.array([1, 2]))
    refused(ValueError, "got shape", setup, np.ones((2, 2)))
    refused(ValueError, "expected positive probabilities with sum 1", setup, np.array([0.0, 1.0]))
    refused(ValueError, "expected positive probabilities with sum 1", setup, np.array([math.nan, 1.0]))
    refused(TypeError, "expected a list", setup, P, [])
    state, output = setup(P), np.zeros(3, np.int64)
    for bad in (np.zeros(3), np.zeros((2, 2), np.int64), None):
        refused(TypeError, "expected a torch.LongTensor of one dimension", draw, bad, state)
    for tables in (None, [], [state[1], state[0]], setup(P.astype(np.float32)), [1, 2]):
        refused(TypeError, "a torch.LongTensor and a torch.DoubleTensor", draw, output, tables)
    for J, q in ((state[0][:2], state[1]), (state[0], state[1] * 2), (state[0], state[1] * math.nan)):
        refused(ValueError, "J and q of one size and q of 0 to 1", draw, output, [J, q])


@given(st.lists(probabilities, min_size=1, max_size=4), seeds, st.sampled_from([np.float32, np.float64]))
def test_picks_are_multinomials(rows: list[list[float]], seed: int, dtype: Any) -> None:
    width = max(map(len, rows))
    p = np.array([row + [0.0] * (width - len(row)) for row in rows], dtype)
    torch7.manualSeed(seed)
    expected = torch7.multinomial(p, 1)[:, 0].tolist()
    torch7.manualSeed(seed)
    assert [int(torch7.multinomial(row, 1)[0]) for row in p] == expected
    torch7.manualSeed(seed)
    uniforms = [torch7.default_generator.uniforms() for _ in rows]
    assert picks(p.T, uniforms) == expected
    assert [picks(row, [u])[0] for row, u in zip(p, uniforms)] == expected


def test_picks_refuse_probabilities_without_a_sum() -> None:
    for weights in (np.zeros(3), np.array([1.0, np.nan]), np.array([[1.0, 0.0], [2.0, 0.0]])):
        refused(ValueError, "expected probabilities with a positive sum", picks, weights, [0.5, 0.5])

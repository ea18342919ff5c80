"""Losses of distances and pairs: options, edges and errors; each against its definition in loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from tests.support.contract import SEEDS, some

NAN, INF = np.nan, np.inf
PAIRS = [
    (nn.L1HingeEmbeddingCriterion, 1),
    (nn.CosineEmbeddingCriterion, np.ones(2)),
    (nn.MarginRankingCriterion, np.ones(2)),
    (nn.DistanceRatioCriterion, None),
]


def pair(*shape: int, seed: int = 1) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(size=(2, *shape)))


@pytest.mark.parametrize(("cls", "target"), PAIRS)
def test_pairs_are_tables_of_two(cls: Any, target: Any) -> None:
    c, (a, b) = cls(), pair(2, 3)
    name = f"nn.{cls.__name__}"
    with pytest.raises(TypeError, match=rf"{name}: expected a table as input, got a torch.DoubleTensor"):
        c.forward(a, target)
    with pytest.raises(ValueError, match=rf"{name}: expected a table of 2 as input, got 1"):
        c.forward([a], target)
    with pytest.raises(TypeError, match=rf"{name}: expected a torch.DoubleTensor, got a torch.FloatTensor"):
        c.forward([a, b.astype(np.float32)], target)
    for shape in ((2, 4), (3,), (0,)):
        with pytest.raises(ValueError, match=rf"{name}: expected two .* got shapes \(2, 3\) and"):
            c.forward([a, np.ones(shape)], target)
    with pytest.raises(ValueError, match=rf"{name}: expected two"):
        c.forward([np.ones((0, 3))] * 2, target)


@pytest.mark.parametrize(("cls", "target"), PAIRS)
def test_gradients_are_kept_in_one_table(cls: Any, target: Any) -> None:
    c, x = cls(), pair(2, 3) if cls is nn.CosineEmbeddingCriterion else pair(2)
    c.forward(x, target)
    first = c.backward(x, target)
    kept = list(first)
    assert c.gradInput is first
    assert c.backward(pair(2, seed=2) if kept[0].ndim == 1 else pair(2, 3, seed=2), target) is first
    assert [a is b for a, b in zip(first, kept)] == [True, True]


@pytest.mark.parametrize("cls", [nn.CosineEmbeddingCriterion, nn.MarginRankingCriterion, nn.DistanceRatioCriterion])
def test_means_are_over_the_rows(cls: Any) -> None:
    c, x, y = cls(), pair(3, 4), np.array([1.0, -1.0, 1.0])
    y = y if cls is nn.CosineEmbeddingCriterion else np.repeat(y, 4).reshape(3, 4)
    mean, gradient = c.forward(x, y), [g.copy() for g in c.backward(x, y)]
    c.sizeAverage = False
    assert c.forward(x, y) == pytest.approx(3 * mean)
    np.testing.assert_allclose(c.backward(x, y), [3 * g for g in gradient])
    c = nn.DistanceRatioCriterion(False)
    assert (c.sizeAverage, nn.DistanceRatioCriterion(None).sizeAverage) == (False, True)


# -- HingeEmbeddingCriterion


def hinge(x: Any, t: Any, margin: float) -> tuple[float, list[float]]:
    loss = sum(v for v, y in zip(x, t) if y != -1) + sum(max(0, margin - v) for v, y in zip(x, t) if y != 1)
    return loss, [0 if y == -1 and v > margin else y for v, y in zip(x, t)]


@some
@given(seed=SEEDS, margin=st.sampled_from([1.0, 0.5, 0.0]), values=st.sampled_from([(-1, 1), (-1, 0, 1, 2)]))
def test_hinge_is_its_definition(seed: int, margin: float, values: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=rng.integers(1, 9)), rng.choice(values, 9)
    t = t[: len(x)]
    c = nn.HingeEmbeddingCriterion(margin)
    loss, gradient = hinge(x, t, margin)
    assert c.forward(x, t) == pytest.approx(loss / len(x))
    np.testing.assert_allclose(c.backward(x, t), np.divide(gradient, len(x)))
    assert c.forward(x, t.astype(np.float32)) == c.output  # any type


def test_hinge_at_the_margin_and_beyond() -> None:
    c, x = nn.HingeEmbeddingCriterion(None), np.array([1.0, 1.5, INF, 2.0])
    assert c.forward(x, -np.ones(4)) == 0
    assert c.backward(x, -np.ones(4)).tolist() == [-0.25, 0, 0, 0]
    assert np.isnan(c.forward(np.array([NAN]), -1))
    assert c.forward(x, np.ones((2, 2))) == INF


def test_hinge_of_a_number() -> None:
    c = nn.HingeEmbeddingCriterion(3)
    assert (c.forward(np.array([2.0]), 1), c.forward(np.array([[2.0]]), -1)) == (2, 1)
    assert c.backward(np.array([2.0]), -1).tolist() == [-1]
    with pytest.raises(ValueError, match=r"nn.HingeEmbeddingCriterion: expected a target of 2 numbers, got shape"):
        c.forward(np.ones(2), 1)
    with pytest.raises(ValueError, match=r"nn.HingeEmbeddingCriterion: expected distances, got shape"):
        c.forward(np.ones((0, 2)), np.ones((0, 2)))


@pytest.mark.parametrize("target", [None, "1", True, [1], [np.ones(1), np.ones(2)]])
def test_targets_are_numbers(target: Any) -> None:
    for c, x in (
        (nn.HingeEmbeddingCriterion(), np.ones(1)),
        (nn.L1HingeEmbeddingCriterion(), pair(3)),
        (nn.CosineEmbeddingCriterion(), pair(3)),
        (nn.MarginRankingCriterion(), pair(1)),
    ):
        with pytest.raises(TypeError, match=rf"{torch7.typename(c)}: expected 1 or -1 as target, got"):
            c.forward(x, target)


# -- L1HingeEmbeddingCriterion


def test_l1_hinge() -> None:
    c, x = nn.L1HingeEmbeddingCriterion(5), [np.array([1.0, 2.0, -1.0]), np.array([2.0, 0.0, -2.0])]
    assert (c.forward(x, 1), c.forward(x, -1), c.forward(x, np.array([-1.0]))) == (4, 1, 1)
    assert [g.tolist() for g in c.backward(x, 1)] == [[-1, 1, 1], [1, -1, -1]]
    assert [g.tolist() for g in c.backward(x, -1)] == [[1, -1, -1], [-1, 1, 1]]
    c.margin = 4
    assert c.forward(x, -1) == 0
    assert [g.tolist() for g in c.backward(x, -1)] == [[1, -1, -1], [-1, 1, 1]]  # at the margin
    c.margin = 3.5
    assert (c.forward(x, -1), [g.any() for g in c.backward(x, -1)]) == (0, [False, False])
    assert c.margin == nn.L1HingeEmbeddingCriterion(3.5).margin
    assert "sizeAverage" not in vars(c)


def test_l1_hinge_keeps_both_shapes() -> None:
    c, (a, b) = nn.L1HingeEmbeddingCriterion(), pair(2, 3)
    want = c.forward([a, b], 1)
    assert c.forward([a, b.reshape(6)], 1) == want
    assert [g.shape for g in c.backward([a, b.reshape(6)], 1)] == [(2, 3), (6,)]
    with pytest.raises(ValueError, match=r"nn.L1HingeEmbeddingCriterion: expected a target of 1 numbers, got shape"):
        c.forward([a, b], np.ones(2))


def test_l1_hinge_draws_the_sign_of_nothing() -> None:
    a = np.array([[0.0, 1.0, 2.0], [NAN, 4.0, 5.0]])
    b = np.array([[0.0, 1.0, 3.0], [1.0, 4.0, 4.0]])
    c = nn.L1HingeEmbeddingCriterion()
    torch7.manualSeed(3)
    drawn = [2 * torch7.random(2) - 3 for _ in range(4)]
    after = torch7.random()
    torch7.manualSeed(3)
    first, second = c.backward([a, b], 1)
    assert first.ravel().tolist() == [drawn[0], drawn[1], -1, drawn[2], drawn[3], 1]
    assert (first == -second).all()
    assert torch7.random() == after


# -- CosineEmbeddingCriterion


def cosine(a: Any, b: Any, y: float, margin: float) -> float:
    c = np.dot(a, b) / math.sqrt((np.dot(a, a) + 1e-12) * (np.dot(b, b) + 1e-12))
    return float(1 - c if y == 1 else max(0, c - margin) if y == -1 else c)


@some
@given(seed=SEEDS, margin=st.sampled_from([0.0, 0.3, -0.5]), values=st.sampled_from([(-1, 1), (-1, 0, 1)]))
def test_cosine_is_its_definition(seed: int, margin: float, values: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 5, 2)
    x, t = list(rng.normal(size=(2, n, d))), rng.choice(values, n)
    c = nn.CosineEmbeddingCriterion(margin)
    losses = [cosine(a, b, y, margin) for a, b, y in zip(*x, t)]
    assert c.forward(x, t) == pytest.approx(np.mean(losses))
    gradients = [g.copy() for g in c.backward(x, t)]
    for i, y in enumerate(t):  # a batch is its rows
        assert c.forward([x[0][i], x[1][i]], int(y)) == pytest.approx(losses[i])
        np.testing.assert_allclose(c.backward([x[0][i], x[1][i]], int(y)), [g[i] * n for g in gradients], atol=1e-14)


def test_cosine_of_rows_without_loss() -> None:
    c = nn.CosineEmbeddingCriterion(0.5)
    a, b = np.array([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 1.0], [1.0, 0.0]])
    assert c.forward([a, b], np.array([-1, -1, -1])) == pytest.approx((0.96 - 0.5 + 0 + 0.5) / 3)
    first, second = c.backward([a, b], np.array([-1, -1, -1]))
    assert first[0].any()
    assert second[0].any()
    assert not first[1].any()
    assert not second[1].any()


def test_cosine_with_zeros() -> None:
    for dtype in (np.float64, np.float32):
        c = nn.CosineEmbeddingCriterion()
        c.type(torch7.tensor_type(np.dtype(dtype)))
        x = [np.zeros(3, dtype), np.array([1, 2, 2], dtype)]
        assert c.forward(x, 1) == 1
        first, second = c.backward(x, 1)
        np.testing.assert_allclose(first, [-1e6 / 3, -2e6 / 3, -2e6 / 3], rtol=1e-6)
        assert not second.any()


def test_cosine_errors() -> None:
    c = nn.CosineEmbeddingCriterion()
    with pytest.raises(ValueError, match=r"nn.CosineEmbeddingCriterion: expected a target of 2 numbers, got shape"):
        c.forward(pair(2, 3), 1)
    with pytest.raises(ValueError, match=r"nn.CosineEmbeddingCriterion: expected a target of 1 numbers, got shape"):
        c.forward(pair(3), np.ones(3))
    with pytest.raises(ValueError, match=r"nn.CosineEmbeddingCriterion: expected two vectors, or two matrices"):
        c.forward(pair(2, 3, 4), np.ones(2))


def test_cosine_stays_loadable_by_torch() -> None:
    c = nn.CosineEmbeddingCriterion().float()  # Torch's own buffer of comparisons is a ByteTensor in every type
    assert (c._idx.dtype, c._idx.size) == (np.uint8, 0)
    assert c.forward([x.astype(np.float32) for x in pair(3)], 1) > 0


# -- MarginRankingCriterion


def test_ranking_of_numbers() -> None:
    c = nn.MarginRankingCriterion(0.5)
    a, b = np.array([2.0]), np.array([1.0])
    assert (c.forward([a, b], 1), c.forward([a, b], -1)) == (0, 1.5)
    assert [g.tolist() for g in c.backward([a, b], 1)] == [[0], [0]]
    assert [g.tolist() for g in c.backward([a, b], -1)] == [[1], [-1]]
    assert [g.tolist() for g in c.backward([b + 0.5, b], 1)] == [[-1], [1]]  # at the margin
    assert [g.shape for g in nn.MarginRankingCriterion().gradInput] == [(1,), (1,)]
    with pytest.raises(ValueError, match=r"nn.MarginRankingCriterion: expected a target of 2 numbers, got shape"):
        c.forward(pair(2), 1)


@some
@given(seed=SEEDS)
def test_ranking_of_a_batch_is_that_of_its_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, t = list(rng.normal(size=(2, 5))), rng.choice([-1.0, 1.0], 5)
    c = nn.MarginRankingCriterion()
    c.sizeAverage = False
    loss, gradients = c.forward(x, t), [g.copy() for g in c.backward(x, t)]
    single = [[x[0][i : i + 1], x[1][i : i + 1]] for i in range(5)]
    assert loss == pytest.approx(sum(c.forward(one, int(y)) for one, y in zip(single, t)))
    for i, y in enumerate(t):
        assert [g.item() for g in c.backward(single[i], int(y))] == [g[i] for g in gradients]


def test_ranking_at_the_margin() -> None:
    c, t = nn.MarginRankingCriterion(1), np.array([1.0, 1.0, -1.0])
    x = [np.array([1.0, 2.0, 0.0]), np.array([0.0, 0.0, 1.0])]
    assert c.forward(x, t) == 0
    assert [g.tolist() for g in c.backward(x, t)] == [[-1 / 3, 0, 1 / 3], [1 / 3, 0, -1 / 3]]


def test_ranking_wants_a_target_like_its_input() -> None:
    c = nn.MarginRankingCriterion()
    with pytest.raises(
        TypeError, match=r"nn.MarginRankingCriterion: expected a torch.DoubleTensor of shape \(2,\), got"
    ):
        c.forward(pair(2), np.ones(2, int))
    with pytest.raises(
        ValueError, match=r"nn.MarginRankingCriterion: expected a torch.DoubleTensor of shape \(2,\), got"
    ):
        c.forward(pair(2), np.ones(3))
    assert c.forward(pair(6), np.ones((2, 3))) == pytest.approx(3 * c.forward(pair(6), np.ones(6)))  # by 2, not 6


# -- DistanceRatioCriterion


def test_ratio_of_distances() -> None:
    c, (a, b) = nn.DistanceRatioCriterion(), pair(5)
    want = -np.log(np.exp(-a) / (np.exp(-a) + np.exp(-b)))
    assert c.forward([a, b]) == pytest.approx(want.mean())
    first, second = c.backward([a, b])
    np.testing.assert_allclose(first, (1 - np.exp(-a) / (np.exp(-a) + np.exp(-b))) / 5)
    np.testing.assert_allclose(second, -first)


def test_ratio_of_long_distances() -> None:
    c = nn.DistanceRatioCriterion(False)
    assert c.forward([np.array([2000.0, 0.0]), np.array([1000.0, 5000.0])]) == 1000
    assert [g.tolist() for g in c.backward([np.array([2000.0, 0.0]), np.array([1000.0, 5000.0])])] == [[1, 0], [-1, 0]]


@pytest.mark.parametrize("shapes", [((2, 3), (3, 2)), ((6,), (2, 3)), ((2,), (2,), (2,))])
def test_ratio_of_unlike_distances(shapes: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.DistanceRatioCriterion: expected two tensors of the same first size"):
        nn.DistanceRatioCriterion().forward([np.ones(shape) for shape in shapes])


def test_ratio_keeps_both_shapes() -> None:
    c = nn.DistanceRatioCriterion()
    assert [g.shape for g in c.backward([np.ones((2, 1)), np.ones(2)])] == [(2, 1), (2,)]


def test_ratio_of_a_file_where_the_gradient_is_no_table() -> None:
    c, x = nn.DistanceRatioCriterion(), pair(3)
    want = [g.copy() for g in c.backward(x)]
    c.gradInput = np.empty(0)  # Torch returns its gradients without keeping them there
    np.testing.assert_array_equal(c.backward(x), want)

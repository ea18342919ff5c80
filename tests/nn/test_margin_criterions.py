"""Losses of classes other than the likelihoods: options, edges and errors; each against its definition in loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from nn.criterions import margin
from tests.support.contract import SEEDS, some

NAN, INF = np.nan, np.inf
LABELLED = [nn.MultiMarginCriterion, lambda: nn.ClassSimplexCriterion(4)]


def scores(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# -- SpatialClassNLLCriterion


@some
@given(seed=SEEDS, weighted=st.booleans(), average=st.booleans())
def test_spatial_likelihood_is_that_of_its_points(seed: int, weighted: bool, average: bool) -> None:
    rng = np.random.default_rng(seed)
    n, classes, height, width = rng.integers(1, 5, 4)
    x, t = rng.normal(size=(n, classes, height, width)), rng.integers(1, classes + 1, (n, height, width))
    w = rng.uniform(0.5, 2, classes) if weighted else None
    c, points = nn.SpatialClassNLLCriterion(w, average), nn.ClassNLLCriterion(w, average)
    rows = np.moveaxis(x, 1, 3).reshape(-1, classes)
    assert c.forward(x, t) == pytest.approx(points.forward(rows, t.reshape(-1)))
    assert c.total_weight_tensor == pytest.approx(points.total_weight_tensor)
    want = points.backward(rows, t.reshape(-1)).reshape(n, height, width, classes)
    np.testing.assert_allclose(c.backward(x, t), np.moveaxis(want, 3, 1))


def test_no_point_is_ignored() -> None:
    with pytest.raises(IndexError, match=r"nn.SpatialClassNLLCriterion: labels count from 1 and go up to 2, got -100"):
        nn.SpatialClassNLLCriterion().forward(scores(1, 2, 1, 1), np.full((1, 1, 1), -100))


@pytest.mark.parametrize("label", [0, 3, 1.5])
def test_spatial_labels_outside(label: float) -> None:
    c, t = nn.SpatialClassNLLCriterion(), np.full((1, 2, 2), label)
    for method in (c.forward, c.backward):
        with pytest.raises((IndexError, ValueError), match=r"nn.SpatialClassNLLCriterion: .*labels"):
            method(scores(1, 2, 2, 2), t)


@pytest.mark.parametrize(
    ("x", "t"),
    [((2, 3), (2,)), ((1, 3, 2, 2), (2, 2)), ((3, 2, 2), (2, 2)), ((1, 3, 2, 2), (1, 2, 3)), ((0, 3, 2, 2), (0, 2, 2))],
)
def test_spatial_shapes(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.SpatialClassNLLCriterion: expected an input \(N, C, H, W\) and labels"):
        nn.SpatialClassNLLCriterion().forward(scores(*x), np.ones(t, int))


def test_spatial_weights() -> None:
    assert len(nn.SpatialClassNLLCriterion(np.ones(3))) == 3
    with pytest.raises(ValueError, match=r"expected a one-dimensional tensor of weights, got shape \(2, 1\)"):
        nn.SpatialClassNLLCriterion(np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"nn.SpatialClassNLLCriterion: expected 3 classes, one for each weight"):
        nn.SpatialClassNLLCriterion(np.ones(3)).forward(scores(1, 2, 1, 1), np.ones((1, 1, 1)))


# -- MarginCriterion and SoftMarginCriterion


def test_margin_at_the_margin() -> None:
    c = nn.MarginCriterion(0.5)
    assert (c.margin, nn.MarginCriterion(None).margin, nn.MarginCriterion().margin) == (0.5, 1, 1)
    x, t = np.array([0.5, -0.5, 0.25, NAN]), np.array([1.0, -1.0, -1.0, 1.0])
    assert c.forward(x, t) == 0.75 / 4  # nan is not above the margin
    gradient = c.backward(x, t)
    assert gradient.tolist() == [0, 0, 0.25, 0]
    assert not np.signbit(gradient).any()


def test_a_margin_is_a_number() -> None:
    for cls in (nn.MarginCriterion, nn.HingeEmbeddingCriterion, nn.CosineEmbeddingCriterion, nn.MarginRankingCriterion):
        assert type(cls(np.float64(0.5)).margin) is float
        with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a number, got a torch.DoubleTensor"):
            cls(np.ones(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_margin_of_any_size(dtype: Any) -> None:
    c = nn.SoftMarginCriterion()
    c.type(torch7.tensor_type(np.dtype(dtype)))
    x = np.array([0, 1, -1, 30, -30, 1000, -1000], dtype)
    c.sizeAverage = False
    for t in (1, -1):
        losses = [c.forward(x[i : i + 1], np.array([t], dtype)) for i in range(len(x))]
        np.testing.assert_allclose(losses, np.logaddexp(0, -t * x.astype(float)), rtol=1e-6, atol=1e-7)
        gradient = c.backward(x, np.full(7, t, dtype))
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(gradient, -t / (1 + np.exp(t * x.astype(float))), rtol=1e-6, atol=1e-30)


# -- MultiLabelSoftMarginCriterion


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multi_label_soft_margin_of_any_size(dtype: Any) -> None:
    c = nn.MultiLabelSoftMarginCriterion(None, False)
    c.type(torch7.tensor_type(np.dtype(dtype)))
    x = np.array([0, 1, -1, 30, -30, 1000, -1000], dtype)
    for t in (0, 0.25, 1):
        losses = [c.forward(x[i : i + 1], np.array([t], dtype)) for i in range(len(x))]
        np.testing.assert_allclose(losses, np.logaddexp(0, x.astype(float)) - t * x, rtol=1e-5, atol=1e-6)


def test_multi_label_soft_margin_is_sigmoid_and_bce() -> None:
    x, t, w = scores(3, 4), (scores(3, 4, seed=2) > 0) * 1.0, np.array([1.0, 2.0, 0.5, 3.0])
    for args in ((None,), (w,), (w, False)):
        c, sigmoid, bce = nn.MultiLabelSoftMarginCriterion(*args), nn.Sigmoid(), nn.BCECriterion(*args)
        assert c.forward(x, t) == pytest.approx(bce.forward(sigmoid.forward(x), t))
        want = sigmoid.backward(x, bce.backward(sigmoid.output, t))
        np.testing.assert_allclose(c.backward(x, t), want, rtol=1e-9)
    assert len(nn.MultiLabelSoftMarginCriterion(w)) == 4


def test_multi_label_soft_margin_errors() -> None:
    with pytest.raises(ValueError, match=r"nn.MultiLabelSoftMarginCriterion: expected a one-dimensional tensor"):
        nn.MultiLabelSoftMarginCriterion(np.ones((1, 2)))
    c = nn.MultiLabelSoftMarginCriterion(np.ones(3))
    with pytest.raises(ValueError, match=r"nn.MultiLabelSoftMarginCriterion: expected a target that fits 3 weights"):
        c.forward(scores(2, 4), scores(2, 4))
    with pytest.raises(ValueError, match=r"nn.MultiLabelSoftMarginCriterion: expected an input and a target of"):
        c.forward(scores(2, 3), scores(3))
    with pytest.raises(ValueError, match=r"nn.MultiLabelSoftMarginCriterion: expected a torch.DoubleTensor of shape"):
        c.backward(scores(2, 3), scores(2, 3))  # without a forward


# -- MultiMarginCriterion


def multi_margin(x: Any, t: Any, p: int, w: Any, margin: float) -> tuple[float, np.ndarray]:
    """Sums over the rows, in loops."""
    loss, gradient = 0.0, np.zeros_like(x)
    for n, right in enumerate(t):
        for c in range(x.shape[1]):
            z = margin - x[n, right - 1] + x[n, c]
            if c != right - 1 and z > 0:
                weight = (1 if w is None else w[right - 1]) / x.shape[1]
                loss += weight * z**p
                gradient[n, c] += weight * p * z ** (p - 1)
                gradient[n, right - 1] -= weight * p * z ** (p - 1)
    return loss, gradient


@some
@given(seed=SEEDS, p=st.sampled_from([1, 2]), weighted=st.booleans(), margin=st.sampled_from([1.0, 0.0, 0.3, -0.5]))
def test_multi_margin_is_its_definition(seed: int, p: int, weighted: bool, margin: float) -> None:
    rng = np.random.default_rng(seed)
    n, classes = rng.integers(1, 6, 2)
    x, t = rng.normal(size=(n, classes)), rng.integers(1, classes + 1, n)
    w = rng.uniform(0.5, 2, classes) if weighted else None
    c = nn.MultiMarginCriterion(p, w, margin)
    loss, gradient = multi_margin(x, t, p, w, margin)
    assert c.forward(x, t) == pytest.approx(loss / n)
    np.testing.assert_allclose(c.backward(x, t), gradient / n, atol=1e-15)
    c.sizeAverage = False
    assert c.forward(x, t) == pytest.approx(loss)
    np.testing.assert_allclose(c.backward(x, t), gradient, atol=1e-15)
    assert c.forward(x[0], int(t[0])) == pytest.approx(multi_margin(x[:1], t[:1], p, w, margin)[0])


def test_multi_margin_defaults() -> None:
    for c in (nn.MultiMarginCriterion(), nn.MultiMarginCriterion(None, None, None)):
        assert (c.p, c.weights, c.margin, c.sizeAverage) == (1, None, 1, True)
    assert "weights" not in vars(c)


def test_multi_margin_does_not_count_nan() -> None:
    for p in (1, 2):
        c, x = nn.MultiMarginCriterion(p), np.array([0.5, NAN, 1.0])
        assert c.forward(x, 1) == 1.5**p / 3
        assert c.backward(x, 1).tolist() == [-p * 1.5 ** (p - 1) / 3, 0, p * 1.5 ** (p - 1) / 3]


@pytest.mark.parametrize("p", [0, 3, 1.5])
def test_multi_margin_of_other_powers(p: Any) -> None:
    with pytest.raises(ValueError, match=f"nn.MultiMarginCriterion: expected 1 or 2 as p, got {p}"):
        nn.MultiMarginCriterion(p)


@pytest.mark.parametrize("make", LABELLED)
@pytest.mark.parametrize("label", [0, 5, -1])
def test_labels_outside(make: Any, label: int) -> None:
    with pytest.raises(IndexError, match=f"labels count from 1 and go up to 4, got {label}"):
        make().forward(scores(4), label)
    with pytest.raises(IndexError, match=f"labels count from 1 and go up to 4, got {label}"):
        make().forward(scores(2, 4), np.array([1, label]))


@pytest.mark.parametrize("make", LABELLED)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_labels_of_any_type(make: Any, dtype: Any) -> None:
    c, x = make(), scores(2, 4)
    want = c.forward(x, np.array([4, 1]))
    assert c.forward(x, np.array([4, 1], dtype)) == want
    assert c.forward(x[0], dtype(4)) == c.forward(x[0], np.array([4], dtype))


@pytest.mark.parametrize("make", LABELLED)
def test_labels_are_whole_numbers(make: Any) -> None:
    with pytest.raises(ValueError, match=r"expected whole numbers as labels, got 1.5"):
        make().forward(scores(4), 1.5)
    with pytest.raises(TypeError, match=r"expected whole numbers as labels, got None"):
        make().forward(scores(4), None)


@pytest.mark.parametrize(
    ("x", "t"), [((3, 4), (2,)), ((3, 4), (3, 1)), ((4,), (2,)), ((2, 2, 4), (2,)), ((0, 4), (0,))]
)
def test_multi_margin_shapes(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.MultiMarginCriterion: expected"):
        nn.MultiMarginCriterion().forward(scores(*x), np.ones(t, int))


def test_multi_margin_weights() -> None:
    with pytest.raises(ValueError, match=r"nn.MultiMarginCriterion: expected a one-dimensional tensor of weights"):
        nn.MultiMarginCriterion(1, np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"nn.MultiMarginCriterion: expected 3 classes, one for each weight"):
        nn.MultiMarginCriterion(1, np.ones(3)).forward(scores(4), 1)
    c = nn.MultiMarginCriterion(1, np.ones(4))
    assert c.float().weights.dtype == np.float32


# -- MultiLabelMarginCriterion


def multi_label_margin(x: Any, t: Any) -> tuple[float, np.ndarray]:
    """Sums over the rows, in loops."""
    loss, gradient, classes = 0.0, np.zeros_like(x), x.shape[1]
    for n, row in enumerate(t.tolist()):
        labels = row[: row.index(0)] if 0 in row else row
        for label in labels:
            for c in range(classes):
                z = 1 - x[n, label - 1] + x[n, c]
                if c + 1 not in labels and z > 0:
                    loss += z / classes
                    gradient[n, c] += 1 / classes
                    gradient[n, label - 1] -= 1 / classes
    return loss, gradient


@pytest.mark.parametrize("block", [1, 7, margin.BLOCK])
@some
@given(seed=SEEDS, few=st.booleans())
def test_multi_label_margin_is_its_definition(block: int, seed: int, few: bool) -> None:
    rng = np.random.default_rng(seed)
    n, classes = rng.integers(1, 7, 2)
    x = rng.normal(size=(n, classes))
    t = rng.integers(0 if few else 1, classes + 1, (n, classes))
    c = nn.MultiLabelMarginCriterion()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(margin, "BLOCK", block)
        loss, gradient = multi_label_margin(x, t)
        assert c.forward(x, t) == pytest.approx(loss / n)
        np.testing.assert_allclose(c.backward(x, t), gradient / n, atol=1e-15)
        c.sizeAverage = False
        assert c.forward(x[0], t[0]) == pytest.approx(multi_label_margin(x[:1], t[:1])[0])
        np.testing.assert_allclose(c.backward(x[0], t[0]), multi_label_margin(x[:1], t[:1])[1][0], atol=1e-15)


def test_labels_before_the_first_zero() -> None:
    c, x = nn.MultiLabelMarginCriterion(), scores(2, 4)
    c.forward(x, np.array([[3, 1, 0, 4], [0, 2, 0, 0]]))
    assert c.isTarget.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    c.forward(x[0], np.array([2.0, 0, 0, 0]))
    assert c.isTarget.tolist() == [0, 1, 0, 0]
    assert c.forward(x, np.zeros((2, 4))) == 0
    assert not c.backward(x, np.zeros((2, 4))).any()
    assert c.forward(x[0], np.array([1, 2, 3, 4])) == 0


def test_a_label_that_is_there_twice_counts_twice() -> None:
    c, x = nn.MultiLabelMarginCriterion(), scores(3)
    once = c.forward(x, np.array([2, 0, 0]))
    gradient = c.backward(x, np.array([2, 0, 0])).copy()
    assert c.forward(x, np.array([2, 2, 0])) == pytest.approx(2 * once)
    np.testing.assert_allclose(c.backward(x, np.array([2, 2, 0])), 2 * gradient)


def test_multi_label_margin_errors() -> None:
    c, x = nn.MultiLabelMarginCriterion(), scores(3)
    for labels in ([4, 0, 0], [1, 0, -1], [1, 0, 4]):
        message = r"nn.MultiLabelMarginCriterion: labels count from 1 \(a 0 ends them\) and go up to 3, got (4|-1)"
        for method in (c.forward, c.backward):
            with pytest.raises(IndexError, match=message):
                method(x, np.array(labels))
    for shape in ((2,), (1, 3), ()):
        with pytest.raises(ValueError, match=r"nn.MultiLabelMarginCriterion: expected labels of the input's shape"):
            c.forward(x, np.ones(shape, int))
    with pytest.raises(ValueError, match=r"nn.MultiLabelMarginCriterion: expected a vector or a matrix"):
        c.forward(scores(1, 2, 3), np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match=r"nn.MultiLabelMarginCriterion: expected whole numbers as labels, got 0.5"):
        c.forward(x, np.array([0.5, 1, 1]))


# -- ClassSimplexCriterion


@pytest.mark.parametrize("n", [2, 3, 4, 10, 57])
def test_corners_have_equal_distances(n: int) -> None:
    corners = nn.ClassSimplexCriterion(n).simplex
    want = np.full((n, n), -1 / (n - 1))
    np.fill_diagonal(want, 1)
    np.testing.assert_allclose(corners @ corners.T, want, atol=1e-14)
    assert not corners[:, -1].any()
    assert not np.triu(corners, 1).any()
    assert (np.diag(corners)[:-1] > 0).all()


def test_simplex_takes_the_corner_for_target() -> None:
    c, mse, x = nn.ClassSimplexCriterion(4), nn.MSECriterion(), scores(3, 4)
    target = c.simplex[[1, 3, 0]]
    assert c.forward(x, np.array([2, 4, 1])) == mse.forward(x, target)
    np.testing.assert_array_equal(c.backward(x, np.array([2, 4, 1])), mse.backward(x, target))
    assert c.forward(x[0], 2) == mse.forward(x[0], target[0])
    c.sizeAverage = False
    assert c.forward(x, np.array([2, 4, 1])) == pytest.approx(12 * mse.forward(x, target))


def test_simplex_predicts() -> None:
    c = nn.ClassSimplexCriterion(5)
    assert c.getTopPrediction(c.simplex).tolist() == [1, 2, 3, 4, 5]
    assert c.getTopPrediction(c.simplex).dtype == np.int64
    assert c.getTopPrediction(c.simplex[3]).tolist() == [4]
    np.testing.assert_allclose(c.getPredictions(c.simplex[2]), c.simplex[2:3] @ c.simplex.T)
    assert c.float().getPredictions(c.simplex).dtype == np.float32
    with pytest.raises(ValueError, match=r"nn.ClassSimplexCriterion: expected 5 input columns, got shape \(2, 4\)"):
        c.getPredictions(np.ones((2, 4), np.float32))
    with pytest.raises(TypeError, match=r"nn.ClassSimplexCriterion: expected a torch.FloatTensor"):
        c.getTopPrediction(np.ones((2, 5)))


@pytest.mark.parametrize("n", [1, 0, -3, 2.5, None, NAN, INF, "3"])
def test_simplex_of_no_number_of_classes(n: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.ClassSimplexCriterion: expected a whole number of classes, 2 or more"):
        nn.ClassSimplexCriterion(n)


def test_simplex_errors() -> None:
    c = nn.ClassSimplexCriterion(3)
    with pytest.raises(ValueError, match=r"nn.ClassSimplexCriterion: expected a label or a vector of labels"):
        c.forward(scores(2, 3), np.ones((2, 1), int))
    with pytest.raises(
        ValueError, match=r"nn.ClassSimplexCriterion: expected an input and a target of the same number"
    ):
        c.forward(scores(2, 3), np.ones(3, int))

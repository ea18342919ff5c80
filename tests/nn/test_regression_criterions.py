"""Losses of numbers against numbers: options, edges and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn

PAIRED = [nn.AbsCriterion, nn.SmoothL1Criterion, nn.DistKLDivCriterion, nn.MarginCriterion, nn.SoftMarginCriterion]
NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("cls", [nn.AbsCriterion, nn.SmoothL1Criterion, nn.SpatialAutoCropMSECriterion])
def test_sizeAverage_is_an_argument_and_a_field(cls: Any) -> None:
    x, t = np.random.default_rng(1).normal(size=(2, 2, 3, 4))
    mean, total = cls(), cls(False)
    assert (mean.sizeAverage, total.sizeAverage, cls(None).sizeAverage) == (True, False, True)
    loss, gradient = mean.forward(x, t), mean.backward(x, t).copy()
    assert total.forward(x, t) == pytest.approx(24 * loss)
    np.testing.assert_allclose(total.backward(x, t), 24 * gradient)
    mean.sizeAverage = False
    assert mean.forward(x, t) == total.output
    np.testing.assert_array_equal(mean.backward(x, t), total.gradInput)


@pytest.mark.parametrize(
    "make",
    [
        nn.DistKLDivCriterion,
        lambda: nn.WeightedMSECriterion(np.ones(3)),
        nn.MarginCriterion,
        nn.SoftMarginCriterion,
        nn.HingeEmbeddingCriterion,
    ],
)
def test_sizeAverage_is_a_field_only(make: Any) -> None:
    x, t = np.random.default_rng(1).uniform(size=(2, 2, 3))
    c = make()
    assert c.sizeAverage is True
    loss, gradient = c.forward(x, t), c.backward(x, t).copy()
    c.sizeAverage = False
    assert c.forward(x, t) == pytest.approx(6 * loss)
    np.testing.assert_allclose(c.backward(x, t), 6 * gradient)
    del c.sizeAverage  # nil: only HingeEmbeddingCriterion takes it for true
    assert c.forward(x, t) == pytest.approx(loss if isinstance(c, nn.HingeEmbeddingCriterion) else 6 * loss)


@pytest.mark.parametrize("cls", PAIRED)
@pytest.mark.parametrize(("x", "target"), [((3,), (4,)), ((2, 3), (3,)), ((0,), (0,)), ((1, 3), (3, 3))])
def test_as_many_elements_in_input_and_target(cls: Any, x: tuple[int, ...], target: tuple[int, ...]) -> None:
    for method in (cls().forward, cls().backward):
        with pytest.raises(ValueError, match=rf"nn.{cls.__name__}: expected an input and a target of the same number"):
            method(np.zeros(x), np.zeros(target))


@pytest.mark.parametrize("cls", PAIRED)
def test_target_of_the_same_type(cls: Any) -> None:
    for target in (np.ones(2, int), np.ones(2, np.float32), 1, None, [1, 1]):
        with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a torch.DoubleTensor, got a"):
            cls().forward(np.zeros(2), target)


@pytest.mark.parametrize("cls", [nn.AbsCriterion, nn.SmoothL1Criterion, nn.MarginCriterion, nn.SoftMarginCriterion])
def test_shapes_may_differ(cls: Any) -> None:
    x, t = np.random.default_rng(2).normal(size=(2, 2, 3))
    c = cls()
    loss, gradient = c.forward(x, t), c.backward(x, t).copy()
    assert c.forward(x, t.reshape(3, 2)) == loss
    np.testing.assert_array_equal(c.backward(x, t.reshape(6)), gradient)


def test_abs_at_its_kink() -> None:
    c, x = nn.AbsCriterion(False), np.array([1.0, 0.0, -0.0, NAN])
    t = np.array([1.0, -0.0, 0.0, 1.0])
    assert c.backward(x, t).tolist() == [1, 1, 1, -1]  # as Torch has it
    assert np.isnan(c.forward(x, t))


def test_smooth_l1_on_both_sides_of_one() -> None:
    c = nn.SmoothL1Criterion(False)
    x = np.array([0.0, 0.5, 1.0, -1.0, 1.5, -3.0])
    assert [c.forward(x[i : i + 1], np.zeros(1)) for i in range(6)] == [0, 0.125, 0.5, 0.5, 1, 2.5]
    assert c.backward(x, np.zeros(6)).tolist() == [0, 0.5, 1, -1, 1, -1]
    assert c.forward(np.array([INF]), np.zeros(1)) == INF
    assert np.isnan(c.forward(np.array([NAN]), np.zeros(1)))


# -- WeightedMSECriterion


def test_weights_multiply_the_target() -> None:
    w, rng = np.array([1.0, 2.0, 0.5]), np.random.default_rng(3)
    x, t = rng.normal(size=(2, 4, 3))
    mse, c = nn.MSECriterion(), nn.WeightedMSECriterion(w)
    assert c.forward(x, t) == pytest.approx(mse.forward(x, w * t))
    np.testing.assert_allclose(c.backward(x, t), mse.backward(x, w * t))
    assert c.forward(x[0], t[0]) == pytest.approx(mse.forward(x[0], w * t[0]))
    w[0] = 7  # the criterion has its own
    assert c.weight.tolist() == [1, 2, 0.5]


def test_weights_of_many_dimensions() -> None:
    rng = np.random.default_rng(4)
    w = rng.normal(size=(2, 3))
    x, t = rng.normal(size=(2, 4, 2, 3))
    c = nn.WeightedMSECriterion(w)
    assert c.forward(x, t) == pytest.approx(((x - w * t) ** 2).mean())
    assert c.forward(x[0], t[0]) == pytest.approx(((x[0] - w * t[0]) ** 2).mean())
    assert c.forward(x.reshape(4, 3, 2), t) == pytest.approx(((x - w * t) ** 2).mean())  # elements count, as in Torch


def test_weighted_target_of_any_type() -> None:
    c, x = nn.WeightedMSECriterion(np.array([1.0, 2.0])), np.zeros((2, 2))
    assert c.forward(x, np.ones((2, 2), np.uint8)) == 2.5
    assert c.forward(x, np.ones((2, 2), np.float32)) == 2.5


@pytest.mark.parametrize(("x", "t"), [((2, 4), (2, 4)), ((4,), (4,)), ((2, 3), (3,)), ((3,), (2, 3)), ((0, 3), (0, 3))])
def test_weights_that_do_not_fit(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.WeightedMSECriterion: expected an input, a target and weights"):
        nn.WeightedMSECriterion(np.ones(3)).forward(np.ones(x), np.ones(t))


def test_weights_are_a_tensor() -> None:
    with pytest.raises(TypeError, match=r"nn.WeightedMSECriterion: expected a tensor, got a table of 2"):
        nn.WeightedMSECriterion([1, 2])
    with pytest.raises(TypeError, match=r"nn.WeightedMSECriterion: expected a tensor, got a number"):
        nn.WeightedMSECriterion(np.ones(2)).forward(np.ones(2), 3)


# -- SpatialAutoCropMSECriterion


@pytest.mark.parametrize("height", range(3, 8))
@pytest.mark.parametrize("width", range(2, 6))
def test_the_middle_of_the_target(height: int, width: int) -> None:
    rng = np.random.default_rng(5)
    x, t = rng.normal(size=(2, 3, 3, 2)), rng.normal(size=(2, 3, height, width))
    top, left = (height - 3) // 2, (width - 2) // 2
    middle = t[:, :, top : top + 3, left : left + 2]
    mse, c = nn.MSECriterion(), nn.SpatialAutoCropMSECriterion()
    assert c.forward(x, t) == pytest.approx(mse.forward(x, middle))
    np.testing.assert_array_equal(c.backward(x, middle), mse.backward(x, middle))  # what Torch's backward wants
    np.testing.assert_array_equal(c.backward(x, t), mse.gradInput)
    assert c.forward(x[0], t[0]) == pytest.approx(mse.forward(x[0], middle[0]))


@pytest.mark.parametrize(
    ("x", "t"),
    [
        ((3, 3, 3), (4, 3, 3)),
        ((2, 4, 3, 3), (2, 3, 3, 3)),
        ((2, 3, 3, 3), (1, 3, 3, 3)),
        ((2, 5, 5), (2, 5, 4)),
        ((1, 2, 5, 5), (1, 2, 4, 5)),
        ((2, 3, 3), (1, 2, 3, 3)),
        ((3, 3), (3, 3)),
        ((3,), (3,)),
        ((2, 0, 3), (2, 3, 3)),
    ],
)
def test_targets_that_are_too_small(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    for method in (nn.SpatialAutoCropMSECriterion().forward, nn.SpatialAutoCropMSECriterion().backward):
        with pytest.raises(ValueError, match=r"nn.SpatialAutoCropMSECriterion: expected an input of 3 or 4 dimensions"):
            method(np.ones(x), np.ones(t))


# -- DistKLDivCriterion


def test_divergence_where_the_target_is_nothing() -> None:
    c = nn.DistKLDivCriterion()
    x, t = np.array([-INF, NAN, -1.0, -2.0]), np.array([0.0, -1.0, NAN, 0.5])
    assert c.forward(x, t) == pytest.approx(0.5 * (np.log(0.5) + 2) / 4)
    gradient = c.backward(x, t)
    assert gradient.tolist() == [0, 0, 0, -0.125]
    assert not np.signbit(gradient[:3]).any()
    assert c.forward(x, np.zeros(4)) == 0


def test_divergence_of_equal_distributions() -> None:
    p = np.random.default_rng(6).dirichlet(np.ones(5), 3)
    assert nn.DistKLDivCriterion().forward(np.log(p), p) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("x", "t"), [((3,), (3, 1)), ((2, 3), (3, 2)), ((6,), (2, 3))])
def test_divergence_wants_equal_shapes(x: tuple[int, ...], t: tuple[int, ...]) -> None:
    for method in (nn.DistKLDivCriterion().forward, nn.DistKLDivCriterion().backward):
        with pytest.raises(
            ValueError, match=r"nn.DistKLDivCriterion: expected an input and a target of the same shape"
        ):
            method(np.ones(x), np.ones(t))


# -- L1Cost


def test_l1_cost() -> None:
    c, x = nn.L1Cost(), np.array([[1.0, -2.0], [0.0, NAN]])
    assert c.forward(x[0]) == 3
    assert c.backward(x).tolist() == [[1, -1], [0, 0]]
    assert c.forward(x[0], "no target") == 3
    assert c.forward(np.zeros(0)) == 0
    with pytest.raises(TypeError, match=r"nn.L1Cost: expected a torch.DoubleTensor, got a table of 1"):
        c.forward([x])


def test_l1_cost_clears_its_state() -> None:
    c, x = nn.L1Cost(), np.array([1.0, -2.0])
    c.forward(x)
    c.backward(x)
    assert c.clearState() is c
    assert (c.gradInput.size, c.output_tensor.size) == (0, 0)
    assert (c.forward(x), c.backward(x).tolist()) == (3, [1, -1])

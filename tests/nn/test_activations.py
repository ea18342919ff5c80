"""Transfer functions, rectifiers and the softmax family: what they do beyond what all modules promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nn
from nn.kernels import softmax as kernels

TYPES = [np.float32, np.float64]


def typed(module: Any, dtype: Any) -> Any:
    return module.float() if dtype == np.float32 else module


# -- Sigmoid and Tanh


@pytest.mark.parametrize(("dtype", "lowest", "ulps"), [(np.float32, -87, 4), (np.float64, -708, 3)])
def test_sigmoid_is_right_to_the_last_digits(dtype: Any, lowest: float, ulps: float) -> None:
    x = np.linspace(lowest, 40, 5001).astype(dtype)
    exact = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    found = typed(nn.Sigmoid(), dtype).forward(x)
    assert (abs(found - exact) <= ulps * np.spacing(found)).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_sigmoid_far_out(dtype: Any) -> None:
    m, x = typed(nn.Sigmoid(), dtype), np.array([-np.inf, -1e30, -1000, 1000, 1e30, np.inf], dtype)
    assert m.forward(x).tolist() == [0, 0, 0, 1, 1, 1]
    assert m.backward(x, np.ones(6, dtype)).tolist() == [0] * 6
    assert np.isnan(m.forward(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("cls", [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.SoftMax, nn.LogSoftMax])
def test_a_module_may_read_its_own_output(cls: Any) -> None:
    x = np.random.default_rng(1).normal(size=(3, 4))
    m = cls()
    want = cls().forward(cls().forward(x)).copy()
    np.testing.assert_array_equal(m.forward(m.forward(x)), want)


@pytest.mark.parametrize("module", [nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.ReLU(True), nn.Threshold(1, 0)], ids=str)
def test_gradient_of_another_size_is_refused(module: Any) -> None:
    module.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=rf"{module}: expected a gradient of shape \(2, 3\), got shape \(2, 4\)"):
        module.backward(np.ones((2, 3)), np.ones((2, 4)))


def test_no_gradient_is_computed_where_gradInput_is_None() -> None:
    for m in (nn.Sigmoid(), nn.ReLU(True)):
        x, g = np.array([1.0, -2.0]), np.array([3.0, 4.0])
        m.gradInput = None
        m.forward(x)
        assert m.backward(x, g) is None
        assert g.tolist() == [3, 4]


# -- in place


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
@pytest.mark.parametrize("make", [lambda: nn.ReLU(True), lambda: nn.Threshold(0.5, -1, True)])
def test_in_place_the_arrays_are_the_callers_own(make: Any, layout: str) -> None:
    rng = np.random.default_rng(2)

    def laid(a: np.ndarray) -> np.ndarray:
        if layout == "transposed":
            return a.T.copy().T
        return np.repeat(a, 2, 1)[:, ::2] if layout == "strided" else a.copy()

    x, g = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    m, plain = make(), make()
    plain.inplace = False
    want, wantGrad = plain.forward(x), plain.backward(x, g)
    mine, mineGrad = laid(x), laid(g)
    assert m.forward(mine) is m.output is mine
    assert m.backward(mine, mineGrad) is m.gradInput is mineGrad
    np.testing.assert_array_equal(mine, want)
    np.testing.assert_array_equal(mineGrad, wantGrad)


def test_in_place_a_gradient_of_another_shape_keeps_it() -> None:
    m, x, g = nn.ReLU(True), np.array([[1.0, -2.0], [-3.0, 4.0]]), np.array([5.0, 6.0, 7.0, 8.0])
    m.forward(x)
    assert m.backward(x, g) is g
    assert g.tolist() == [5, 0, 0, 8]


@pytest.mark.parametrize("make", [nn.ReLU, lambda flag: nn.Threshold(1, 0, flag)])
def test_flag_is_true_or_false(make: Any) -> None:
    assert make(None).inplace is False
    with pytest.raises(TypeError, match="expected True or False for inplace, got 1"):
        make(1)


# -- rectifiers

NUMBERS = st.floats(-2, 2, width=32)


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data(), th=NUMBERS, value=NUMBERS)
def test_threshold_passes_what_is_above(dtype: Any, data: st.DataObject, th: float, value: float) -> None:
    x = data.draw(arrays.arrays(dtype, arrays.array_shapes(max_dims=3), elements=NUMBERS | st.just(th)))
    g = np.arange(1, x.size + 1, dtype=dtype).reshape(x.shape)
    m = typed(nn.Threshold(th, value), dtype)
    assert (m.forward(x) == np.where(x > th, x, value)).all()
    assert (m.backward(x, g) == np.where(x > th, g, 0)).all()


def test_defaults_of_threshold() -> None:
    for m in (nn.Threshold(), nn.Threshold(None, None)):
        assert (m.threshold, m.val, m.inplace) == (1e-6, 0, False)
        assert m.forward(np.array([1e-6, 2e-6])).tolist() == [0, 2e-6]


def test_relu_is_a_threshold() -> None:
    m = nn.ReLU()
    assert isinstance(m, nn.Threshold)
    assert {"threshold": 0, "val": 0, "inplace": False}.items() <= vars(m).items()


def test_threshold_takes_numpys_numbers() -> None:
    m = nn.Threshold(np.float64(0.1), np.float32(0)).float()
    assert type(m.threshold) is float
    assert m.forward(np.array([0.1, 0.2], np.float32)).tolist() == [0, np.float32(0.2)]  # compared as float32


@pytest.mark.parametrize(("value", "kept"), [(0, [0, 3]), (-1, [-1, 3])])
def test_nan_counts_as_below_but_stays_in_place(value: float, kept: list[float]) -> None:
    x, g = np.array([np.nan, 3.0]), np.array([5.0, 7.0])
    m = nn.Threshold(0, value)
    assert m.forward(x).tolist() == kept
    assert m.backward(x, g).tolist() == [0, 7]
    m = nn.Threshold(0, value, True)
    np.testing.assert_array_equal(m.forward(x), [np.nan, 3])
    assert m.backward(x, g).tolist() == [5, 7]


@pytest.mark.parametrize("inplace", [False, True])
def test_infinite_gradients_stop_at_the_threshold(inplace: bool) -> None:
    m, x = nn.ReLU(inplace), np.array([-1.0, 1.0, -1.0])
    m.forward(x)
    assert m.backward(x, np.array([np.inf, -np.inf, np.nan])).tolist() == [0, -np.inf, 0]


def test_rectifiers_of_half_precision() -> None:
    m, x = nn.ReLU().type("torch.HalfTensor"), np.array([-1, 2], np.float16)
    assert m.forward(x).tolist() == [0, 2]
    assert m.backward(x, x).tolist() == [0, 2]


@pytest.mark.parametrize("args", [("1",), (0, [1]), (True,), (np.zeros(1),)])
def test_threshold_wants_numbers(args: Any) -> None:
    with pytest.raises(TypeError, match=r"nn.Threshold: expected a number, got a "):
        nn.Threshold(*args)


def test_threshold_in_place_wants_a_value_below() -> None:
    message = r"nn.Threshold: in place the value \(1\) must not exceed the threshold \(0\)"
    with pytest.raises(ValueError, match=message):
        nn.Threshold(0, 1, True)
    m = nn.Threshold(0, 1)
    assert m.forward(np.array([-1.0])).tolist() == [1]
    m.inplace = True
    with pytest.raises(ValueError, match=message):
        m.forward(np.array([-1.0]))


# -- softmax

SHAPES = {(5,): 0, (3, 5): 1, (5, 2, 3): 0, (2, 5, 2, 3): 1}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax_is_over_the_classes(shape: tuple[int, ...], dtype: Any) -> None:
    rng, axis = np.random.default_rng(3), SHAPES[shape]
    x, g = rng.normal(size=shape), rng.normal(size=shape)
    p = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-13, "atol": 1e-14}
    x, g = x.astype(dtype), g.astype(dtype)
    m = typed(nn.SoftMax(), dtype)
    np.testing.assert_allclose(m.forward(x), p, **close)
    np.testing.assert_allclose(m.backward(x, g), p * (g - (g * p).sum(axis, keepdims=True)), **close)
    m = typed(nn.LogSoftMax(), dtype)
    np.testing.assert_allclose(m.forward(x), np.log(p), **close)
    np.testing.assert_allclose(m.backward(x, g), g - p * g.sum(axis, keepdims=True), **close)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shift", [-1e4, 1e4, 1e30])
def test_softmax_of_large_scores(shift: float, dtype: Any) -> None:
    x = np.array([[shift, shift, -np.inf]], dtype)
    assert typed(nn.SoftMax(), dtype).forward(x).tolist() == [[0.5, 0.5, 0]]
    found = typed(nn.LogSoftMax(), dtype).forward(x)
    np.testing.assert_allclose(found, [[-np.log(2), -np.log(2), -np.inf]], rtol=1e-6 if dtype == np.float32 else 1e-15)


def test_logarithms_keep_their_digits_in_single_precision() -> None:
    x = np.array([8000.25, 8000, 7990, 8001.5], np.float32)
    exact = nn.LogSoftMax().forward(x.astype(float))
    np.testing.assert_allclose(nn.LogSoftMax().float().forward(x), exact, rtol=3e-7)


def test_sums_are_made_in_double() -> None:
    x = np.array([20, 0], np.float32)
    np.testing.assert_allclose(nn.LogSoftMax().float().forward(x), [-np.log1p(np.exp(-20)), -20], rtol=1e-7)
    n = 100_001
    found = nn.LogSoftMax().float().forward(np.zeros(n, np.float32))
    np.testing.assert_allclose(found, -np.log(n), rtol=1e-7)


@pytest.mark.parametrize("cls", [nn.SoftMax, nn.LogSoftMax])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (0,), (3, 0)], ids=str)
def test_softmax_refuses_other_dimensions(cls: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"nn.{cls.__name__}: expected a 1D, 2D, 3D or 4D tensor, got shape"):
        cls().forward(np.zeros(shape))


@pytest.mark.parametrize("cls", [nn.SoftMax, nn.LogSoftMax])
def test_softmax_refuses_gradients_of_another_shape(cls: Any) -> None:
    m, x = cls(), np.zeros((2, 3))
    m.forward(x)
    with pytest.raises(
        ValueError, match=rf"nn.{cls.__name__}: expected a gradient of shape \(2, 3\), got shape \(6,\)"
    ):
        m.backward(x, np.zeros(6))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_kernels_write_to_out(axis: int) -> None:
    rng = np.random.default_rng(4)
    x, g = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    for function, gradient in (
        (kernels.softmax, kernels.softmax_gradient),
        (kernels.log_softmax, kernels.log_softmax_gradient),
    ):
        room = np.full((2, 3, 4, 2), 9.0)
        y = function(x, axis, room[..., 0])
        assert y.base is room
        assert (room[..., 1] == 9).all()
        np.testing.assert_array_equal(function(x.copy(), axis, np.empty_like(x)), y)
        out = np.empty_like(x)
        assert gradient(y, g, axis, out) is out
        np.testing.assert_allclose(out.sum(axis), 0, atol=1e-14)

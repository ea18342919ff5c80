"""Pointwise and transfer functions, and those that cut off: edges, options and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from nn.kernels.elementary import negative

INF, NAN = np.inf, np.nan
TYPES = [np.float32, np.float64]


def typed(module: Any, dtype: Any) -> Any:
    return module.float() if dtype == np.float32 else module


# -- edges: input, output, derivative

EDGES = [
    (nn.Abs, [-2, -0.0, 0, 3, -INF], [2, 0, 0, 3, INF], [-1, 1, 1, 1, -1]),
    (nn.Exp, [-1e4, 0, 1e4, INF], [0, 1, INF, INF], [0, 1, INF, INF]),
    (nn.Log, [0, 1, -1, INF], [-INF, 0, NAN, INF], [INF, 1, -1, 0]),
    (nn.Square, [-3, 0, 1e200, -INF], [9, 0, INF, INF], [-6, 0, 2e200, -INF]),
    (nn.Sqrt, [0, 4, -1, INF], [0, 2, NAN, INF], [0, 0.25, NAN, 0]),
    (nn.SoftSign, [-INF, -3, 0, 1], [NAN, -0.75, 0, 0.5], [0, 1 / 16, 1, 0.25]),
    (nn.LogSigmoid, [-1e30, -800, 800, INF], [-1e30, -800, 0, 0], [1, 1, 0, 0]),
    (nn.SoftPlus, [-1e4, 20.5, 800, INF, NAN], [0, 20.5, 800, INF, NAN], [0, 1, 1, 1, NAN]),
    (lambda: nn.SoftPlus(-2), [1e4, -10.5, -800], [0, -10.5, -800], [0, 1, 1]),
    (nn.TanhShrink, [-1e4, 0, 1e4], [-9999, 0, 9999], [1, 0, 1]),
    (nn.HardShrink, [-0.6, -0.5, 0, 0.5, 0.6, -INF, NAN], [-0.6, 0, 0, 0, 0.6, -INF, 0], [1, 0, 0, 0, 1, 1, 0]),
    (nn.SoftShrink, [-1.5, -0.5, 0, 0.5, 1.5, INF, NAN], [-1, 0, 0, 0, 1, INF, 0], [1, 0, 0, 0, 1, 1, 0]),
    (lambda: nn.HardShrink(-1), [-2, -0.5, 0, 2, NAN], [-2, -0.5, 0, 2, 0], [1, 1, 1, 1, 0]),
    (lambda: nn.SoftShrink(-1), [-2, -0.5, 0, 2, NAN], [-3, 0.5, 1, 3, 0], [1, 1, 1, 1, 0]),
    (nn.HardTanh, [-2, -1, 0.5, 1, 2, -INF, NAN], [-1, -1, 0.5, 1, 1, -1, 1], [0, 0, 1, 0, 0, 0, 1]),
    (lambda: nn.HardTanh(-1, 1, True), [-1, 0.5, 2, NAN], [-1, 0.5, 1, NAN], [0, 1, 0, 1]),
    (lambda: nn.Clamp(2, 3), [1, 2, 2.5, 3, 4], [2, 2, 2.5, 3, 3], [0, 0, 1, 0, 0]),
    (nn.ReLU6, [-1, 0, 3, 6, 7, NAN], [0, 0, 3, 6, 6, 6], [0, 0, 1, 0, 0, 1]),
    (nn.LeakyReLU, [-INF, -100, 0, 2, NAN], [-INF, -1, 0, 2, NAN], [0.01, 0.01, 0.01, 1, 0.01]),
    (lambda: nn.LeakyReLU(0), [-INF, -1, 2], [NAN, 0, 2], [0, 0, 1]),
    (lambda: nn.LeakyReLU(-2), [-1, 0, 2], [2, 0, 2], [-2, -2, 1]),
    (lambda: nn.LeakyReLU(3), [-1, 0, 2], [-3, 0, 2], [3, 3, 1]),
    (nn.ELU, [-1e4, 0, 2, INF, NAN], [-1, 0, 2, INF, NAN], [0, 1, 1, 1, 1]),
    (lambda: nn.ELU(0), [-1, 2], [0, 2], [0, 1]),
    (lambda: nn.ELU(-1), [-1e4, 2], [1, 2], [1, 1]),  # the derivative goes by the sign of the output
]


@pytest.mark.parametrize(("make", "x", "y", "slope"), EDGES)
def test_edges(make: Any, x: list[float], y: list[float], slope: list[float]) -> None:
    m, a = make(), np.array(x, float)
    np.testing.assert_allclose(m.forward(a), y, rtol=1e-15)
    np.testing.assert_allclose(m.backward(a, np.ones(len(x))), slope, rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize(("make", "x", "y", "slope"), [e for e in EDGES if 1e200 not in e[1]])
def test_edges_in_single_precision(make: Any, x: list[float], y: list[float], slope: list[float]) -> None:
    m, a = make().float(), np.array(x, np.float32)
    np.testing.assert_allclose(m.forward(a), np.float32(y), rtol=1e-6)
    np.testing.assert_allclose(m.backward(a, np.ones(len(x), np.float32)), np.float32(slope), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("make", [nn.HardShrink, nn.HardTanh, nn.ReLU6, nn.SoftShrink])
def test_an_infinite_gradient_does_not_pass_where_the_slope_is_0(make: Any) -> None:
    m, x = make(), np.zeros(2)
    x[...] = getattr(m, "lambda", 6)
    m.forward(x)
    assert m.backward(x, np.array([INF, NAN])).tolist() == [0, 0]


NOT_FINITE = np.array([[INF, -INF, NAN, 1e300], [INF, INF, INF, INF], [-INF, -INF, -INF, -INF]])


@pytest.mark.parametrize(
    "make",
    [
        *(nn.Abs, nn.Exp, nn.Log, lambda: nn.Power(2.5), nn.Square, nn.Sqrt, nn.Sigmoid, nn.LogSigmoid, nn.Tanh),
        *(
            nn.TanhShrink,
            nn.SoftPlus,
            nn.SoftSign,
            nn.GatedLinearUnit,
            nn.HardTanh,
            nn.SoftShrink,
            nn.ReLU,
            nn.LeakyReLU,
        ),
        *(nn.PReLU, lambda: nn.PReLU(4), nn.RReLU, nn.ELU, nn.Dropout, nn.WhiteNoise),
        *(nn.SoftMax, nn.LogSoftMax, nn.SoftMin),
    ],
)
def test_what_is_not_finite_comes_about_silently(make: Any) -> None:
    m = make()  # warnings are errors here
    y = m.forward(NOT_FINITE)
    for value in (0.0, 1.0, INF, NAN):
        m.backward(NOT_FINITE, np.full(y.shape, value))


# -- powers


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("p", [-3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4.25])
def test_power(p: float, dtype: Any) -> None:
    x, g = np.linspace(0.25, 3, 12).astype(dtype), np.linspace(-1, 1, 12).astype(dtype)
    m = typed(nn.Power(p), dtype)
    rtol = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(m.forward(x), x.astype(float) ** p, rtol=rtol)
    np.testing.assert_allclose(m.backward(x, g), g * p * x.astype(float) ** (p - 1), rtol=rtol, atol=1e-15)


def test_power_of_its_own_output() -> None:
    m = nn.Power(3)
    assert m.forward(m.forward(np.array([2.0]))).tolist() == [512]


def test_fractional_power_of_a_negative_number_is_nan() -> None:
    assert np.isnan(nn.Power(0.5).forward(np.array([-4.0, -INF]))).all()
    assert np.isnan(nn.Power(1.5).forward(np.array([-4.0]))).all()


@pytest.mark.parametrize("make", [nn.Square, nn.Sqrt, nn.Tanh, nn.TanhShrink])
def test_gradient_of_another_shape_is_refused_where_torch_refuses_it(make: Any) -> None:
    m, x = make(), np.ones((2, 3))
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.\w+: expected a gradient of shape \(2, 3\), got shape \(6,\)"):
        m.backward(x, np.ones(6))


@pytest.mark.parametrize("make", [nn.Abs, nn.Log, nn.SoftPlus, nn.HardTanh, nn.LeakyReLU, nn.ELU, nn.SoftSign])
def test_gradient_of_another_shape_with_as_many_elements_will_do(make: Any) -> None:
    m, x = make(), np.ones((2, 3))
    m.forward(x)
    assert m.backward(x, np.ones(6)).shape == (2, 3)


FROM_OUTPUT = [nn.Exp, nn.Sqrt, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.TanhShrink, nn.SoftPlus, nn.ELU]
FROM_INPUT = [
    *(nn.Abs, nn.Log, lambda: nn.Power(3), nn.Square, nn.SoftSign, nn.HardTanh, nn.ReLU6, nn.HardShrink, nn.SoftShrink),
    *(nn.Threshold, nn.ReLU, nn.LeakyReLU, nn.PReLU, lambda: nn.PReLU(4), nn.GatedLinearUnit),
]


@pytest.mark.parametrize("make", [*FROM_OUTPUT, lambda: nn.CReLU(1)])
def test_backward_of_another_input_is_refused(make: Any) -> None:
    m = make()
    g = m.forward(np.ones((2, 4))).copy()
    with pytest.raises(ValueError, match=r"nn.\w+: expected the input of the forward, .*, got shape \(3, 4\)"):
        m.backward(np.ones((3, 4)), g)
    with pytest.raises(TypeError, match=r"nn.\w+: expected a torch.DoubleTensor"):
        m.backward(np.ones((2, 4), np.float32), g)


@pytest.mark.parametrize("make", FROM_INPUT)
def test_backward_of_any_input_where_the_output_plays_no_part(make: Any) -> None:
    m, x = make(), np.random.default_rng(1).normal(size=(2, 4))
    y = m.forward(x)
    g = np.arange(1.0, 1 + y.size).reshape(y.shape)
    want = m.backward(x, g).copy()
    m.forward(np.ones((3, 4)))  # as a module does that is in a network twice
    np.testing.assert_array_equal(m.backward(x, g), want)
    np.testing.assert_array_equal(m.clearState().backward(x, g), want)
    with pytest.raises(ValueError, match=r"nn.\w+: expected a .*, got .*shape \(5, 4\)"):
        m.backward(x, np.ones((5, 4)))


@pytest.mark.parametrize("make", [nn.Abs, *FROM_OUTPUT])
def test_backward_of_the_input_in_other_dimensions(make: Any) -> None:
    m, x = make(), np.linspace(-1, 1, 6).reshape(2, 3)
    g = m.forward(x).copy()
    want = m.backward(x, g).reshape(-1)
    np.testing.assert_array_equal(m.backward(x.reshape(-1), g), want)


def test_square_ignores_its_argument() -> None:
    assert nn.Square("anything").forward(np.array([3.0])).tolist() == [9]


def test_fields() -> None:
    assert (nn.Power(3).pow, nn.Sqrt().eps, nn.Sqrt(1e-3).eps, nn.Sqrt(None).eps) == (3, 0, 1e-3, 0)
    assert (nn.SoftPlus().beta, nn.SoftPlus(None).beta, nn.SoftPlus(2).threshold) == (1, 1, 20)
    assert (nn.HardTanh(None, None).min_val, nn.HardTanh(None, None).max_val, nn.HardTanh().inplace) == (-1, 1, False)
    assert (nn.LeakyReLU().negval, nn.LeakyReLU(None).negval, nn.ELU(None).alpha) == (0.01, 0.01, 1)
    assert (nn.RReLU(None, None).lower, nn.RReLU(None, None).upper) == (1 / 8, 1 / 3)
    assert isinstance(nn.Clamp(0, 1), nn.HardTanh)
    assert nn.GatedLinearUnit().dim is None


@pytest.mark.parametrize(
    "make",
    [
        *(nn.Power, lambda: nn.Power("2"), lambda: nn.Sqrt("0"), lambda: nn.SoftPlus([1]), lambda: nn.HardShrink("x")),
        *(lambda: nn.HardTanh("a"), lambda: nn.LeakyReLU("a"), lambda: nn.ELU("a"), lambda: nn.RReLU("a")),
        *(lambda: nn.Dropout("a"), lambda: nn.SpatialDropout([0.5]), lambda: nn.Dropout().setp(None)),
        *(lambda: nn.GatedLinearUnit("a"), lambda: nn.ClassNLLCriterion(None, True, "a")),
        *(lambda: nn.MultiCriterion().add(nn.L1Cost(), "a"), lambda: nn.ParallelCriterion().add(nn.L1Cost(), "a")),
    ],
)
def test_arguments_are_numbers(make: Any) -> None:
    with pytest.raises(TypeError, match=r"nn\.\w+: expected a number, got a "):
        make()


# -- smooth ones


@pytest.mark.parametrize("beta", [0.5, 1, 4])
@pytest.mark.parametrize(("dtype", "ulps"), [(np.float32, 4), (np.float64, 4)])
def test_softplus_is_right_to_the_last_digits(dtype: Any, ulps: float, beta: float) -> None:
    x = np.linspace(-80, 30, 4001).astype(dtype)
    exact = np.log1p(np.exp(x.astype(np.longdouble) * beta)) / beta
    found = typed(nn.SoftPlus(beta), dtype).forward(x)
    normal = (exact > np.finfo(dtype).tiny) & (x * beta <= 20)
    assert (abs(found - exact)[normal] <= ulps * np.spacing(found[normal])).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_softplus_with_a_high_threshold_does_not_overflow(dtype: Any) -> None:
    m = typed(nn.SoftPlus(), dtype)
    m.threshold = 1e6
    x = np.array([50, 1000], dtype)
    assert m.forward(x).tolist() == [50, 1000]
    np.testing.assert_allclose(m.backward(x, np.ones(2, dtype)), 1)


def test_softplus_is_linear_above_the_threshold() -> None:
    m, x = nn.SoftPlus(), np.array([0.9, 1.1])
    m.threshold = 1
    np.testing.assert_allclose(m.forward(x), [np.log1p(np.exp(0.9)), 1.1], rtol=1e-15)
    assert m.backward(x, np.ones(2)).tolist() == [1, 1]  # the derivative asks whether the output is above


def test_tanh_shrink_holds_a_tanh() -> None:
    m, x = nn.TanhShrink(), np.array([0.5, -2.0])
    assert type(m.tanh) is nn.Tanh
    m.forward(x)
    np.testing.assert_array_equal(m.tanh.output, np.tanh(x))
    assert type(torch7.deserialize(torch7.serialize(m)).tanh) is nn.Tanh
    assert m.float().tanh.type() == "torch.FloatTensor"


# -- cutting off


@pytest.mark.parametrize("make", [nn.HardShrink, nn.SoftShrink])
def test_the_limit_is_in_the_field_lambda(make: Any) -> None:
    m = torch7.deserialize(torch7.serialize(make(2)))
    assert vars(m)["lambda"] == 2
    assert m.forward(np.array([1.5])).tolist() == [0]
    setattr(m, "lambda", 1)
    assert m.forward(np.array([1.5])).tolist() in ([1.5], [0.5])
    assert vars(make())["lambda"] == vars(make(None))["lambda"] == 0.5


@pytest.mark.parametrize("limits", [(1, -1), (1, 1), (0.0, np.nan)])
def test_limits_are_in_order(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"nn.HardTanh: expected max_value above min_value, got .+ and "):
        nn.HardTanh(*limits)
    with pytest.raises(ValueError, match=r"nn.Clamp: expected max_value above min_value"):
        nn.Clamp(*limits)


@pytest.mark.parametrize(
    "make",
    [
        *(lambda f: nn.HardTanh(-1, 1, f), nn.ReLU6, lambda f: nn.LeakyReLU(0.1, f), lambda f: nn.ELU(1, f)),
        *(lambda f: nn.RReLU(0, 1, f), lambda f: nn.CReLU(1, f)),
    ],
)
def test_flag_is_true_or_false(make: Any) -> None:
    assert make(None).inplace is False
    assert make(True).inplace is True
    with pytest.raises(TypeError, match="expected True or False for inplace, got 1"):
        make(1)


# -- gated


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("dim", "shape"), [(None, (4,)), (None, (3, 6)), (1, (4,)), (1, (4, 3)), (2, (2, 4, 3, 2)), (4, (2, 3, 2, 4))]
)
def test_gated_linear_unit(dim: Any, shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape).astype(dtype)
    a, b = np.split(x.astype(float), 2, len(shape) - 1 if dim is None else dim - 1)
    gate, g = 1 / (1 + np.exp(-b)), rng.normal(size=a.shape)
    m = typed(nn.GatedLinearUnit(dim), dtype)
    close = {"rtol": 1e-5 if dtype == np.float32 else 1e-13, "atol": 1e-7 if dtype == np.float32 else 1e-15}
    np.testing.assert_allclose(m.forward(x), a * gate, **close)
    want = np.concatenate([g * gate, g * a * gate * (1 - gate)], len(shape) - 1 if dim is None else dim - 1)
    np.testing.assert_allclose(m.backward(x, g.astype(dtype).reshape(-1)), want, **close)


def test_gated_linear_unit_is_row_wise_unless_it_halves_the_rows() -> None:
    assert nn.GatedLinearUnit().ROWWISE
    assert nn.GatedLinearUnit(2).ROWWISE
    assert not nn.GatedLinearUnit(1).ROWWISE


@pytest.mark.parametrize(("dim", "shape"), [(None, (3, 5)), (1, (3, 4)), (2, (2, 1))])
def test_gated_linear_unit_wants_an_even_size(dim: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.GatedLinearUnit: expected an even size in dimension [12], got shape"):
        nn.GatedLinearUnit(dim).forward(np.zeros(shape))


@pytest.mark.parametrize("dim", [0, -1, 3])
def test_gated_linear_unit_wants_a_dimension_that_there_is(dim: int) -> None:
    with pytest.raises(IndexError, match=r"nn.GatedLinearUnit: "):
        nn.GatedLinearUnit(dim).forward(np.zeros((2, 4)))


def test_gated_linear_unit_without_gradient() -> None:
    m, x = nn.GatedLinearUnit(), np.ones(4)
    m.gradInput = None
    m.forward(x)
    assert m.backward(x, np.ones(2)) is None
    m = nn.GatedLinearUnit()
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.GatedLinearUnit: expected a torch.DoubleTensor of shape \(2,\), got"):
        m.backward(x, np.ones(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_negation_of_elements_that_lie_apart(dtype: type) -> None:
    for width in range(2, 20):  # numpy's own takes wrong numbers at some of these distances
        x = np.random.default_rng(0).normal(size=(50, width)).astype(dtype)[:, :1]
        assert np.array_equal(negative(x, np.empty(x.shape, dtype)), 0 - x)

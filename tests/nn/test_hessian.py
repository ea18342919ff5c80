"""nn.hessian: second derivatives by backpropagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same

nn.hessian.enable()

X = np.random.default_rng(2).normal(size=(4, 3))
H = np.random.default_rng(3).uniform(0.5, 2, size=(4, 3))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch7.manualSeed(1)


class Failing(nn.Linear):
    """A module with mistakes in its backward methods."""

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        raise KeyError("a user's mistake")

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        raise KeyError("a user's mistake")


def initial(m: Any) -> Any:
    m.initDiagHessianParameters()
    return m


# -- single classes


def test_Linear_squares_its_weights_and_inputs() -> None:
    m, h = initial(nn.Linear(3, 2)), np.random.default_rng(1).uniform(size=(4, 2))
    weight, y = m.weight, m.forward(X).copy()
    gradWeight, gradBias, gradInput = m.gradWeight, m.gradBias, m.gradInput
    m.zeroGradParameters()
    assert_same(m.updateDiagHessianInput(X, h), h @ m.weight**2, rtol=1e-14)
    for n in (1, 2):  # it adds up
        m.accDiagHessianParameters(X, h)
        assert_same(m.diagHessianWeight, n * h.T @ X**2, rtol=1e-14)
        assert_same(m.diagHessianBias, n * h.sum(0), rtol=1e-14)
    assert (m.weight is weight, m.gradWeight is gradWeight, m.gradBias is gradBias) == (True, True, True)
    assert m.gradInput is gradInput
    assert not gradWeight.any()
    assert_same(m.output, y)
    assert m.updateDiagHessianInput(X, h) is m.diagHessianInput


def test_Linear_without_bias_and_without_fields() -> None:
    m = nn.Linear(3, 2, False)
    m.forward(X)
    m.accDiagHessianParameters(X, np.ones((4, 2)))
    assert_same(m.diagHessianWeight, np.tile((X**2).sum(0), (2, 1)), rtol=1e-14)
    assert not hasattr(m, "diagHessianBias")


def test_fields_are_put_back_after_an_error() -> None:
    m = initial(Failing(3, 2))
    before = dict(vars(m))
    for method in (m.accDiagHessianParameters, m.updateDiagHessianInput):
        with pytest.raises(KeyError, match="a user's mistake"):
            method(X, np.ones((4, 2)))
    assert all(vars(m)[name] is value for name, value in before.items())


@pytest.mark.parametrize(
    ("name", "derivative"),
    [
        pytest.param(name, derivative, id=name)
        for name, derivative in {
            "Tanh": lambda x: 1 - np.tanh(x) ** 2,
            "Square": lambda x: 2 * x,
            "Sqrt": lambda x: 0.5 / np.sqrt(x),
        }.items()
        if hasattr(nn, name)
    ],
)
def test_functions_of_elements_square_their_derivative(name: str, derivative: Callable[[Any], Any]) -> None:
    m, x = initial(getattr(nn, name)()), abs(X) + 0.1
    m.forward(x)
    assert_same(m.updateDiagHessianInput(x, H), derivative(x) ** 2 * H, rtol=1e-13)
    first = m.diagHessianInput
    assert m.updateDiagHessianInput(x, H) is first
    m.accDiagHessianParameters(x, H)


@pytest.mark.skipif(not hasattr(nn, "TanhShrink"), reason="no such class yet")
def test_TanhShrink_adds_what_goes_past_the_function() -> None:
    m = nn.TanhShrink()
    m.forward(X)
    assert_same(m.updateDiagHessianInput(X, H), (1 - np.tanh(X) ** 2) ** 2 * H + H, rtol=1e-13)


def test_Reshape_reshapes() -> None:
    m, x = nn.Reshape(4), np.zeros((3, 2, 2))
    h = np.arange(12.0).reshape(3, 4)
    m.forward(x)
    assert_same(m.updateDiagHessianInput(x, h), h.reshape(3, 2, 2))


# -- criterions


@pytest.mark.parametrize("average", [True, False])
def test_squared_error_is_constant(average: bool) -> None:
    c = nn.MSECriterion(average)
    want = np.full((4, 3), 2 / 12 if average else 2.0)
    assert_same(c.updateDiagHessianInput(X, X), want)
    x = X.astype(np.float32)
    assert_same(c.float().updateDiagHessianInput(x, x), want.astype(np.float32))


@pytest.mark.skipif(not hasattr(nn, "WeightedMSECriterion"), reason="no such class yet")
def test_weighted_squared_error_is_the_plain_one() -> None:
    c = nn.WeightedMSECriterion(H)
    assert_same(c.updateDiagHessianInput(X, X), np.full((4, 3), 2 / 12))


@pytest.mark.skipif(not hasattr(nn, "L1Cost"), reason="no such class yet")
def test_L1Cost_counts_what_is_not_zero() -> None:
    x = np.array([0.0, -2.0, 3.0])
    assert_same(nn.L1Cost().updateDiagHessianInput(x), np.array([0.0, 1.0, 1.0]))


def test_other_classes_say_that_they_have_none() -> None:
    m, c = nn.Dropout(), nn.BCECriterion()
    for obj in (m, c):
        with pytest.raises(TypeError, match=f"{torch7.typename(obj)}: updateDiagHessianInput is not defined for"):
            obj.updateDiagHessianInput(X, X)
    before = dict(vars(m))
    initial(m).accDiagHessianParameters(X, X)
    assert vars(m) == before


# -- networks


def test_a_chain_goes_back_through_its_modules() -> None:
    m = initial(nn.Sequential().add(nn.Linear(3, 5)).add(nn.Tanh()).add(nn.Linear(5, 2)))
    first, tanh, last = m.modules
    c, target = nn.MSECriterion(), np.zeros((4, 2))
    h = c.updateDiagHessianInput(m.forward(X), target)
    got = m.updateDiagHessianInput(X, h)
    m.accDiagHessianParameters(X, h)
    inner = h @ last.weight**2 * (1 - tanh.output**2) ** 2
    assert got is m.diagHessianInput
    assert_same(got, inner @ first.weight**2, rtol=1e-13)
    assert_same(first.diagHessianWeight, inner.T @ X**2, rtol=1e-13)
    assert_same(last.diagHessianWeight, h.T @ tanh.output**2, rtol=1e-13)


def test_getParameters_gives_them_as_a_third_vector() -> None:
    m = nn.Sequential().add(nn.Linear(3, 2)).add(nn.Tanh()).add(nn.Linear(2, 2, False))
    assert len(m.getParameters()) == 2
    params, _, hessians = initial(m).getParameters()
    assert params.shape == hessians.shape == (12,)
    assert not hessians.any()
    hessians[:] = np.arange(12)
    assert m.get(1).diagHessianWeight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert m.get(1).diagHessianBias.tolist() == [6, 7]
    assert m.get(3).diagHessianWeight.tolist() == [[8, 9], [10, 11]]
    assert len(m.parameters()) == 2
    m.get(1).diagHessianWeight = m.get(1).diagHessianBias = m.get(3).diagHessianWeight = None
    assert len(m.getParameters()) == 2


def test_the_fields_are_converted_cloned_and_saved() -> None:
    m = initial(nn.Linear(3, 2))
    m.forward(X)
    m.accDiagHessianParameters(X, np.ones((4, 2)))
    for other in (m.clone(), torch7.deserialize(torch7.serialize(m))):
        assert_same(other.diagHessianWeight, m.diagHessianWeight)
    kept = initial(m).diagHessianWeight
    assert kept.any()  # what is there stays
    x = X.astype(np.float32)
    m.float().forward(x)
    m.accDiagHessianParameters(x, np.ones((4, 2), np.float32))
    assert m.diagHessianWeight.dtype == m.inputSq.dtype == np.float32


def test_a_class_that_derives_has_its_parent_s() -> None:
    class Own(nn.Linear):
        """A user's layer."""

    m = initial(Own(3, 2))
    m.forward(X)
    assert_same(m.updateDiagHessianInput(X, np.ones((4, 2))), np.ones((4, 2)) @ m.weight**2, rtol=1e-14)
    assert m.diagHessianWeight.shape == (2, 3)


def test_enable_twice_is_enable() -> None:
    methods = [vars(nn.Module)[name] for name in ("getParameters", "updateDiagHessianInput")]
    nn.hessian.enable()
    assert [vars(nn.Module)[name] for name in ("getParameters", "updateDiagHessianInput")] == methods


def test_names_come_in_pairs() -> None:
    with pytest.raises(ValueError, match=r"nn.hessian: expected as many names in both lists, got \['a'\] and \[\]"):
        nn.hessian.initDiagHessianParameters(nn.Tanh(), ["a"], [])


# -- against first derivatives

LINEAR: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Linear": (lambda: nn.Linear(3, 4), (2, 3)),
    "SpatialConvolution": (lambda: nn.SpatialConvolution(2, 3, 2, 3, 2, 1), (2, 6, 5)),
    "SpatialConvolutionLocal": (lambda: nn.SpatialConvolutionLocal(2, 3, 5, 6, 2, 3), (2, 6, 5)),
    "SpatialFullConvolution": (lambda: nn.SpatialFullConvolution(2, 3, 2, 3), (2, 3, 4)),
    "SpatialConvolutionMap": (
        lambda: nn.SpatialConvolutionMap(nn.tables.full(2, 3), 2, 3),
        (2, 6, 5),
    ),
    "SpatialFullConvolutionMap": (
        lambda: nn.SpatialFullConvolutionMap(nn.tables.full(2, 3), 2, 3),
        (2, 3, 4),
    ),
}


def test_every_linear_class_is_tried() -> None:
    assert {f"nn.{name}" for name in LINEAR} == set(nn.hessian.WEIGHTED)


@pytest.mark.parametrize("name", [name for name in LINEAR if hasattr(nn, name)])
def test_agrees_with_sums_of_squared_first_derivatives(name: str) -> None:
    make, shape = LINEAR[name]
    m, x = make(), np.empty(shape)
    assert nn.Jacobian.testDiagHessianInput(m, x) < 1e-12
    assert nn.Jacobian.testDiagHessianWeight(m, x) < 1e-12
    assert nn.Jacobian.testDiagHessianBias(m, x) < 1e-12
    assert abs(nn.Jacobian.backwardDiagHessian(m, x, "diagHessianWeight")).min() > 0


def test_a_wrong_module_is_found() -> None:
    class Exaggerating(nn.Linear):
        """Makes too much of its gradients."""

        def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
            super().accGradParameters(input, gradOutput, 1.5 * scale)

    assert nn.Jacobian.testDiagHessianWeight(Exaggerating(3, 2), np.empty(3), 1, 2) > 0.5

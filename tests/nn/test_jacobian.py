"""nn.Jacobian and nn.SparseJacobian: they find what is right, and what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same
from torch7 import memory

J, S = nn.Jacobian, nn.SparseJacobian


class Sparse(nn.Module):
    """y = the sum of value * weight[position], for an input that lists positions and values."""

    PARAMETERS = (("weight", "gradWeight"),)

    def __init__(self, n: int, m: int):
        super().__init__()
        self.weight, self.gradWeight = torch7.rand(n, m), memory.zeros((n, m))

    def updateOutput(self, input: Any) -> Any:
        self.output = input[:, 1] @ self.weight[input[:, 0].astype(int) - 1]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = memory.zeros(input.shape)
        self.gradInput[:, 1] = self.weight[input[:, 0].astype(int) - 1] @ gradOutput
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        np.add.at(self.gradWeight, input[:, 0].astype(int) - 1, scale * np.outer(input[:, 1], gradOutput))


class Wrong(nn.Linear):
    """Every gradient is too large, and a file forgets a field."""

    TRANSIENT = ("shift",)
    shift = 0

    def updateOutput(self, input: Any) -> Any:
        self.output = super().updateOutput(input) + self.shift
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        return super().updateGradInput(input, 1.5 * gradOutput)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        super().accGradParameters(input, gradOutput, 1.5 * scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        super().accUpdateGradParameters(input, gradOutput, 2 * lr)


def sparse() -> np.ndarray:
    return np.array([[2.0, 0.5], [4.0, -1.0], [2.0, 3.0]])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch7.manualSeed(1)


# -- matrices


def test_a_row_for_each_input_and_a_column_for_each_output() -> None:
    m, x = nn.Linear(3, 2), np.array([0.5, -1.0, 2.0])
    assert_same(J.backward(m, x), m.weight.T.copy())
    assert_same(J.forward(m, x), m.weight.T.copy(), atol=1e-8)
    assert_same(x, np.array([0.5, -1.0, 2.0]))
    want = np.zeros((6, 2))
    want[:3, 0] = want[3:, 1] = x
    assert_same(J.backward(m, x, m.weight, m.gradWeight), want)
    assert_same(J.forward(m, x, m.weight, 1e-3), want, atol=1e-11)


def test_updates_are_the_parameter_after_a_step_for_each_output() -> None:
    m, x = nn.Linear(2, 3), np.array([0.5, -1.0])
    before = m.bias.copy()
    want = before[:, None] - np.eye(3)
    assert_same(J.backwardUpdate(m, x, m.bias), want, rtol=1e-14)
    assert_same(m.bias, before)
    assert_same(J.forwardUpdate(m, x, m.bias), want, atol=1e-8)


def test_what_is_not_contiguous_is_moved_in_place() -> None:
    x = np.asfortranarray(np.random.default_rng(1).normal(size=(2, 3)))
    assert_same(J.forward(nn.Tanh(), x), np.diag(1 - np.tanh(x.ravel()) ** 2), atol=1e-8)


def test_matrices_have_the_default_type() -> None:
    m, x = nn.Linear(3, 2).float(), np.ones(3, np.float32)
    assert J.backward(m, x).dtype == J.forward(m, x).dtype == np.float64


def test_sparse_matrices_have_a_row_for_each_value() -> None:
    m, x = Sparse(5, 2), sparse()
    want = m.weight[[1, 3, 1]]
    assert_same(S.backward(m, x), want)
    assert_same(S.forward(m, x), want, atol=1e-8)
    assert S.forward(m, x, m.weight).shape == S.backward(m, x, m.weight, m.gradWeight).shape == (10, 2)
    assert_same(x, sparse())


# -- checks


def errors(m: Any, x: np.ndarray) -> list[float]:
    return [
        J.testJacobian(m, x),
        J.testJacobianParameters(m, x, m.weight, m.gradWeight),
        J.testJacobianParameters(m, x, m.bias, m.gradBias, -1, 1, 1e-5),
        J.testJacobianUpdateParameters(m, x, m.weight),
    ]


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_a_right_module_has_no_errors(shape: tuple[int, ...]) -> None:
    found = errors(nn.Linear(3, 2), np.empty(shape))
    assert all(type(error) is float for error in found)
    assert max(found) < 1e-8


def test_a_wrong_module_has_errors() -> None:
    assert min(errors(Wrong(3, 2), np.empty(3))) > 0.01


def test_numbers_come_from_the_range() -> None:
    torch7.manualSeed(1)
    x = np.empty((2, 50))
    J.testJacobian(nn.Identity(), x, 3, 4)
    torch7.manualSeed(1)
    assert_same(x, torch7.rand(100).reshape(2, 50) + 3)
    J.testJacobian(nn.Identity(), x)
    assert x.min() < -1.5 < 1.5 < x.max() < 2


def test_sparse_checks() -> None:
    m, x = Sparse(5, 2), sparse()
    found = [
        S.testJacobian(m, x),
        S.testJacobianParameters(m, x, m.weight, m.gradWeight),
        S.testJacobianUpdateParameters(m, x, m.weight),
    ]
    assert max(found) < 1e-8
    assert_same(x[:, 0], sparse()[:, 0])
    assert not (x[:, 1] == sparse()[:, 1]).any()
    m.weight = m.weight * 1  # the gradient of another weight
    m.accGradParameters = lambda *args: None
    assert S.testJacobianParameters(m, x, m.weight, m.gradWeight, 1, 2) > 0.5
    assert S.testJacobianUpdateParameters(m, x, m.weight, 1, 2) > 0.5


def test_a_gradient_that_is_no_tensor_is_refused() -> None:
    m = nn.Linear(2, 2)
    m.updateGradInput = lambda *args: None  # type: ignore[method-assign]
    with pytest.raises(TypeError, match=r"nn\.Linear: expected a tensor, got a nil"):
        J.backward(m, np.ones(2))
    m.updateGradInput = lambda *args: [np.ones(2)]  # type: ignore[method-assign]
    with pytest.raises(TypeError, match=r"nn\.Linear: expected a tensor, got a table of 1"):
        S.backward(m, np.ones((2, 2)))


# -- files


def test_IO_finds_what_a_file_forgets() -> None:
    x = np.ones(3)
    m = Wrong(3, 2)
    assert J.testIO(m, x) == pytest.approx((0, 0), abs=1e-15)
    assert m.output.size == 0
    m.shift = 2
    assert J.testIO(m, x) == pytest.approx((2, 0), abs=1e-12)
    sparse_module = Sparse(5, 2)
    assert S.testIO(sparse_module, sparse()) == (0, 0)
    assert sparse_module.output.size == 2


def test_IO_wants_clearState_to_return_the_module() -> None:
    m = nn.Linear(2, 2)
    m.clearState = lambda: None
    with pytest.raises(TypeError, match=r"nn.Jacobian: clearState of nn.Linear\(2 -> 2\) did not return the module"):
        J.testIO(m, np.ones(2))
    assert S.testIO(nn.Linear(2, 2), np.ones(2)) == (0, 0)


# -- steps

STEPS = (
    *("accGradParameters", "accUpdateGradParameters"),
    *("accGradParameters [shared]", "accUpdateGradParameters [shared]"),
)


@pytest.mark.parametrize("check", [J.testAllUpdate, S.testAllUpdate])
def test_all_ways_to_make_a_step_agree(check: Any) -> None:
    found = check(nn.Linear(3, 2), np.ones(3), "weight", "gradWeight")
    assert set(found) == set(STEPS)
    assert max(found.values()) < 1e-12
    found = check(Wrong(3, 2), np.ones(3), "weight", "gradWeight")
    assert max(found[name] for name in STEPS[::2]) < 1e-12
    assert min(found[name] for name in STEPS[1::2]) > 0.01
    assert all(type(error) is float for error in found.values())
    assert max(check(nn.Linear(3, 2).float(), np.ones(3, np.float32), "bias", "gradBias").values()) < 1e-5


def test_all_updates_of_modules_that_keep_what_forward_saw() -> None:
    x = np.random.default_rng(1).normal(size=(2, 4))
    for m in (nn.Euclidean(4, 3), nn.WeightedEuclidean(4, 3)):
        assert max(J.testAllUpdate(m, x, "weight", "gradWeight").values()) < 1e-12

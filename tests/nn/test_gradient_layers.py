"""GradientReversal, L1Penalty, ZeroGrad and PrintSize."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7

TYPES = [np.float32, np.float64]
X, G = np.array([[-2.0, 0.0, 3.0]]), np.array([[1.0, 5.0, -1.0]])


@pytest.mark.parametrize("dtype", TYPES)
def test_gradient_reversal(dtype: Any) -> None:
    m, x = nn.GradientReversal(), X.astype(dtype)
    if dtype == np.float32:
        m.float()
    assert m.forward(x) is x
    assert m.backward(x, G.astype(dtype)).tolist() == [[-1, -5, 1]]
    m.setLambda(np.float64(0.1))
    assert m.backward(x, G.astype(dtype)).dtype == dtype
    np.testing.assert_allclose(m.gradInput, -0.1 * G, rtol=1e-6)
    m.gradInput = None
    assert m.backward(x, G.astype(dtype)) is None


def test_the_factor_is_in_the_field_lambda() -> None:
    m = torch7.deserialize(torch7.serialize(nn.GradientReversal(0.5)))
    assert vars(m)["lambda"] == 0.5
    assert vars(nn.GradientReversal())["lambda"] == vars(nn.GradientReversal(None))["lambda"] == 1
    with pytest.raises(TypeError, match=r"nn.GradientReversal: expected a number, got a string"):
        m.setLambda("1")


def test_files_of_the_first_version_reverse_with_factor_1() -> None:
    m = nn.GradientReversal(0.5)
    del vars(m)["lambda"]
    m.torch_loaded(1)
    assert vars(m)["lambda"] == 1
    m.setLambda(3)
    m.torch_loaded(2)
    assert vars(m)["lambda"] == 3
    assert b"V 2" in torch7.serialize(m)


@pytest.mark.parametrize("make", [nn.GradientReversal, lambda: nn.L1Penalty(1)])
def test_gradient_of_another_size_is_refused(make: Any) -> None:
    m = make()
    m.forward(X)
    with pytest.raises(ValueError, match=r"nn.\w+: expected a torch.DoubleTensor of shape \(1, 3\), got"):
        m.backward(X, np.ones(4))


def test_l1_penalty() -> None:
    m = nn.L1Penalty(0.5)
    assert m.loss is None
    assert m.forward(X) is X
    assert m.loss == 2.5
    assert type(m.loss) is float
    assert m.backward(X, G).tolist() == [[0.5, 5, -0.5]]
    m.gradInput = None
    assert m.backward(X, G) is None


def test_l1_penalty_of_the_mean() -> None:
    m = nn.L1Penalty(3, True)
    m.forward(X)
    assert m.loss == 5
    assert m.backward(X, G).tolist() == [[0, 5, 0]]


def test_l1_penalty_alone() -> None:
    m = nn.L1Penalty(2, False, False)
    m.forward(X)
    assert m.backward(X, None).tolist() == [[-2, 0, 2]]
    assert nn.L1Penalty(2, None, None).provideOutput is True


def test_l1_penalty_sums_in_double() -> None:
    m, x = nn.L1Penalty(1).float(), np.full(300_000, 0.1, np.float32)
    m.forward(x)
    np.testing.assert_allclose(m.loss, 300_000 * float(np.float32(0.1)), rtol=1e-12)


def test_l1_penalty_wants_a_weight() -> None:
    with pytest.raises(TypeError, match=r"nn.L1Penalty: expected a number, got a nil"):
        nn.L1Penalty(None)


def test_zero_grad() -> None:
    m = nn.ZeroGrad()
    assert m.forward(X) is X
    assert m.backward(X, np.full((1, 3), np.nan)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("make", [nn.GradientReversal, lambda: nn.L1Penalty(1), nn.ZeroGrad])
def test_tables_are_refused(make: Any) -> None:
    with pytest.raises(TypeError, match=r"nn.\w+: expected a torch.DoubleTensor, got a table of 1"):
        make().forward([X])


def test_print_size(capsys: Any) -> None:
    m = nn.PrintSize()
    table = [X, [np.ones(2, np.int64)], None]
    assert m.forward(table) is table
    assert m.backward(table, X) is X
    assert m.forward(None) is None
    assert nn.PrintSize("here").forward(3) == 3
    assert capsys.readouterr().out.splitlines() == [
        *("PrintSize:input", "[(1, 3), [(2,)], 'missing size']", "PrintSize:gradOutput", "(1, 3)"),
        *("PrintSize:input", "missing size", "here:input", "()"),
    ]

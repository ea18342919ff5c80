"""Criterions made of criterions and of modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def pair() -> nn.ParallelCriterion:
    return nn.ParallelCriterion().add(nn.MSECriterion(), 0.5).add(nn.ClassNLLCriterion())


@pytest.mark.parametrize("cls", [nn.MultiCriterion, nn.ParallelCriterion])
def test_adding(cls: Any) -> None:
    c, inner = cls(), nn.MSECriterion()
    assert c.add(inner) is c
    assert c.add(nn.AbsCriterion(), 0.25).criterions[0] is inner
    assert c.add(nn.L1Cost(), None).add(nn.L1Cost(), np.float64(2)) is c
    assert list(c.weights) == [1, 0.25, 1, 2]
    for wrong in (None, 3, nn):
        with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a criterion, got a"):
            c.add(wrong)
    with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a criterion, got a nil"):
        c.add()
    assert len(c.criterions) == len(c.weights) == 4


def test_weights_are_what_they_are_in_torch() -> None:
    assert torch7.typename(nn.MultiCriterion().add(nn.L1Cost()).weights) == "torch.DoubleStorage"
    assert nn.MultiCriterion().add(nn.L1Cost()).float().weights.dtype == np.float64
    assert nn.ParallelCriterion().add(nn.L1Cost()).weights == [1]


@pytest.mark.parametrize("cls", [nn.MultiCriterion, nn.ParallelCriterion])
def test_nothing_added(cls: Any) -> None:
    c, x = cls(), [numbers(2), numbers(3)]
    assert c.forward(x, x) == 0
    assert_same(c.backward(x, x), [np.zeros(2), np.zeros(3)])


# -- MultiCriterion


def test_a_weighted_sum() -> None:
    c, mse, absolute = nn.MultiCriterion(), nn.MSECriterion(), nn.AbsCriterion()
    c.add(mse, 0.5).add(absolute, 3)
    x, t = numbers(2, 3), numbers(2, 3, seed=2)
    assert c.forward(x, t) == pytest.approx(0.5 * mse.forward(x, t) + 3 * absolute.forward(x, t))
    assert type(c.output) is float
    np.testing.assert_allclose(c.backward(x, t), 0.5 * mse.backward(x, t) + 3 * absolute.backward(x, t))
    c.weights[1] = 0
    assert c.forward(x, t) == pytest.approx(0.5 * mse.output)


def test_a_sum_of_losses_of_tables() -> None:
    c = nn.MultiCriterion().add(pair()).add(pair(), 2)
    x, t = [numbers(2, 3), np.log([0.25, 0.75])], [numbers(2, 3, seed=2), 2]
    inner = pair()
    assert c.forward(x, t) == pytest.approx(3 * inner.forward(x, t))
    want = [3 * g for g in inner.backward(x, t)]
    assert_same(c.backward(x, t), want, rtol=1e-14)
    assert_same(nn.MultiCriterion().add(c).backward([*x], t), want, rtol=1e-14)
    first = c.gradInput[0]
    assert c.backward(x, t)[0] is first
    tensor = nn.MultiCriterion().add(nn.MSECriterion())  # from a table back to a tensor
    tensor.gradInput = list(c.gradInput)
    np.testing.assert_allclose(tensor.backward(numbers(2), np.zeros(2)), numbers(2))


def test_composed_criterions_in_single_precision() -> None:
    c = nn.MultiCriterion().add(nn.ParallelCriterion(True).add(nn.MSECriterion(), np.float64(0.5)), np.float64(2))
    x, t = [numbers(4).astype(np.float32)], numbers(4, seed=2).astype(np.float32)
    c.float()
    assert c.forward(x, t) == pytest.approx(((x[0] - t) ** 2).mean())
    assert [g.dtype for g in c.backward(x, t)] == [np.float32]
    c.double()
    with pytest.raises(TypeError, match=r"nn.MSECriterion: expected a torch.DoubleTensor, got a torch.FloatTensor"):
        c.forward(x, t)


# -- ParallelCriterion


def test_parallel_losses() -> None:
    c, x, t = pair(), [numbers(3), np.log([[0.25, 0.75], [0.5, 0.5]])], [np.zeros(3), np.array([1, 2])]
    mse, nll = nn.MSECriterion(), nn.ClassNLLCriterion()
    assert c.forward(x, t) == pytest.approx(0.5 * mse.forward(x[0], t[0]) + nll.forward(x[1], t[1]))
    assert_same(c.backward(x, t), [0.5 * mse.backward(x[0], t[0]), nll.backward(x[1], t[1])])
    assert_same(c.backward((*x,), (*t,)), c.gradInput)


def test_one_target_for_all() -> None:
    t = np.zeros(3)
    c = nn.ParallelCriterion(True).add(nn.MSECriterion()).add(nn.AbsCriterion())
    assert c.repeatTarget is True
    x = [numbers(3), numbers(3, seed=2)]
    assert c.forward(x, t) == pytest.approx((x[0] ** 2).mean() + abs(x[1]).mean())
    assert_same(c.backward(x, t), [x[0] * 2 / 3, np.where(x[1] >= 0, 1, -1) / 3], rtol=1e-14)


def test_entries_without_a_criterion() -> None:
    c, x = nn.ParallelCriterion().add(nn.MSECriterion()), [numbers(2), numbers(3), [numbers(1)]]
    assert c.forward(x, [np.zeros(2)]) == pytest.approx((x[0] ** 2).mean())
    assert_same(c.backward(x, [np.zeros(2), None, None]), [x[0], np.zeros(3), [np.zeros(1)]])


def test_rows_of_tensors_are_entries() -> None:
    x = np.log([[0.25, 0.75], [0.5, 0.5]])
    c = nn.ParallelCriterion().add(nn.ClassNLLCriterion(), 2).add(nn.ClassNLLCriterion())
    want = c.forward([x[0], x[1]], [2, 1])
    gradient = copied(c.backward([x[0], x[1]], [2, 1]))
    assert c.forward(x, np.array([2, 1])) == c.forward(x, [2, 1]) == want
    assert_same(c.backward(x, np.array([2.0, 1.0])), np.array(gradient))


def test_entries_that_are_missing() -> None:
    c, x = pair(), [numbers(2), numbers(2)]
    with pytest.raises(ValueError, match=r"nn.ParallelCriterion: expected a table of 2 as input, got 1"):
        c.forward(x[:1], x)
    for method in (c.forward, c.backward):
        with pytest.raises(ValueError, match=r"nn.ParallelCriterion: expected a table of 2 as target, got 1"):
            method(x, x[:1])
    with pytest.raises(TypeError, match=r"nn.ParallelCriterion: expected a table as target, got a number"):
        c.forward(x, 1)
    with pytest.raises(ValueError, match=r"nn.ParallelCriterion: expected 2 rows as target, got shape \(1, 2\)"):
        c.forward(x, np.ones((1, 2)))


def test_a_change_of_type_empties_the_gradient() -> None:
    c = pair()
    c.backward([numbers(2), np.log([0.5, 0.5])], [np.zeros(2), 1])
    assert len(c.gradInput) == 2
    assert c.float().gradInput == []


# -- ModuleCriterion


def test_modules_before_a_criterion() -> None:
    x, t = numbers(3, 4), numbers(3, 4, seed=2)
    tanh, sigmoid, mse = nn.Tanh(), nn.Sigmoid(), nn.MSECriterion()
    c = nn.ModuleCriterion(nn.MSECriterion(), nn.Tanh(), nn.Sigmoid())
    assert c.forward(x, t) == mse.forward(tanh.forward(x), sigmoid.forward(t))
    np.testing.assert_array_equal(c.input, tanh.output)
    np.testing.assert_array_equal(c.target, sigmoid.output)
    want = tanh.backward(x, mse.backward(tanh.output, sigmoid.output))
    np.testing.assert_array_equal(c.backward(x, t), want)


def test_fields_of_a_module_criterion_are_torchs() -> None:
    c = nn.ModuleCriterion(nn.MSECriterion(), None, None, False)
    assert {name for name, value in vars(c).items() if value is not None} == {"castTarget", "criterion"}
    assert (c.castTarget, nn.ModuleCriterion(nn.MSECriterion()).castTarget) == (False, True)
    assert nn.ModuleCriterion(nn.MSECriterion(), None, None, None).castTarget is True
    x = numbers(3)
    assert c.forward(x, x) == 0
    assert (c.input, c.target) == (None, None)


@pytest.mark.parametrize("cast", [True, False])
def test_type_reaches_all_modules(cast: bool) -> None:
    c = nn.ModuleCriterion(nn.MSECriterion(), nn.Tanh(), nn.Sigmoid(), cast)
    x = numbers(3)
    c.forward(x, x)
    c.backward(x, x)
    assert c.float() is c
    assert c.inputModule.type() == c.targetModule.type() == "torch.FloatTensor"  # as in Torch, whatever castTarget is
    x = x.astype(np.float32)
    c.forward(x, x)
    assert c.backward(x, x).dtype == np.float32


def test_parameters_before_a_criterion_are_not_trained(capsys: Any) -> None:
    nn.ModuleCriterion(nn.MSECriterion(), nn.Tanh(), nn.Linear(2, 2))
    assert capsys.readouterr().out == ""
    nn.ModuleCriterion(nn.MSECriterion(), nn.Linear(2, 2))
    assert capsys.readouterr().out == "Warning: nn.ModuleCriterion doesn't support parameter updates\n"
    with pytest.raises(TypeError, match=r"nn.ModuleCriterion: expected a criterion, got a nil"):
        nn.ModuleCriterion(None)


# -- CriterionTable


def test_criterion_as_a_module() -> None:
    x, t = numbers(3, 4), np.array([1, 4, 2])
    m, c = nn.CriterionTable(nn.CrossEntropyCriterion()), nn.CrossEntropyCriterion()
    assert isinstance(m, nn.Module)
    assert m.forward([x, t]) == c.forward(x, t)
    (gradient,) = m.backward([x, t], None)
    np.testing.assert_array_equal(gradient, c.backward(x, t))
    assert gradient is m.criterion.gradInput
    assert m.parameters() == ([], [])


def test_criterion_as_a_module_without_a_target() -> None:
    m, x = nn.CriterionTable(nn.L1Cost()), numbers(3)
    assert m.forward([x]) == pytest.approx(abs(x).sum())
    assert m.backward([x], 1)[0].tolist() == np.sign(x).tolist()
    ratio = nn.CriterionTable(nn.DistanceRatioCriterion())
    assert ratio.forward([[x, x]]) == pytest.approx(np.log(2))
    assert_same(ratio.backward([[x, x]], 1), [[np.full(3, 1 / 6), np.full(3, -1 / 6)]])


def test_criterion_as_a_module_errors() -> None:
    m = nn.CriterionTable(nn.MSECriterion())
    with pytest.raises(TypeError, match=r"nn.CriterionTable: expected a table as input, got a torch.DoubleTensor"):
        m.forward(numbers(3))
    with pytest.raises(TypeError, match=r"nn.MSECriterion: expected a torch.DoubleTensor, got a nil"):
        m.forward([numbers(3)])
    with pytest.raises(TypeError, match=r"nn.CriterionTable: expected a criterion, got a table of 0"):
        nn.CriterionTable([])


def test_criterion_as_a_module_in_single_precision() -> None:
    m, x = nn.CriterionTable(nn.MSECriterion()).float(), numbers(3).astype(np.float32)
    assert m.gradInput[0] is m.criterion.gradInput
    m.forward([x, x])
    assert m.backward([x, x], 1)[0].dtype == np.float32


# -- in graphs


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (nn.AbsCriterion, numbers(3, 4, seed=2)),
        (nn.MultiMarginCriterion, np.array([1.0, 4, 2])),
        (nn.MultiLabelMarginCriterion, np.array([[1.0, 0, 0, 0], [4, 2, 0, 0], [1, 2, 3, 4]])),
        (lambda: nn.MultiCriterion().add(nn.MSECriterion(), 2).add(nn.SmoothL1Criterion()), numbers(3, 4, seed=2)),
        (lambda: nn.ModuleCriterion(nn.ClassNLLCriterion(), nn.LogSoftMax()), np.array([1.0, 4, 2])),
    ],
)
def test_criterions_in_graphs(make: Any, target: np.ndarray) -> None:
    scores, right = nn.Identity()(), nn.Identity()()
    graph = pygraphnn.gModule([scores, right], [make()([nn.MulConstant(2)(scores), right])])
    c, x = make(), numbers(3, 4)
    assert graph.forward([x, target]).tolist() == [pytest.approx(c.forward(2 * x, target))]
    first, second = graph.backward([x, target], np.array([3.0]))
    np.testing.assert_allclose(first, 6 * c.backward(2 * x, target))
    assert not second.any()


def test_criterions_of_tables_in_graphs() -> None:
    a, b = nn.Identity()(), nn.Identity()()
    node = nn.CosineEmbeddingCriterion()([nn.Identity()([a, b]), nn.Select(2, 1)(b)])
    graph = pygraphnn.gModule([a, b], [node])
    x, y = numbers(3, 4), np.ones((3, 4))
    loss = graph.forward([x, y])
    assert loss.tolist() == [pytest.approx(nn.CosineEmbeddingCriterion().forward([x, y], np.ones(3)))]
    gradients = graph.backward([x, y], np.array([1.0]))
    assert_same(gradients[0], nn.CosineEmbeddingCriterion().backward([x, y], np.ones(3))[0], rtol=1e-12)

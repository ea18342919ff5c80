"""Containers of modules side by side: sums of gradients, growth, errors, text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.modules import Failing, NoGradient
from tests.support.nested import assert_same, copied


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


BRANCHING = [nn.ConcatTable, nn.ParallelTable, lambda: nn.Concat(2)]


def given_to(m: nn.Module, x: np.ndarray) -> Any:
    """x as input of all the modules in m."""
    return [x] * len(m.modules) if isinstance(m, nn.ParallelTable) else x


# -- results


def test_results_are_one_list() -> None:
    x, g = numbers(2, 3), numbers(2, 3)
    for m in (nn.ConcatTable(), nn.ParallelTable()):
        m.add(nn.Tanh()).add(nn.Identity())
        first = m.forward(given_to(m, x))
        assert first is m.output
        assert first[0] is m.get(1).output
        assert m.forward(given_to(m, x)) is first
        gradInput = m.backward(given_to(m, x), [g, g])
        assert m.backward(given_to(m, x), [g, g]) is gradInput


def test_ParallelTable_hands_its_modules_gradients_on() -> None:
    m, x = nn.ParallelTable().add(nn.Tanh()).add(nn.Identity()), [numbers(2), numbers(3)]
    m.forward(x)
    g = [numbers(2), numbers(3)]
    gradInput = m.backward(x, g)
    assert gradInput[0] is m.get(1).gradInput
    assert gradInput[1] is g[1]


def test_ParallelTable_leaves_further_entries_alone() -> None:
    m, x = nn.ParallelTable().add(nn.Identity()), [numbers(2), numbers(3)]
    assert_same(m.forward(x), x[:1])
    assert_same(m.backward(x, x), x[:1])


@pytest.mark.parametrize("make", BRANCHING)
def test_growth_and_shrinking_after_use(make: Any) -> None:
    m, x = make().add(nn.Linear(3, 2)), numbers(4, 3)
    out = m.forward(given_to(m, x))
    m.backward(given_to(m, x), copied(out))
    m.add(nn.Tanh())
    grown = copied(m.forward(given_to(m, x)))
    want = [m.get(1).forward(x), np.tanh(x)]
    assert_same(grown, np.concatenate(want, 1) if isinstance(m, nn.Concat) else want)
    g = copied(grown)
    gradInput = copied(m.backward(given_to(m, x), g))
    parts = [g[:, :2], g[:, 2:]] if isinstance(m, nn.Concat) else g
    wanted = [copied(branch.backward(x, part)) for branch, part in zip(m.modules, parts)]
    assert_same(gradInput, wanted if isinstance(m, nn.ParallelTable) else wanted[0] + wanted[1], rtol=1e-14)
    del m.modules[1]
    assert_same(m.forward(given_to(m, x)), want[0] if isinstance(m, nn.Concat) else want[:1])
    if isinstance(m, nn.ParallelTable):
        assert len(m.backward(given_to(m, x), [g[0]])) == 1


def test_empty_containers() -> None:
    x = numbers(2, 3)
    assert nn.ConcatTable().forward(x) == []
    assert nn.ParallelTable().forward([x]) == []
    assert nn.ParallelTable().backward([x], []) == []
    assert nn.Concat(1).forward(x).size == 0


# -- sums of gradients


@pytest.mark.parametrize("make", [nn.ConcatTable, lambda: nn.Concat(2)])
def test_gradients_are_summed(make: Any) -> None:
    m, x = make().add(nn.Linear(3, 3)).add(nn.Tanh()).add(nn.Identity()), numbers(2, 3)
    out = copied(m.forward(x))
    g = copied(out)
    parts = np.split(g, 3, 1) if isinstance(m, nn.Concat) else g
    want = sum(copied(branch.backward(x, part)) for branch, part in zip(m.modules, parts))
    gradInput = m.backward(x, g)
    assert_same(gradInput, want, rtol=1e-14)
    assert not any(np.shares_memory(gradInput, branch.gradInput) for branch in m.modules)
    assert m.updateGradInput(x, g) is gradInput
    assert_same(gradInput, want, rtol=1e-14)


@pytest.mark.parametrize("make", [nn.ConcatTable, lambda: nn.Concat(1)])
def test_a_module_may_be_there_twice(make: Any) -> None:
    """Its one gradient buffer is added before it is written again."""
    tanh = nn.Tanh()
    m, x = make().add(tanh).add(tanh), numbers(3)
    g = [numbers(3), numbers(3) + 1]
    m.forward(x)
    gradInput = m.backward(x, np.concatenate(g) if isinstance(m, nn.Concat) else g)
    assert_same(gradInput, (g[0] + g[1]) * (1 - np.tanh(x) ** 2), rtol=1e-14)


@pytest.mark.parametrize("make", [nn.ConcatTable, lambda: nn.Concat(1)])
def test_gradients_of_tables_are_summed_entry_by_entry(make: Any) -> None:
    first = nn.Sequential().add(nn.SelectTable(1)).add(nn.Tanh())
    second = nn.Sequential().add(nn.FlattenTable()).add(nn.SelectTable(2))
    m = make().add(first).add(second).add(first.clone())
    x = [numbers(2), [numbers(3)]]
    g = [numbers(2), numbers(3), numbers(2) + 1]
    m.forward(x)
    given = np.concatenate(g) if isinstance(m, nn.Concat) else g
    gradInput = m.backward(x, given)
    want = [(g[0] + g[2]) * (1 - np.tanh(x[0]) ** 2), [g[1]]]
    assert_same(gradInput, want, rtol=1e-14)
    inner = gradInput[1]
    assert m.backward(x, given) is gradInput
    assert gradInput[1] is inner
    assert_same(gradInput, want, rtol=1e-14)


def test_input_may_change_between_tensor_and_table() -> None:
    m, x, table = nn.ConcatTable().add(nn.Identity()).add(nn.Identity()), numbers(2), [numbers(2), numbers(3)]
    for _ in range(2):
        m.forward(x)
        assert_same(m.backward(x, [x, x]), 2 * x)
        m.forward(table)
        assert_same(m.backward(table, [table, table]), [2 * a for a in table])


@pytest.mark.parametrize("make", [nn.ConcatTable, lambda: nn.Concat(1)])
def test_a_module_without_gradient_adds_nothing(make: Any) -> None:
    m, x = make().add(NoGradient()).add(nn.Tanh()).add(NoGradient()), numbers(2)
    out = copied(m.forward(x))
    gradInput = m.backward(x, out)
    assert_same(gradInput, np.tanh(x) * (1 - np.tanh(x) ** 2), rtol=1e-14)


def test_gradients_of_indices_have_the_type_of_the_container() -> None:
    m, x = nn.ConcatTable().add(nn.LookupTable(3, 2)).add(nn.LookupTable(3, 2)), np.array([1, 3])
    g = copied(m.forward(x))
    assert_same(m.backward(x, g), np.zeros(2))


# -- parameters


@pytest.mark.parametrize("make", BRANCHING)
def test_scale_and_learning_rate_reach_the_modules(make: Any) -> None:
    m = make().add(nn.Linear(3, 2)).add(nn.Linear(3, 2))
    x = given_to(m, numbers(4, 3))
    g = copied(m.forward(x))
    m.zeroGradParameters()
    m.backward(x, g, 0.5)
    half, before = copied(m.parameters()[1]), copied(m.parameters()[0])
    m.zeroGradParameters()
    m.accGradParameters(x, g)
    assert_same(m.parameters()[1], [2 * a for a in half], rtol=1e-14)
    m.accUpdateGradParameters(x, g, 0.1)
    assert_same(m.parameters()[0], [w - 0.2 * a for w, a in zip(before, half)], rtol=1e-12)


# -- errors


@pytest.mark.parametrize("make", BRANCHING)
def test_errors_tell_in_which_module_they_came_up(make: Any) -> None:
    m = make().add(nn.Identity()).add(nn.Sequential().add(Failing(KeyError("a user's mistake"))))
    with pytest.raises(KeyError, match="a user's mistake") as caught:
        m.forward(given_to(m, numbers(2, 2)))
    notes = caught.value.__notes__
    assert notes[0].startswith("In module 1 of nn.Sequential: ")
    assert notes[1].startswith(f"In module 2 of {torch7.typename(m)}: nn.Sequential {{")


@pytest.mark.parametrize("make", BRANCHING)
def test_errors_in_backward_tell_it_too(make: Any) -> None:
    m, x = make().add(nn.Identity()).add(nn.Linear(3, 3)), numbers(2, 3)
    m.forward(given_to(m, x))
    m.get(2).weight = numbers(4, 4)
    g = numbers(2, 6) if isinstance(m, nn.Concat) else [x, x]
    for method in (m.backward, m.updateGradInput):
        with pytest.raises(ValueError, match=r"nn\.Linear") as caught:
            method(given_to(m, x), g)
        assert caught.value.__notes__[0].startswith("In module 2 of nn.")


X = np.zeros((2, 3))


@pytest.mark.parametrize("make", [lambda: nn.Concat(2), lambda: nn.Parallel(2, 2)])
def test_backward_comes_after_forward(make: Any) -> None:
    m = make().add(nn.Linear(3, 3)).add(nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"nn.(Concat|Parallel): expected a gradient for outputs \[\(0,\), \(0,\)\]"):
        m.backward(numbers(2, 2, 3) if isinstance(m, nn.Parallel) else numbers(2, 3), numbers(2, 5))


def test_what_accGradParameters_returns_is_no_gradient() -> None:
    class Returning(nn.Linear):
        def accGradParameters(self, *args: Any) -> Any:
            super().accGradParameters(*args)
            return self.gradWeight

    m, x, g = nn.Sequential().add(nn.Linear(3, 4)).add(Returning(4, 2)), numbers(2, 3), numbers(2, 2)
    m.zeroGradParameters()
    m.forward(x)
    m.updateGradInput(x, g)
    m.accGradParameters(x, g)
    assert_same(m.get(1).gradWeight, (g @ m.get(2).weight).T @ x, rtol=1e-12)


@pytest.mark.parametrize(
    ("m", "x", "g", "error", "text"),
    [
        (nn.ParallelTable(), X, None, TypeError, "nn.ParallelTable: expected a table as input"),
        (nn.ParallelTable(), [X], None, ValueError, "nn.ParallelTable: expected a table of 2 as input, got 1"),
        (nn.ParallelTable(), [X, X], [X], ValueError, "nn.ParallelTable: expected a table of 2 as gradient, got 1"),
        (nn.ConcatTable(), X, [X], ValueError, "nn.ConcatTable: expected a table of 2 as gradient, got 1"),
        (nn.ConcatTable(), X, X, TypeError, "nn.ConcatTable: expected a table as gradient"),
        (nn.Concat(3), X, None, IndexError, "nn.Concat: dimension 3 out of range of 2D tensor"),
        (nn.Concat(1), [X, X], None, TypeError, "nn.Concat: expected a tensor, got a table of 2"),
        (nn.Concat(2), X, X, ValueError, r"nn.Concat: expected size 6 in dimension 2, got shape \(2, 3\)"),
        (nn.Concat(2), X, [X], TypeError, "nn.Concat: expected a tensor, got a table of 1"),
    ],
    ids=lambda v: str(v) if isinstance(v, str) else "",
)
def test_what_does_not_fit_is_refused(m: Any, x: Any, g: Any, error: Any, text: str) -> None:
    m = m.clone().add(nn.Identity()).add(nn.Identity())
    if g is None:
        with pytest.raises(error, match=text):
            m.forward(x)
    else:
        m.forward(x)
        with pytest.raises(error, match=text):
            m.backward(x, g)


def test_outputs_of_other_sizes_are_not_joined() -> None:
    m = nn.Concat(1).add(nn.Linear(3, 2)).add(nn.Tanh())
    with pytest.raises(ValueError, match=r"nn.Concat: expected equal sizes except in dimension 1, got \(2, 2\), \(2,"):
        m.forward(X)


class FirstOnly(nn.Module):
    """Takes a table, and has a gradient for its first entry alone."""

    def updateOutput(self, input: Any) -> Any:
        self.output = input[0]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = self.answer
        return self.gradInput


@pytest.mark.parametrize(("answer", "got"), [([X], "a table of 1"), (X, r"a torch.DoubleTensor of shape \(2, 3\)")])
def test_gradients_of_a_table_have_its_length(answer: Any, got: str) -> None:
    part = FirstOnly()
    part.answer = answer
    m = nn.ConcatTable().add(part)
    m.forward([X, X])
    with pytest.raises(ValueError, match=f"nn.ConcatTable: expected a table of 2 as a gradient, got {got}"):
        m.backward([X, X], [X])


# -- text and rows


def test_text_of_an_empty_container() -> None:
    assert str(nn.Concat(1)) == "nn.Concat {\n  input\n     ... -> output\n}"


def test_rows_stay_apart_when_they_do_in_every_module() -> None:
    for m in (nn.ConcatTable(), nn.ParallelTable(), nn.Concat(2)):
        assert m.add(nn.Linear(2, 2)).ROWWISE
        assert not m.add(nn.Select(1, 1)).ROWWISE
    assert not nn.Concat(1).add(nn.Tanh()).ROWWISE
    assert not nn.Concat(-1).add(nn.Tanh()).ROWWISE

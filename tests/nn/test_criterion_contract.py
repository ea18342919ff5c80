"""What every criterion promises, tried on one case per class and form of input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from tests.nn.cases import CRITERIONS
from tests.support.contract import (
    EXACT,
    SEEDS,
    Case,
    assert_derivative,
    copies,
    input_of,
    made,
    over,
    single,
    sizes,
    some,
    strided,
    target_of,
    without,
)
from tests.support.nested import assert_same, copied, leaves, mapped

every_criterion = over(*CRITERIONS)


@over(*(case for case in CRITERIONS if case.derivative))
@some
@given(data=st.data(), seed=SEEDS)
def test_criterion_gives_its_derivative(case: Case, data: st.DataObject, seed: int) -> None:
    chosen = data.draw(sizes(case))
    c, x, target = made(case), input_of(case, chosen, seed), target_of(case, chosen, seed ^ 1)
    c.forward(x, target)
    found = copied(c.backward(x, target))
    for a, gradient in zip(leaves(x), leaves(found), strict=True):
        assert_derivative(lambda: float(c.forward(x, target)), a, gradient, seed)


@every_criterion
def test_criterion_keeps_what_it_is_given(case: Case) -> None:
    c, x, target = made(case), input_of(case), target_of(case)
    before = copied([x, target])
    loss = c.forward(x, target)
    assert type(loss) in (int, float)
    assert c.output == loss
    first = leaves(c.backward(x, target))
    assert_same([x, target], before)
    c.forward(x, target)
    assert all(np.shares_memory(a, b) for a, b in zip(first, leaves(c.backward(x, target)), strict=True))


@every_criterion
def test_criterion_copies_compute_the_same(case: Case) -> None:
    c, x, target = made(case), input_of(case), target_of(case)
    loss, gradient = c.forward(x, target), copied(c.backward(x, target))
    for other in copies(c):
        assert [name for name in vars(c) if not hasattr(other, name)] == []  # a file leaves out what is None
        assert other.forward(x, target) == loss
        assert_same(other.backward(x, target), gradient)
        assert not any(np.shares_memory(a, b) for a in leaves(other.gradInput) for b in leaves(c.gradInput))
    data = torch7.serialize(c)
    assert torch7.serialize(torch7.deserialize(data)) == data


@over(*(case for case in CRITERIONS if case.old))
def test_criterion_of_a_file_with_fewer_fields_means_the_same(case: Case) -> None:
    c, x, target = made(case), input_of(case), target_of(case)
    loss, gradient = c.forward(x, target), copied(c.backward(x, target))
    for old in (without(c, *case.old), *(without(c, name) for name in case.old)):
        assert old.forward(x, target) == loss
        assert_same(old.backward(x, target), gradient)


@every_criterion
def test_criterion_does_not_depend_on_the_layout(case: Case) -> None:
    c, x, target = made(case), input_of(case), target_of(case)
    loss, gradient = c.forward(x, target), copied(c.backward(x, target))
    for layout in (strided, np.asfortranarray):
        laid = mapped(layout, x), mapped(layout, target)
        assert c.forward(*laid) == pytest.approx(loss, rel=1e-12)
        assert_same(copied(c.backward(*laid)), gradient, **EXACT)


@every_criterion
def test_criterion_float_keeps_single_precision(case: Case) -> None:
    c, x, target = made(case), input_of(case), target_of(case)
    loss, gradient = c.forward(x, target), copied(c.backward(x, target))
    assert c.float() is c
    assert c.forward(single(x), single(target)) == pytest.approx(loss, rel=1e-4)
    assert_same(c.backward(single(x), single(target)), single(gradient), rtol=1e-4, atol=1e-5)


@over(*(case for case in CRITERIONS if not case.anytype))
def test_criterion_refuses_input_of_another_type(case: Case) -> None:
    with pytest.raises(TypeError) as error:
        made(case).forward(single(input_of(case)), single(target_of(case)))
    assert "torch.DoubleTensor" in str(error.value)
    assert "torch.FloatTensor" in str(error.value)
    assert "nn." in str(error.value)

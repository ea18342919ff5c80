"""What every module and every criterion promises, tried on one case per class and form of input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from tests.nn.cases import CRITERIONS, MODULES
from tests.support.contract import (
    EXACT,
    SEEDS,
    Case,
    assert_derivative,
    backward,
    copies,
    floating,
    forward,
    gradients,
    input_of,
    like,
    made,
    output,
    over,
    shape_of,
    single,
    sizes,
    some,
    specs,
    strided,
    without,
)
from tests.support.nested import assert_same, copied, leaves, mapped

ABSTRACT = {"Module", "Container", "Criterion"}
every_module = over(*MODULES)


def test_every_class_has_a_case() -> None:
    classes = [cls for cls in vars(nn).values() if isinstance(cls, type) and issubclass(cls, (nn.Module, nn.Criterion))]
    own = {cls.__name__ for cls in classes if cls.__module__.startswith("nn.")}  # importing pygraphnn adds some
    assert own - ABSTRACT == {case.name for case in MODULES + CRITERIONS}


def test_every_class_explains_itself_with_an_example() -> None:
    classes = [cls for cls in vars(nn).values() if isinstance(cls, type) and cls.__module__.startswith("nn.")]
    assert [cls.__name__ for cls in classes if ">>>" not in (cls.__doc__ or "")] == sorted(ABSTRACT)


@over(*MODULES, *CRITERIONS)
def test_case_makes_what_it_says(case: Case) -> None:
    assert type(made(case)) is getattr(nn, case.name)


# -- modules: derivatives


@over(*(case for case in MODULES if case.derivative))
@some
@given(data=st.data(), seed=SEEDS)
def test_backward_gives_the_derivative(case: Case, data: st.DataObject, seed: int) -> None:
    x = input_of(case, data.draw(sizes(case)), seed)
    m = made(case)
    g = like(output(m, x), seed)

    def loss() -> float:
        return sum(float(np.vdot(a, b)) for a, b in zip(leaves(output(m, x)), leaves(g)))

    m.zeroGradParameters()
    gradInput = backward(m, x, g)
    weights, grads = m.parameters()
    grads = copied(grads)
    if floating(x):
        for a, found in zip(leaves(x), leaves(gradInput), strict=True):
            if a.dtype.kind == "f":
                assert_derivative(loss, a, found, seed)
    for w, found in zip(weights, grads, strict=True):
        assert_derivative(loss, w, found, seed)


@over(*(case for case in MODULES if case.additive))
def test_gradients_of_parameters_add_up(case: Case) -> None:
    m, x = made(case), input_of(case)
    g = like(output(m, x))
    once = gradients(m, x, g)
    assert_same(gradients(m, x, g, 1, 1), [2 * a for a in once], **EXACT)
    assert_same(gradients(m, x, g, 0.5, 1), [1.5 * a for a in once], **EXACT)
    m.zeroGradParameters()
    assert not any(a.any() for a in m.parameters()[1])


@every_module
def test_backward_is_both_of_its_halves(case: Case) -> None:
    m, other, x = made(case), made(case), input_of(case)
    g = like(output(m, x))
    m.zeroGradParameters()
    other.zeroGradParameters()
    want = backward(m, x, g)
    x = copied(x)
    forward(other, x)
    g = copied(g)
    assert_same(copied(other.updateGradInput(x, g)), want, **EXACT)
    if not case.inplace:  # the gradient is gone then
        other.accGradParameters(x, g)
        assert_same(other.parameters()[1], m.parameters()[1], **EXACT)


# -- modules: memory


@every_module
def test_buffers_are_used_again(case: Case) -> None:
    m = made(case)
    x, x2 = input_of(case), input_of(case, seed=5)
    y = forward(m, x)
    g, g2 = like(y), like(y, 4)
    first = [*leaves(y), *leaves(m.backward(x, g))]
    if case.view or case.inplace:
        assert all(any(np.shares_memory(a, b) for b in leaves(x)) for a in leaves(y))
        return
    y2 = forward(m, x2)
    again = [*leaves(y2), *leaves(m.backward(x2, g2))]
    theirs = [*leaves([x, x2, g, g2])]
    for a, b in zip(first, again, strict=True):
        alias = any(np.shares_memory(a, c) for c in theirs)  # a gradient may be handed on as it is
        assert alias or a.size == 0 or np.shares_memory(a, b)
    assert not any(np.shares_memory(a, b) for a in leaves(y) for b in theirs)


@over(*(case for case in MODULES if not case.inplace))
def test_input_and_gradient_stay_as_they_are(case: Case) -> None:
    m, x = made(case), input_of(case)
    before = copied(x)
    y = forward(m, x)
    g = like(y)
    given = copied(g)
    m.backward(x, g)
    assert_same(x, before)
    assert_same(g, given)


@every_module
def test_numbers_do_not_depend_on_the_layout(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    g = like(y)
    want, params = backward(m, x, g), gradients(m, x, g)
    for layout in (strided, np.asfortranarray):
        laid = mapped(layout, copied(x))
        assert_same(copied(forward(m, laid)), y, **EXACT)
        m.zeroGradParameters()
        assert_same(copied(m.backward(laid, mapped(layout, copied(g)))), want, **EXACT)
        assert_same(m.parameters()[1], params, **EXACT)


@every_module
def test_clearState_empties_and_forward_fills(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    backward(m, x, like(y))
    assert m.clearState() is m
    for module in m.listModules():
        assert all(a.size == 0 for a in leaves([module.output, module.gradInput]))
    assert_same(output(m, x), y)


@every_module
@some
@given(data=st.data(), seed=SEEDS)
def test_sizes_may_change_between_calls(case: Case, data: st.DataObject, seed: int) -> None:
    used, x = made(case), input_of(case)
    backward(used, x, like(output(used, x)))
    fresh, x = made(case), input_of(case, data.draw(sizes(case)), seed)
    y = output(fresh, x)
    assert_same(output(used, x), y)
    assert_same(backward(used, x, like(y)), backward(fresh, x, like(y)))
    assert_same(gradients(used, x, like(y)), gradients(fresh, x, like(y)))


# -- modules: copies


@every_module
def test_copies_compute_the_same(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    g = like(y)
    want, params = backward(m, x, g), gradients(m, x, g)
    for other in copies(m):
        assert type(other) is type(m)
        assert str(other) == str(m)
        for mine, theirs in zip(m.listModules(), other.listModules(), strict=True):
            assert [name for name in vars(mine) if not hasattr(theirs, name)] == []  # a file leaves out what is None
        assert_same(output(other, x), y)
        assert_same(backward(other, x, g), want)
        assert_same(gradients(other, x, g), params)


@every_module
def test_copies_are_independent(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    backward(m, x, like(y))
    mine = [a for module in m.listModules() for a in leaves(vars(module))]
    for other in copies(m):
        theirs = [a for module in other.listModules() for a in leaves(vars(module))]
        assert not any(np.shares_memory(a, b) for a in mine for b in theirs)
        for w in other.parameters()[0]:
            w.fill(0.25)
        assert_same(output(m, x), y)


@every_module
def test_copies_keep_what_is_shared_inside(case: Case) -> None:
    m = made(case)
    m.getParameters()
    for other in copies(m):
        for arrays in other.parameters():
            assert len({id(torch7.memory.owner(a)) for a in arrays}) == min(1, len(arrays))


@every_module
def test_clone_shares_what_is_named(case: Case) -> None:
    m, x = made(case), input_of(case)
    names = {name for _, *pair in m.slots() for name in pair}
    other = m.clone(*names)
    for mine, theirs in zip(m.parameters(), other.parameters(), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert a is not b
            assert (a.shape, a.strides, a.ctypes.data) == (b.shape, b.strides, b.ctypes.data)
    y = forward(m, copied(x))
    y2 = forward(other, copied(x))
    assert_same(y2, y)
    assert not any(np.shares_memory(a, b) for a in leaves(y) for b in leaves(y2))


@every_module
def test_saved_twice_is_the_same_bytes(case: Case) -> None:
    m, x = made(case), input_of(case)
    for _ in range(2):
        data = torch7.serialize(m)
        assert torch7.serialize(torch7.deserialize(data)) == data
        backward(m, x, like(output(m, x)))


@over(*(case for case in MODULES if case.old))
def test_files_with_fewer_fields_mean_the_same(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    want, params = backward(m, x, like(y)), gradients(m, x, like(y))
    for old in (without(m, *case.old), *(without(m, name) for name in case.old)):
        assert_same(output(old, x), y)
        assert_same(backward(old, x, like(y)), want)
        assert_same(gradients(old, x, like(y)), params)


# -- modules: types and modes


@over(*(case for case in MODULES if not case.keepstype))
def test_float_keeps_single_precision(case: Case) -> None:
    m, x = made(case), input_of(case)
    y = output(m, x)
    g = like(y)
    want = backward(m, x, g)
    assert m.float() is m
    assert m.type() == "torch.FloatTensor"
    x, g = single(x), single(g)
    assert_same(output(m, x), single(y), rtol=1e-4, atol=1e-5)
    assert_same(backward(m, x, g), single(want), rtol=1e-4, atol=1e-4)
    for module in m.listModules():
        wrong = [k for k, v in vars(module).items() for a in leaves(v) if a.dtype == np.float64]
        assert wrong == []
    assert_same(output(m.double(), input_of(case)), y, rtol=1e-5, atol=1e-6)


@over(*(case for case in MODULES if not case.anytype and any(isinstance(s, tuple) for s in specs(case.input))))
def test_input_of_another_type_is_refused(case: Case) -> None:
    with pytest.raises(TypeError) as error:
        forward(made(case), single(input_of(case)))
    assert "torch.DoubleTensor" in str(error.value)
    assert "torch.FloatTensor" in str(error.value)
    assert "nn." in str(error.value)


@every_module
def test_modes_reach_every_module(case: Case) -> None:
    m, x = made(case), input_of(case)
    for switch, train in ((m.evaluate, False), (m.training, True)):
        switch()
        assert all(module.train is train for module in m.listModules())
        y = output(m, x)
        assert leaves(y) or isinstance(y, float)  # the loss of a criterion


# -- modules: rows


def batch(case: Case) -> bool:
    return all(shape_of(spec)[0] == "N" for spec in specs(case.input))


@over(*(case for case in MODULES if batch(case) and made(case).ROWWISE))
@some
@given(data=st.data(), seed=SEEDS)
def test_rows_depend_on_their_own_rows(case: Case, data: st.DataObject, seed: int) -> None:
    chosen = data.draw(sizes(case)) | {"N": 5}
    m, x = made(case), input_of(case, chosen, seed)
    y = output(m, x)
    assert all(len(a) == 5 for a in leaves(y))
    assert_same(output(m, mapped(lambda a: a[:3], x)), mapped(lambda a: a[:3], y), **EXACT)
    if case.random:  # the rows have their own random numbers
        m.evaluate()
        y = output(m, x)
    order = np.random.default_rng(seed).permutation(5)
    assert_same(output(m, mapped(lambda a: a[order], x)), mapped(lambda a: a[order], y), **EXACT)
    assert_same(output(m, mapped(lambda a: a[2:], x)), mapped(lambda a: a[2:], y), **EXACT)


# -- modules: walking, parameters, text


@every_module
def test_walks_meet_the_same_modules(case: Case) -> None:
    m = made(case)
    listed, visited = m.listModules(), []
    m.apply(visited.append)
    assert list(map(id, visited)) == list(map(id, listed))
    assert listed[0] is m
    for name in {torch7.typename(module) for module in listed}:
        found, containers = m.findModules(name)
        assert list(map(id, found)) == [id(module) for module in listed if torch7.typename(module) == name]
        for module, container in zip(found, containers, strict=True):
            assert module is container is m or any(module is child for child in container.modules)
    assert m.replace(lambda module: module) is m


@every_module
def test_flat_parameters_are_the_parameters(case: Case) -> None:
    m, other, x = made(case), made(case), input_of(case)
    before = copied(m.parameters()[0])
    params, grads = m.getParameters()
    assert_same(m.parameters()[0], before)
    assert params.shape == grads.shape == (sum(w.size for w in before),)
    assert params.tolist() == [v for w in before for v in w.ravel().tolist()]
    assert not before or all(np.shares_memory(w, params) for w in m.parameters()[0])
    assert not before or all(np.shares_memory(g, grads) for g in m.parameters()[1])
    params *= 0.5
    for w in other.parameters()[0]:
        w *= 0.5
    assert_same(output(m, x), output(other, x))
    grads.fill(3)
    assert all((g == 3).all() for g in m.parameters()[1])


@over(*(case for case in MODULES if case.additive and not case.inplace))
def test_updates_go_against_the_gradient(case: Case) -> None:
    m, x = made(case), input_of(case)
    before = copied(m.parameters()[0])
    g = like(output(m, x))
    wanted = backward(m, x, g)
    grads = gradients(m, x, g)
    m.updateParameters(0.5)
    want = [w - 0.5 * grad for w, grad in zip(before, grads)]
    assert_same(m.parameters()[0], want, **EXACT)
    other = made(case)
    other.zeroGradParameters()
    forward(other, x)
    assert_same(copied(other.backwardUpdate(x, g, 0.5)), wanted, **EXACT)
    assert_same(other.parameters()[0], want, **EXACT)


@over(*MODULES, *CRITERIONS)
def test_text_names_the_class(case: Case) -> None:
    m = made(case)
    chain = ("nn.Sequential {",) if isinstance(m, nn.Sequential) else ()  # Torch's text of a chain of another name
    assert str(m).startswith((torch7.typename(m), type(m).__name__, *chain))
    assert repr(m) == str(m)

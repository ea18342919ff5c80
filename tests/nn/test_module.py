"""The contract of nn.Module itself: parameters, users' classes, types, walks."""

from __future__ import annotations

import copy
import pickle
import types
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.modules import Affine, Custom, Extending, Overriding, net, saved
from torch7 import memory

# -- parameters


def test_slots_come_depth_first() -> None:
    m = net()
    first, last = m.get(1), m.get(3).get(1)
    want = [(id(x), *pair) for x in (first, last) for pair in (("weight", "gradWeight"), ("bias", "gradBias"))]
    assert [(id(owner), name, grad) for owner, name, grad in m.slots()] == want
    assert [id(w) for w in m.parameters()[0]] == [id(getattr(x, n)) for x in (first, last) for n in ("weight", "bias")]


def test_a_missing_parameter_is_none() -> None:
    m = nn.Linear(2, 2).noBias()
    assert [name for _, name, _ in m.slots()] == ["weight"]
    assert nn.Tanh().weight is None
    assert nn.Tanh().parameters() == ([], [])


@pytest.mark.parametrize("make", [Affine, lambda n: Overriding(), lambda n: Extending()])
def test_parameters_of_users_classes_become_flat(make: Any) -> None:
    m = nn.Sequential().add(make(3)).add(make(3))
    before = np.concatenate([w.ravel() for w in m.parameters()[0]])
    params, grads = m.getParameters()
    np.testing.assert_array_equal(params, before)
    params.fill(5)
    grads.fill(6)
    assert all((w == 5).all() for w in m.parameters()[0])
    assert all((g == 6).all() for g in m.parameters()[1])
    assert all(np.shares_memory(w, params) for w in m.parameters()[0])
    m.zeroGradParameters()
    assert not grads.any()
    other = m.clone("a", "b", "W", "weight", "bias", "extra")
    params.fill(8)
    assert all((w == 8).all() for w in other.parameters()[0])


def test_flatten_puts_views_into_the_list() -> None:
    whole = np.arange(6.0)
    tensors = [whole[:2], whole[1:4].reshape(1, 3), np.ones((2, 1))]
    vector = nn.Module.flatten(tensors)
    assert vector.tolist() == [0, 1, 2, 3, 1, 1]  # what no tensor uses is left out
    assert [t.shape for t in tensors] == [(2,), (1, 3), (2, 1)]
    vector[:] = np.arange(10, 16)
    assert [t.ravel().tolist() for t in tensors] == [[10, 11], [11, 12, 13], [14, 15]]
    assert nn.Module.flatten([]).shape == nn.Module.flatten(None).shape == (0,)
    m = nn.Linear(2, 2)
    nn.Module.flatten(m.parameters()[0]).fill(7)
    assert not (m.weight == 7).any()


def test_parameters_replaced_on_an_object_are_honoured() -> None:
    m = nn.Linear(3, 2)
    m.parameters = types.MethodType(lambda self: ([self.weight], [self.gradWeight]), m)  # type: ignore[method-assign]
    assert m.getParameters()[0].shape == (6,)
    c = nn.Sequential().add(nn.Linear(3, 2))
    c.parameters = lambda: ([c.get(1).bias], [c.get(1).gradBias])  # type: ignore[method-assign]
    assert c.getParameters()[0].shape == (2,)
    assert nn.Sequential().add(c).getParameters()[0].shape == (2,)


def test_overridden_slots_are_the_parameters() -> None:
    class OnlyWeight(nn.Linear):
        def slots(self) -> Any:
            yield self, "weight", "gradWeight"

    m = OnlyWeight(3, 2)
    assert [w.shape for w in m.parameters()[0]] == [(2, 3)]
    assert nn.Sequential().add(m).getParameters()[0].shape == (6,)


def test_parameters_that_no_field_holds_cannot_be_flattened() -> None:
    class Making(nn.Module):
        def parameters(self) -> Any:
            return [np.zeros(2)], [np.zeros(2)]

    with pytest.raises(ValueError, match=r"Making: parameters\(\) gives an array that no field of a module holds"):
        Making().getParameters()


def test_shared_memory_is_there_once_in_the_flat_vector() -> None:
    l1 = nn.Linear(2, 2)
    l2 = l1.clone("weight", "bias", "gradWeight", "gradBias")
    m = nn.Sequential().add(l1).add(l2).add(l1)
    params, grads = m.getParameters()
    assert params.shape == grads.shape == (6,)
    params += 1
    np.testing.assert_array_equal(l1.weight, l2.weight)
    assert np.shares_memory(l1.gradBias, l2.gradBias)


def test_holes_between_parameters_are_left_out() -> None:
    room, grad_room = np.arange(20.0), memory.zeros((20,))
    m = nn.Linear(2, 2)
    m.weight, m.gradWeight = room[3:7].reshape(2, 2), grad_room[3:7].reshape(2, 2)
    m.bias, m.gradBias = room[12:14], grad_room[12:14]
    params, _ = m.getParameters()
    assert params.tolist() == [3, 4, 5, 6, 12, 13]
    assert (m.weight.tolist(), m.bias.tolist()) == ([[3, 4], [5, 6]], [12, 13])


def test_a_transposed_weight_stays_transposed() -> None:
    m = nn.Linear(2, 3, False)
    m.weight, m.gradWeight = np.arange(6.0).reshape(2, 3).T, memory.zeros((2, 3)).T
    params, _ = m.getParameters()
    assert params.tolist() == [0, 1, 2, 3, 4, 5]
    assert m.weight.tolist() == [[0, 3], [1, 4], [2, 5]]
    params[1] = 9
    assert m.weight[1, 0] == 9


def test_parameters_with_holes_inside_are_refused() -> None:
    m = nn.Linear(2, 2, False)
    m.weight, m.gradWeight = memory.zeros((2, 4))[:, ::2], memory.zeros((2, 4))[:, ::2]
    with pytest.raises(ValueError, match="cannot gather parameters that have holes"):
        m.getParameters()


def test_gradients_elsewhere_than_parameters_are_refused() -> None:
    l1 = nn.Linear(2, 2)
    m = nn.Sequential().add(l1).add(l1.clone("weight", "bias"))
    with pytest.raises(ValueError, match="6 parameters but 12 gradients"):
        m.getParameters()
    room = memory.zeros((6,))
    swapped = nn.Linear(2, 2)
    swapped.gradBias, swapped.gradWeight = room[:2], room[2:].reshape(2, 2)
    with pytest.raises(ValueError, match="or at different places"):
        swapped.getParameters()


def test_parameters_of_two_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"parameters of one type expected, got \['float32', 'float64'\]"):
        nn.Sequential().add(nn.Linear(2, 2)).add(nn.Linear(2, 2).float()).getParameters()


def test_no_parameters_are_two_empty_vectors() -> None:
    params, grads = nn.Sequential().add(nn.Tanh()).getParameters()
    assert params.shape == grads.shape == (0,)


def test_updates_of_shared_modules_take_the_gradient_first() -> None:
    a, x, g = Affine(2), np.array([1.0, 2.0]), np.array([1.0, 1.0])
    other = a.clone("a", "b", "gradA", "gradB")
    before = a.a.copy()
    a.forward(x)
    a.backwardUpdate(x, g, 0.5)
    np.testing.assert_allclose(a.a, before - 0.5 * x)
    assert np.shares_memory(a.a, other.a)
    assert a.gradA.tolist() == [1, 2]  # what defaultAccUpdateGradParameters leaves alone


def test_update_leaves_no_fields_behind() -> None:
    m, x = nn.Tanh(), np.zeros(3)
    m.forward(x)
    m.backwardUpdate(x, x, 0.5)
    assert not {"weight", "gradWeight", "bias", "gradBias"} & set(vars(m))


# -- users' classes


def test_users_classes_are_registered_under_their_bare_name() -> None:
    assert torch7.typename(Affine(2)) == "Affine"
    assert torch7.registry.find("Affine") is Affine
    assert torch7.typename(Custom()) == "Custom"
    assert torch7.typename(nn.Linear(1, 1)) == "nn.Linear"
    assert str(Affine(2)) == repr(Affine(2)) == "Affine"

    class Named(nn.Module):
        torch_name = "my.Named"
        torch_version = 2

    assert torch7.typename(Named()) == "my.Named"
    assert torch7.registry.find("my.Named") is Named
    assert Named.torch_version == 2


@pytest.mark.parametrize("duplicate", [nn.Module.clone, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), saved])
def test_users_classes_are_copied(duplicate: Any) -> None:
    m = nn.Sequential().add(Affine(3)).add(Affine(3))
    x = np.array([1.0, -2.0, 3.0])
    other = duplicate(m)
    assert type(other.get(1)) is Affine
    assert other.get(1).options == m.get(1).options
    np.testing.assert_array_equal(other.forward(x), m.forward(x))
    assert not np.shares_memory(other.get(1).a, m.get(1).a)


def test_clearState_empties_declared_buffers_of_all_classes() -> None:
    class Child(Affine):
        BUFFERS = ("list", "other")

    m = Child(3)
    m.list, m.other = [np.zeros(2)], 5  # type: ignore[attr-defined]
    m.forward(np.zeros(3))
    assert m.clearState() is m
    assert [m.output.shape, m.gradInput.shape, m.work.shape] == [(0,)] * 3
    assert (m.list, m.other) == ([], None)  # type: ignore[attr-defined]
    assert m.a.shape == (3,)


def test_replaced_methods_are_honoured() -> None:
    m, x = net(), np.ones(4)
    seen = []
    original = m.get(2).updateOutput
    m.get(2).updateOutput = lambda input: seen.append("tanh") or original(input)
    m.forward(x)
    assert seen == ["tanh"]
    m.get(1).accGradParameters = lambda *args: seen.append("acc")
    m.backward(x, np.ones(2))
    assert seen == ["tanh", "acc"]
    m.get(1).zeroGradParameters = lambda: seen.append("zero")
    m.zeroGradParameters()
    assert seen[-1] == "zero"


def test_methods_of_the_base_class_do_nothing() -> None:
    m, x = nn.Module(), np.ones(2)
    assert m.updateOutput(x) is m.output
    assert m.updateGradInput(x, x) is m.gradInput
    assert m.accGradParameters(x, x) is None
    assert nn.Criterion().forward(x, x) is None
    assert nn.Criterion().backward(x, x) is None


# -- types


def test_no_scale_is_a_scale_of_1() -> None:
    m, x = nn.Sequential().add(nn.ConcatTable().add(nn.Linear(3, 2))), np.ones((2, 3))
    m.zeroGradParameters()
    m.forward(x)
    m.backward(x, [np.ones((2, 2))], None)  # type: ignore[arg-type]
    assert (m.get(1).get(1).gradWeight == 2).all()


def test_type_tells_and_sets() -> None:
    m = net()
    assert m.type() == "torch.DoubleTensor"
    assert m.type("torch.FloatTensor") is m
    assert {x.type() for x in m.listModules()} == {"torch.FloatTensor"}
    assert {w.dtype for w in m.parameters()[0]} == {np.dtype(np.float32)}
    assert m.cuda().type() == "torch.FloatTensor"
    assert m.double().type() == "torch.DoubleTensor"
    with pytest.raises(ValueError, match="unknown tensor type 'float'"):
        m.type("float")
    assert Custom().cuda().gradInput.dtype == np.float32
    assert Custom().cudaHalf().gradInput.dtype == np.float16
    assert Custom().float().cudaDouble().gradInput.dtype == np.float64
    with pytest.raises(TypeError, match="Custom: a type to convert to expected"):
        Custom().type(None)  # type: ignore[arg-type]


def test_type_keeps_sharing_inside_a_module() -> None:
    m = net()
    params, _ = m.getParameters()
    m.float()
    owners = {id(memory.owner(w)) for w in m.parameters()[0]}
    assert len(owners) == 1
    assert not np.shares_memory(m.parameters()[0][0], params)


def test_type_keeps_sharing_across_modules_with_one_cache() -> None:
    a = nn.Linear(2, 3)
    b, c = a.clone("weight"), a.clone("weight")
    cache: dict[Any, Any] = {}
    a.type("torch.FloatTensor", cache)
    b.float(cache)
    c.float()
    assert np.shares_memory(a.weight, b.weight)
    assert not np.shares_memory(a.weight, c.weight)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("whole", [np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2).T + 1])
def test_type_converts_a_storage_and_views_on_it_in_any_order(whole: np.ndarray, order: Any) -> None:
    views = [whole, whole[1], whole[:, ::2]]
    m = nn.Module()
    for i in order:
        setattr(m, f"view{i}", views[i])
    m.nested = {"same": whole, "pair": (whole, whole[0]), "list": [whole[1]]}  # type: ignore[attr-defined]
    m.float()
    for i, view in enumerate(views):
        got = getattr(m, f"view{i}")
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, view)
    assert m.nested["same"] is m.nested["pair"][0] is m.view0  # type: ignore[attr-defined]
    m.view0[1] = 9  # type: ignore[attr-defined]
    assert m.view1.tolist() == m.nested["list"][0].tolist() == [9, 9, 9]  # type: ignore[attr-defined]


def test_new_modules_have_the_default_type() -> None:
    torch7.setdefaulttensortype("torch.FloatTensor")
    try:
        m, c = nn.Linear(2, 2), Custom()
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")
    assert m.type() == "torch.FloatTensor"
    assert m.weight.dtype == m.output.dtype == c.gradInput.dtype == np.float32


@pytest.mark.parametrize("x", [np.ones(2, np.float32), np.ones(2, int), [1.0, 2.0], 3, None, "text"])
def test_input_of_another_type_is_named(x: Any) -> None:
    for call, who in ((lambda: Affine(2).forward(x), "Affine"), (lambda: Custom().forward(x, np.ones(2)), "Custom")):
        with pytest.raises(TypeError) as error:
            call()
        assert str(error.value).startswith(f"{who}: expected a torch.DoubleTensor, got ")
        assert torch7.type(x) in str(error.value)


def test_old_files_are_completed() -> None:
    m = nn.Linear(2, 2).float()
    del m.__dict__["_type"]
    m.torch_loaded(1)
    assert m.type() == "torch.FloatTensor"
    m._type = "torch.CudaDoubleTensor"
    m.torch_loaded(1)
    assert m.type() == "torch.DoubleTensor"


# -- walking


def test_replace_goes_from_the_outside_in() -> None:
    m, order = net(), []

    def sigmoid_for_tanh(module: nn.Module) -> nn.Module:
        order.append(type(module).__name__)
        return nn.Sigmoid() if isinstance(module, nn.Tanh) else module

    assert m.replace(sigmoid_for_tanh) is m
    assert order == ["Sequential", "Linear", "Tanh", "Sequential", "Linear"]
    assert isinstance(m.get(2), nn.Sigmoid)
    assert isinstance(nn.Tanh().replace(sigmoid_for_tanh), nn.Sigmoid)


def test_findModules_tells_containers() -> None:
    m = net()
    found, containers = m.findModules("nn.Linear")
    assert [id(x) for x in found] == [id(m.get(1)), id(m.get(3).get(1))]
    assert [id(x) for x in containers] == [id(m), id(m.get(3))]
    found, containers = m.findModules("nn.Sequential")
    assert [id(x) for x in containers] == [id(m), id(m)]
    assert m.findModules("nn.Module") == ([], [])


def test_apply_and_listModules_go_outer_first() -> None:
    m, seen = net(), []
    m.apply(seen.append)
    assert [id(x) for x in seen] == [id(x) for x in m.listModules()]
    assert [type(x).__name__ for x in seen] == ["Sequential", "Linear", "Tanh", "Sequential", "Linear"]

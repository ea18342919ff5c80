"""Layouts and types converted."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


def layout(x: np.ndarray, shape: str, wanted: str) -> np.ndarray:
    return x.transpose([shape.index(letter) for letter in wanted])


# -- Convert: shapes


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("bchw", "bhwc"),
        ("bchw", "chwb"),
        ("chwb", "bchw"),
        ("bhwc", "bwch"),
        ("bwc", "bcw"),
        ("bf", "fb"),
        ("bt", "tb"),
        ("bf", "bf"),
    ],
)
def test_transpositions(shape: str, wanted: str) -> None:
    m, x = nn.Convert(shape, wanted), numbers(*range(2, 2 + len(shape)))
    assert m.transposition
    out = copied(m.forward(x))
    assert_same(out, layout(x, shape, wanted))
    assert_same(m.backward(x, out + 1), x + 1)
    batch = shape.index("b")
    sample = x.take(0, batch)
    assert_same(m.forward(sample), out.take(0, wanted.index("b")))
    assert m.batchMode is False
    assert_same(m.backward(sample, m.output + 1), sample + 1)


@pytest.mark.parametrize(
    ("shape", "size", "order"),
    [
        ("bchw", (2, 3, 4, 5), (0, 1, 2, 3)),
        ("bwc", (2, 3, 4), (0, 1, 2)),
        ("chwb", (3, 4, 5, 2), (3, 1, 2, 0)),  # the batch changes places with the first
        ("cbhw", (3, 2, 4, 5), (1, 0, 2, 3)),
        ("cb", (3, 2), (1, 0)),
        ("bc", (2, 3), (0, 1)),
        ("b", (2,), (0,)),
        ("b", (1,), (0,)),
    ],
)
def test_all_to_features(shape: str, size: Any, order: Any) -> None:
    m, x = nn.Convert(shape, "bf"), numbers(*size)
    turned = x.transpose(order)
    out = copied(m.forward(x))
    assert_same(out, turned.reshape(len(turned), -1))
    assert_same(m.backward(x, out + 1), x + 1)


def test_a_sample_to_features() -> None:
    m, x = nn.Convert("chw", "f"), numbers(3, 4, 5)
    assert (m.inputShape, m.outputShape) == ("bchw", "bf")
    assert_same(m.forward(x), x.reshape(60))
    assert_same(m.backward(x, m.output + 1), x + 1)
    batch = numbers(2, 3, 4, 5)
    assert_same(m.forward(batch), batch.reshape(2, 60))
    turned = numbers(5, 4, 3).T
    assert_same(m.forward(turned), turned.reshape(60))  # Torch reads past the view here


@pytest.mark.parametrize(
    ("shape", "wanted", "size", "pick"),
    [
        ("bt", "b", (3, 2), np.s_[:, 0]),
        ("tb", "b", (2, 3), np.s_[0]),
        ("bf", "b", (3, 1), np.s_[:, 0]),
        ("fb", "b", (1, 3), np.s_[0]),
        ("b", "bt", (3,), np.s_[:, None]),
        ("b", "b", (3,), np.s_[:]),
    ],
)
def test_targets(shape: str, wanted: str, size: Any, pick: Any) -> None:
    m, x = nn.Convert(shape, wanted), numbers(*size)
    assert_same(m.forward(x), x[pick])
    g = np.zeros(size)
    g[pick] = m.output + 1
    assert_same(m.backward(x, m.output + 1), g)


def test_a_sample_of_one_number_stays_a_vector() -> None:
    m, x = nn.Convert("bf", "b"), np.array([3.0])
    assert_same(m.forward(x), x)
    assert_same(m.backward(x, x + 1), x + 1)


def test_the_same_shape_is_handed_on() -> None:
    for m in (nn.Convert(), nn.Convert("b*"), nn.Convert("b*", "b*"), nn.Convert("bchw")):
        x = numbers(2, 3, 4, 5)
        assert np.shares_memory(m.forward(x), x)
        assert_same(m.output, x)
        assert isinstance(m.converter, nn.Identity)
    m, x = nn.Convert(), numbers(3)
    assert_same(m.forward(x), x)  # "*" is any number of dimensions
    assert_same(m.backward(x, x), x)


def test_fields_of_Convert() -> None:
    m = nn.Convert("chw", "whc")
    names = ("inputShape", "outputShape", "inputBatchDim", "outputBatchDim", "nInputDim", "nOutputDim", "transposition")
    assert [getattr(m, name) for name in names] == ["bchw", "bwhc", 1, 1, 4, 4, True]
    assert "transposition" not in vars(nn.Convert("bchw", "bf"))
    assert nn.Convert("bf", "bt").transposition is False
    assert (nn.Convert().nInputDim, nn.Convert("fb", "bf").inputBatchDim) == (-1, 2)
    assert m.modules == []
    assert m.converter is None
    m.forward(numbers(2, 3, 4, 5))
    assert m.modules == [m.converter]
    assert m.get(1).permutations == [[4, 2]]
    assert str(m) == "nn.Convert"
    assert m.findAxis("h") == 3
    assert m.findAxis("c", "bhwc") == 4
    assert m.findAxis("f", None, True) is None
    assert isinstance(m.default(), nn.Identity)


class Halves(nn.Convert):
    def bh(self, input: np.ndarray) -> nn.Module:
        return nn.Narrow(2, 1, input.shape[1] // 2)


def test_a_subclass_knows_more_shapes() -> None:
    x = numbers(3, 4)
    assert_same(Halves("bf", "bh").forward(x), x[:, :2])


# -- Convert: types


def test_Convert_converts_types() -> None:
    m, x = nn.Convert("bchw", "bf"), np.arange(24).reshape(2, 3, 2, 2)
    assert_same(m.forward(x), x.reshape(2, 12).astype(float))
    assert_same(m.backward(x, m.output + 1), x + 1.0)  # the gradient has the module's type, as in Torch
    assert_same(m.forward(x[0].astype("f")), x[0].ravel().astype(float))
    other = numbers(2, 3, 2, 2)
    assert_same(m.forward(other), other.reshape(2, 12))
    m.float()
    assert_same(m.forward(other), other.reshape(2, 12).astype("f"))
    assert m.modules[0].type() == m.type() == "torch.FloatTensor"
    assert set(vars(torch7.deserialize(torch7.serialize(m)))) == set(vars(m)) - {"_converted"}


def test_Convert_drops_the_work_space_of_Torch() -> None:
    m, x = nn.Convert(), numbers(2, 3)
    m.forward(x)
    for name in ("_input", "__gradInput"):
        setattr(m, name, numbers(4))
    assert m.clearState() is m
    assert "_input" not in vars(m)
    assert "__gradInput" not in vars(m)
    assert m.output.size == 0
    assert m.converter.output.size == 0
    assert_same(m.forward(x), x)


def test_Convert_hands_on_to_the_module_that_converts() -> None:
    class Projection(nn.Convert):
        def bl(self, input: np.ndarray) -> nn.Module:
            return nn.Linear(input.shape[1], 2)

    m, x, g = Projection("bf", "bl"), numbers(3, 4), numbers(3, 2)
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, g)
    m.backward(x, g, 0.5)
    (_, bias), (gradWeight, _) = m.parameters()
    assert_same(gradWeight, 1.5 * g.T @ x, rtol=1e-13)
    want = bias - 0.1 * g.sum(0)
    m.backwardUpdate(x, g, 0.1)
    assert_same(bias, want, rtol=1e-13)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((None, "bf"), "expected the shape of the input before that of the output, 'bf'"),
        (("b*", "bf"), r"expected b\* twice or not at all, got 'b\*' and 'bf'"),
        (("bf", "*"), r"expected b\* twice or not at all, got 'bf' and '\*'"),
    ],
)
def test_shapes_that_do_not_go_together(args: Any, text: str) -> None:
    with pytest.raises(ValueError, match=rf"nn.Convert: {text}"):
        nn.Convert(*args)


@pytest.mark.parametrize(
    ("args", "x", "error", "text"),
    [
        (("bchw", "b"), numbers(2, 3, 4, 5), ValueError, "no conversion of shape 'bchw' to 'b'"),
        (("bf", "b"), numbers(2, 3), ValueError, r"expected one feature to convert to 'b', got shape \(2, 3\)"),
        (("bt", "bf"), numbers(2, 3), ValueError, "no conversion of shape 'bt' to 'bf'"),
        (("bf", "bt"), numbers(2, 3), ValueError, "no conversion of shape 'bf' to 'bt'"),
        (("bchw", "bxyz"), numbers(2, 3, 4, 5), ValueError, "no conversion of shape 'bchw' to 'bxyz'"),
        (("bff", "bfc"), numbers(2, 3, 4), ValueError, "no transposition of shape 'bff' to 'bfc'"),
        (("bchw", "default"), numbers(2, 3, 4, 5), ValueError, "no conversion of shape 'bchw' to 'bdefault'"),
        (("bchw", "double"), numbers(2, 3, 4, 5), ValueError, "no conversion of shape 'bchw' to 'double'"),
        (("chwb", "bf"), numbers(2), IndexError, "dimension 4 out of range of 2D tensor"),
        (("bf", "fb"), [numbers(2, 3)], TypeError, "expected a tensor, got a table of 1"),
    ],
)
def test_input_that_cannot_be_converted(args: Any, x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=rf"nn.Convert: {text}"):
        nn.Convert(*args).forward(x)


def test_errors_of_Convert_tell_where() -> None:
    m = nn.Convert("bchw", "bf")
    m.forward(numbers(2, 3, 2, 2))
    with pytest.raises(ValueError, match=r"nn.Reshape") as error:
        m.forward(numbers(2, 3, 2, 3))  # another size than the first
    assert error.value.__notes__ == ["In module 1 of nn.Convert: nn.Reshape(12)"]
    with pytest.raises(ValueError, match=r"nn.Convert: expected a gradient of shape \(2, 12\), got shape \(2, 11\)"):
        m.backward(m.forward(numbers(2, 3, 2, 2)).reshape(2, 3, 2, 2), numbers(2, 11))
    with pytest.raises(ValueError, match=r"nn.Convert: shape 'bchw' has no axis 'f'"):
        m.findAxis("f")


def test_rows_of_Convert() -> None:
    assert nn.Convert().ROWWISE
    assert nn.Convert("bchw", "bf").ROWWISE
    assert not nn.Convert("bf", "fb").ROWWISE
    assert not nn.Convert("chwb", "bf").ROWWISE


# -- Copy


def test_Copy_hands_on_what_has_its_type() -> None:
    m, x = nn.Copy(), numbers(2, 3)
    assert m.forward(x) is m.output is x
    assert m.backward(x, x) is m.gradInput is x
    with pytest.raises(TypeError, match=r"nn.Copy: expected a torch.DoubleTensor, got a torch.FloatTensor"):
        m.forward(x.astype("f"))
    with pytest.raises(TypeError, match=r"nn.Copy: expected a tensor, got a table of 1"):
        m.forward([x])


def test_Copy_copies_when_it_is_told_to() -> None:
    m, x = nn.Copy("torch.DoubleTensor", "torch.DoubleTensor", True), numbers(2, 3)
    out = m.forward(x)
    assert_same(out, x)
    assert not np.shares_memory(out, x)
    assert m.forward(x) is out
    assert not np.shares_memory(m.backward(x, x), x)
    assert_same(m.forward(np.array([1, 2])), np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("intype", "outtype"), [("Double", "Float"), ("Float", "Double"), ("Double", "Long"), ("Byte", "Double")]
)
def test_Copy_converts(intype: str, outtype: str) -> None:
    m = nn.Copy(f"torch.{intype}Tensor", f"torch.{outtype}Tensor")
    there, back = (torch7.dtype_of(f"torch.{name}Tensor") for name in (outtype, intype))
    x = np.array([[1.0, 2.0], [3.5, 4.0]]).astype(back)
    out = m.forward(x)
    assert_same(out, x.astype(there))
    assert m.forward(x) is out
    assert_same(m.backward(x, out), out.astype(back))


def test_Copy_to_integers_of_what_is_none() -> None:
    out = nn.Copy("torch.DoubleTensor", "torch.LongTensor").forward(np.array([np.nan, 2.0]))
    assert out[1] == 2


def test_types_of_Copy() -> None:
    m = nn.Copy("torch.DoubleTensor", "torch.FloatTensor")
    assert m.double() is m
    assert m.forward(numbers(2)).dtype == np.float64
    assert not np.shares_memory(m.output, numbers(2))
    m = nn.Copy("torch.DoubleTensor", "torch.FloatTensor", False, True)
    assert m.dontCast is True
    assert m.double() is m
    assert m.forward(numbers(2)).dtype == np.float32
    assert m.type() == "torch.DoubleTensor"
    assert nn.Copy("torch.CudaTensor", "torch.FloatTensor")._alias
    with pytest.raises(ValueError, match=r"torch7: unknown tensor type 'double'"):
        nn.Copy("double")
    torch7.setdefaulttensortype("torch.FloatTensor")
    try:
        assert nn.Copy().output.dtype == np.float32
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")


def test_copies_of_Copy() -> None:
    m, x = nn.Copy(), numbers(2)
    for other in (m.clone(), copy.deepcopy(m)):
        assert other.forward(x) is x
    assert_same(torch7.deserialize(torch7.serialize(m)).forward(x), x)


def test_Copy_of_a_file_of_Torch_hands_on() -> None:
    functions = {name: torch7.LuaFunction(name.encode()) for name in ("updateOutput", "updateGradInput")}
    fields = {"_type": "torch.DoubleTensor", "output": np.zeros(0), "gradInput": np.zeros(0), **functions}
    m = torch7.deserialize(torch7.serialize(torch7.TorchObject("nn.Copy", 1, **fields)))
    assert type(m) is nn.Copy
    x = numbers(2)
    assert m.forward(x) is x
    assert m.backward(x, x) is x
    m.clearState()
    again = m.torch_fields()
    assert {name: again[name].bytecode for name in functions} == {name: name.encode() for name in functions}
    assert torch7.deserialize(torch7.serialize(m)).forward(x) is x

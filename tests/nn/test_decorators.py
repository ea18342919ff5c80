"""Modules around one other module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch7.manualSeed(1)


class Deaf(nn.Module):
    """A first layer that makes no gradient."""

    def updateOutput(self, input: Any) -> Any:
        self.output = input * 2
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = None


class Broken(nn.Module):
    """Gives NaN for anything."""

    def updateOutput(self, input: Any) -> Any:
        self.output = np.full(2, np.nan)
        return self.output


AROUND = [nn.Decorator, nn.Bottle, nn.DontCast, nn.NaN, nn.Profile, lambda m: nn.GPU(m, 1)]


# -- all of them


@pytest.mark.parametrize("around", AROUND)
def test_what_is_no_module_is_refused(around: Any) -> None:
    with pytest.raises(TypeError, match=r"nn\.\w+: add expects an nn.Module, got"):
        around(nn.MSECriterion())


@pytest.mark.parametrize("around", AROUND)
def test_it_computes_what_its_module_computes(around: Any) -> None:
    inner, x, g = nn.Linear(4, 3), numbers(2, 4), numbers(2, 3)
    m, alone = around(inner), inner.clone()
    for other in (m, alone):
        other.zeroGradParameters()
    assert_same(m.forward(x), alone.forward(x))
    assert_same(m.backward(x, g, 0.5), alone.backward(x, g, 0.5))
    assert_same(m.parameters()[1], alone.parameters()[1])
    for other in (m, alone):
        other.accUpdateGradParameters(x, g, 0.1)
        other.sharedAccUpdateGradParameters(x, g, 0.1)
    assert_same(m.parameters()[0], alone.parameters()[0])
    assert m.ROWWISE


@pytest.mark.parametrize("around", AROUND)
def test_a_module_without_gradient_stays_without(around: Any) -> None:
    m, x = around(Deaf()), numbers(2, 3)
    m.forward(x)
    assert m.backward(x, x) is None
    assert m.gradInput is None


@pytest.mark.parametrize("around", AROUND)
def test_walks_reach_the_module(around: Any) -> None:
    m, inner = around(nn.Tanh()), nn.Sigmoid()
    assert m.listModules() == [m, m.get(1)]
    assert m.findModules("nn.Tanh") == ([m.get(1)], [m])
    m.replace(lambda module: inner if isinstance(module, nn.Tanh) else module)
    x = numbers(2, 2)
    assert_same(m.forward(x), 1 / (1 + np.exp(-x)), rtol=1e-14)
    assert str(m).endswith(" @ nn.Sigmoid")


@pytest.mark.parametrize("around", AROUND)
def test_share_and_clone(around: Any) -> None:
    m = around(nn.Linear(2, 2))
    twin, other = m.clone("weight"), around(nn.Linear(2, 2))
    assert other.share(m, "weight") is other
    m.get(1).weight.fill(3)
    for shared in (twin, other):
        assert (shared.get(1).weight == 3).all()
        assert not np.shares_memory(shared.get(1).bias, m.get(1).bias)
    assert m.clone().get(1).weight is not m.get(1).weight


def test_decorate_gives_another_class_the_methods() -> None:
    class Both(nn.Sequential):
        """Derives from another container."""

    nn.Decorator.decorate(Both)
    m, x = Both().add(nn.Tanh()), numbers(3)
    assert_same(m.forward(x), np.tanh(x))
    assert_same(m.backward(x, x), x * (1 - np.tanh(x) ** 2), rtol=1e-14)
    assert str(m) == "Both @ nn.Tanh"
    assert str(nn.Sequential()).startswith("nn.Sequential {")


# -- Bottle


def test_Bottle_shows_the_sizes_that_its_module_saw() -> None:
    m = nn.Bottle(nn.Linear(4, 3))
    assert (m.nInputDim, m.nOutputDim, m.dimDelta) == (2, 2, 0)
    assert m.forward(numbers(2, 5, 4)).shape == (2, 5, 3)
    assert (m.inShape.tolist(), m.outShape.tolist()) == ([10, 4], [10, 3])
    assert m.get(1).output.shape == (10, 3)
    del m.inShape  # as in a file without it
    assert m.forward(numbers(2, 2, 4)).shape == (2, 2, 3)
    assert m.inShape.tolist() == [4, 4]


def test_Bottle_with_outputs_of_other_dimensions() -> None:
    m, x = nn.Bottle(nn.View(2, 2).setNumInputDims(1), 2, 3), numbers(2, 5, 4)
    assert (m.nOutputDim, m.dimDelta) == (3, -1)
    assert m.forward(x).shape == (2, 5, 2, 2)
    assert m.backward(x, numbers(2, 5, 2, 2)).shape == x.shape
    fewer = nn.Bottle(nn.Select(2, 1), 2, 1)
    assert fewer.forward(x).shape == (2, 5)
    assert_same(fewer.output, x[..., 0])
    gradInput = fewer.backward(x, np.ones((2, 5)))
    assert gradInput.shape == x.shape
    assert gradInput.sum() == 10


def test_nothing_said_is_the_default() -> None:
    m = nn.Bottle(nn.Linear(3, 2), None)
    assert (m.nInputDim, m.nOutputDim, m.dimDelta) == (2, 2, 0)
    assert nn.Profile(nn.Tanh(), None).print_interval == 100
    assert nn.MapTable(nn.Tanh(), None).shared is True


def test_Bottle_multiplies_rows() -> None:
    m, x = nn.Bottle(nn.View(-1, 2), 2), numbers(3, 2, 4)
    assert m.forward(x).shape == (3, 4, 2)
    assert_same(m.output, x.reshape(3, 4, 2))


def test_Bottle_on_one_dimension() -> None:
    m, x = nn.Bottle(nn.Tanh(), 1), numbers(2, 3, 4)
    assert_same(m.forward(x), np.tanh(x))
    assert m.get(1).output.shape == (24,)


def test_Bottle_steps_on_folded_input() -> None:
    m, x, g = nn.Bottle(nn.Linear(4, 3)), numbers(2, 5, 4), numbers(2, 5, 3)
    m.forward(x)
    before = m.get(1).bias.copy()
    m.backwardUpdate(x, g, 0.1)
    assert_same(m.get(1).bias, before - 0.1 * g.sum((0, 1)), rtol=1e-12)


X = numbers(2, 3, 4)


@pytest.mark.parametrize(
    ("m", "x", "error", "text"),
    [
        (nn.Bottle(nn.Linear(4, 3), 2, 3), X, ValueError, r"expected 3 dim.* nn.Linear\(4 -> 3\), got shape \(6, 3"),
        (nn.Bottle(nn.Select(1, 1), 3), numbers(2, 2, 3, 4), ValueError, r"expected 3 dim.*got shape \(3, 4\)"),
        (nn.Bottle(nn.Narrow(1, 1, 5)), X, ValueError, r".* multiple of 2 rows from nn.Narrow.* \(5, 4\)"),
        (nn.Bottle(nn.Linear(4, 3)), [X], TypeError, "expected a tensor, got a table of 1"),
    ],
)  # fmt: skip
def test_Bottle_refuses(m: Any, x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match="nn.Bottle: " + text):
        m.forward(x)


def test_Bottle_refuses_a_gradient_of_another_size() -> None:
    m = nn.Bottle(nn.Linear(4, 3))
    m.forward(X)
    with pytest.raises(ValueError, match=r"nn.Bottle: expected a .* of shape \(2, 3, 3\), got a .* \(2, 3, 4\)"):
        m.backward(X, X)


# -- DontCast


def test_DontCast_keeps_its_module_double_in_a_float_net() -> None:
    m = nn.DontCast(nn.Linear(4, 3), True)
    net = nn.Sequential().add(m).add(nn.Linear(3, 2)).float()
    assert (m.type(), m.get(1).type(), m.moduleType) == (
        "torch.FloatTensor",
        "torch.DoubleTensor",
        "torch.DoubleTensor",
    )
    x = numbers(2, 4).astype(np.float32)
    assert net.forward(x).dtype == np.float32
    assert m.get(1).output.dtype == np.float64
    assert net.backward(x, numbers(2, 2).astype(np.float32)).dtype == np.float32
    assert m.get(1).gradInput.dtype == np.float64
    first = m.output
    net.forward(x)
    assert m.output is first


def test_DontCast_casts_in_or_out_alone() -> None:
    x = numbers(2, 4)
    m = nn.DontCast(nn.Linear(4, 3).float(), True, False)
    assert m.moduleType == "torch.FloatTensor"
    y = m.forward(x)
    assert y is m.get(1).output
    assert m.backward(x, copied(y)).dtype == np.float64
    m = nn.DontCast(nn.Linear(4, 3).float(), False, True)
    y = m.forward(x.astype(np.float32))
    assert y.dtype == np.float64
    assert m.backward(x.astype(np.float32), y).dtype == np.float32


def test_DontCast_without_casts_lets_everything_through() -> None:
    m, x = nn.DontCast(nn.Linear(4, 3)), numbers(2, 4)
    assert m.float() is m
    assert (m.type(), m.castin, m.castout, m.moduleType) == ("torch.DoubleTensor", None, None, None)
    assert m.forward(x) is m.get(1).output
    with pytest.raises(TypeError, match=r"nn\.Linear: expected a torch\.DoubleTensor, got a torch\.FloatTensor"):
        m.forward(x.astype(np.float32))


def test_DontCast_casts_tables() -> None:
    inner = nn.ParallelTable().add(nn.Tanh()).add(nn.Identity())
    m = nn.DontCast(inner, True, None, "torch.DoubleTensor").float()
    x = [numbers(2).astype(np.float32), [numbers(3).astype(np.float32)]]
    y = m.forward(x)
    assert_same(y, [np.tanh(x[0].astype(float)).astype(np.float32), x[1]])
    assert inner.output[1][0].dtype == np.float64
    gradInput = m.backward(x, y)
    assert [a.dtype for a in (gradInput[0], gradInput[1][0])] == [np.float32, np.float32]
    m.clearState()
    assert m.forward(x)[0].dtype == np.float32


def test_DontCast_takes_whole_numbers_in() -> None:
    m = nn.DontCast(nn.Tanh(), True)
    assert_same(m.forward(np.array([0, 1])), np.tanh([0.0, 1.0]))


def test_DontCast_asks_for_the_type_that_it_cannot_tell() -> None:
    silent = nn.Identity()
    silent.output = []
    with pytest.raises(ValueError, match=r"nn.DontCast: cannot tell the type of nn.Identity: give moduleType"):
        nn.DontCast(silent, True)
    assert nn.DontCast(silent, True, None, "torch.FloatTensor").castout is True
    assert nn.DontCast(nn.ParallelTable().add(nn.Linear(2, 2)), True).moduleType == "torch.DoubleTensor"


def test_DontCast_survives_conversions_without_gradient() -> None:
    m, x = nn.DontCast(Deaf(), True), numbers(2)
    m.forward(x)
    assert m.backward(x, x) is None
    assert m.float().forward(x).dtype == np.float32


# -- NaN


def test_NaN_tells_where_it_was_found() -> None:
    m, x = nn.NaN(nn.Linear(2, 2), "x"), numbers(3, 2)
    text = r" of module :\nnn\.NaN\(x\) @ nn\.Linear\(2 -> 2\)$"
    bad = np.full((3, 2), np.nan)
    with pytest.raises(ValueError, match="^NaN found in input" + text):
        m.forward(bad)
    m.forward(x)
    with pytest.raises(ValueError, match="^NaN found in gradOutput" + text):
        m.backward(x, bad)
    with pytest.raises(ValueError, match="^NaN found in gradParameters" + text):
        m.accGradParameters(x, bad)
    m.get(1).weight[0, 1] = np.nan
    with pytest.raises(ValueError, match="^NaN found in parameters" + text):
        m.forward(x)
    with pytest.raises(ValueError, match="^NaN found in gradInput" + text):
        m.updateGradInput(x, np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"^NaN found in output of module :\nnn.NaN"):
        nn.NaN(Broken()).forward(x)


def test_NaN_looks_into_tables_and_takes_a_sum_as_Torch_does() -> None:
    m = nn.NaN(nn.Identity())
    assert m.forward([numbers(2), [np.array([np.inf, 1.0])]])[1][0][0] == np.inf
    for x in ([numbers(2), [np.array([np.nan])]], np.array([np.inf, -np.inf])):
        with pytest.raises(ValueError, match="NaN found in input"):
            m.forward(x)
    assert not m.recursiveIsNaN({"a": np.array([1, 2]), "b": None})
    assert m.recursiveIsNaN({"a": np.array([np.nan], np.float32)})
    assert not m.recursiveIsNaN(np.full(4, 3e38, np.float32))


def test_NaN_numbers_its_modules() -> None:
    a, b = nn.NaN(nn.Tanh()), nn.NaN(nn.Tanh())
    assert b.id == a.id + 1
    assert nn.NaN.newId() == b.id + 1
    assert str(a) == f"nn.NaN({a.id}) @ nn.Tanh"
    assert str(torch7.deserialize(torch7.serialize(nn.NaN(nn.Tanh(), 2)))) == "nn.NaN(2) @ nn.Tanh"


# -- Profile


def test_Profile_prints_every_so_many_passes(capsys: pytest.CaptureFixture[str]) -> None:
    m, x = nn.Profile(nn.Tanh(), 3), numbers(2)
    for n in range(7):
        m.forward(x)
        if n < 3:
            m.backward(x, x)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("took")[0] for line in lines] == ["nn.Tanh "] * 3
    assert [line.split("seconds")[1] for line in lines] == [
        " for 3 forward passes",
        " for 3 backward passes",
        " for 3 forward passes",
    ]
    assert all(0 <= float(line.split()[2]) < 5 for line in lines)
    assert (m.numFwds, m.numBwds, m.summedBwdTime) == (1, 0, 0)
    assert m.summedFwdTime > 0


def test_Profile_names_what_it_measures_and_may_be_silent(capsys: pytest.CaptureFixture[str]) -> None:
    nn.Profile(nn.Tanh(), 1, "inner").forward(numbers(2))
    assert capsys.readouterr().out.startswith("inner took 0.")
    m = nn.Profile(nn.Tanh(), 0)
    m.forward(numbers(2))
    assert (capsys.readouterr().out, m.numFwds) == ("", 1)


def test_Profile_is_saved_with_its_timer() -> None:
    m = nn.Profile(nn.Linear(2, 2), 5)
    assert m.print_interval == 5
    m.timer.stop()
    other = torch7.deserialize(torch7.serialize(m))
    assert other.module is other.get(1)
    assert isinstance(other.timer, torch7.Timer)
    assert repr(other.timer) == "torch.Timer [status: running]"


# -- GPU


def test_GPU_keeps_its_devices() -> None:
    m = nn.GPU(nn.Tanh(), 2, 1)
    assert (m.device, m.outdevice, nn.GPU(nn.Tanh(), 3).outdevice, str(m)) == (2, 1, 3, "nn.GPU(2) @ nn.Tanh")
    assert m.setDevice(4) is m
    assert (m.device, m.setDevice().device) == (4, 4)
    with pytest.raises(TypeError, match=r"nn.GPU: expected the number of a device, got 'cuda'"):
        nn.GPU(nn.Tanh(), "cuda")  # type: ignore[arg-type]


def test_GPU_drops_what_it_computed_when_it_is_converted() -> None:
    m, x = nn.GPU(nn.Linear(2, 2), 1), numbers(3, 2)
    m.forward(x)
    assert m.type() == "torch.DoubleTensor"
    assert m.output is not None
    assert m.cuda() is m
    assert (m.output, m.gradInput, m.type(), m.get(1).type()) == (None, None, *["torch.FloatTensor"] * 2)
    assert m.forward(x.astype(np.float32)).dtype == np.float32


def test_GPU_is_saved_as_Torch_saves_it() -> None:
    m = nn.GPU(nn.Tanh(), 2)
    m._input = [numbers(2)]
    assert m.clearState() is m
    assert m._input is None
    m._type = "torch.CudaTensor"  # as on a machine with GPUs
    data = torch7.serialize(m)
    header = torch7.MemoryFile(data).binary()
    assert (header.readInt(), header.readInt()) == (4, 1)
    assert [header.readChar(header.readInt()).tobytes() for _ in range(2)] == [b"V 1", b"nn.GPU"]
    assert header.readObject() == ["torch.CudaTensor", 2]
    other = torch7.deserialize(data)
    assert (other.device, other.outdevice, other.type(), str(other)) == (2, 2, "torch.FloatTensor", str(m))


def test_GPU_moves_nothing() -> None:
    x, y = [numbers(2), [numbers(3)]], numbers(2)
    assert nn.GPU.recursiveModuleDevice(x, 2) is x
    assert nn.GPU.recursiveSetDevice(None, y, 1) is y
    old = [1, 2, 3]
    moved = nn.GPU.recursiveSetDevice(old, x, 1)
    assert moved is old
    assert moved[0] is x[0]
    assert moved[1] is not x[1]
    assert moved[1][0] is x[1][0]

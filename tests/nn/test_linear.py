"""Linear maps of pairs, of chosen outputs, and learned tensors by which components change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def close(got: Any, want: Any) -> None:
    assert_same(got, want, rtol=1e-12, atol=1e-14)


# -- Linear


def test_nothing_said_about_the_bias_means_a_bias() -> None:
    assert nn.Linear(4, 3, None).bias.shape == (3,)  # type: ignore[arg-type]
    assert nn.Linear(4, 3, False).bias is None


@pytest.mark.parametrize("make", [lambda: nn.Linear(4, 3), lambda: nn.LinearWeightNorm(4, 3)])
@pytest.mark.parametrize("wanted", [True, False], ids=["gradInput", "no-gradInput"])
def test_linear_gradients_have_to_fit(make: Any, wanted: bool) -> None:
    m = make()
    for shape, others in (((2, 4), ((1, 3), (3, 3), (3,), (2, 2), (2, 3, 1))), ((4,), ((1, 3), (2,)))):
        x = numbers(*shape)
        m.gradInput = np.empty(0) if wanted else None
        m.forward(x)
        for other in others:
            with pytest.raises(
                ValueError, match=r"nn.Linear\w*: expected (3 gradient columns|a gradient of shape).*got shape"
            ):
                m.backward(x, np.ones(other))
        with pytest.raises(TypeError, match=r"nn.Linear\w*: expected a torch.DoubleTensor, got a torch.FloatTensor"):
            m.backward(x, np.ones((*shape[:-1], 3), np.float32))


# -- Bilinear


@pytest.mark.parametrize("block", [1, 30, 1 << 18])
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_in_parts(block: int, bias: bool) -> None:
    m = nn.Bilinear(3, 4, 5, bias)
    m.BLOCK = block
    x1, x2, g = numbers(6, 3), numbers(6, 4, seed=2), numbers(6, 5, seed=3)
    y = np.einsum("ni,kij,nj->nk", x1, m.weight, x2)
    close(m.forward([x1, x2]), y + (m.bias if bias else 0))
    m.zeroGradParameters()
    first, second = m.backward([x1, x2], g)
    close(first, np.einsum("nk,kij,nj->ni", g, m.weight, x2))
    close(second, np.einsum("nk,kij,ni->nj", g, m.weight, x1))
    close(m.gradWeight, np.einsum("nk,ni,nj->kij", g, x1, x2))
    if bias:
        close(m.gradBias, g.sum(0))


def test_bilinear_weight_takes_no_notice_of_the_scale() -> None:
    m, x, g = nn.Bilinear(3, 4, 2), [numbers(6, 3), numbers(6, 4)], numbers(6, 2)
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, g)
    weight, bias = m.gradWeight.copy(), m.gradBias.copy()
    m.zeroGradParameters()
    m.accGradParameters(x, g, 0.5)
    close([m.gradWeight, m.gradBias], [weight, 0.5 * bias])
    with pytest.raises(ValueError, match=r"nn.Bilinear: expected a scale from 0 up, got -1"):
        m.accGradParameters(x, g, -1)


@pytest.mark.parametrize("shared", [False, True])
def test_bilinear_updates_take_the_whole_step(shared: bool) -> None:
    m, x, g = nn.Bilinear(3, 4, 2), [numbers(6, 3), numbers(6, 4)], numbers(6, 2)
    m.shared = shared
    m.zeroGradParameters()
    m.forward(x)
    before = copied(m.parameters()[0])
    m.backward(x, g)
    grads = copied(m.parameters()[1])
    m.backwardUpdate(x, g, 0.1)
    close(m.parameters()[0], [w - 0.1 * d for w, d in zip(before, grads)])
    assert_same(m.parameters()[1], grads)


def test_bilinear_gradients_of_the_input_on_demand() -> None:
    m, x, g = nn.Bilinear(3, 4, 2), [numbers(6, 3), numbers(6, 4)], numbers(6, 2)
    m.forward(x)
    want = copied(m.backward(x, g))
    m.gradInput = None
    assert m.backward(x, g) is None
    m.gradInput = []
    assert_same(m.backward(x, g), want)


def test_bilinear_reset() -> None:
    m = nn.Bilinear(4, 3, 2)
    for stdv, s in ((None, 0.5), (0.1, 0.1 * np.sqrt(3))):
        torch7.manualSeed(5)
        assert m.reset(stdv) is m
        torch7.manualSeed(5)
        assert_same(m.weight, torch7.uniform_(np.empty((2, 4, 3)), -s, s))
        assert_same(m.bias, torch7.uniform_(np.empty(2), -s, s))
    for stdv in (0, -1):
        with pytest.raises(ValueError, match=r"nn.Bilinear: expected a standard deviation above 0"):
            m.reset(stdv)


@pytest.mark.parametrize("sizes", [(0, 3, 2), (2, -1, 2), (2, 3, 1.5), ("2", 3, 2), (None, 3, 2)])
def test_bilinear_sizes(sizes: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.Bilinear: expected whole numbers above 0 as sizes"):
        nn.Bilinear(*sizes)


@pytest.mark.parametrize("shapes", [[(2, 4), (2, 4)], [(2, 3), (3, 4)], [(3,), (4,)], [(2, 3), (2, 4), (2, 4)]])
def test_bilinear_inputs_have_to_fit(shapes: list[tuple[int, ...]]) -> None:
    m = nn.Bilinear(3, 4, 2)
    with pytest.raises(ValueError, match=r"nn.Bilinear: expected inputs \(N, 3\) and \(N, 4\), got a torch.Double"):
        m.forward([np.ones(shape) for shape in shapes])
    with pytest.raises(ValueError, match=r"nn.Bilinear: expected a gradient of shape \(2, 2\), got \(2, 3\)"):
        m.updateGradInput([np.ones((2, 3)), np.ones((2, 4))], np.ones((2, 3)))


def test_bilinear_gradients_are_tensors() -> None:
    m, x = nn.Bilinear(3, 4, 2), [numbers(6, 3), numbers(6, 4)]
    m.forward(x)
    with pytest.raises(TypeError, match=r"nn.Bilinear: expected a torch.DoubleTensor, got a nil"):
        m.backward(x, None)  # type: ignore[arg-type]


def test_bilinear_text() -> None:
    assert str(nn.Bilinear(2, 3, 4)) == "nn.Bilinear(2x3 -> 4) "
    assert str(nn.Bilinear(2, 3, 4, False)) == "nn.Bilinear(2x3 -> 4)  without bias"


# -- PartialLinear


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [None, [4], [2, 5, 1], [3, 3, 1]])
def test_partial_linear_is_a_part_of_linear(bias: bool, outputs: list[int] | None) -> None:
    m, x = nn.PartialLinear(4, 5, bias), numbers(3, 4)
    for w in m.parameters()[0]:
        w[...] = numbers(*w.shape)
    whole = nn.Linear(4, 5, bias)
    whole.weight[...] = m.parameters()[0][0]
    if bias:
        whole.bias[...] = m.bias[0]
    chosen = np.arange(5)
    if outputs is not None:
        m.setPartition(np.array(outputs))
        chosen = np.array(outputs) - 1
    close(m.forward(x), whole.forward(x)[:, chosen])
    g = numbers(3, len(chosen))
    spread = np.zeros((3, 5))
    np.add.at(spread, (slice(None), chosen), g)
    for each in (m, whole):
        each.zeroGradParameters()
    close(m.backward(x, g, 0.5), whole.backward(x, spread, 0.5))
    assert [a.size for a in m.parameters()[1]] == [a.size for a in whole.parameters()[1]]
    for mine, other in zip(m.parameters()[1], whole.parameters()[1]):
        close(mine.reshape(other.shape), other)


def test_partition_is_reset() -> None:
    m, x = nn.PartialLinear(4, 5), numbers(3, 4)
    want = m.forward(x).copy()
    m.setPartition(np.array([2.0, 1]))
    assert_same(m.partition, np.array([2.0, 1]))
    close(m.forward(x), want[:, [1, 0]])
    m.float()
    assert m.partition.dtype == np.float32
    m.double().resetPartition()
    assert m.partition is m.allcolumns


def test_partial_weight_is_shared_by_name() -> None:
    m, x = nn.PartialLinear(4, 5), numbers(3, 4)
    other = m.clone("weight", "gradWeight", "bias", "gradBias")
    m.parameters()[0][0].fill(2)
    m.bias.fill(1)
    assert_same(other.forward(x), m.forward(x))


def test_partial_linear_draws_a_normal_weight() -> None:
    torch7.manualSeed(3)
    m = nn.PartialLinear(4, 5)
    torch7.manualSeed(3)
    assert_same(m.parameters()[0], [torch7.randn(5, 4), np.zeros((1, 5))])


def test_partial_linear_without_gradient_of_the_input() -> None:
    m, x = nn.PartialLinear(4, 5), numbers(3, 4)
    m.gradInput = None
    m.forward(x)
    assert m.backward(x, numbers(3, 5)) is None
    assert m.parameters()[1][0].any()


def test_partial_linear_refuses() -> None:
    m = nn.PartialLinear(4, 5)
    for outputs in ([6], [0], [-1]):
        with pytest.raises(IndexError, match=r"nn.PartialLinear: outputs count from 1 and go up to 5"):
            m.setPartition(np.array(outputs))
    with pytest.raises(ValueError, match=r"nn.PartialLinear: expected a vector of outputs, got shape \(1, 1\)"):
        m.setPartition(np.array([[1]]))
    with pytest.raises(TypeError, match=r"nn.PartialLinear: expected a tensor, got a table of 1"):
        m.setPartition([1])  # type: ignore[arg-type]
    for shape in ((4,), (2, 5), (1, 2, 4)):
        with pytest.raises(ValueError, match=r"nn.PartialLinear: expected an input \(N, 4\), got shape"):
            m.forward(np.ones(shape))
    m.setPartition(np.array([1, 2]))
    m.forward(np.ones((3, 4)))
    with pytest.raises(
        ValueError, match=r"nn.PartialLinear: expected a gradient of shape \(3, 2\), got shape \(3, 5\)"
    ):
        m.backward(np.ones((3, 4)), np.ones((3, 5)))


def test_partial_linear_text() -> None:
    assert str(nn.PartialLinear(3, 4)) == "nn.PartialLinear(3 -> 4)"
    assert str(nn.PartialLinear(3, 4, False)) == "nn.PartialLinear(3 -> 4) without bias"


# -- CAdd, CMul


@pytest.mark.parametrize("name", ["CAdd", "CMul"])
@pytest.mark.parametrize(
    ("sizes", "shape", "seen"),
    [
        ((4,), (4,), (4,)),
        ((4,), (3, 4), (4,)),
        ((4,), (3, 2, 2), (2, 2)),
        ((2, 3), (6,), (6,)),
        ((2, 3), (5, 2, 3), (2, 3)),
        ((2, 3, 1), (5, 6), (6,)),
        ((1, 3), (5, 3), (1, 3)),
        ((2, 1), (2, 5), (2, 1)),
        ((1, 3, 1, 1), (2, 3, 4, 5), (1, 3, 1, 1)),
        ((1, 3, 1, 5), (2, 3, 4, 5), (1, 3, 1, 5)),
        ((1, 1), (4, 5), (1, 1)),
        ((1,), (4, 1), (1,)),
        ((1,), (2, 3), (1, 1)),
        ((1, 1), (2, 3, 4), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("scale", [1, 0.5])
def test_components(name: str, sizes: Any, shape: Any, seen: Any, scale: float) -> None:
    m, x, g = getattr(nn, name)(*sizes), numbers(*shape), numbers(*shape, seed=2)
    ((p,), (grad,)) = m.parameters()
    assert p.shape == grad.shape == tuple(m.size) == sizes
    p[...] = numbers(*sizes, seed=3)
    viewed = np.broadcast_to(p.reshape(seen), shape)
    close(m.forward(x), x + viewed if name == "CAdd" else x * viewed)
    m.zeroGradParameters()
    close(m.backward(x, g, scale), g if name == "CAdd" else g * viewed)
    terms = g if name == "CAdd" else g * x
    places = np.broadcast_to(np.arange(p.size).reshape(seen), shape)
    want = np.bincount(places.ravel(), terms.ravel(), p.size).reshape(sizes)
    close(grad, scale * want)


@pytest.mark.parametrize("name", ["CAdd", "CMul"])
def test_sizes_in_a_storage(name: str) -> None:
    m = getattr(nn, name)(torch7.LongStorage([2, 3]))
    assert m.parameters()[0][0].shape == (2, 3)
    assert torch7.isStorage(m.size)
    with pytest.raises(ValueError, match=rf"nn.{name}: expected sizes"):
        getattr(nn, name)("a")


@pytest.mark.parametrize("name", ["CAdd", "CMul"])
def test_components_are_drawn_uniformly(name: str) -> None:
    m = getattr(nn, name)(2, 8)
    for stdv, s in ((None, 0.25), (0.1, 0.1 * np.sqrt(3))):
        torch7.manualSeed(5)
        m.reset(stdv)
        torch7.manualSeed(5)
        assert_same(m.parameters()[0][0], torch7.uniform_(np.empty((2, 8)), -s, s))


@pytest.mark.parametrize("name", ["CAdd", "CMul"])
def test_components_have_to_fit(name: str) -> None:
    for sizes, shape in (((4,), (3,)), ((2, 6), (3, 12)), ((1, 3), (2, 4)), ((2, 3), (4, 5, 3)), ((4,), (4, 3))):
        with pytest.raises(ValueError, match=rf"nn.{name}: expected an input that sizes \(.*got shape"):
            getattr(nn, name)(*sizes).forward(np.ones(shape))


@pytest.mark.parametrize("name", ["CAdd", "CMul"])
def test_rows_are_alike_or_not(name: str) -> None:
    found = {sizes: getattr(nn, name)(*sizes).ROWWISE for sizes in ((4,), (1, 4), (3, 4))}
    assert found == {(4,): True, (1, 4): True, (3, 4): False}


# -- Constant


def test_constant_of_the_type_of_the_module() -> None:
    m = nn.Constant(np.array([1, 2], np.int64), 1).float()
    assert_same(m.forward(np.ones((3, 4), np.float32)), np.array([[1, 2]] * 3, np.float32))
    assert_same(m.forward(np.ones(4)), np.array([1, 2], np.float32))
    assert_same(m.backward(np.ones((3, 4)), None), np.zeros((3, 4), np.float32))


def test_constant_of_a_number() -> None:
    m = nn.Constant(3)
    assert_same(m.value, np.array([3.0]))
    assert_same(m.forward("anything"), np.array([3.0]))
    assert not m.ROWWISE
    assert nn.Constant(3, 1).ROWWISE
    assert nn.Constant(3, 0).forward(np.ones(4)).shape == (4, 1)


def test_constant_is_a_number_or_a_tensor() -> None:
    for value in ("a", [1], None, True):
        with pytest.raises(TypeError, match=r"nn.Constant: expected a number or a tensor, got a"):
            nn.Constant(value)
    with pytest.raises(TypeError, match=r"nn.Constant: expected a tensor, got a table of 1"):
        nn.Constant(3, 1).forward([1])

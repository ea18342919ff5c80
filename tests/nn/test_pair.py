"""Functions of pairs: norms of every kind, batches, and what does not go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def pair(*shape: int) -> list[np.ndarray]:
    return [numbers(*shape), numbers(*shape, seed=2)]


# -- distances and angles


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 2.5, 3, 4])
def test_distances_of_any_norm(p: float) -> None:
    x, g = pair(5, 3), numbers(5)
    m = nn.PairwiseDistance(p)
    d = x[0] - x[1]
    y = (abs(d) ** p).sum(1) ** (1 / p)
    assert_same(m.forward(x), y, rtol=1e-13)
    slope = np.sign(d) if p == 1 else d * (abs(d) ** (p - 2) if p > 2 else 1) * ((y + 1e-6) ** (1 - p))[:, None]
    want = g[:, None] * slope
    assert_same(m.backward(x, g), [want, -want], rtol=1e-12)


def test_distance_of_vectors_is_that_of_rows() -> None:
    x = pair(1, 3)
    m, n = nn.PairwiseDistance(3), nn.PairwiseDistance(3)
    assert_same(m.forward([a[0] for a in x]), n.forward(x))
    assert_same(m.backward([a[0] for a in x], np.ones(1)), [a[0] for a in n.backward(x, np.ones(1))])


def test_signs_of_zeros_are_drawn_in_order() -> None:
    m, x = nn.PairwiseDistance(1), [np.array([[1.0, 2, 3, 4, 5]]), np.array([[1.0, 0, 3, 9, 5]])]
    m.forward(x)
    torch7.manualSeed(4)
    want = [2 * torch7.random(2) - 3 for _ in range(3)]
    torch7.manualSeed(4)
    first = m.backward(x, np.ones(1))[0]
    assert_same(first, np.array([[want[0], 1.0, want[1], -1, want[2]]]))
    assert len(set(want)) == 2


def test_distances_without_signs_to_draw_draw_nothing() -> None:
    m, x = nn.PairwiseDistance(1), pair(2, 3)
    m.forward(x)
    torch7.manualSeed(4)
    m.backward(x, np.ones(2))
    after = torch7.random()
    torch7.manualSeed(4)
    assert torch7.random() == after


def test_modules_of_old_versions_have_no_diff() -> None:
    m, x = nn.PairwiseDistance(), pair(2, 3)
    want = m.forward(x).copy()
    old = nn.PairwiseDistance()
    del old.diff
    assert_same(old.forward(x), want)


def test_cosine_of_zero_is_zero() -> None:
    m, x = nn.CosineDistance(), [np.zeros((1, 3)), np.ones((1, 3))]
    assert_same(m.forward(x), np.zeros(1))
    first, second = m.backward(x, np.ones(1))
    assert_same(first, np.full((1, 3), 1e6 / np.sqrt(3)), rtol=1e-12)
    assert_same(second, np.zeros((1, 3)))


def test_cosine_is_one_for_one_direction() -> None:
    x = [numbers(4, 3), 7 * numbers(4, 3)]
    m = nn.CosineDistance()
    assert_same(m.forward(x), np.ones(4), rtol=1e-11)
    for grad in m.backward(x, np.ones(4)):
        assert_same(grad, np.zeros((4, 3)), atol=1e-10)


def test_dot_product() -> None:
    x, g = pair(4, 3), numbers(4)
    m = nn.DotProduct()
    assert_same(m.forward(x), (x[0] * x[1]).sum(1), rtol=1e-14, atol=1e-15)
    assert_same(m.backward(x, g), [x[1] * g[:, None], x[0] * g[:, None]])


@pytest.mark.parametrize("name", ["PairwiseDistance", "CosineDistance", "DotProduct"])
def test_gradients_are_kept_in_the_table_that_there_is(name: str) -> None:
    m, x = getattr(nn, name)(), pair(4, 3)
    m.forward(x)
    grads = m.backward(x, np.ones(4))
    first = grads[0]
    assert m.backward(x, np.ones(4)) is grads
    assert grads[0] is first
    m.clearState()
    m.forward(x)
    want = copied(m.backward(x, np.ones(4)))
    assert_same(want, copied(grads))


@pytest.mark.parametrize("name", ["PairwiseDistance", "CosineDistance", "DotProduct"])
@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        ([np.ones((2, 3)), np.ones((2, 4))], ValueError, "two vectors or two matrices of one shape"),
        ([np.ones((2, 3)), np.ones(6)], ValueError, "one shape"),
        ([np.ones((2, 3, 4))] * 2, ValueError, "two vectors or two matrices"),
        ([np.ones(3)], ValueError, "a table of 2 as input, got 1"),
        ([np.ones(3)] * 3, ValueError, "a pair of tensors, got a table of 3"),
        (np.ones(3), TypeError, "a table as input, got a torch.DoubleTensor"),
        ([np.ones(3), np.ones(3, np.float32)], TypeError, "torch.DoubleTensor, got a torch.FloatTensor"),
        ([np.ones(3), None], TypeError, "torch.DoubleTensor, got a nil"),
    ],
    ids=str,
)
def test_what_is_no_pair_is_refused(name: str, x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=rf"nn.{name}: .*{text}"):
        getattr(nn, name)().forward(x)


def test_gradients_of_another_shape_are_refused() -> None:
    m, x = nn.PairwiseDistance(), pair(4, 3)
    with pytest.raises(ValueError, match=r"nn.PairwiseDistance: expected a forward of the input before the backward"):
        m.backward(x, np.ones(4))
    m.forward(x)
    with pytest.raises(
        ValueError, match=r"nn.PairwiseDistance: expected a gradient of shape \(4,\), got shape \(4, 1\)"
    ):
        m.backward(x, np.ones((4, 1)))


@pytest.mark.parametrize("name", ["CosineDistance", "DotProduct"])
def test_gradients_may_be_a_column(name: str) -> None:
    m, x, g = getattr(nn, name)(), pair(4, 3), numbers(4)
    m.forward(x)
    want = copied(m.backward(x, g))
    assert_same(m.backward(x, g[:, None]), want)
    with pytest.raises(ValueError, match=rf"nn.{name}: expected a torch.DoubleTensor of shape \(4,\), got .*\(3,\)"):
        m.backward(x, np.ones(3))


# -- products


@pytest.mark.parametrize("transA", [False, True])
@pytest.mark.parametrize("transB", [False, True])
@pytest.mark.parametrize("lead", [(), (3,)])
def test_products_of_matrices(transA: bool, transB: bool, lead: tuple[int, ...]) -> None:
    a, b, g = numbers(*lead, 2, 4), numbers(*lead, 4, 5), numbers(*lead, 2, 5)

    def turned(x: np.ndarray, turn: bool) -> np.ndarray:
        return x.swapaxes(-1, -2).copy() if turn else x

    x = [turned(a, transA), turned(b, transB)]
    m = nn.MM(transA, transB)
    assert_same(m.forward(x), a @ b, rtol=1e-13, atol=1e-15)
    want = [turned(g @ b.swapaxes(-1, -2), transA), turned(a.swapaxes(-1, -2) @ g, transB)]
    assert_same(m.backward(x, g), want, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("lead", [(), (3,)])
def test_products_with_vectors(trans: bool, lead: tuple[int, ...]) -> None:
    a, v, g = numbers(*lead, 2, 4), numbers(*lead, 4), numbers(*lead, 2)
    x = [a.swapaxes(-1, -2).copy() if trans else a, v]
    m = nn.MV(trans)
    assert_same(m.forward(x), np.einsum("...ij,...j->...i", a, v), rtol=1e-13, atol=1e-15)
    outer = g[..., :, None] * v[..., None, :]
    want = [outer.swapaxes(-1, -2) if trans else outer, np.einsum("...ij,...i->...j", a, g)]
    assert_same(m.backward(x, g), want, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("m", "shapes", "text"),
    [
        (nn.MM(), [(2, 3), (2, 3)], "matrices whose sizes match"),
        (nn.MM(), [(2, 3, 4), (3, 4, 2)], "matrices whose sizes match"),
        (nn.MM(), [(2, 3), (1, 3, 2)], "two matrices or two batches of matrices"),
        (nn.MM(), [(3,), (3, 2)], "two matrices or two batches of matrices"),
        (nn.MM(True), [(2, 3), (3, 2)], "matrices whose sizes match"),
        (nn.MV(), [(2, 3), (2,)], "a matrix and a vector whose sizes match"),
        (nn.MV(), [(2, 3), (1, 3)], "a matrix and a vector, or batches of them"),
        (nn.MV(True), [(2, 3), (3,)], "a matrix and a vector whose sizes match"),
        (nn.MV(), [(2, 3, 4), (3, 4)], "a matrix and a vector whose sizes match"),
    ],
    ids=str,
)
def test_sizes_that_do_not_match_are_refused(m: Any, shapes: list[tuple[int, ...]], text: str) -> None:
    with pytest.raises(ValueError, match=f"{torch7.typename(m)}: expected {text}, got a torch.DoubleTensor of shape"):
        m.forward([np.ones(shape) for shape in shapes])


def test_gradients_of_products_have_to_fit() -> None:
    for m, x, wrong in (
        (nn.MM(), [np.ones((2, 3)), np.ones((3, 4))], (4, 2)),
        (nn.MV(), [np.ones((2, 3)), np.ones(3)], (3,)),
    ):
        m.forward(x)
        with pytest.raises(ValueError, match=r"nn.M[MV]: expected a gradient of shape"):
            m.backward(x, np.ones(wrong))


def test_MV_is_turned_or_not() -> None:
    with pytest.raises(TypeError, match=r"nn.MV: expected True or False for trans, got 'T'"):
        nn.MV("T")

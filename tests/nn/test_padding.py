"""Padding of images and volumes: what is at the borders, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import nn

RNG = np.random.default_rng(6)
SPATIAL = ("Zero", "Reflection", "Replication")
MODES = {"Zero": "constant", "Reflection": "reflect", "Replication": "edge"}


def padding(kind: str, *pads: Any) -> nn.Module:
    return getattr(nn, f"Spatial{kind}Padding")(*pads)


@pytest.mark.parametrize("kind", SPATIAL)
@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 2, 4, 5)])
def test_borders_are_those_of_numpy(kind: str, shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape)
    want = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(3, 0), (1, 2)], mode=MODES[kind])  # type: ignore[call-overload]
    np.testing.assert_array_equal(padding(kind, 1, 2, 3, 0).forward(x), want)


@pytest.mark.parametrize("kind", SPATIAL)
def test_gradients_go_where_the_elements_came_from(kind: str) -> None:
    places = np.arange(1.0, 13).reshape(1, 3, 4)
    for pads in itertools.product((-2, 0, 1, 2), repeat=4):
        m = padding(kind, *pads)
        if min(sum(pads[:2]) + 4, sum(pads[2:]) + 3) < 1 or (kind == "Zero" and min(pads[2:]) + 3 < 1):
            continue
        y = m.forward(places).copy()
        g = RNG.normal(size=y.shape)
        want = [g[y == place].sum() for place in places.ravel()]
        np.testing.assert_allclose(m.backward(places, g).ravel(), want, 1e-13, 1e-15, err_msg=str(pads))


@pytest.mark.parametrize("kind", SPATIAL)
def test_negative_sizes_cut_off(kind: str) -> None:
    x = RNG.normal(size=(2, 4, 5))
    np.testing.assert_array_equal(padding(kind, -1, -2, 0, -1).forward(x), x[:, :3, 1:3])


def test_a_border_comes_from_the_whole_image_also_when_it_is_cut() -> None:
    x = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    m = nn.SpatialReflectionPadding(2, -3, 0, 0)
    np.testing.assert_array_equal(m.forward(x), [[[3, 2, 1]]])
    np.testing.assert_array_equal(m.backward(x, np.array([[[1.0, 10.0, 100.0]]])), [[[100, 10, 1, 0]]])
    m = nn.SpatialReplicationPadding(-6, 3, 0, 0)
    np.testing.assert_array_equal(m.forward(x), [[[4]]])
    np.testing.assert_array_equal(m.backward(x, np.array([[[7.0]]])), [[[0, 0, 0, 7]]])


@pytest.mark.parametrize("kind", SPATIAL)
def test_one_size_counts_for_all_borders(kind: str) -> None:
    m = padding(kind, 2)
    assert [m.pad_l, m.pad_r, m.pad_t, m.pad_b] == [2, 2, 2, 2]
    m = padding(kind, 2, None, 0.0)
    assert [m.pad_l, m.pad_r, m.pad_t, m.pad_b] == [2, 2, 0, 2]
    assert str(m) == f"nn.Spatial{kind}Padding(l=2, r=2, t=0, b=2)"


def test_volumes_grow_in_three_directions() -> None:
    m = nn.VolumetricReplicationPadding(1, 2, 0, 3, 1, 0)
    x = RNG.normal(size=(2, 3, 2, 4))
    want = np.pad(x, [(0, 0), (1, 0), (0, 3), (1, 2)], mode="edge")
    np.testing.assert_array_equal(m.forward(x), want)
    np.testing.assert_array_equal(m.forward(x[None])[0], want)
    assert str(m) == "nn.VolumetricReplicationPadding(left=1, right=2, top=0, bottom=3, front=1, back=0)"
    m = nn.VolumetricReplicationPadding(3)
    assert [m.pleft, m.pright, m.ptop, m.pbottom, m.pfront, m.pback] == [3] * 6


@pytest.mark.parametrize("kind", SPATIAL)
def test_images_and_gradients_are_checked(kind: str) -> None:
    m, name = padding(kind, 1), rf"nn.Spatial{kind}Padding"
    for shape in ((4, 4), (1, 1, 1, 4, 4)):
        with pytest.raises(ValueError, match=rf"{name}: expected a 3D or 4D tensor"):
            m.forward(np.zeros(shape))
    x = np.zeros((1, 3, 3))
    m.forward(x)
    with pytest.raises(ValueError, match=rf"{name}: expected a gradient of shape \(1, 5, 5\), got shape \(1, 5, 4\)"):
        m.backward(x, np.zeros((1, 5, 4)))
    with pytest.raises(ValueError, match=rf"{name}: a tensor of shape \(1, 3, 3\) is too small"):
        padding(kind, -2, -1).forward(x)
    with pytest.raises(ValueError, match=rf"{name}: expected a whole number as pad_l"):
        padding(kind, 0.5)
    with pytest.raises(TypeError, match=rf"{name}: expected a number as pad_l"):
        padding(kind, None)


@pytest.mark.parametrize("shape", [(0, 1, 3, 3), (1, 0, 3, 3), (1, 3, 0)])
def test_nothing_is_not_padded(shape: tuple[int, ...]) -> None:
    for m in (nn.SpatialZeroPadding(1), nn.SpatialReplicationPadding(1)):
        with pytest.raises(ValueError, match="is too small for the padding"):
            m.forward(np.zeros(shape))


def test_more_than_all_cannot_be_cut_off_before_zeros() -> None:
    with pytest.raises(ValueError, match=r"nn.SpatialZeroPadding: a tensor of shape \(1, 3, 3\) is too small"):
        nn.SpatialZeroPadding(-3, 3, 0, 0).forward(np.zeros((1, 3, 3)))


def test_mirrors_show_no_more_than_the_image() -> None:
    for pads in ((3, 0, 0, 0), (0, 0, 0, 3)):
        with pytest.raises(ValueError, match=r"nn.SpatialReflectionPadding: a reflection needs a padding smaller"):
            nn.SpatialReflectionPadding(*pads).forward(np.zeros((1, 3, 3)))
    np.testing.assert_array_equal(
        nn.SpatialReflectionPadding(2, 2, 0, 0).forward(np.array([[[1.0, 2.0, 3.0]]])), [[[3, 2, 1, 2, 3, 2, 1]]]
    )


def test_no_gradient_is_made_where_none_is_wanted() -> None:
    m = nn.SpatialZeroPadding(1)
    m.gradInput = None
    x = np.zeros((1, 2, 2))
    assert m.backward(x, m.forward(x)) is None

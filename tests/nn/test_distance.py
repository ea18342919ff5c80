"""Distances to learned vectors: close points, scales that Torch takes no notice of, and the centres of k-means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from nn.kernels import distances
from nn.kernels.distances import squared_distances
from tests.support.nested import assert_same


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def gradients(m: Any, x: np.ndarray, g: np.ndarray, scale: float = 1) -> list[np.ndarray]:
    m.zeroGradParameters()
    m.forward(x)
    m.backward(x, g, scale)
    return [a.copy() for a in m.parameters()[1]]


# -- the kernel


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("far", [0, 1e6])
def test_distances_of_points_close_to_each_other(scaled: bool, far: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK", 8)
    x = numbers(6, 4) + far
    centres = np.concatenate([x[:3] + 1e-4 * numbers(3, 4, seed=2), x[3:4], numbers(2, 4, seed=3)])
    scales = numbers(6, 4, seed=4) if scaled else None
    difference = (x[:, None] - centres) * (1 if scales is None else scales)
    found = squared_distances(x, centres, scales)
    assert_same(found, (difference**2).sum(2), rtol=1e-11)
    assert found[3, 3] == 0


def test_distances_of_single_precision_are_made_in_double() -> None:
    x, centres = numbers(3, 4).astype(np.float32), numbers(2, 4, seed=2).astype(np.float32)
    want = ((x[:, None].astype(float) - centres) ** 2).sum(2)
    assert_same(squared_distances(x, centres), want, rtol=1e-13)


def test_distances_that_are_no_numbers() -> None:
    found = squared_distances(np.array([[np.nan], [np.inf], [1.0]]), np.array([[0.0]]))
    assert np.isnan(found[0, 0])
    assert_same(found[2], np.ones(1))


# -- Euclidean, WeightedEuclidean, Cosine


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_weighted_distance_with_equal_scales_is_the_distance(shape: tuple[int, ...]) -> None:
    x, g = numbers(*shape), numbers(*shape[:-1], 5, seed=2)
    torch7.manualSeed(3)
    plain = nn.Euclidean(4, 5)
    torch7.manualSeed(3)
    weighted = nn.WeightedEuclidean(4, 5)
    weighted.diagCov.fill(2)
    assert_same(weighted.forward(x), 2 * plain.forward(x), rtol=1e-13)
    assert_same(gradients(weighted, x, g)[0], 2 * gradients(plain, x, g)[0], rtol=1e-6)
    assert_same(weighted.gradInput, 2 * plain.gradInput, rtol=1e-6)


@pytest.mark.parametrize("name", ["Euclidean", "WeightedEuclidean"])
def test_no_distance_gives_no_gradient(name: str) -> None:
    m = getattr(nn, name)(2, 1)
    x = m.weight[:, 0].copy()
    assert_same(m.forward(x), np.zeros(1))
    assert_same(gradients(m, x, np.ones(1))[0], np.zeros((2, 1)))
    assert_same(m.gradInput, np.zeros(2))


@pytest.mark.parametrize("name", ["Euclidean", "WeightedEuclidean"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_of_points_close_to_each_other(name: str, dtype: Any) -> None:
    m = getattr(nn, name)(3, 4).type(torch7.tensor_type(np.dtype(dtype)))
    if name == "WeightedEuclidean":
        m.diagCov[...] = numbers(3, 4, seed=2)
    c = m.diagCov if name == "WeightedEuclidean" else np.ones((3, 4))
    x = np.stack([m.weight[:, 1], m.weight[:, 1] + dtype(1e-3), m.weight[:, 3], m.weight[:, 0] + 1])
    g = numbers(4, 4, seed=3).astype(dtype)
    d = x[:, :, None].astype(float) - m.weight
    ratios = (g / (np.sqrt(((c * d) ** 2).sum(1)) + 1e-7))[:, None]
    got = gradients(m, x, g, 0.5)
    tight = {"rtol": 1e-11, "atol": 1e-12} if dtype is np.float64 else {"rtol": 2e-3, "atol": 1e-5}
    assert_same(m.gradInput.astype(float), (c * c * d * ratios).sum(2), **tight)
    assert_same(got[0].astype(float), -0.5 * (c * c * d * ratios).sum(0), **tight)
    if name == "WeightedEuclidean":
        assert_same(got[1].astype(float), 0.5 * (c * d * d * ratios).sum(0), **tight)


def test_weighted_distance_takes_no_notice_of_the_scale_on_vectors() -> None:
    m, x, g = nn.WeightedEuclidean(4, 3), numbers(4), numbers(3)
    once = gradients(m, x, g)
    weight, diagCov = gradients(m, x, g, 0.5)
    assert_same(weight, 0.5 * once[0], rtol=1e-14)
    assert_same(diagCov, once[1])
    rows = gradients(m, x[None], g[None], 0.5)
    assert_same(rows, [0.5 * a for a in once], rtol=1e-13)


def test_a_scale_of_zero_gives_no_nan() -> None:
    m, x = nn.WeightedEuclidean(2, 1), numbers(3, 2)
    m.diagCov[0] = 0
    assert np.isfinite(gradients(m, x, np.ones((3, 1)))[1]).all()
    assert m.gradDiagCov[0, 0] == 0


def test_cosine_takes_no_notice_of_the_scale_on_batches() -> None:
    m, x, g = nn.Cosine(4, 3), numbers(2, 4), numbers(2, 3)
    assert_same(gradients(m, x, g, 0.5), gradients(m, x, g))
    first, second = (gradients(m, x[0], g[0], scale)[0] for scale in (0, 2))
    whole = gradients(m, x[0], g[0])[0]
    assert_same((first + second) / 2, whole, rtol=1e-12, atol=1e-14)
    norms = np.linalg.norm(m.weight, axis=1)[:, None]
    assert_same(first, -m.weight * (g[0] * m.output)[:, None] / norms**2, rtol=1e-10)


@pytest.mark.parametrize("name", ["Euclidean", "Cosine"])
def test_steps_of_modules_that_share_are_those_of_their_forward(name: str) -> None:
    m, x, g = getattr(nn, name)(4, 3), [numbers(2, 4), numbers(2, 4, seed=2)], numbers(2, 3, seed=3)
    twin = m.clone("weight")
    before = m.weight.copy()
    wanted = [0.1 * gradients(m, one, g)[0] for one in x]
    if name == "Cosine":  # only lengths and cosines are; the vectors themselves have moved
        first = before - wanted[0]
        n, y = np.linalg.norm(before, axis=1)[:, None], m.forward(x[1]).copy()
        unit = x[1] / np.linalg.norm(x[1], axis=1)[:, None]
        wanted[1] = 0.1 * (g.T @ unit - first * ((g * y).sum(0)[:, None] / n)) / n
    m.forward(x[0])
    twin.forward(x[1])
    m.backwardUpdate(x[0], g, 0.1)
    twin.backwardUpdate(x[1], g, 0.1)
    assert_same(m.weight, before - wanted[0] - wanted[1], rtol=1e-10)


@pytest.mark.parametrize("name", ["Euclidean", "WeightedEuclidean"])
def test_without_fastBackward_backward_computes_the_output_itself(name: str) -> None:
    m, x, g = getattr(nn, name)(4, 3), numbers(2, 4), numbers(2, 3)
    m.fastBackward = None
    want = [*gradients(m, x, g), m.gradInput.copy(), m.output.copy()]
    m.forward(numbers(5, 4))
    m.zeroGradParameters()
    m.backward(x, g)
    assert_same([*m.parameters()[1], m.gradInput, m.output], want)


def test_steps_of_weighted_distances_leave_gradients_alone() -> None:
    m, x, g = nn.WeightedEuclidean(4, 3), numbers(2, 4), numbers(2, 3)
    m.share(nn.WeightedEuclidean(4, 3), "weight")
    grads = gradients(m, x, g)
    before = [w.copy() for w in m.parameters()[0]]
    m.backwardUpdate(x, g, 0.1)
    assert_same(m.parameters()[1], grads)
    assert_same(m.parameters()[0], [w - 0.1 * d for w, d in zip(before, grads)], rtol=1e-12)


@pytest.mark.parametrize("name", ["Euclidean", "Cosine"])
def test_backward_comes_after_forward(name: str) -> None:
    m = getattr(nn, name)(4, 3)
    with pytest.raises(ValueError, match=rf"nn.{name}: expected a forward of the input before the backward"):
        m.backward(numbers(2, 4), numbers(2, 3))


def test_resets_draw_uniformly() -> None:
    for m, s in ((nn.Euclidean(4, 3), 0.5), (nn.WeightedEuclidean(4, 3), 0.5), (nn.Cosine(3, 4), 0.5)):
        for stdv, width in ((None, s), (0.1, 0.1 * np.sqrt(3))):
            torch7.manualSeed(5)
            m.reset(stdv)
            torch7.manualSeed(5)
            assert_same(m.weight, torch7.uniform_(np.empty(m.weight.shape), -width, width))


def test_scales_are_reset_to_one() -> None:
    m = nn.WeightedEuclidean(4, 3)
    m.diagCov.fill(3)
    m.reset()
    assert (m.diagCov == 1).all()


@pytest.mark.parametrize("name", ["Euclidean", "WeightedEuclidean", "Cosine"])
def test_no_gradient_of_the_input_on_demand(name: str) -> None:
    m, x, g = getattr(nn, name)(4, 3), numbers(2, 4), numbers(2, 3)
    want = gradients(m, x, g)
    m.gradInput = None
    assert_same(gradients(m, x, g), want)
    assert m.gradInput is None


@pytest.mark.parametrize("name", ["Euclidean", "WeightedEuclidean", "Cosine"])
def test_other_inputs_are_refused(name: str) -> None:
    m = getattr(nn, name)(4, 3)
    for shape in ((3,), (2, 3), (2, 4, 1), ()):
        with pytest.raises(ValueError, match=rf"nn.{name}: expected an input \(4\) or \(N, 4\), got shape"):
            m.forward(np.ones(shape))
    m.forward(np.ones((2, 4)))
    for shape in ((3, 3), (2, 4), (3,)):
        with pytest.raises(ValueError, match=rf"nn.{name}: expected a gradient"):
            m.backward(np.ones((2, 4)), np.ones(shape))
    with pytest.raises(TypeError, match=rf"nn.{name}: expected a torch.DoubleTensor, got a torch.FloatTensor"):
        m.forward(np.ones(4, np.float32))


# -- Kmeans


def clusters() -> tuple[nn.Kmeans, np.ndarray]:
    m = nn.Kmeans(3, 2)
    m.weight[...] = [[0, 0], [10, 0], [99, 99]]
    return m, np.array([[1.0, 1], [9, 0], [11, 2], [-1, 3]])


def test_kmeans_finds_the_nearest_centre() -> None:
    m, x = clusters()
    assert_same(m.forward(x), np.array([1.0, 2, 2, 1]))
    assert m.loss == 2 + 1 + 5 + 10
    assert type(m.loss) is float
    assert_same(m.backward(x, None), np.zeros((4, 2)))
    assert_same(m.clusterSampleCount, np.array([2.0, 2, 0]))
    assert_same(m.gradWeight, np.array([[0.0, -2], [0, -1], [0, 0]]), rtol=1e-6)


def test_kmeans_moves_centres_to_the_means() -> None:
    m, x = clusters()
    for _ in range(2):
        m.zeroGradParameters()
        m.forward(x)
        m.backward(x, None)
        m.updateParameters(1)
    assert_same(m.weight, np.array([[0.0, 2], [10, 1], [99, 99]]), rtol=1e-6, atol=1e-6)


def test_kmeans_ties_go_to_the_first() -> None:
    m = nn.Kmeans(2, 1)
    m.weight[...] = [[1], [-1]]
    assert_same(m.forward(np.zeros((1, 1))), np.ones(1))


def test_kmeans_ties_are_those_of_rounded_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK", 8)
    m, x = nn.Kmeans(2, 3), numbers(40, 3)
    m.weight[...] = [[0.1, 0.7, 0.3], [0.1, 0.7, 0.3]]
    assert_same(m.forward(x), np.ones(40))
    x += 10
    m.weight[...] = [[10.3, 9.9, 10.1], [9.7, 9.9, 10.1]]
    x[:, 0] = 10
    squares = np.square(np.sqrt(np.add.accumulate(np.square(x[:, None] - m.weight), 2)[..., -1]))
    assert_same(m.forward(x), 1.0 + squares.argmin(1))
    f = nn.Kmeans(2, 1).float()
    f.weight[...] = [[1 + 1e-7], [1]]
    assert_same(f.forward(np.array([[-3e4]], np.float32)), np.ones(1, np.float32))  # the same in single precision


def test_kmeans_backward_comes_after_forward() -> None:
    m, x = clusters()
    with pytest.raises(ValueError, match=r"nn.Kmeans: expected a forward of the input before the backward"):
        m.backward(x, None)


def test_kmeans_scale_of_its_own() -> None:
    m, x = clusters()
    m.scale = 0.5
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, None, 100)
    assert_same(m.gradWeight, np.array([[0.0, -1], [0, -0.5], [0, 0]]), rtol=1e-6)
    m.scale = -1
    with pytest.raises(ValueError, match=r"nn.Kmeans: expected a scale above 0, got -1"):
        m.backward(x, None)


def test_kmeans_centres_from_random_samples() -> None:
    m, x = nn.Kmeans(3, 2), numbers(7, 2)
    torch7.manualSeed(3)
    drawn = [int(torch7.random(1, 7)) for _ in range(3)]
    torch7.manualSeed(3)
    m.initRandom(x)
    assert_same(m.weight, x[[i - 1 for i in drawn]])


def test_kmeans_plus_takes_the_farthest() -> None:
    m, x = nn.Kmeans(3, 1), np.array([[0.0], [1], [10], [100]])
    torch7.manualSeed(1)
    first = int(torch7.random(4))
    torch7.manualSeed(1)
    m.initKmeansPlus(x)
    chosen = [first - 1]
    for _ in range(2):
        nearest = ((x - x[chosen].T) ** 2).min(1)
        chosen.append(int(nearest.argmax()))
    assert_same(m.weight, x[chosen])
    assert m.p == 0.95


def test_kmeans_plus_draws_among_the_farthest() -> None:
    m, x = nn.Kmeans(2, 1), np.array([[0.0], [1], [10], [100]])
    found = set()
    for seed in range(30):
        torch7.manualSeed(seed)
        m.initKmeansPlus(x, 0.5)
        if m.weight[0, 0] == 0:
            found.add(m.weight[1, 0])
    assert found == {10, 100}
    assert m.p == 0.5
    m.initKmeansPlus(x)
    assert m.p == 0.5


def test_kmeans_refuses() -> None:
    for k, dim in ((0, 2), (2, 0), (-1, 2)):
        with pytest.raises(ValueError, match=r"nn.Kmeans: expected numbers of centres and dimensions above 0"):
            nn.Kmeans(k, dim)
    m = nn.Kmeans(3, 2)
    for call in (m.forward, m.initRandom, m.initKmeansPlus):
        for shape in ((4, 3), (2,), (1, 4, 2)):
            with pytest.raises(ValueError, match=r"nn.Kmeans: expected an input \(N, 2\), got shape"):
                call(np.ones(shape))
    with pytest.raises(ValueError, match=r"nn.Kmeans: expected 3 samples or more for as many centres, got 2"):
        m.initRandom(np.ones((2, 2)))
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"nn.Kmeans: expected 0 <= p <= 1"):
            m.initKmeansPlus(np.ones((4, 2)), p)

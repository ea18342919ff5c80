"""Add, Mul, their constant relatives and Dropout: what they do beyond what all modules promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7


def values(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# -- Add and Mul


@pytest.mark.parametrize(
    ("size", "shape"),
    [(3, (3,)), (3, (2, 3)), (6, (2, 2, 3)), (1, (4,)), (torch7.LongStorage([2, 3]), (2, 3)), ([2, 3], (5, 2, 3))],
)
def test_add_to_a_sample_and_to_a_batch(size: Any, shape: tuple[int, ...]) -> None:
    m, x, g = nn.Add(size), values(shape), values(shape, 2)
    rows = x.reshape(-1, m.bias.size)
    np.testing.assert_array_equal(m.forward(x), (rows + m.bias.reshape(-1)).reshape(shape))
    np.testing.assert_array_equal(m.backward(x, g, 0.5), g)
    np.testing.assert_allclose(m.gradBias.reshape(-1), 0.5 * g.reshape(rows.shape).sum(0), rtol=1e-13)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 2, 2)])
def test_add_of_one_number(shape: tuple[int, ...]) -> None:
    m, x, g = nn.Add(5, True), values(shape), values(shape, 2)
    assert m.bias.shape == (1,)
    np.testing.assert_array_equal(m.forward(x), x + m.bias[0])
    m.backward(x, g)
    np.testing.assert_allclose(m.gradBias, [g.sum()], rtol=1e-13)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 1, 2)])
def test_add_refuses_other_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.Add: expected an input of shape \(3,\) or a batch of such, got shape"):
        nn.Add(3).forward(np.zeros(shape))


def test_rows_are_independent_where_the_bias_is_a_row() -> None:
    assert nn.Add(3).ROWWISE
    assert not nn.Add([2, 3]).ROWWISE


def test_initial_values_follow_torchs_random_numbers() -> None:
    torch7.manualSeed(4)
    want = torch7.uniform_(np.empty(4), -0.5, 0.5)
    torch7.manualSeed(4)
    np.testing.assert_array_equal(nn.Add(4).bias, want)
    add, mul = nn.Add(4), nn.Mul()
    for m, parameter in ((add, add.bias), (mul, mul.weight)):
        torch7.manualSeed(4)
        want = torch7.uniform_(np.empty(parameter.size), -2 * np.sqrt(3), 2 * np.sqrt(3))
        torch7.manualSeed(4)
        m.reset(2)
        np.testing.assert_array_equal(parameter, want)


def test_mul_adds_to_its_gradient() -> None:
    m, x, g = nn.Mul(), values((2, 3)), values((2, 3), 2)
    m.forward(x)
    m.backward(x, g)
    m.backward(x, g, 0.5)
    np.testing.assert_allclose(m.gradWeight, [1.5 * (x * g).sum()], rtol=1e-13)


# -- constants


def test_in_place_the_input_comes_back() -> None:
    for m, y in ((nn.MulConstant(4, True), [4.0, -8.0]), (nn.AddConstant(4, True), [5.0, 2.0])):
        x, g = np.array([1.0, -2.0]), np.array([3.0, 5.0])
        assert m.forward(x) is m.output is x
        assert x.tolist() == y
        assert m.backward(x, g) is m.gradInput is g
        assert x.tolist() == [1, -2]
        assert g.tolist() == ([12, 20] if isinstance(m, nn.MulConstant) else [3, 5])


def test_in_place_a_product_with_zero_does_not_come_back() -> None:
    m, x, g = nn.MulConstant(0, True), np.array([1.0, -2.0]), np.array([3.0, 5.0])
    assert m.forward(x).tolist() == [0, 0]
    assert m.backward(x, g).tolist() == [0, 0]
    assert np.isnan(x).all()


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_a_vector_is_added_to_every_row(shape: tuple[int, ...], inplace: bool) -> None:
    m, x, g = nn.AddConstant(np.array([1.0, 2.0, 3.0]), inplace), np.ones(shape), values(shape)
    assert (m.forward(x) == np.add(np.ones(shape), [1, 2, 3])).all()
    assert (m.backward(x, g) == g).all()
    assert (x == 1).all()


def test_a_vector_is_converted_with_its_module() -> None:
    m = nn.AddConstant(np.array([1.0, 2.0])).float()
    assert m.forward(np.zeros(2, np.float32)).dtype == np.float32
    m.constant_scalar = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=r"nn.AddConstant: expected a torch.FloatTensor, got a torch.DoubleTensor"):
        m.forward(np.zeros(2, np.float32))


@pytest.mark.parametrize(("constant", "shape"), [((3,), (2,)), ((3,), (2, 2)), ((3,), (2, 2, 3)), ((2, 3), (2, 3))])
def test_a_vector_of_another_size_is_refused(constant: tuple[int, ...], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.AddConstant: expected a vector or a matrix that fits a constant"):
        nn.AddConstant(np.zeros(constant)).forward(np.zeros(shape))


@pytest.mark.parametrize("constant", ["2", None, True, [1, 2]])
def test_constants_are_numbers(constant: Any) -> None:
    with pytest.raises(TypeError, match=r"nn.MulConstant: expected a number, got a"):
        nn.MulConstant(constant)
    m = nn.AddConstant(constant)  # which Torch takes, too
    with pytest.raises(TypeError, match=r"nn.AddConstant: expected a number, got a"):
        m.forward(np.zeros(2))


def test_a_tensor_is_no_factor() -> None:
    with pytest.raises(TypeError, match=r"nn.MulConstant: expected a number, got a torch.DoubleTensor"):
        nn.MulConstant(np.ones(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda: nn.Add(4), lambda: nn.Add(4, True), lambda: nn.Mul(), lambda: nn.CAdd(4)])
def test_gradients_of_another_size_are_refused_without_gradInput(make: Any) -> None:
    m, x = make(), np.ones((2, 4))
    m.gradInput = None
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.\w+: expected a torch.DoubleTensor of shape \(2, 4\), got .*\(2, 3\)"):
        m.backward(x, np.ones((2, 3)))


def test_numpys_numbers_do_not_change_the_type() -> None:
    x = np.ones(2, np.float32)
    for m in (nn.MulConstant(np.float64(2)), nn.AddConstant(np.int64(2))):
        assert type(m.constant_scalar) in (int, float)
        assert m.float().forward(x).dtype == np.float32


@pytest.mark.parametrize("cls", [nn.MulConstant, nn.AddConstant])
def test_flag_is_true_or_false(cls: Any) -> None:
    with pytest.raises(TypeError, match="expected True or False for inplace, got 'yes'"):
        cls(1, "yes")


@pytest.mark.parametrize("make", [lambda: nn.Add(2), lambda: nn.MulConstant(2, True), lambda: nn.AddConstant(2, True)])
def test_no_gradient_is_computed_where_gradInput_is_None(make: Any) -> None:
    m, x, g = make(), np.array([1.0, 2.0]), np.array([3.0, 4.0])
    m.gradInput = None
    after = m.forward(x).copy()
    assert m.backward(x, g) is None
    np.testing.assert_array_equal(m.output, after)
    assert g.tolist() == [3, 4]


# -- Dropout


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize(("p", "v1"), [(0.5, False), (0.25, False), (0.25, True)])
def test_dropout_takes_torchs_random_numbers(shape: tuple[int, ...], p: float, v1: bool) -> None:
    m, x, g = nn.Dropout(p, v1), values(shape), values(shape, 2)
    torch7.manualSeed(9)
    kept = torch7.bernoulli_(np.empty(shape), 1 - p) / (1 if v1 else 1 - p)
    after = torch7.uniform()
    torch7.manualSeed(9)
    np.testing.assert_array_equal(m.forward(x), x * kept)
    assert torch7.uniform() == after
    np.testing.assert_array_equal(m.noise, kept)
    np.testing.assert_array_equal(m.backward(x, g), g * kept)


def test_every_forward_has_its_own_noise() -> None:
    m, x = nn.Dropout(0.5), np.ones(64)
    first = m.forward(x).copy()
    noise = m.noise
    assert (m.forward(x) != first).any()
    assert m.noise is noise


def test_noise_in_a_transposed_input_follows_its_rows() -> None:
    x = values((4, 3))
    torch7.manualSeed(1)
    want = nn.Dropout(0.5).forward(x)
    torch7.manualSeed(1)
    np.testing.assert_array_equal(nn.Dropout(0.5).forward(x.T.copy().T), want)


@pytest.mark.parametrize(("v1", "factor"), [(False, 1), (True, 0.75)])
def test_evaluation_draws_nothing(v1: bool, factor: float) -> None:
    m, x, g = nn.Dropout(0.25, v1), values((2, 3)), values((2, 3), 2)
    m.evaluate()
    state = torch7.getRNGState().copy()
    y = m.forward(x)
    np.testing.assert_array_equal(y, factor * x)
    assert not np.shares_memory(y, x)
    np.testing.assert_array_equal(m.backward(x, g), factor * g)
    np.testing.assert_array_equal(torch7.getRNGState(), state)


@pytest.mark.parametrize("v1", [False, True])
def test_without_probability_nothing_is_drawn(v1: bool) -> None:
    m, x, g = nn.Dropout(0, v1), values((2, 3)), values((2, 3), 2)
    state = torch7.getRNGState().copy()
    np.testing.assert_array_equal(m.forward(x), x)
    np.testing.assert_array_equal(m.backward(x, g), g)
    np.testing.assert_array_equal(torch7.getRNGState(), state)


@pytest.mark.parametrize("mode", ["training", "evaluate"])
def test_dropout_in_place(mode: str) -> None:
    m, x, g = nn.Dropout(0.5, False, True), values((3, 4)), values((3, 4), 2)
    getattr(m, mode)()
    mine, mineGrad = x.copy(), g.copy()
    assert m.forward(mine) is m.output is mine
    assert m.backward(mine, mineGrad) is m.gradInput is mineGrad
    factor = m.noise if mode == "training" else 1
    np.testing.assert_array_equal(mine, x * factor)
    np.testing.assert_array_equal(mineGrad, g * factor)


def test_stochastic_inference_drops_forward_only() -> None:
    m, x, g = nn.Dropout(0.5, False, False, True), np.ones(64), values((64,))
    m.evaluate()
    assert set(m.forward(x).tolist()) == {0, 2}
    np.testing.assert_array_equal(m.backward(x, g), g)


def test_setp() -> None:
    m = nn.Dropout(0.5)
    assert str(m) == "nn.Dropout(0.500000)"
    m.setp(0.25)
    assert str(m) == "nn.Dropout(0.250000)"
    assert set(m.forward(np.ones(64)).tolist()) == {0, 1 / 0.75}


@pytest.mark.parametrize("p", [1, -0.1, 2, np.nan])
def test_probabilities_below_one(p: float) -> None:
    for refuse in (nn.Dropout, nn.Dropout(0.5).setp):
        with pytest.raises(ValueError, match=r"nn.Dropout: expected a probability 0 <= p < 1, got "):
            refuse(p)


def test_defaults_of_dropout() -> None:
    fields = {"p": 0.5, "train": True, "inplace": False, "stochastic_inference": False, "v2": True}
    for m in (nn.Dropout(), nn.Dropout(None)):
        assert fields.items() <= vars(m).items()
        assert m.noise.shape == (0,)


def test_a_file_of_before_version_2_scales_in_evaluation() -> None:
    m = nn.Dropout(0.5)
    del m.v2, m.stochastic_inference
    assert set(m.forward(np.ones(64)).tolist()) == {0, 1}
    m.evaluate()
    assert m.forward(np.ones(2)).tolist() == [0.5, 0.5]


def test_backward_while_training_needs_the_noise() -> None:
    m, x = nn.Dropout(0.5), np.ones((2, 3))
    m.evaluate()
    m.forward(x)
    m.training()
    with pytest.raises(ValueError, match=r"nn.Dropout: expected a forward in training mode of 6 elements"):
        m.backward(x, x)
    m.forward(x)
    m.clearState()
    assert m.noise.size == 0

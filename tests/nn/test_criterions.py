"""Losses: what they do beyond what all criterions promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7

LABELS = [np.uint8, np.int8, np.int16, np.int32, np.int64, np.float32, np.float64]


def logs(shape: tuple[int, ...] = (3, 4), seed: int = 1) -> np.ndarray:
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1]))


def nll_by_rows(x: np.ndarray, t: Any, weights: Any, average: bool, ignored: int) -> tuple[float, np.ndarray]:
    """The loss and its gradient, row by row."""
    loss, total, gradient = 0.0, 0.0, np.zeros_like(x)
    for n, label in enumerate(t):
        if label != ignored:
            w = 1 if weights is None else weights[label - 1]
            loss -= w * x[n, label - 1]
            total += w
            gradient[n, label - 1] = -w
    return (loss / total, gradient / total) if average and total else (loss, gradient)


# -- ClassNLLCriterion


@given(st.data())
def test_nll_is_what_its_rows_are(data: st.DataObject) -> None:
    rows, classes = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 6))
    t = np.array(data.draw(st.lists(st.integers(1, classes), min_size=rows, max_size=rows)))
    ignored = data.draw(st.sampled_from([-100, 1, 2]))
    weights = data.draw(st.none() | st.just(np.arange(1.0, classes + 1)))
    average, x = data.draw(st.booleans()), logs((rows, classes))
    c = nn.ClassNLLCriterion(weights, average, ignored)
    loss, gradient = nll_by_rows(x, t, weights, average, ignored)
    assert c.forward(x, t) == pytest.approx(loss, rel=1e-13, abs=1e-14)
    np.testing.assert_allclose(c.backward(x, t), gradient, rtol=1e-14)
    assert c.total_weight_tensor.item() == pytest.approx(
        sum(1 if weights is None else weights[i - 1] for i in t if i != ignored)
    )


@pytest.mark.parametrize("dtype", LABELS)
def test_labels_of_any_type(dtype: Any) -> None:
    c, x = nn.ClassNLLCriterion(), logs()
    want = -(x[0, 3] + x[1, 0] + x[2, 1]) / 3
    assert c.forward(x, np.array([4, 1, 2], dtype)) == pytest.approx(want, rel=1e-14)
    assert c.target.dtype == np.int64
    assert c.forward(x[0], dtype(4)) == -x[0, 3]
    assert c.forward(x[0], np.array([4], dtype)) == -x[0, 3]


def test_one_row_is_a_batch_or_a_vector() -> None:
    c, x = nn.ClassNLLCriterion(np.array([1.0, 2, 3, 4])), logs((1, 4))
    assert c.forward(x, 2) == c.forward(x[0], 2) == pytest.approx(-x[0, 1])
    assert c.backward(x, 2).tolist() == [[0, -1, 0, 0]]
    assert c.backward(x[0], 2).tolist() == [0, -1, 0, 0]
    c.sizeAverage = False
    assert c.forward(x[0], 2) == -2 * x[0, 1]
    assert c.backward(x[0], 2).tolist() == [0, -2, 0, 0]


@pytest.mark.parametrize("cls", [nn.ClassNLLCriterion, nn.CrossEntropyCriterion])
@pytest.mark.parametrize("label", [0, 5, -1, 5.0])
def test_labels_outside_are_refused(cls: Any, label: Any) -> None:
    c, message = cls(), f"labels count from 1 and go up to 4, got {int(label)}"
    with pytest.raises(IndexError, match=message):
        c.forward(logs((4,)), label)
    with pytest.raises(IndexError, match=message):
        c.forward(logs(), np.array([1, label, 2]))
    c.forward(logs((4,)), 1)
    with pytest.raises(IndexError, match=message):
        c.backward(logs((4,)), label)


@pytest.mark.parametrize("label", [1.5, np.nan, np.inf])
def test_labels_are_whole(label: float) -> None:
    with pytest.raises(ValueError, match=r"nn.ClassNLLCriterion: expected whole numbers as labels"):
        nn.ClassNLLCriterion().forward(logs((4,)), label)


@pytest.mark.parametrize("target", [None, "a", True])
def test_labels_are_numbers(target: Any) -> None:
    with pytest.raises(TypeError, match=r"nn.ClassNLLCriterion: expected whole numbers as labels"):
        nn.ClassNLLCriterion().forward(logs((4,)), target)


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (nn.ClassNLLCriterion, (2, 4)),
        (nn.CrossEntropyCriterion, (2, 4)),
        (nn.MultiMarginCriterion, (2, 4)),
        (lambda: nn.ClassSimplexCriterion(4), (2, 4)),
        (nn.MultiLabelMarginCriterion, (2,)),
        (nn.SpatialClassNLLCriterion, (1, 2, 1, 2)),
    ],
)
@pytest.mark.parametrize("target", [[1, 2], [np.ones(1), np.ones(2)], (1, 2)])
def test_labels_are_no_table(make: Any, x: tuple[int, ...], target: Any) -> None:
    with pytest.raises(TypeError, match=r"nn.\w+: expected a label or a tensor of labels, got a table of 2"):
        make().forward(logs(x), target)


@pytest.mark.parametrize("cls", [nn.MSECriterion, nn.BCECriterion, nn.SoftMarginCriterion, nn.L1Cost])
def test_torch_has_no_tensor_without_dimensions(cls: Any) -> None:
    with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a torch.DoubleTensor, got a .* of shape \(\)"):
        cls().forward(np.array(0.5), np.array(0.5))


def test_scores_of_which_none_is_finite_have_no_loss_silently() -> None:
    c, x = nn.CrossEntropyCriterion(), np.array([[-np.inf, -np.inf], [0.0, 0.0]])
    assert np.isnan(c.forward(x, np.array([1, 2])))
    np.testing.assert_array_equal(c.backward(x, np.array([1, 2])), [[np.nan, np.nan], [0.25, -0.25]])


@pytest.mark.parametrize(
    ("x", "target"), [((3, 4), (2,)), ((3, 4), ()), ((3, 4), (3, 1)), ((3, 4), (1, 3)), ((4,), (2,)), ((4,), (4,))]
)
def test_as_many_labels_as_rows(x: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.ClassNLLCriterion: expected [13] labels for an input of shape"):
        nn.ClassNLLCriterion().forward(logs(x), np.ones(target))


@pytest.mark.parametrize("shape", [(2, 3, 4), (0,), (0, 4)])
def test_nll_wants_vectors_and_matrices(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.ClassNLLCriterion: expected a vector or a matrix, got shape"):
        nn.ClassNLLCriterion().forward(np.zeros(shape), np.ones(shape[0]))


def test_where_all_is_ignored_there_is_no_loss() -> None:
    c, x, t = nn.ClassNLLCriterion(), logs(), np.full(3, -100)
    loss = c.forward(x, t)
    assert (loss, str(loss)) == (0, "0.0")
    assert not c.backward(x, t).any()
    assert c.forward(x[0], -100) == 0
    assert not c.backward(x[0], -100).any()


def test_a_class_without_weight_has_no_loss() -> None:
    c, x = nn.ClassNLLCriterion(np.array([0.0, 1, 1, 1])), logs()
    assert c.forward(x, np.array([1, 1, 1])) == 0
    assert not c.backward(x, np.array([1, 1, 1])).any()
    assert c.forward(x, np.array([1, 2, 1])) == pytest.approx(-x[1, 1])


def test_the_gradient_of_the_last_labels_is_gone() -> None:
    c, x = nn.ClassNLLCriterion(), logs((2, 3))
    c.forward(x, np.array([1, 2]))
    first = c.backward(x, np.array([1, 2]))
    c.forward(x, np.array([3, 3]))
    assert c.backward(x, np.array([3, 3])) is first
    assert first.tolist() == [[0, 0, -0.5], [0, 0, -0.5]]


def test_the_labels_are_kept_in_memory_of_their_own() -> None:
    c, t = nn.ClassNLLCriterion(), np.array([1, 2, 3])
    c.forward(logs(), t)
    assert c.target.tolist() == [1, 2, 3]
    assert not np.shares_memory(c.target, t)


def test_fields_are_torchs() -> None:
    fields = vars(nn.ClassNLLCriterion())
    assert sorted(fields) == [
        "gradInput",
        "ignoreIndex",
        "output",
        "output_tensor",
        "sizeAverage",
        "target",
        "total_weight_tensor",
    ]
    assert [fields[name].tolist() for name in ("output_tensor", "total_weight_tensor", "target")] == [[0], [1], [0]]
    assert fields["target"].dtype == np.int64


def test_defaults_stand_for_what_is_missing() -> None:
    for args in ((None, None, None), ()):
        c = nn.ClassNLLCriterion(*args)
        assert (c.weights, c.sizeAverage, c.ignoreIndex) == (None, True, -100)
    x, t = logs(), np.array([1, 2, -100])
    loss, gradient = c.forward(x, t), c.backward(x, t).copy()
    for name in ("ignoreIndex", "output_tensor", "total_weight_tensor", "target"):  # as files of old versions
        delattr(c, name)
    assert c.forward(x, t) == loss
    np.testing.assert_array_equal(c.backward(x, t), gradient)


@pytest.mark.parametrize("cls", [nn.ClassNLLCriterion, nn.BCECriterion])
def test_length_is_the_number_of_weights(cls: Any) -> None:
    assert len(cls()) == 0
    assert cls()
    assert len(cls(np.ones(3))) == 3


@pytest.mark.parametrize("cls", [nn.ClassNLLCriterion, nn.CrossEntropyCriterion, nn.BCECriterion])
def test_weights_are_a_vector(cls: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a one-dimensional tensor of weights, got shape \(2, 2\)"):
        cls(np.ones((2, 2)))
    with pytest.raises(ValueError, match="expected a one-dimensional tensor of weights, got a table"):
        cls([1, 2])


def test_one_weight_for_each_class() -> None:
    with pytest.raises(ValueError, match=r"nn.ClassNLLCriterion: expected 3 classes, one for each weight, got shape"):
        nn.ClassNLLCriterion(np.ones(3)).forward(logs(), np.array([1, 1, 1]))
    c = nn.ClassNLLCriterion(np.ones(4, np.float32))
    with pytest.raises(TypeError, match=r"expected a torch.DoubleTensor, got a torch.FloatTensor of shape \(4,\)"):
        c.forward(logs(), np.array([1, 1, 1]))


# -- CrossEntropyCriterion


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1, 1), (1, 3, 4), (1, 4), (4,), (1, 1), (1,)])
def test_cross_entropy_drops_dimensions_of_one(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).normal(size=shape)
    squeezed = np.atleast_1d(x.squeeze())
    t = np.ones(len(squeezed) if squeezed.ndim == 2 else 1)
    lsm, nll, c = nn.LogSoftMax(), nn.ClassNLLCriterion(), nn.CrossEntropyCriterion()
    loss = nll.forward(lsm.forward(squeezed), t)
    assert c.forward(x, t) == c.forward(x, t[:, None]) == loss
    gradient = c.backward(x, t[None])
    assert gradient.shape == shape
    want = lsm.backward(squeezed, nll.backward(lsm.output, t))
    np.testing.assert_allclose(gradient.reshape(squeezed.shape), want, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(c.lsm.output, lsm.output)


def test_cross_entropy_hands_on_a_changed_sizeAverage() -> None:
    c, x, t = nn.CrossEntropyCriterion(), logs(), np.array([1, 2, 3])
    mean = c.forward(x, t)
    c.sizeAverage = False
    assert c.forward(x, t) == pytest.approx(3 * mean)
    assert (c.nll.sizeAverage, c.oldSizeAverage) == (False, False)
    c.sizeAverage = True
    c.backward(x, t)
    assert c.nll.sizeAverage is True
    c.nll.sizeAverage = False  # set there directly it stays
    assert c.forward(x, t) == pytest.approx(3 * mean)


def test_cross_entropy_weighs() -> None:
    w, x, t = np.array([1.0, 2, 3, 4]), logs(), np.array([1, 4, 4])
    assert nn.CrossEntropyCriterion(w).forward(x, t) == pytest.approx(nll_by_rows(x, t, w, True, -100)[0])


def test_cross_entropy_copies_go_on_where_it_was() -> None:
    c, x, t = nn.CrossEntropyCriterion(), logs(), np.array([1, 2, 3])
    with pytest.raises(ValueError, match=r"nn.CrossEntropyCriterion: expected a torch.DoubleTensor of shape"):
        c.backward(x, t)
    c.forward(x, t)
    want = c.backward(x, t)
    for copy in (c.clone(), torch7.deserialize(torch7.serialize(c))):  # without a forward of their own
        np.testing.assert_allclose(copy.backward(x, t), want, rtol=1e-14)


@pytest.mark.parametrize("shape", [(2, 3, 4), (0,), (0, 4)])
def test_cross_entropy_wants_vectors_and_matrices(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.CrossEntropyCriterion: expected a vector or a matrix, got shape"):
        nn.CrossEntropyCriterion().forward(np.zeros(shape), np.ones(shape[0]))


# -- MSECriterion and BCECriterion


@pytest.mark.parametrize("cls", [nn.MSECriterion, nn.BCECriterion])
def test_target_of_another_shape_but_the_same_size(cls: Any) -> None:
    x, t, c = np.full((2, 3), 0.25), np.arange(6) % 2.0, cls()
    loss = c.forward(x, t.reshape(2, 3))
    want = c.backward(x, t.reshape(2, 3)).copy()
    assert c.forward(x, t) == loss
    np.testing.assert_array_equal(c.backward(x, t), want)


@pytest.mark.parametrize("cls", [nn.MSECriterion, nn.BCECriterion])
@pytest.mark.parametrize(("x", "target"), [((3,), (4,)), ((2, 3), (3,)), ((0,), (0,))])
def test_target_of_another_size(cls: Any, x: tuple[int, ...], target: tuple[int, ...]) -> None:
    message = rf"nn.{cls.__name__}: expected an input and a target of the same number of elements \(not 0\), got shapes"
    for method in (cls().forward, cls().backward):
        with pytest.raises(ValueError, match=message):
            method(np.zeros(x), np.zeros(target))


@pytest.mark.parametrize("cls", [nn.MSECriterion, nn.BCECriterion])
def test_target_of_another_type(cls: Any) -> None:
    with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a torch.DoubleTensor, got a torch.LongTensor"):
        cls().forward(np.zeros(2), np.array([0, 1]))
    with pytest.raises(TypeError, match=rf"nn.{cls.__name__}: expected a torch.DoubleTensor, got a number"):
        cls().forward(np.zeros(1), 1)


@pytest.mark.parametrize("cls", [nn.MSECriterion, lambda a=None: nn.BCECriterion(None, a)])
def test_mean_and_sum(cls: Any) -> None:
    x, t = np.array([0.25, 0.5]), np.array([1.0, 0.0])
    mean, total = cls(), cls(False)
    assert 2 * mean.forward(x, t) == pytest.approx(total.forward(x, t))
    np.testing.assert_allclose(2 * mean.backward(x, t), total.backward(x, t))
    assert cls(None).sizeAverage is True


def test_mse() -> None:
    c, x, t = nn.MSECriterion(), np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0])
    assert c.forward(x, t) == pytest.approx(10 / 3)
    np.testing.assert_allclose(c.backward(x, t), [0, 2 / 3, 2])
    assert c.output_tensor.tolist() == [c.output]


def test_bce_at_its_ends() -> None:
    c = nn.BCECriterion(None, False)
    assert c.forward(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == pytest.approx(0, abs=1e-11)
    assert c.forward(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(-2 * np.log(1e-12), rel=1e-4)
    gradient = c.backward(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    np.testing.assert_allclose(gradient, [-1e12, 1e12], rtol=1e-4)


@pytest.mark.parametrize("wrong", [-1e-9, 1 + 1e-9, np.nan, np.inf])
def test_bce_wants_probabilities(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"nn.BCECriterion: expected an input between 0 and 1, got {wrong}"):
        nn.BCECriterion().forward(np.array([0.5, wrong, 0.25]), np.zeros(3))


def test_bce_is_computed_in_double() -> None:
    rng = np.random.default_rng(6)
    x, t = rng.uniform(size=(2, 20, 3)).astype(np.float32)
    x[0] = [1, 0, 1e-30]
    for w in (None, np.array([1.0, 2, 3])):
        exact, c = nn.BCECriterion(w), nn.BCECriterion(w).float()
        assert c.forward(x, t) == float(np.float32(exact.forward(x.astype(float), t.astype(float))))
        found = c.backward(x, t)
        assert found.dtype == np.float32
        want = exact.backward(x.astype(float), t.astype(float)).astype(np.float32)
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(("x", "target"), [((3,), (3,)), ((2, 3), (2, 3)), ((6,), (2, 3)), ((2, 3, 1), (2, 3))])
def test_bce_weighs_columns(x: tuple[int, ...], target: tuple[int, ...]) -> None:
    rng, w = np.random.default_rng(5), np.array([1.0, 2.0, 3.0])
    p, t = rng.uniform(0.1, 0.9, x), rng.integers(0, 2, target).astype(float)
    rows, labels = p.reshape(-1, 3), t.reshape(-1, 3)
    want = -(w * np.log(np.where(labels == 1, rows, 1 - rows))).sum() / p.size
    c = nn.BCECriterion(w)
    assert c.forward(p, t) == pytest.approx(want, rel=1e-10)
    assert c.backward(p, t).shape == x


@pytest.mark.parametrize("target", [(4,), (3, 2), (1, 2, 3)])
def test_bce_weights_fit_the_target(target: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.BCECriterion: expected a target that fits 3 weights, got shape"):
        nn.BCECriterion(np.ones(3)).forward(np.full(target, 0.5), np.zeros(target))


def test_loss_of_a_float_criterion_has_its_precision() -> None:
    for c, x, t in (
        (nn.MSECriterion(), np.array([0.1, 0.2], np.float32), np.zeros(2, np.float32)),
        (nn.ClassNLLCriterion(), logs().astype(np.float32), np.array([1, 2, 3])),
        (nn.CrossEntropyCriterion(), logs().astype(np.float32), np.array([1, 2, 3])),
    ):
        loss = c.float().forward(x, t)
        assert type(loss) is float
        assert loss == float(np.float32(loss))


def test_criterions_follow_the_default_type() -> None:
    torch7.setdefaulttensortype("torch.FloatTensor")
    try:
        c = nn.CrossEntropyCriterion()
        c.forward(logs().astype(np.float32), np.array([1, 2, 3]))
        assert c.backward(logs().astype(np.float32), np.array([1, 2, 3])).dtype == np.float32
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")

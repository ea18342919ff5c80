"""optim.ConfusionMatrix against what Torch7's counted, measured and wrote; what it refuses; files and copies."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import torch7
from optim import ConfusionMatrix
from tests.support import golden

CASES = golden.cases("optim/confusion.json")
every_case = pytest.mark.parametrize("case", CASES, ids=golden.case_id)

# Where Torch fails for what a message of ours says.
MESSAGES = {
    "out of range": (IndexError, "count from 1 and go up to 2, got 3"),
    "predictions has invalid number of dimensions": (
        ValueError,
        "optim.ConfusionMatrix.batchAdd: predictions has an invalid number of dimensions: expected 1 or 2",
    ),
}


def build(case: dict[str, Any]) -> ConfusionMatrix:
    n, classes = (case["constructor"].get(key) for key in ("n", "classes"))
    return ConfusionMatrix(*(x for x in (n, classes) if x is not None))


def replay(case: dict[str, Any]) -> ConfusionMatrix:
    """The matrix after all that was done to the recorded one, as it is after each step."""
    confusion = build(case)
    for op in case["ops"]:
        method, args = getattr(confusion, op["op"]), [golden.decode(arg) for arg in op["args"]]
        if op.get("error"):
            ((error, text),) = (ours for theirs, ours in MESSAGES.items() if theirs in op["error"])
            with pytest.raises(error, match=text):
                method(*args)
        else:
            method(*args)
        np.testing.assert_array_equal(confusion.mat, golden.decode(op["mat"]))
        assert confusion.mat.dtype == np.int64
    return confusion


def counted(*rows: list[int], names: list[Any] | None = None) -> ConfusionMatrix:
    """A matrix of these counts."""
    confusion = ConfusionMatrix(len(rows), names)
    confusion.mat[...] = rows
    return confusion


@every_case
class TestRecorded:
    def test_measures_to_the_last_bit(self, case: dict[str, Any]) -> None:
        confusion = replay(case)
        confusion.updateValids()
        for name in ("valids", "unionvalids"):
            want = golden.decode(case[name])
            np.testing.assert_array_equal(getattr(confusion, name), want)
            assert getattr(confusion, name).dtype == want.dtype == np.float32
        for name in ("totalValid", "averageValid", "averageUnionValid"):
            np.testing.assert_array_equal(getattr(confusion, name), golden.decode(case[name]))
            assert type(getattr(confusion, name)) is float

    def test_far_frr(self, case: dict[str, Any]) -> None:
        confusion = replay(case)
        if "farFrr_error" in case:
            with pytest.raises(ValueError, match=r"optim\.ConfusionMatrix\.farFrr: expected a matrix with examples"):
                confusion.farFrr()
            return
        for name, got in zip(("classFrrs", "classFars", "frrs", "fars"), confusion.farFrr(), strict=True):
            want = golden.decode(case["farFrr"][name])
            np.testing.assert_array_equal(got, want)
            assert got.dtype == want.dtype

    def test_text(self, case: dict[str, Any]) -> None:
        confusion = replay(case)
        assert str(confusion) == case["tostring"]
        assert repr(confusion) == str(confusion)


# -- construction


def test_fields_of_a_new_matrix() -> None:
    confusion = ConfusionMatrix(3)
    assert confusion.nclasses == 3
    assert confusion.classes == []
    assert (confusion.totalValid, confusion.averageValid, confusion.averageUnionValid) == (0, 0, 0)
    assert (confusion.mat.shape, confusion.mat.dtype) == ((3, 3), np.int64)
    for name in ("valids", "unionvalids"):
        assert (getattr(confusion, name).shape, getattr(confusion, name).dtype) == ((3,), np.float32)
    assert not confusion.mat.any()
    assert torch7.typename(confusion) == "optim.ConfusionMatrix"


@pytest.mark.parametrize("names", [["a", "b"], ("a", "b"), np.array(["a", "b"])])
def test_names_in_any_sequence(names: Any) -> None:
    for confusion in (ConfusionMatrix(names), ConfusionMatrix(2, names), ConfusionMatrix(2.0, names)):
        assert confusion.nclasses == 2
        assert type(confusion.nclasses) is int
        assert confusion.classes == ["a", "b"]
        assert [confusion.name(t) for t in (1, 2, 3)] == ["a", "b", ""]


def test_names_that_are_numbers() -> None:
    confusion = ConfusionMatrix(range(3))
    assert confusion.classes == [0, 1, 2]
    assert "[class: 2]" in str(confusion)
    assert ConfusionMatrix([0.5, 1 / 3]).name(2) == "0.33333333333333"
    assert ConfusionMatrix(np.arange(2)).classes == [0, 1]


def test_names_that_are_missing() -> None:
    assert "[class: \u732b]" in str(ConfusionMatrix(["\u732b"]))
    assert str(ConfusionMatrix(2, [None, "b"])).count("class:") == 0
    assert "[class: ]" in str(ConfusionMatrix(3, ["a", None, "c"]))
    assert ConfusionMatrix(2, False).classes == []
    assert ConfusionMatrix(3, torch7.Table({1: "a", 3: "c"})).name(3) == "c"
    confusion = ConfusionMatrix(2, ["a", "b", "one too many"])
    confusion.classes = None  # type: ignore[assignment]
    assert confusion.name(1) == ""
    assert str(confusion).count("class:") == 0


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((0,), ValueError, "expected 1 class or more, got 0"),
        ((-2,), ValueError, "expected 1 class or more, got -2"),
        (([],), ValueError, "expected 1 class or more, got 0"),
        ((2.5,), ValueError, "expected a whole number as number of classes, got 2.5"),
        (("cat",), TypeError, "expected a number of classes or a list of their names, got 'cat'"),
        ((None,), TypeError, "expected a number of classes or a list of their names, got None"),
        ((3, "cat"), TypeError, "expected a number of classes or a list of their names, got 'cat'"),
        ((3, 4), TypeError, "expected a number of classes or a list of their names, got 4"),
    ],
)
def test_what_makes_no_matrix(args: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(f"optim.ConfusionMatrix: {text}")):
        ConfusionMatrix(*args)


# -- counting


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u8", ">f8", ">i4"])
def test_labels_of_any_type(dtype: str) -> None:
    confusion = ConfusionMatrix(3)
    confusion.batchAdd(np.array([1, 3, 3], dtype), np.array([2, 3, 0], dtype))
    confusion.add(np.array([1], dtype)[0], np.array(2, dtype))
    np.testing.assert_array_equal(confusion.mat, [[0, 0, 0], [2, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "i8", "u1", "?", ">f4"])
def test_rows_of_any_type(dtype: str) -> None:
    confusion = ConfusionMatrix(3)
    rows = np.eye(3, dtype=dtype)
    confusion.batchAdd(rows, rows[::-1])
    confusion.add(rows[0], rows[1])
    np.testing.assert_array_equal(confusion.mat, [[0, 0, 1], [1, 1, 0], [1, 0, 0]])


def test_lists_serve_as_arrays() -> None:
    confusion = ConfusionMatrix(2)
    confusion.add([0.2, 0.8], 1)
    confusion.batchAdd([[0.2, 0.8], [1, 0]], [2, 2])
    confusion.batchAdd((1, 2), [[1], [2]])
    np.testing.assert_array_equal(confusion.mat, [[1, 1], [1, 2]])


def test_views_serve_as_arrays() -> None:
    confusion = ConfusionMatrix(3)
    scores = np.arange(24.0).reshape(4, 6)[::-1, ::-2]
    confusion.batchAdd(scores, np.repeat([1, 2, 3, 1], 2)[::2])
    np.testing.assert_array_equal(confusion.mat[:, 0], [2, 1, 1])
    assert scores[0, 0] == 23


def test_the_first_of_equal_scores_counts() -> None:
    """They are compared in float32, in which these are alike."""
    confusion = ConfusionMatrix(3)
    confusion.add([0.5, 0.5 + 1e-12, 0.5], 1)
    confusion.batchAdd([[0, 1e300, 1e301], [-np.inf, -np.inf, -np.inf]], [2, 3])
    np.testing.assert_array_equal(confusion.mat, [[1, 0, 0], [0, 1, 0], [1, 0, 0]])


def test_rows_may_be_shorter_and_longer_than_there_are_classes() -> None:
    confusion = ConfusionMatrix(3)
    confusion.add([0.1, 0.9], 3)
    confusion.batchAdd([[0.1, 0.9, 0, 0, 0]], [[1, 0]])
    np.testing.assert_array_equal(confusion.mat, [[0, 1, 0], [0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("unknown", [0, -1, -0.5, float("nan"), -float("inf"), np.int8(-3)])
def test_targets_that_are_not_known_are_ignored(unknown: Any) -> None:
    confusion = ConfusionMatrix(2)
    confusion.add(1, unknown)
    confusion.add(99, unknown)
    confusion.add([0.5, np.nan], unknown)
    confusion.batchAdd([1, 7, np.nan, 2], [unknown, unknown, unknown, 2])
    confusion.batchAdd([[0.1, 0.2], [np.nan, 1]], [unknown, unknown])
    np.testing.assert_array_equal(confusion.mat, [[0, 0], [0, 1]])


def test_a_row_of_targets_with_nan_is_not_known() -> None:
    confusion = ConfusionMatrix(2)
    confusion.batchAdd([1, 1], [[1, 0], [np.nan, 1]])
    np.testing.assert_array_equal(confusion.mat, [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    ("predictions", "targets"),
    [([], []), (np.zeros((0, 2)), np.zeros(0)), (np.zeros((0, 1)), np.zeros((0, 2))), (torch7.Tensor(), [])],
)
def test_an_empty_batch_changes_nothing(predictions: Any, targets: Any) -> None:
    confusion = counted([1, 2], [3, 4])
    confusion.batchAdd(predictions, targets)
    np.testing.assert_array_equal(confusion.mat, [[1, 2], [3, 4]])


def test_the_only_class() -> None:
    confusion = ConfusionMatrix(1)
    confusion.add([0.3], [1])
    confusion.add([0.3], 1)
    confusion.batchAdd([[1], [1]], [1, 0])
    assert confusion.mat.tolist() == [[3]]
    assert confusion.averageValid == 0
    confusion.updateValids()
    assert confusion.averageValid == confusion.averageUnionValid == confusion.totalValid == 1


@hypothesis.given(
    n=st.integers(1, 12), examples=st.integers(0, 60), seed=st.integers(0, 2**32 - 1), vectors=st.booleans()
)
@hypothesis.settings(deadline=None)
def test_a_batch_counts_as_its_examples_do(n: int, examples: int, seed: int, vectors: bool) -> None:
    random = np.random.RandomState(seed)
    targets = random.randint(-1, n + 1, examples)
    predictions = random.normal(size=(examples, n)) if vectors and n > 1 else random.randint(1, n + 1, examples)
    together, alone = ConfusionMatrix(n), ConfusionMatrix(n)
    together.batchAdd(predictions, targets)
    for prediction, target in zip(predictions, targets):
        alone.add(prediction, target)
    np.testing.assert_array_equal(together.mat, alone.mat)
    assert together.mat.sum() == (targets > 0).sum()


def test_a_matrix_that_a_script_put_in_place() -> None:
    """torch/optim's own test does so."""
    confusion = ConfusionMatrix(10)
    confusion.mat = np.eye(10)
    assert all(not rates.any() for rates in confusion.farFrr())
    confusion.add(1, 2)
    confusion.batchAdd([1, 2], [2, 2])
    assert confusion.mat[1].tolist() == [2, 2, *[0] * 8]
    assert "[       2       2       0" in str(confusion)
    confusion.mat = np.arange(4).reshape(2, 2).T
    confusion.nclasses = 2
    confusion.batchAdd([1], [2])
    np.testing.assert_array_equal(confusion.mat, [[0, 2], [2, 3]])
    confusion.updateValids()
    assert confusion.valids.tolist() == [0, np.float32(0.6)]


def test_zero() -> None:
    confusion = counted([1, 2], [3, 4])
    mat = confusion.mat
    confusion.updateValids()
    confusion.zero()
    assert confusion.mat is mat
    assert not mat.any()
    assert not confusion.valids.any()
    assert not confusion.unionvalids.any()
    assert (confusion.totalValid, confusion.averageValid, confusion.averageUnionValid) == (0, 0, 0)
    assert confusion.nclasses == 2


# -- what is refused: the matrix is afterwards as it was


@pytest.mark.parametrize(
    ("prediction", "target", "error", "text"),
    [
        (3, 1, IndexError, "predictions count from 1 and go up to 2, got 3"),
        (0, 1, IndexError, "predictions count from 1 and go up to 2, got 0"),
        (-1, 1, IndexError, "predictions count from 1 and go up to 2, got -1"),
        (1, 3, IndexError, "targets count from 1 and go up to 2, got 3"),
        (1, 2.0**24 + 1, IndexError, "targets count from 1 and go up to 2, got 16777217"),
        (1, np.uint64(2**64 - 1), IndexError, "targets count from 1 and go up to 2"),
        ([0, 0, 1], 1, IndexError, "predictions count from 1 and go up to 2, got 3"),
        ([0, 1], [0, 0, 1], IndexError, "targets count from 1 and go up to 2, got 3"),
        (1.5, 1, ValueError, "expected whole numbers as predictions, got 1.5"),
        (1, 0.5, ValueError, "expected whole numbers as targets, got 0.5"),
        (1, float("inf"), ValueError, "expected whole numbers as targets, got inf"),
        (float("nan"), 1, ValueError, "expected predictions that are numbers, got NaN"),
        ([0.5, float("nan")], 1, ValueError, "expected predictions that are numbers, got NaN"),
        (1, [0, 1], TypeError, "expected a class number as target of a class number, got shape (2,)"),
        ([0.4, 0.6], [1], ValueError, "expected a number or one for each class as target, got shape (1,)"),
        ([0.4], 1, ValueError, "expected a number or one for each class as prediction, got shape (1,)"),
        ([[0.4, 0.6]], 1, ValueError, "prediction has an invalid number of dimensions: expected 0 or 1, got (1, 2)"),
        ([0.4, 0.6], [[1]], ValueError, "target has an invalid number of dimensions: expected 0 or 1, got (1, 1)"),
        ([], 1, ValueError, "expected a number for each class as prediction, got shape (1, 0)"),
        ("cat", 1, TypeError, "expected numbers as prediction, got 'cat'"),
        (1, None, TypeError, "expected numbers as target, got None"),
        (None, 1, TypeError, "expected numbers as prediction, got None"),
        (1j, 1, TypeError, "expected numbers as prediction, got 1j"),
        (True, 1, TypeError, "expected class numbers, which count from 1, as prediction, got booleans"),
        ([[1], [1, 2]], 1, TypeError, "expected numbers as prediction, got [[1], [1, 2]]"),
        (1, 10**30, TypeError, "expected numbers as target, got 1000"),
    ],
)
def test_add_refuses(prediction: Any, target: Any, error: type[Exception], text: str) -> None:
    confusion = counted([1, 2], [3, 4])
    with pytest.raises(error, match=re.escape(f"optim.ConfusionMatrix.add: {text}")):
        confusion.add(prediction, target)
    np.testing.assert_array_equal(confusion.mat, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("predictions", "targets", "error", "text"),
    [
        ([1, 3], [1, 1], IndexError, "predictions count from 1 and go up to 2, got 3"),
        ([1, 0], [1, 1], IndexError, "predictions count from 1 and go up to 2, got 0"),
        ([1, -1], [1, 1], IndexError, "predictions count from 1 and go up to 2, got -1"),
        ([1, 1], [1, 3], IndexError, "targets count from 1 and go up to 2, got 3"),
        ([1, 1], np.array([1, 2**63], np.uint64), IndexError, "targets count from 1 and go up to 2"),
        (np.eye(3), [1, 1, 1], IndexError, "predictions count from 1 and go up to 2, got 3"),
        ([1, 1.5], [1, 1], ValueError, "expected whole numbers as predictions, got 1.5"),
        ([1, 1], [1, 1.5], ValueError, "expected whole numbers as targets, got 1.5"),
        ([1, 1], [1, 0.5], ValueError, "expected whole numbers as targets, got 0.5"),
        ([1, np.nan], [1, 1], ValueError, "expected predictions that are numbers, got NaN"),
        ([[1, 0], [np.nan, 0]], [1, 1], ValueError, "expected predictions that are numbers, got NaN"),
        ([1, 1, 1], [1, 1], ValueError, "expected as many targets as predictions, got shapes (2,) and (3,)"),
        (np.eye(2), [1], ValueError, "expected as many targets as predictions, got shapes (1,) and (2, 2)"),
        (1, 1, ValueError, "predictions has an invalid number of dimensions: expected 1 or 2, got ()"),
        ([1], 1, ValueError, "targets has an invalid number of dimensions: expected 1 or 2, got ()"),
        (np.eye(2), np.ones((2, 1, 1)), ValueError, "targets has an invalid number of dimensions"),
        (np.zeros((2, 0)), [1, 1], ValueError, "expected a number for each class as predictions, got shape (2, 0)"),
        (["a"], [1], TypeError, "expected numbers as predictions, got ['a']"),
        ([1], [None], TypeError, "expected numbers as targets, got [None]"),
        ([True, False], [1, 1], TypeError, "expected class numbers, which count from 1, as predictions, got booleans"),
        ([1, 1], [True, False], TypeError, "expected class numbers, which count from 1, as targets, got booleans"),
        ([[1, 0], [1]], [1, 1], TypeError, "expected numbers as predictions, got [[1, 0], [1]]"),
    ],
)
def test_batch_add_refuses(predictions: Any, targets: Any, error: type[Exception], text: str) -> None:
    confusion = counted([1, 2], [3, 4])
    with pytest.raises(error, match=re.escape(f"optim.ConfusionMatrix.batchAdd: {text}")):
        confusion.batchAdd(predictions, targets)
    np.testing.assert_array_equal(confusion.mat, [[1, 2], [3, 4]])


# -- measures


def as_torch_computes(mat: list[list[int]]) -> tuple[Any, ...]:
    """The measures in a loop over the classes: ratios in float32, their sums in double, one after the other."""

    def ratio(a: float, b: float) -> np.float32:
        return np.float32(a / b if b else np.nan)

    n = len(mat)
    rows, columns = [sum(row) for row in mat], [sum(row[t] for row in mat) for t in range(n)]
    valids = [ratio(mat[t][t], rows[t]) for t in range(n)]
    unions = [ratio(mat[t][t], rows[t] + columns[t] - mat[t][t]) for t in range(n)]
    sums, known = [0.0, 0.0], 0
    for valid, union in zip(valids, unions):
        if not np.isnan(valid):
            sums = [sums[0] + float(valid), sums[1] + float(union)]
            known += 1
    total = sum(rows)
    means = [s / known if known else np.nan for s in sums]
    return valids, unions, sum(mat[t][t] for t in range(n)) / total if total else np.nan, *means


@hypothesis.given(n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 5, 10**6, 2**40]))
@hypothesis.settings(deadline=None)
def test_measures_are_rounded_as_torch_does(n: int, seed: int, most: int) -> None:
    random = np.random.RandomState(seed)
    mat = random.randint(0, most, (n, n)) * random.randint(0, 2, (n, 1))
    confusion = counted(*mat.tolist())
    confusion.updateValids()
    valids, unions, total, mean, mean_union = as_torch_computes(mat.tolist())
    np.testing.assert_array_equal(confusion.valids, valids)
    np.testing.assert_array_equal(confusion.unionvalids, unions)
    got = [confusion.totalValid, confusion.averageValid, confusion.averageUnionValid]
    np.testing.assert_array_equal(got, [total, mean, mean_union])


@hypothesis.given(n=st.integers(2, 40), seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(deadline=None)
def test_rates_are_summed_as_torch_does(n: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    mat = random.randint(0, 50, (n, n)) * random.randint(0, 2, (n, 1))
    mat[0, 0] = 1
    classFrrs, classFars, frrs, fars = counted(*mat.tolist()).farFrr()
    examples, known = mat.sum(1), np.flatnonzero(mat.sum(1))
    for i in range(n):
        far, others = 0.0, 0
        for j in known:
            if i != j:
                far, others = far + mat[j, i] / examples[j], others + 1
        expected = (1 - mat[i, i] / examples[i], far / others if others else np.nan) if examples[i] else (-1, -1)
        np.testing.assert_array_equal((classFrrs[i], classFars[i]), expected)
    np.testing.assert_array_equal(frrs, classFrrs[known])
    np.testing.assert_array_equal(fars, classFars[known])


def test_rates_are_written_into_the_same_arrays() -> None:
    confusion = counted([1, 1], [0, 0])
    first = confusion.farFrr()
    assert confusion._classFrrs is first[0]
    confusion.mat[1] = 2
    again = confusion.farFrr()
    assert again[0] is first[0]
    assert again[1] is first[1]
    assert np.shares_memory(again[2], first[2])
    assert (first[2].shape, again[2].shape) == ((1,), (2,))


def test_rates_have_the_default_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch7.dtypes, "_default", "torch.FloatTensor")
    assert {rates.dtype for rates in counted([1, 1], [0, 1]).farFrr()} == {np.dtype(np.float32)}


def test_halves_are_rounded_as_torch_does() -> None:
    assert "   1.563% \n" in str(counted([1, 63], [0, 1]))


@pytest.mark.parametrize("text", [str, repr, ConfusionMatrix.__tostring__])
def test_the_text_computes_the_measures(text: Callable[[Any], str]) -> None:
    confusion = counted([1, 0], [1, 0])
    assert confusion.totalValid == 0
    assert "global correct: 50%" in text(confusion)
    assert confusion.totalValid == 0.5


@pytest.mark.parametrize(("most", "width"), [(1, 8), (9_999_999, 8), (10_000_000, 8), (10_000_001, 9), (10**12, 13)])
def test_columns_grow_with_the_counts(most: int, width: int) -> None:
    assert f"[[{most:{width}d}{0:{width}d}]   100.000% " in str(counted([most, 0], [0, 0]))


# -- files and copies


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "t7": lambda x: torch7.deserialize(torch7.serialize(x)),
    "ascii": lambda x: torch7.deserialize(torch7.serialize(x, "ascii"), "ascii"),
}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@pytest.mark.parametrize("used", [False, True])
def test_round_trip(way: str, used: bool) -> None:
    confusion = counted([5, 1], [2, 3], names=["cat", "\u732b"])
    if used:
        confusion.farFrr()
        confusion.updateValids()
    got = WAYS[way](confusion)
    assert type(got) is ConfusionMatrix
    assert np.shares_memory(got.mat, got._mat_flat)
    assert np.shares_memory(got.mat, confusion.mat) == (way == "copy")
    assert set(vars(got)) == set(vars(confusion))
    got.batchAdd([1], [2])
    got._mat_flat[0] += 1
    np.testing.assert_array_equal(got.mat, [[6, 1], [3, 3]])
    if way != "copy":
        np.testing.assert_array_equal(confusion.mat, [[5, 1], [2, 3]])
    assert "[class: \u732b]" in str(got)


def test_what_shares_memory_shares_it_in_a_copy() -> None:
    confusion = ConfusionMatrix(2)
    confusion.row = confusion.mat[1]  # type: ignore[attr-defined]
    got: Any = copy.deepcopy(confusion)
    got.add(1, 2)
    assert got.row.tolist() == [1, 0]
    assert not confusion.mat.any()


@pytest.mark.parametrize("file", ["optim_confusion.t7", "optim_confusion.ascii.t7"])
def test_files_that_torch_wrote(file: str) -> None:
    path = golden.ROOT / "t7" / "files" / file
    mode = "ascii" if "ascii" in file else "binary"
    confusion = torch7.load(path, mode)
    assert type(confusion) is ConfusionMatrix
    assert torch7.serialize(confusion, mode) == path.read_bytes()
    assert np.shares_memory(confusion.mat, confusion._mat_flat)
    assert confusion.averageUnionValid == 0  # which that file does not have
    np.testing.assert_array_equal(confusion.mat, [[1, 1], [0, 0]])
    assert confusion.classes == ["cat", "dog"]
    confusion.batchAdd([2], [2])
    confusion.updateValids()
    assert confusion.averageValid == 0.75


def test_a_file_has_the_fields_that_torch_has() -> None:
    case = next(case for case in golden.cases("t7/manifest.json") if case["name"] == "optim_confusion")
    assert set(vars(ConfusionMatrix(["cat", "dog"]))) == {name for name, _ in case["content"]["fields"]}


def saved_by_an_old_torch(**fields: Any) -> ConfusionMatrix:
    old = torch7.TorchObject("optim.ConfusionMatrix", 1, **fields)
    return torch7.deserialize(torch7.serialize(old))


def test_files_of_old_versions() -> None:
    mat = np.array([[3, 1], [0, 0]])
    confusion = saved_by_an_old_torch(
        mat=mat, valids=np.zeros(2, np.float32), nclasses=2, totalValid=0, averageValid=0, classes=["a", "b"]
    )
    assert "unionvalids" in vars(confusion)
    assert np.shares_memory(confusion.mat, confusion._mat_flat)
    assert confusion._prediction.dtype == np.float32
    confusion.batchAdd([1, 2], [2, 2])
    confusion.updateValids()
    assert confusion.valids.tolist() == [0.75, 0.5]
    confusion.zero()
    assert not confusion.mat.any()
    assert set(vars(ConfusionMatrix(2))) <= set(vars(confusion))


def test_old_files_with_counts_in_doubles() -> None:
    confusion = saved_by_an_old_torch(mat=np.eye(2), valids=np.zeros(2), nclasses=2, classes=[])
    confusion.add(1, 2)
    assert "[       1       1]]  50.000% " in str(confusion)


def test_files_with_some_of_the_names() -> None:
    confusion = torch7.deserialize(torch7.serialize(ConfusionMatrix(3, ["a", None, "c"])))
    assert [confusion.name(t) for t in (1, 2, 3)] == ["a", "", "c"]


def test_a_replaced_matrix_is_what_a_file_has() -> None:
    """Torch counts in `_mat_flat`, which must not be a view of the matrix before."""
    confusion = ConfusionMatrix(2)
    confusion.mat = np.array([[1, 2], [3, 4]])
    for way in WAYS.values():
        got = way(confusion)
        np.testing.assert_array_equal(got.mat, [[1, 2], [3, 4]])
    fields = vars(torch7.deserialize(torch7.serialize(confusion)))
    assert np.shares_memory(fields["mat"], fields["_mat_flat"])


@torch7.register("test.Confusion")
class Derived(ConfusionMatrix):
    def __init__(self) -> None:
        super().__init__(2)
        self.extra = [1]


@every_way
def test_a_derived_class(way: str) -> None:
    got = WAYS[way](Derived())
    assert (type(got), got.extra) == (Derived, [1])

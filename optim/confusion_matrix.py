"""optim.ConfusionMatrix: which class was taken for which."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import dims, memory
from torch7.cloning import deep_copy
from torch7.dtypes import printed, tostring

from . import confusion_chart, confusion_picture

NAME = "optim.ConfusionMatrix"
BUFFERS = {
    "_target": np.float32,
    "_prediction": np.float32,
    "_max": np.float32,
    "_pred_idx": np.int64,
    "_targ_idx": np.int64,
}


@torch7.register(NAME)
class ConfusionMatrix:
    """Counts how often examples of each class were taken for which, and measures what follows from it.

    `ConfusionMatrix(nclasses)`, `ConfusionMatrix(names)` or `ConfusionMatrix(nclasses, names)`: names may be strings or
    numbers, and fewer than there are classes. Classes count from 1. A target of 0 or less, or NaN, means that the
    class is not known: the example is ignored.

    Fields, with m = mat:

    * mat (nclasses, nclasses), int64: m[t, p] examples of class t (row) were taken for class p (column)
    * valids (nclasses), float32: the share of each row that is right, m[t, t] / sum_p m[t, p]
    * unionvalids (nclasses), float32: m[t, t] / (sum_p m[t, p] + sum_p m[p, t] - m[t, t]), the VOC measure
    * totalValid, averageValid, averageUnionValid: the share of all examples that is right, and the means of valids and
      unionvalids over the classes that have examples
    * nclasses, and classes, the list of names, empty where there are none

    updateValids() computes the measures, and the text and the pictures do so too; NaN is what has no examples.
    `save` and `render` make pictures, and a notebook shows one. Matrices are written to and read from .t7 files.

    Every method raises TypeError for what is no number, ValueError for what has the wrong shape, is not whole or NaN,
    and IndexError for a class that the matrix has not; the matrix is then as it was.

    Source: torch/optim; the VOC measure: M. Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge, 2010.

    >>> confusion = ConfusionMatrix(["cat", "dog", "person"])
    >>> confusion.add(1, 1)  # a cat is taken for a cat
    >>> confusion.add([0.1, 0.2, 0.7], 3)  # a person: the third class is the likeliest
    >>> confusion.batchAdd([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2]], [1, 3])  # a cat is right, a person is taken for a dog
    >>> print(confusion)
    ConfusionMatrix:
    [[       2       0       0]   100.000%  [class: cat]
     [       0       0       0]   nan%      [class: dog]
     [       0       1       1]]  50.000%   [class: person]
     + average row correct: 75%
     + average rowUcol correct (VOC measure): 75%
     + global correct: 75%
    >>> confusion.totalValid, confusion.valids
    (0.75, array([1. , nan, 0.5], dtype=float32))
    """

    unionvalids: np.ndarray
    averageUnionValid: float = 0  # in Torch only updateValids makes it, and only farFrr these
    _frrs: Any = None
    _classFrrs: Any = None
    _fars: Any = None
    _classFars: Any = None

    def __init__(self, nclasses: Any, classes: Any = None):
        if torch7.type(nclasses) != "number":
            classes = _names(nclasses)
            nclasses = len(classes)
        self.nclasses = dims.whole(nclasses, NAME, "number of classes")
        if self.nclasses < 1:
            raise ValueError(f"{NAME}: expected 1 class or more, got {self.nclasses}")
        self.mat = memory.zeros((self.nclasses, self.nclasses), np.int64)
        self.valids = memory.zeros((self.nclasses,), np.float32)
        self.totalValid: float = 0
        self.averageValid: float = 0
        self.classes = [] if classes is None or classes is False else _names(classes)
        self.torch_loaded()

    # -- counting

    def add(self, prediction: Any, target: Any) -> None:
        """Counts one example.

        `prediction` is the number of a class, or a vector with a number for each class, of which the largest counts:
        probabilities, their logarithms, or any scores. `target` is the number of the right class; with a vector as
        prediction it may be a vector too, such as a one-hot one.

        Of equal numbers the first counts; they are compared in float32, as in Torch.

        >>> confusion = ConfusionMatrix(2)
        >>> confusion.add([-0.1, -2.3], [0, 1])
        >>> confusion.mat
        array([[0, 0],
               [1, 0]])
        """
        who = f"{NAME}.add"
        p, t = _numbers(who, "prediction", prediction, (0, 1)), _numbers(who, "target", target, (0, 1))
        if p.ndim < t.ndim:
            raise TypeError(f"{who}: expected a class number as target of a class number, got shape {t.shape}")
        for what, a in (("prediction", p), ("target", t)):
            if a.shape == (1,) and self.nclasses > 1:
                raise ValueError(f"{who}: expected a number or one for each class as {what}, got shape (1,)")
        self._count(who, *(_classes(who, what, a[None]) for what, a in (("prediction", p), ("target", t))))

    def batchAdd(self, predictions: Any, targets: Any) -> None:
        """Counts N examples.

        `predictions` are class numbers (N) or (N, 1), or (N, C) with rows as `add` takes them; `targets` likewise.
        A batch may be empty, or have no example of a known class: then there is nothing to count.

        >>> confusion = ConfusionMatrix(2)
        >>> confusion.batchAdd([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], [1, 1, 0])  # the third has no known class
        >>> confusion.mat
        array([[1, 1],
               [0, 0]])
        """
        who = f"{NAME}.batchAdd"
        p, t = _numbers(who, "predictions", predictions, (1, 2)), _numbers(who, "targets", targets, (1, 2))
        if len(p) != len(t):
            raise ValueError(f"{who}: expected as many targets as predictions, got shapes {t.shape} and {p.shape}")
        p, t = (a[:, 0] if a.shape[1:] == (1,) else a for a in (p, t))
        self._count(who, _classes(who, "predictions", p), _classes(who, "targets", t))

    def _count(self, who: str, predicted: np.ndarray, actual: np.ndarray) -> None:
        known = actual > 0  # which NaN is not either
        if not known.all():
            predicted, actual = predicted[known], actual[known]
        if predicted.dtype.kind == "f" and np.isnan(predicted).any():
            raise ValueError(f"{who}: expected predictions that are numbers, got NaN for an example of a known class")
        rows = dims.positions(actual, self.nclasses, who, "targets")
        columns = dims.positions(predicted, self.nclasses, who, "predictions")
        np.add.at(self.mat, (rows, columns), 1)

    def zero(self) -> None:
        """Forgets all examples."""
        for counts in (self.mat, self.valids, self.unionvalids):
            counts.fill(0)
        self.totalValid = self.averageValid = self.averageUnionValid = 0

    # -- measures

    def updateValids(self) -> None:
        """Computes valids, unionvalids, totalValid, averageValid and averageUnionValid of the counts in mat."""
        right, rows, columns = self.mat.diagonal(), self.mat.sum(1), self.mat.sum(0)
        self.valids = memory.resized(self.valids, right.shape, np.float32)
        self.unionvalids = memory.resized(self.unionvalids, right.shape, np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.valids[...] = right / rows
            self.unionvalids[...] = right / (rows + columns - right)
            self.totalValid = float(np.float64(right.sum()) / rows.sum())
        known = ~np.isnan(self.valids)
        self.averageValid = _mean(self.valids[known])
        self.averageUnionValid = _mean(self.unionvalids[known])

    def farFrr(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The rates of false acceptance and false rejection: (classFrrs, classFars, frrs, fars).

        The false rejection rate of class i is 1 - m[i, i] / sum_p m[i, p]. Its false acceptance rate is the mean of
        m[j, i] / sum_p m[j, p] over the other classes j that have examples; NaN where there are none.
        `classFrrs` and `classFars` (nclasses) have -1 for classes without examples; `frrs` and `fars` leave these out.
        The next call writes into the same arrays.

        Raises ValueError when there are no examples at all.

        >>> confusion = ConfusionMatrix(3)
        >>> confusion.batchAdd([1, 1, 1, 3], [1, 1, 3, 3])
        >>> for rates in confusion.farFrr():
        ...     print(rates)
        [ 0.  -1.   0.5]
        [ 0.5 -1.   0. ]
        [0.  0.5]
        [0.5 0. ]
        """
        examples = self.mat.sum(1)
        known = np.flatnonzero(examples)
        if known.size == 0:
            raise ValueError(f"{NAME}.farFrr: expected a matrix with examples, got one without")
        shares = self.mat[known][:, known] / examples[known, None]
        frrs = 1 - shares.diagonal()
        np.fill_diagonal(shares, 0)
        with np.errstate(invalid="ignore"):
            fars = shares.cumsum(0)[-1] / np.float64(known.size - 1)  # added one after the other, as Torch does
        results = []
        for name, rates in (("Frrs", frrs), ("Fars", fars)):
            each, packed = (
                self._rates(field, fill) for field, fill in ((f"_class{name}", -1), (f"_{name.lower()}", 0))
            )
            each[known] = packed[: known.size] = rates
            results += [each, packed[: known.size]]
        classFrrs, frrs, classFars, fars = results
        return classFrrs, classFars, frrs, fars

    def _rates(self, field: str, fill: float) -> np.ndarray:
        """The array that Torch keeps rates in, filled."""
        old = getattr(self, field)
        array = memory.resized(old, (len(self.mat),), torch7.default_dtype() if old is None else old.dtype)
        array.fill(fill)
        setattr(self, field, array)
        return array

    # -- text and pictures

    def __str__(self) -> str:
        self.updateValids()
        width = max(8, 1 + math.ceil(math.log10(max(self.mat.max(), 1))))
        named = bool(self.classes) and self.name(1) != ""
        lines = []
        for t, (counts, share) in enumerate(zip(self.mat.tolist(), self.valids.tolist()), 1):
            row = "".join(f"{int(count):{width}d}" for count in counts)
            end = "]] " if t == self.nclasses else "]  "
            name = f"\t[class: {self.name(t)}]" if named else ""
            lines.append(f" [{row}{end} {printed(share * 100, '2.3f')}% {name}\n")
        lines[0] = "[" + lines[0][1:]
        averages = {
            "average row correct": self.averageValid,
            "average rowUcol correct (VOC measure)": self.averageUnionValid,
            "global correct": self.totalValid,
        }
        ending = " \n".join(f" + {name}: {tostring(share * 100)}%" for name, share in averages.items())
        return "ConfusionMatrix:\n" + "".join(lines) + ending

    def __repr__(self) -> str:
        return str(self)

    def __tostring__(self) -> str:
        """The same text; scripts call Torch's method to have it computed, and the measures with it."""
        return str(self)

    def name(self, t: int) -> str:
        """The name of class t, counted from 1; an empty text where it has none.

        >>> ConfusionMatrix(3, ["cat"]).name(1), ConfusionMatrix(3, ["cat"]).name(2)
        ('cat', '')
        """
        if isinstance(self.classes, Mapping):  # what a file has where some of the names are missing
            name = self.classes.get(t)
        else:
            name = self.classes[t - 1] if self.classes is not None and t <= len(self.classes) else None
        return "" if name is None or name is False else tostring(name)

    def render(
        self,
        sortmode: str | None = "score",
        display: bool | None = False,
        block: int | None = 25,
        legendwidth: int | None = 200,
    ) -> np.ndarray:
        """Torch's picture of the matrix: (3, nclasses * block, nclasses * block + legendwidth), doubles from 0 to 1.

        Each cell of `block` x `block` pixels is as bright as the share of its row that it has: white or gray on the
        diagonal, red beside it, where it is wrong. It tells this share in percent. To the right are, for each row, the
        share of its class among all targets and the name of the class, the brighter the better; a class without a
        name is told by its number. Blocks of less than 10 pixels have no text.

        `sortmode` is "score", classes with the largest share of right ones first, or "occurrence", those with most
        examples. `display` shows the picture too, with the accuracies above it, in a notebook or in a window; where
        there is neither, it says in which file it is. Raises ValueError for any other sort mode, and for sizes that
        make no picture; ImportError without matplotlib, which the extra "plot" brings.
        """
        who = f"{NAME}.render"
        self.updateValids()
        arrangement = confusion_picture.Arrangement(self, sortmode or "score", who)
        block = 25 if block is None else dims.whole(block, who, "block")
        legendwidth = 200 if legendwidth is None else dims.whole(legendwidth, who, "legendwidth")
        if block < 1 or legendwidth < 0:
            raise ValueError(
                f"{who}: expected a block of 1 pixel or more and a legend of 0 or more, got {block} and {legendwidth}"
            )
        picture = confusion_picture.painted(arrangement, block, legendwidth)
        if display:
            confusion_picture.show(picture, arrangement.title)
        return picture

    def save(
        self, path: str | os.PathLike[str], sortmode: str | None = None, title: str | None = None, dpi: float = 120
    ) -> None:
        """Draws the matrix to a file: .png, .svg or .pdf, as its suffix says.

        Rows are what examples are, columns what they were taken for; right ones are blue, wrong ones red, and the
        redder the more of their row they are. Cells have counts, and where there is room, percents of their row. At
        the right there are, for each class, the share of right ones and the number of examples.

        `sortmode` is None for the order of the classes, or "score" or "occurrence" as for `render`. `title` is the
        first line ("Confusion matrix"); `dpi` is the number of pixels per inch of a PNG. No screen is needed.

        When drawing or writing fails, the file is as it was before. Raises ValueError for another suffix or sort mode
        and for a dpi that is not above 0, FileNotFoundError without the folder, ImportError without matplotlib, which
        the extra "plot" brings.
        """
        confusion_chart.save(self, path, sortmode, title, dpi)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows; None, which leaves the text, where there is no matplotlib or it cannot draw."""
        try:
            return confusion_chart.png(self)
        except Exception:
            return None

    # -- files and copies

    def torch_loaded(self, version: float = 1) -> None:
        """Completes a new matrix, or one from a file of an old version, with what Torch computes in and relies on."""
        for name, dtype in BUFFERS.items():
            if name not in vars(self):
                setattr(self, name, memory.empty(dtype=dtype))
        if "unionvalids" not in vars(self):
            self.unionvalids = memory.zeros((self.nclasses,), np.float32)
        if "_mat_flat" not in vars(self):
            self._mat_flat = self.mat.reshape(-1)

    def torch_fields(self) -> dict[str, Any]:
        """What a file holds: Torch counts in `_mat_flat`, which is a view of mat also where a script replaced mat."""
        return {**vars(self), "_mat_flat": self.mat.reshape(-1)}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_mat_flat"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.torch_loaded()

    def __deepcopy__(self, memo: Any) -> Any:
        return deep_copy(self, memo=memo)


def _names(classes: Any) -> Any:
    """The names of the classes: a list as it is, anything like one as a list, a mapping from class to name as it is."""
    if isinstance(classes, np.ndarray) and classes.ndim == 1:
        return classes.tolist()
    if isinstance(classes, Mapping | Sequence) and not isinstance(classes, str | bytes):
        return classes if isinstance(classes, list | Mapping) else list(classes)
    raise TypeError(f"{NAME}: expected a number of classes or a list of their names, got {classes!r:.80}")


def _numbers(who: str, what: str, value: Any, dimensions: tuple[int, int]) -> np.ndarray:
    """value as an array of numbers with one of two numbers of dimensions."""
    try:
        a = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        a = np.empty((), object)
    if a.dtype.kind not in "biuf":
        raise TypeError(f"{who}: expected numbers as {what}, got {value!r:.80}")
    if a.ndim not in dimensions:
        few, many = dimensions
        raise ValueError(f"{who}: {what} has an invalid number of dimensions: expected {few} or {many}, got {a.shape}")
    return a


def _classes(who: str, what: str, a: np.ndarray) -> np.ndarray:
    """The class numbers (N): themselves, or of rows (N, C) the places of the largest, NaN where a row has a NaN."""
    if a.ndim == 1:
        if a.dtype.kind == "b":
            raise TypeError(f"{who}: expected class numbers, which count from 1, as {what}, got booleans")
        return a
    if len(a) == 0:
        return np.zeros(0, np.int64)
    if a.shape[1] == 0:
        raise ValueError(f"{who}: expected a number for each class as {what}, got shape {a.shape}")
    if a.dtype != np.float32:  # in which Torch compares
        single = memory.scratch(a.shape, np.dtype(np.float32))
        with np.errstate(over="ignore"):
            np.copyto(single, a, casting="unsafe")
        a = single
    found = a.argmax(1)
    lost = np.isnan(a[np.arange(len(a)), found])
    return np.where(lost, np.nan, found + 1) if lost.any() else found + 1


def _mean(values: np.ndarray) -> float:
    """The mean of float32 numbers, added in double one after the other as Torch does; NaN where there are none."""
    return float(values.cumsum(dtype=np.float64)[-1]) / len(values) if len(values) else math.nan

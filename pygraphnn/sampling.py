"""Sequences that a network writes: drawn from its predictions index by index, or searched for as the most likely."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import torch7
from torch7.dims import whole
from torch7.sampling import picks

from .gmodule import gModule
from .unroll import Fused


class SequenceWriter:
    """A network for one time step that reads and writes indices, one at a time, in several sequences side by side.

    `step` maps [x, s1, ..., sk] to [s1', ..., sk', log-probabilities], as the models of char-rnn do: x are B indices
    from 1 to `size`, the states have shape (B, ...), the log-probabilities (B, size). `states` are those before
    anything was read; their first dimension is B. `generator` draws for all sequences in turn, by default Torch's
    default one; a list has one generator for each, and a sequence then does not depend on those beside it.

    Fields: `states` and `prediction`, arrays of the writer's own that `read` writes anew (before anything is read, all
    indices are as likely); `log_probability`, a list of the logarithms of the probability of all that was read, one
    for each sequence. The step is put into evaluate mode; a gModule runs as `Fused`.

    >>> import nn, pygraphnn
    >>> x, s = nn.Identity()(), nn.Identity()()
    >>> rows = nn.LookupTable(3, 3)
    >>> rows.weight[...] = [[0, 5, 0], [0, 0, 5], [5, 0, 0]]  # after 1 comes 2, then 3, then 1
    >>> step = pygraphnn.gModule([x, s], [nn.Identity()(s), nn.LogSoftMax()(rows(x))])
    >>> writer = SequenceWriter(step, [np.zeros((2, 1))], 3)
    >>> writer.read([1, 3])
    >>> list(writer.generate(4, temperature=0))
    [[2, 1], [3, 2], [1, 3], [2, 1]]
    >>> [round(x, 4) for x in writer.log_probability]  # log(1/3) + 4 log(e^5 / (e^5 + 2))
    [-1.1522, -1.1522]
    """

    def __init__(self, step: Any, states: Sequence[np.ndarray], size: int, generator: Any = None):
        who = "pygraphnn.SequenceWriter"
        size = _positive(size, who, "size")
        shapes = [np.shape(s) for s in states]
        if not shapes or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise ValueError(f"{who}: expected states with a first dimension in common, got shapes {shapes}")
        rows = shapes[0][0]
        generators = generator if isinstance(generator, list) else [generator or torch7.default_generator] * rows
        if len(generators) != rows:
            raise ValueError(f"{who}: expected one generator or {rows}, one for each sequence, got {len(generators)}")
        self.step = Fused(step) if isinstance(step, gModule) else step
        self.size, self.generators = size, generators
        # the network writes its own arrays anew: these are copies, and a state may be read after the next one is made
        self.states = [s.copy() for s in states]
        self.prediction = np.full((rows, size), -math.log(size), self.states[0].dtype)
        self.log_probability = [0.0] * rows
        self._x = np.zeros(rows, np.int64)
        self.step.evaluate()

    def read(self, indices: int | Sequence[int]) -> None:
        """Feeds the network with one index for each sequence, or the same one for all.

        Raises IndexError for an index that is not from 1 to size, ValueError for a step of another form.
        """
        x, prediction = self._x, self.prediction
        x[...] = indices
        for row, index in enumerate(x.tolist()):
            if not 0 < index <= self.size:
                raise IndexError(
                    f"pygraphnn.SequenceWriter.read: expected indices from 1 to {self.size}, got {indices}"
                )
            self.log_probability[row] += prediction.item(row, index - 1)
        *states, predicted = self.step.forward([x, *self.states])
        if len(states) != len(self.states) or predicted.shape != prediction.shape:
            raise ValueError(
                f"pygraphnn.SequenceWriter: expected the step to give {len(self.states)} states and log-probabilities "
                f"of shape {prediction.shape}, got {len(states)} states and shape {predicted.shape}"
            )
        prediction[...] = predicted
        for mine, new in zip(self.states, states):
            mine[...] = new

    def generate(
        self, length: int, temperature: float = 1, top_k: float = math.inf, top_p: float = 1
    ) -> Iterator[list[int]]:
        """Writes `length` indices in each sequence and gives them as they come, a list of B; each is read in turn.

        They are drawn from `probabilities`, rounded to single precision, as `torch7.multinomial` draws: so does
        char-rnn. At temperature 0 they are the most likely ones, of equals the first. Raises ValueError for values
        that make no sense, FloatingPointError when the network predicts NaN.
        """
        how = _checked("pygraphnn.SequenceWriter.generate", temperature, top_k, top_p)
        return self._generate(length, *how)

    def _generate(self, length: int, *how: float) -> Iterator[list[int]]:
        draw = how[0] > 0
        for _ in range(length):
            indices = self._draw(*how) if draw else [i + 1 for i in self._most_likely().tolist()]
            self.read(indices)
            yield indices

    def _draw(self, *how: float) -> list[int]:
        weights = self._columns(*how).astype(np.float32, copy=False)
        return picks(weights, [gen.uniforms() for gen in self.generators])

    def _most_likely(self) -> np.ndarray:
        if np.isnan(self.prediction.max()):
            raise _nan()
        return self.prediction.argmax(1)

    def probabilities(self, temperature: float = 1, top_k: float = math.inf, top_p: float = 1) -> np.ndarray:
        """What comes next, as probabilities of shape (B, size): exp(prediction / temperature), divided by its sum.

        Temperatures below 1 sharpen the distribution, greater ones flatten it. Of the result only the `top_k` most
        likely indices are kept, and of these as few of the most likely ones as have together a probability of at
        least `top_p`, of equals the first; the others have probability 0.

        Source for top_p: Holtzman, Buys, Du, Forbes and Choi, The curious case of neural text degeneration, 2020.
        """
        how = _checked("pygraphnn.SequenceWriter.probabilities", temperature, top_k, top_p)
        if temperature == 0:
            return np.eye(self.size, dtype=self.prediction.dtype)[self._most_likely()]
        return np.ascontiguousarray(self._columns(*how).T).reshape(self.prediction.shape)

    def _columns(self, temperature: float, top_k: float, top_p: float) -> np.ndarray:
        """The probabilities with a column for each sequence, or as a vector for a single one."""
        prediction = self.prediction[0] if len(self.prediction) == 1 else self.prediction.T
        probs = (_softened if temperature > 1e-3 else _softened_quietly)(prediction, temperature)
        if top_k < self.size or top_p < 1:
            for column in probs.reshape(self.size, -1).T:
                _cut(column, int(min(top_k, self.size)), top_p)
        return probs


def _softened(prediction: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature, along the first dimension; sums in double and term after term, as in Torch."""
    kind = prediction.dtype.type
    probs = np.exp(prediction if temperature == 1 else prediction / kind(temperature))
    total = np.add.accumulate(probs.astype(np.float64))[-1]
    least, most = (total.min(), total.max()) if total.ndim else (total, total)
    if not (least > 0 and most < math.inf):  # the exponentials are all 0 or infinite, and char-rnn fails
        return _shifted(prediction, temperature)
    probs /= kind(total)
    return probs


_softened_quietly = np.errstate(all="ignore")(_softened)  # which takes its time


@np.errstate(all="ignore")
def _shifted(prediction: np.ndarray, temperature: float) -> np.ndarray:
    """The same where exponentials have to be of a difference to the greatest prediction."""
    probs = np.exp((prediction - prediction.max(0)).astype(np.float64) / temperature)
    probs /= probs.sum(0)
    if np.isnan(probs).any():
        raise _nan()
    return probs


def _cut(probs: np.ndarray, top_k: int, top_p: float) -> None:
    """Leaves only the most likely of the probabilities of one sequence."""
    order = np.argsort(-probs, kind="stable")[:top_k]
    kept = probs[order] / probs[order].sum()
    if top_p < 1:
        n = bisect_left(np.add.accumulate(kept), top_p) + 1
        order, kept = order[:n], kept[:n] / kept[:n].sum()
    probs.fill(0)
    probs[order] = kept


def _checked(who: str, temperature: float, top_k: float, top_p: float) -> tuple[float, float, float]:
    if not temperature >= 0:
        raise ValueError(f"{who}: expected a temperature from 0 on, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"{who}: expected a top_p greater than 0 and at most 1, got {top_p}")
    return temperature, top_k if top_k == math.inf else _positive(top_k, who, "top_k"), top_p


def _positive(number: Any, who: str, what: str) -> int:
    n = whole(number, who, what)
    if n < 1:
        raise ValueError(f"{who}: expected a {what} from 1 on, got {n}")
    return n


def _nan() -> FloatingPointError:
    return FloatingPointError("pygraphnn.SequenceWriter: the network predicts NaN")


class BeamSearch:
    """A search for what most likely follows on what a SequenceWriter, of one sequence, has read.

    Of all one-index extensions of the sequences that it has, `advance` keeps the `width` most likely ones: those with
    the greatest sums of log-probabilities, of equals the first. The writer stays as it is. Width 1 takes the most
    likely index at each step; a width of size ** (length - 1) finds the most likely sequence of all.

    Source: Lowerre, The Harpy speech recognition system, 1976.
    """

    def __init__(self, writer: SequenceWriter, width: int):
        who = "pygraphnn.BeamSearch"
        if len(writer.prediction) != 1:
            raise ValueError(f"{who}: expected a writer of one sequence, got one of {len(writer.prediction)}")
        self.step, self.width = writer.step, _positive(width, who, "width")
        self.states = [s.copy() for s in writer.states]
        self._prediction = writer.prediction.copy()
        self._best, self._behind = 0.0, np.zeros(1)  # the greatest sum, and what the others lack: no digits are lost
        self._trace: list[tuple[np.ndarray, np.ndarray]] = []  # for each index: which sequence it extends, which it is

    def advance(self) -> None:
        """Extends the sequences by one index. Raises FloatingPointError when the network predicts NaN."""
        if self._trace:
            *self.states, self._prediction = self.step.forward([self._trace[-1][1], *self.states])
        sums = (self._behind[:, None] + self._prediction).ravel()
        best = float(sums.max())
        if not best > -math.inf:
            raise _nan()
        top = _largest(sums, self.width)
        parents, columns = np.divmod(top, self._prediction.shape[1])
        self.states = [s[parents] for s in self.states]  # copies, which the next step does not change
        found = self._best + best, sums[top] - best, (parents, columns + 1)
        self._best, self._behind = found[:2]  # at one go: after an interrupt there is either the old or the new
        self._trace.append(found[2])

    def found(self) -> list[tuple[list[int], float]]:
        """The sequences so far as lists of indices, each with its log-probability, the most likely one first."""
        rows = np.arange(len(self._behind))
        columns: list[np.ndarray] = []
        for parents, indices in reversed(self._trace):
            columns.append(indices[rows])
            rows = parents[rows]
        sequences = np.array(columns[::-1], np.int64).reshape(len(columns), -1).T.tolist() if columns else [[]]
        return list(zip(sequences, (self._best + self._behind).tolist()))


def beam_search(writer: SequenceWriter, length: int, width: int) -> list[tuple[list[int], float]]:
    """The most likely sequences of `length` indices that a beam of `width` finds after what the writer has read.

    They come as lists of indices with their log-probabilities, the most likely one first, at most `width` of them.
    See BeamSearch, which goes step by step. Raises ValueError for a width below 1 and a writer of several sequences.

    >>> import nn, pygraphnn
    >>> x, s = nn.Identity()(), nn.Identity()()
    >>> rows = nn.LookupTable(2, 2)
    >>> rows.weight[...] = np.log([[0.55, 0.45], [0.1, 0.9]])  # 1 is followed by 1 or 2, 2 mostly by 2
    >>> step = pygraphnn.gModule([x, s], [nn.Identity()(s), rows(x)])
    >>> writer = SequenceWriter(step, [np.zeros((1, 1))], 2)
    >>> writer.read(1)
    >>> for width in (1, 2):
    ...     for indices, log_probability in beam_search(writer, 2, width):
    ...         print(width, indices, round(math.exp(log_probability), 4))
    1 [1, 1] 0.3025
    2 [2, 2] 0.405
    2 [1, 1] 0.3025
    """
    search = BeamSearch(writer, width)
    for _ in range(length):
        search.advance()
    return search.found()


def _largest(values: np.ndarray, n: int) -> np.ndarray:
    """The positions of the n largest values, the largest first and of equals the first."""
    candidates = np.arange(values.size)
    if n < values.size:
        candidates = np.flatnonzero(values >= np.partition(values, -n)[-n])
    return candidates[np.argsort(-values[candidates], kind="stable")][:n]

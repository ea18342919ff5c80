"""Torch's random choices: permutations, and samples from a list of probabilities."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from . import memory
from .dtypes import default_dtype
from .generator import Generator, describe, draws, whole
from .tables import is_table


@draws
def randperm(gen: Generator, n: Any, result: Any = None) -> np.ndarray:
    """`randperm([result,] [gen,] n)`: the numbers 1..n in a random order, as an array of the default type.

    With a result it is that array if its size fits, else a new one of its type.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> randperm(5)
    array([3., 1., 2., 4., 5.])
    """
    if isinstance(n, np.ndarray):
        n, result = result, n
    n = whole("randperm", n)
    if n < 1:
        raise ValueError(f"torch7.randperm: expected a positive number, got {n}")
    out = memory.resized(result, (n,), default_dtype() if result is None else result.dtype)
    partners = gen.words(n - 1) % np.arange(n, 1, -1, dtype=np.uint64) + np.arange(n - 1, dtype=np.uint64)
    order = list(range(n))
    for i, j in enumerate(partners.tolist()):
        order[i], order[j] = order[j], order[i]
    out[...] = np.array(order)
    out += 1  # after the conversion, as in Torch: a ByteTensor wraps around
    return out


def _probabilities(who: str, p: Any, dimensions: tuple[int, ...]) -> np.ndarray:
    if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
        raise TypeError(f"torch7.{who}: expected probabilities of type Float or Double, got {describe(p)}")
    if p.ndim not in dimensions or not p.size:
        raise ValueError(f"torch7.{who}: expected probabilities of {dimensions} dimensions, got shape {p.shape}")
    return p


@draws
def multinomial(gen: Generator, p: Any, n: Any, replacement: Any = False, result: Any = None) -> np.ndarray:
    """`multinomial([result,] [gen,] p, n, replacement=False)`: n indices drawn with probabilities proportional to p.

    p is a Float or Double array: a vector gives n indices, a matrix gives n for each of its rows. Indices count
    from 1 and are int64. Raises ValueError when a sum of p is not positive, when n is, or when more are wanted
    than there are without replacement.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> multinomial(np.array([0.1, 0.2, 0.3, 0.4]), 6, True)
    array([4, 4, 2, 3, 2, 4])
    """
    if isinstance(n, np.ndarray):
        result, p, n, replacement = p, n, replacement, result
    n = whole("multinomial", n)
    rows = _probabilities("multinomial", p, (1, 2)).reshape(-1, p.shape[-1])
    if n < 1:
        raise ValueError(f"torch7.multinomial: expected a positive number of samples, got {n}")
    if not replacement and n > rows.shape[1]:
        raise ValueError(f"torch7.multinomial: cannot draw {n} of {rows.shape[1]} without replacement")
    if result is not None and (not isinstance(result, np.ndarray) or result.dtype != np.int64):
        raise TypeError(f"torch7.multinomial: expected a torch.LongTensor for the result, got {describe(result)}")
    if n == 1 and result is None and p.ndim == 1:  # a character: what follows takes longer
        with np.errstate(all="ignore"):
            cumulative = _shares(p)
        return np.array([bisect_left(cumulative, gen.uniforms()) + 1])
    out = memory.resized(result, (n,) if p.ndim == 1 else (len(rows), n), np.int64)
    draw = _with_replacement if replacement else _without_replacement
    with np.errstate(all="ignore"):  # 0/0 when all the probability is drawn already
        shares = [_shares(row) for row in rows]
        uniforms = gen.uniforms(len(rows) * n).reshape(len(rows), n)
        found = [draw(*row) for row in zip(shares, uniforms.tolist())]
    out[...] = np.reshape(found, out.shape) + 1
    return out


def _shares(weights: np.ndarray) -> np.ndarray:
    """The cumulative probabilities along the first dimension, up to 1."""
    cumulative = np.add.accumulate(weights.astype(np.float64, copy=False))
    total = cumulative[-1]
    if not (total.min() if total.ndim else total) > 0:
        raise ValueError("torch7.multinomial: expected probabilities with a positive sum")
    cumulative /= total
    cumulative[-1] = 1
    return cumulative


def picks(weights: np.ndarray, uniforms: list[float]) -> list[int]:
    """The indices that `multinomial` draws with these uniform numbers, one from each column of a matrix or, with one
    number, one from a vector; they count from 1. What a program calls for every character.

    >>> picks(np.array([[0.1, 2], [0.2, 1], [0.7, 1]]), [0.6, 0.6])
    [3, 2]
    """
    shares = _shares(weights)
    if shares.ndim == 1:
        return [bisect_left(shares, uniforms[0]) + 1]
    return [bisect_left(column, u) + 1 for column, u in zip(shares.T, uniforms)]


# bisect_left halves the list exactly as Torch does, which shows where rounding left it not quite sorted.


def _with_replacement(cumulative: np.ndarray, uniforms: list[float]) -> list[int]:
    sums = cumulative.tolist()
    return [bisect_left(sums, u) for u in uniforms]


def _without_replacement(cumulative: np.ndarray, uniforms: list[float]) -> list[int]:
    found: list[int] = []
    for u in uniforms:
        if found:
            i = found[-1]
            mass = cumulative[i] - (cumulative[i - 1] if i else 0.0)
            cumulative[i:] -= mass
            cumulative /= 1.0 - mass
            cumulative[-1] = 1
        found.append(bisect_left(cumulative, u))
    return found


def multinomialAliasSetup(probs: np.ndarray, state: list[np.ndarray] | None = None) -> list[np.ndarray]:
    """`multinomialAliasSetup(probs [, state])`: the tables [J, q] from which `multinomialAlias` draws in constant time.

    Of n equally likely classes, class i counts with probability `q[i]`, otherwise `J[i]` is taken instead. `probs` is
    a Float or Double vector with sum 1. A `state` of an earlier call is used again and returned.

    >>> J, q = multinomialAliasSetup(np.array([0.1, 0.2, 0.3, 0.4]))
    >>> J, q
    (array([3, 3, 0, 2]), array([0.4, 0.8, 1. , 0.8]))
    """
    n = _probabilities("multinomialAliasSetup", probs, (1,)).size
    if state is not None and (not isinstance(state, list) or len(state) != 2):
        raise TypeError(f"torch7.multinomialAliasSetup: expected a list [J, q] as state, got {describe(state)}")
    q = probs * probs.dtype.type(n)
    J = np.zeros(n, np.int64)
    smaller, larger = np.flatnonzero(q < 1).tolist(), np.flatnonzero(~(q < 1)).tolist()
    while smaller and larger:
        small, large = smaller[-1], larger[-1]
        J[small] = large
        q[large] = float(q[large]) - (1.0 - float(q[small]))  # in double, then rounded to a FloatTensor's type
        if q[large] < 1:
            smaller[-1] = larger.pop()
        else:
            smaller.pop()
    if not q.min() > 0:
        raise ValueError(f"torch7.multinomialAliasSetup: expected positive probabilities with sum 1, got {probs}")
    if q.max() > 1:
        q /= q.max()
    q[J == 0] = 1  # for Torch 0 means "no alias", so that the first class never is one
    tables: list[Any] = [None, None] if state is None else state
    for i, table in enumerate((J, q)):
        tables[i] = memory.resized(tables[i], (n,), table.dtype)
        tables[i][...] = table
    return tables


@draws
def multinomialAlias(gen: Generator, output: np.ndarray, state: list[np.ndarray]) -> np.ndarray:
    """`multinomialAlias([gen,] output, state)` fills a LongTensor of one dimension with indices, and returns it.

    The indices count from 1 and are drawn with replacement from the tables of `multinomialAliasSetup`, two words
    for each. As in Torch, an index taken from J is one too low: use `multinomial` for the very probabilities.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> multinomialAlias(np.zeros(5, np.int64), multinomialAliasSetup(np.array([0.1, 0.2, 0.3, 0.4])))
    array([3, 2, 3, 3, 3])
    """
    who = "torch7.multinomialAlias"
    if not isinstance(output, np.ndarray) or output.dtype != np.int64 or output.ndim != 1:
        raise TypeError(f"{who}: expected a torch.LongTensor of one dimension, got {describe(output)}")
    if not is_table(state) or [describe(table) for table in state] != ["torch.LongTensor", "torch.DoubleTensor"]:
        raise TypeError(f"{who}: expected [J, q], a torch.LongTensor and a torch.DoubleTensor, got {state!r}")
    J, q = state
    if J.shape != q.shape or J.ndim != 1 or not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"{who}: expected J and q of one size and q of 0 to 1, got shapes {J.shape} and {q.shape}")
    uniforms = gen.uniforms(2 * output.size)
    classes = (uniforms[::2] * J.size).astype(np.int64)
    output[...] = np.where(uniforms[1::2] <= q[classes], classes + 1, J[classes])
    return output

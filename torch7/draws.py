"""Torch's distributions: `uniform(a, b)` draws one number, `uniform_(x, a, b)` fills an array in place.

All take a Generator as an optional first argument. An array is filled in the order of its elements, whatever its
strides, with the numbers that calls for single numbers would give. Arguments that are refused draw nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import libm, memory
from .dtypes import KINDS, default_dtype, isTensor, sizes_of
from .generator import Generator, describe, draws, whole

CHUNK = 1 << 14  # elements computed at a time: they stay in the processor's cache

REAL = {KINDS[kind]: f"torch.{kind}Tensor" for kind in ("Float", "Double")}
ALL = {KINDS[kind]: f"torch.{kind}Tensor" for kind in ("Byte", "Char", "Short", "Int", "Long")} | REAL

# random_() without bounds takes the word modulo this, but all of it for Long and Double, which have room for it.
RANDOM_MODULUS = {
    KINDS["Byte"]: 2**8,
    KINDS["Char"]: 2**7,
    KINDS["Short"]: 2**15,
    KINDS["Int"]: 2**31,
    KINDS["Float"]: 2**24 + 1,
}


def _real(who: str, *values: Any) -> list[float]:
    try:
        return [float(x) for x in values]
    except (TypeError, ValueError):
        raise TypeError(f"torch7.{who}: expected numbers, got {', '.join(map(repr, values))}") from None


def _check(who: str, x: Any, types: dict[np.dtype, str]) -> None:
    if not isTensor(x) or x.dtype not in types:
        raise TypeError(f"torch7.{who}: expected one of {', '.join(types.values())}, got {describe(x)}")
    if not x.flags.writeable:
        raise ValueError(f"torch7.{who}: the array of shape {x.shape} is read-only")


def _fill(x: np.ndarray, values: Callable[..., np.ndarray], gen: Generator, *args: Any) -> np.ndarray:
    """Fills x with values(gen, n, *args) for n elements at a time, computed in double and rounded to x's type."""
    flat = x.reshape(-1) if x.flags.c_contiguous else np.empty(x.size, x.dtype)
    with np.errstate(all="ignore"):  # what is too big becomes infinite, as in C
        for start in range(0, x.size, CHUNK):
            piece = flat[start : start + CHUNK]
            piece[...] = values(gen, piece.size, *args)
    if not x.flags.c_contiguous:
        x[...] = flat.reshape(x.shape)
    return x


def _fill_real(who: str, x: Any, values: Callable[..., np.ndarray], gen: Generator, *args: Any) -> np.ndarray:
    _check(who, x, REAL)
    numbers = _real(who, *args)
    if x.dtype == np.float32:  # a FloatTensor's method takes its arguments as floats
        with np.errstate(over="ignore"):
            numbers = [float(np.float32(v)) for v in numbers]
    return _fill(x, values, gen, *numbers)


# Each formula serves a single number (n is None) and an array of n. Its arguments are checked before it draws.


def _uniform(gen: Generator, n: int | None, a: float, b: float) -> Any:
    return gen.uniforms(n) * (b - a) + a


def _normal(gen: Generator, n: int | None, mean: float, stdv: float, *, who: str = "normal") -> Any:
    if not stdv > 0:
        raise ValueError(f"torch7.{who}: expected a positive standard deviation, got {stdv}")
    return gen.normals(n) * stdv + mean


def _logNormal(gen: Generator, n: int | None, mean: float, stdv: float) -> Any:
    return libm.exp(_normal(gen, n, mean, stdv, who="logNormal"))


def _exponential(gen: Generator, n: int | None, rate: float) -> Any:
    scale = -1.0 / rate if rate else math.copysign(math.inf, -rate)
    return scale * libm.log(1.0 - gen.uniforms(n))


def _cauchy(gen: Generator, n: int | None, median: float, sigma: float) -> Any:
    return median + sigma * libm.tan(math.pi * (gen.uniforms(n) - 0.5))


def _geometric(gen: Generator, n: int | None, p: float) -> Any:
    if not 0 < p < 1:
        raise ValueError(f"torch7.geometric: expected a probability above 0 and below 1, got {p}")
    failures = libm.log(1.0 - gen.uniforms(n)) / math.log(p)
    return int(failures) + 1 if n is None else failures.astype(np.int64) + 1


def _bernoulli(gen: Generator, n: int | None, p: float) -> Any:
    if not 0 <= p <= 1:
        raise ValueError(f"torch7.bernoulli: expected a probability of 0 to 1, got {p}")
    return gen.words(n) <= int(p * 2.0**32)  # the same as uniform <= p


def _random(gen: Generator, n: int | None, low: int, span: int) -> Any:
    return gen.words(n) % span + low


def _bounds(who: str, a: Any, b: Any) -> tuple[int, int]:
    """The lowest number and the number of numbers of random([a,] [b]); a word cannot tell apart more than 2^32."""
    if a is None and b is None:
        return 0, 2**32
    low, high = (1, whole(who, a)) if b is None else (whole(who, a), whole(who, b))
    if high < low:
        raise ValueError(f"torch7.{who}: the upper bound must be at least {low}, got {high}")
    return low, min(high + 1 - low, 2**32)


# --- filling an array


@draws
def uniform_(gen: Generator, x: np.ndarray, a: float = 0, b: float = 1) -> np.ndarray:
    """`uniform_([gen,] x, a=0, b=1)` fills x with numbers of [a, b) and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> uniform_(np.zeros(2))
    array([0.69646919, 0.71295532])
    """
    return _fill_real("uniform_", x, _uniform, gen, a, b)


@draws
def normal_(gen: Generator, x: np.ndarray, mean: float = 0, stdv: float = 1) -> np.ndarray:
    """`normal_([gen,] x, mean=0, stdv=1)` fills x with normally distributed numbers and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> normal_(np.zeros(2))
    array([-0.52144306, -1.49141944])
    """
    return _fill_real("normal_", x, _normal, gen, mean, stdv)


@draws
def logNormal_(gen: Generator, x: np.ndarray, mean: float = 1, stdv: float = 2) -> np.ndarray:
    """`logNormal_([gen,] x, mean=1, stdv=2)` fills x with numbers whose logarithm is normal, and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> logNormal_(np.zeros(2))
    array([0.95802048, 0.13767783])
    """
    return _fill_real("logNormal_", x, _logNormal, gen, mean, stdv)


@draws
def exponential_(gen: Generator, x: np.ndarray, lambda_: float) -> np.ndarray:
    """`exponential_([gen,] x, lambda)` fills x with numbers of density lambda exp(-lambda x), and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> exponential_(np.zeros(2), 1.5)
    array([0.7948481 , 0.83207827])
    """
    return _fill_real("exponential_", x, _exponential, gen, lambda_)


@draws
def cauchy_(gen: Generator, x: np.ndarray, median: float = 0, sigma: float = 1) -> np.ndarray:
    """`cauchy_([gen,] x, median=0, sigma=1)` fills x with numbers of the Cauchy distribution and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> cauchy_(np.zeros(2))
    array([0.70972969, 0.79065847])
    """
    return _fill_real("cauchy_", x, _cauchy, gen, median, sigma)


@draws
def geometric_(gen: Generator, x: np.ndarray, p: float) -> np.ndarray:
    """`geometric_([gen,] x, p)` fills x, of any type but Half, as `geometric` draws, and returns it.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> geometric_(np.zeros(4), 0.4)
    array([2., 2., 1., 1.])
    """
    _check("geometric_", x, ALL)
    return _fill(x, _geometric, gen, *_real("geometric_", p))


@draws
def bernoulli_(gen: Generator, x: np.ndarray, p: float | np.ndarray = 0.5) -> np.ndarray:
    """`bernoulli_([gen,] x, p=0.5)` fills x, of any type but Half, with 1 where a draw succeeds, else 0; returns it.

    p is a number, or a Float or Double array with one probability for each element.

    >>> from torch7 import manualSeed
    >>> manualSeed(7)
    >>> bernoulli_(np.zeros(6), np.array([0, 0.2, 0.4, 0.6, 0.8, 1]))
    array([0., 0., 0., 1., 1., 1.])
    """
    _check("bernoulli_", x, ALL)
    if not isinstance(p, np.ndarray):
        return _fill(x, _bernoulli, gen, *_real("bernoulli_", p))
    if p.dtype not in (np.float32, np.float64):
        raise TypeError(f"torch7.bernoulli_: expected probabilities of type Float or Double, got {describe(p)}")
    if p.size != x.size:
        raise ValueError(f"torch7.bernoulli_: expected {x.size} probabilities, got shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("torch7.bernoulli_: expected probabilities of 0 to 1, got others")
    x[...] = (gen.uniforms(x.size) <= p.reshape(-1)).reshape(x.shape)
    return x


@draws
def random_(gen: Generator, x: np.ndarray, a: float | None = None, b: float | None = None) -> np.ndarray:
    """`random_([gen,] x, [a,] [b])` fills x, of any type but Half, with whole numbers of 1..a or a..b; returns it.

    Without bounds they are 0..255 for a ByteTensor, 0..127 for Char, 0..2^15-1 for Short, 0..2^31-1 for Int, 0..2^24
    for Float and 0..2^32-1 for Long and Double. Torch computes without a sign: in a Float or Double array, a negative
    number comes out as 2^64 too high.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> random_(np.zeros(8, np.int64), 6)
    array([5, 2, 1, 1, 5, 3, 1, 6])
    """
    _check("random_", x, ALL)
    low, span = _bounds("random_", a, b)
    if a is None and b is None:
        span = RANDOM_MODULUS.get(x.dtype, 2**32)
    return _fill(x, _random, gen, low % 2**64, span)


# --- drawing one number; on an array these are the functions above


@partial(draws, fill=uniform_)
def uniform(gen: Generator, a: float = 0, b: float = 1) -> float:
    """`uniform([gen,] a=0, b=1)`: a number of [a, b).

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> uniform(), uniform(-1, 1)
    (0.6964691872708499, 0.4259106428362429)
    """
    return _uniform(gen, None, *_real("uniform", a, b))


@partial(draws, fill=normal_)
def normal(gen: Generator, mean: float = 0, stdv: float = 1) -> float:
    """`normal([gen,] mean=0, stdv=1)`: a normally distributed number.

    Numbers come in pairs: every second call takes nothing from the stream but the number kept by the first,
    scaled by its own arguments. Raises ValueError when stdv is not positive.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> normal(), normal(0, 2)
    (-0.5214430627124417, -2.982838871963082)
    """
    return _normal(gen, None, *_real("normal", mean, stdv))


@partial(draws, fill=logNormal_)
def logNormal(gen: Generator, mean: float = 1, stdv: float = 2) -> float:
    """`logNormal([gen,] mean=1, stdv=2)`: exp of a normally distributed number.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> logNormal(0, 1)
    0.5936632362616922
    """
    return _logNormal(gen, None, *_real("logNormal", mean, stdv))


@partial(draws, fill=exponential_)
def exponential(gen: Generator, lambda_: float) -> float:
    """`exponential([gen,] lambda)`: a number of density lambda exp(-lambda x).

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> exponential(1)
    1.1922721489928634
    """
    return _exponential(gen, None, *_real("exponential", lambda_))


@partial(draws, fill=cauchy_)
def cauchy(gen: Generator, median: float = 0, sigma: float = 1) -> float:
    """`cauchy([gen,] median=0, sigma=1)`: a number of density sigma / (pi (sigma^2 + (x - median)^2)).

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> cauchy()
    0.709729693025559
    """
    return _cauchy(gen, None, *_real("cauchy", median, sigma))


@partial(draws, fill=geometric_)
def geometric(gen: Generator, p: float) -> int:
    """`geometric([gen,] p)`: a whole number i >= 1 of probability (1 - p) p^(i - 1). p must be in (0, 1).

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> geometric(0.95), geometric(0.95)
    (24, 25)
    """
    return _geometric(gen, None, *_real("geometric", p))


@partial(draws, fill=bernoulli_)
def bernoulli(gen: Generator, p: float = 0.5) -> int:
    """`bernoulli([gen,] p=0.5)`: 1 with probability p, else 0. p must be in [0, 1].

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> bernoulli(), bernoulli(0.75)
    (0, 1)
    """
    return int(_bernoulli(gen, None, *_real("bernoulli", p)))


@partial(draws, fill=random_)
def random(gen: Generator, a: float | None = None, b: float | None = None) -> int:
    """`random([gen,] [a,] [b])`: a whole number of 1..a, of a..b, or of 0..2^32-1 without bounds.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> random(), random(10), random(5, 7)
    (2991312382, 10, 5)
    """
    return _random(gen, None, *_bounds("random", a, b))


# --- new arrays


def _sized(who: str, args: tuple[Any, ...]) -> np.ndarray:
    """The array that `([result,] sizes...)` asks for."""
    result, sizes = (args[0], args[1:]) if args and isTensor(args[0]) else (None, args)
    shape = sizes_of(sizes, f"torch7.{who}")
    return memory.resized(result, shape, default_dtype() if result is None else result.dtype)


@draws
def rand(gen: Generator, *args: Any) -> np.ndarray:
    """`rand([result,] [gen,] n, ...)` or `rand([result,] [gen,] sizes)`: an array of numbers of [0, 1).

    It is of the default type. With a result it is that array if its size fits, else a new one of its type.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> rand(3)
    array([0.69646919, 0.71295532, 0.28613934])
    """
    return uniform_(gen, _sized("rand", args))


@draws
def randn(gen: Generator, *args: Any) -> np.ndarray:
    """`randn([result,] [gen,] n, ...)` or `randn([result,] [gen,] sizes)`: an array of standard normal numbers.

    It is of the default type. With a result it is that array if its size fits, else a new one of its type.

    >>> from torch7 import manualSeed
    >>> manualSeed(123)
    >>> randn(3)
    array([-0.52144306, -1.49141944, -0.23812953])
    """
    return normal_(gen, _sized("randn", args))

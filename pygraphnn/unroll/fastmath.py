"""exp, tanh and the logistic function without branches, which compilers turn into vector instructions.

exp(y) = 2^k exp(r), where k is the whole number nearest to y / ln 2, found by adding and taking away a number so large
that no fraction is left, and |r| <= ln 2 / 2; exp(r) - 1 is a polynomial, and 2^k is put together from bits. The
functions are within 3 units in the last place; nan and infinities are right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from torch7.optional import optional

FASTMATH = {"contract", "nsz", "arcp"}  # more would take away the rounding that finds k


def polynomial(degree: int) -> list[float]:
    """Coefficients c of exp(r) = 1 + r + r^2 (c[0] + c[1] r + ...) for |r| <= ln 2 / 2."""
    end = math.log(2) / 2 * 1.0001

    def rest(r: np.ndarray) -> np.ndarray:
        return sum(r**k / math.factorial(k + 2) for k in range(20))  # type: ignore[return-value]

    chebyshev = np.polynomial.Chebyshev.interpolate(rest, degree, [-end, end])
    return [float(c) for c in chebyshev.convert(kind=np.polynomial.Polynomial).coef]


class Functions(NamedTuple):
    """Functions for compiled code, all in one precision."""

    tanh: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    exp: Callable[[Any], Any]  # of numbers up to 0, as softmax needs it; 0 where numbers lose digits


def functions(dtype: str) -> Functions:
    """The functions for compiled code in this precision ("float32" or "float64")."""
    nb = optional("numba", "numba", "compiled kernels")
    single = dtype == "float32"
    number: Any = np.float32 if single else np.float64
    whole: Any = np.int32 if single else np.int64
    bits, bias, low = (23, 127, 9) if single else (52, 1023, 21)
    magic, log2e = number(1.5 * 2**bits), number(math.log2(math.e))
    # the head of ln 2 has so few bits that k times it is exact
    head = np.array([math.log(2)], number).view(whole) & ~whole((1 << low) - 1)
    high = head.view(number)[0]
    rest = number(np.longdouble("0.693147180559945309417232121458176568") - np.longdouble(high))
    zero, one, two = number(0), number(1), number(2)
    tanh_end, exp_end = number(9.1 if single else 20), number(88 if single else 708)
    least = number(-bias * math.log(2))  # where k is so low that 2^k is put together to 0
    c = tuple(number(x) for x in polynomial(4 if single else 9))
    shift, offset = whole(bits), whole(bias)
    inline = nb.njit(inline="always")

    if single:

        @inline
        def tail(r: Any) -> Any:
            return c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * c[4])))
    else:

        @inline
        def tail(r: Any) -> Any:
            upper = c[5] + r * (c[6] + r * (c[7] + r * (c[8] + r * c[9])))
            return c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * (c[4] + r * upper))))

    @inline
    def parts(y: Any) -> Any:
        """exp(y) = s (1 + p)."""
        k = y * log2e + magic
        s = whole((number(k).view(whole) + offset) << shift).view(number)
        k = k - magic
        r = (y - k * high) - k * rest
        return r + r * r * tail(r), s

    @inline
    def tanh(x: Any) -> Any:
        y = tanh_end if x > tanh_end else x
        y = -tanh_end if y < -tanh_end else y
        p, s = parts(two * y)
        t = s * p + (s - one)
        return t / (t + two)

    @inline
    def exp(x: Any) -> Any:
        p, s = parts(least if x < least else x)
        return s * p + s

    @inline
    def sigmoid(x: Any) -> Any:
        y = exp_end if x > exp_end else x
        y = -exp_end if y < -exp_end else y
        p, s = parts(-y)
        # 0 where exp(-x) is too large, so that infinity times it is nan
        return zero if x < -exp_end else one / (one + (s * p + s))

    return Functions(tanh, sigmoid, exp)

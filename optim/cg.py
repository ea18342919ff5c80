"""Conjugate gradients with a search along every direction."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from torch7 import memory
from torch7.blocks import each

from .common import Call, Opfunc, Options, restoring
from .numeric import divide, dot, larger, move, quiet, scale, smaller, sqrt

BUFFERS = ("df0", "df1", "df2", "df3", "s", "x0")


def cg(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[float], int]:
    """Conjugate gradients: descends along directions in each of which it looks for the minimum.

    `opfunc(x)` gives (f, df/dx), which must be of the whole training set. With g the gradient and g' the one before:

        s = -g                                                  the first direction, and wherever s leads uphill
        s = (g.g - g.g') / (g'.g') s - g                        the others (Polak and Ribiere)
        x = x + z s                                             with f(x + z s) <= f(x) + rho z g.s
                                                                and sig g.s <= df/dz <= -sig g.s

    z is looked for with parabolas and cubics through the last points. The call ends when maxEval evaluations are made,
    or with the first direction along which no such z is found.

    Options in `config`, a mapping in which None counts as absent:

    * maxIter (20): how many evaluations a search along one direction may take
    * maxEval (1.25 maxIter): how many evaluations there may be; the search that reaches the limit may go beyond it
    * rho (0.01), sig (0.5): the conditions above, 0 < rho < sig < 1
    * int (0.1), ext (3): a search stays off the ends of its interval by this part of it, and goes at most to ext z
    * ratio (100): the first z of a search is at most that many times the last z

    Torch's `verbose` does nothing there, and nothing here.

    `state` (the config, unless given) only lends its memory: df0, df1, df2, df3, s and x0. Every call starts anew with
    the direction -g, so there is nothing to resume.

    x, of any shape, is changed in place. After an error or Ctrl-C in opfunc x is what it was before the call.
    Returns x, the list of f at the start and after every direction, and the number of evaluations.

    Raises TypeError for tables that are no mappings, options that are no numbers, an x that is no floating array, a
    function that does not return a number and an array; ValueError for a gradient or buffer that does not fit x;
    FloatingPointError for what is not finite (see optim.nonfinite), but searches step back from where f is infinite.

    Source: C. Rasmussen, minimize.m, 1999-2002; E. Polak and G. Ribiere, Note sur la convergence de methodes de
    directions conjuguees, 1969.

    >>> scales = np.array([1.0, 10.0])  # f = (x1^2 + 10 x2^2) / 2
    >>> x, f, n = cg(lambda x: (x.dot(scales * x) / 2, scales * x), np.array([4.0, -2.0]), {"sig": 0.1, "maxEval": 8})
    >>> [round(value, 4) for value in f], n  # a square of two variables takes two exact searches
    ([28.0, 6.4542, 0.0], 8)
    >>> bool(abs(x).max() < 1e-9)
    True
    """
    call = Call("optim.cg", x, config, state)
    bounds = _Bounds(*call.options(rho=0.01, sig=0.5, int=0.1, ext=3))
    maxIter, ratio = call.options(maxIter=20, ratio=100)
    (maxEval,) = call.options(maxEval=1.25 * maxIter)

    f, gradient = call.value(opfunc, "evaluation 1")
    df0, df1, df2, start, s, x0 = (_lent(call, key) for key in BUFFERS)  # Torch has no use for df3
    np.copyto(df1, gradient)
    np.copyto(start, x)
    slope = _straight(s, df1)
    z = divide(1, 1 - slope)
    values = [f]
    line = _Line(call, opfunc, s, df2)
    with restoring(x, start):
        while line.evaluations < abs(maxEval):
            np.copyto(x0, x)
            np.copyto(df0, df1)
            budget = smaller(maxIter, maxEval - line.evaluations - 1)
            z, found = _search(line, f, slope, z, budget, bounds)
            if not found:  # in Lua 0 is true: Torch means to try -g first, but does not
                np.copyto(x, x0)
                break
            f, before = line.f, slope
            values.append(f)
            slope = _conjugate(s, line.g, df1)
            df1, line.g = line.g, df1
            z *= smaller(ratio, divide(before, slope - 1e-320))
    call.state.update(df1=df1, df2=line.g)
    return x, values, line.evaluations


def _lent(call: Call, key: str) -> np.ndarray:
    """A buffer of the state whose content is not asked for; Torch resizes those of another x."""
    old = call.state.get(key)
    if isinstance(old, np.ndarray) and old.shape != call.x.shape:
        call.state[key] = memory.resized(old, call.x.shape, old.dtype)
    return call.buffer(key)


def _straight(s: np.ndarray, g: np.ndarray) -> float:
    """s = -g, and the slope along it."""
    scale(g, -1, s)
    return -dot(s, s)


def _conjugate(s: np.ndarray, g: np.ndarray, before: np.ndarray) -> float:
    """The next direction s, from the one before and the gradients here and before; returns the slope along it."""
    beta = divide(dot(g, g) - dot(g, before), dot(before, before))

    @quiet
    def update(s: np.ndarray, g: np.ndarray) -> None:
        s *= beta
        s -= g

    each(update, s, g)
    slope = dot(g, s)
    return _straight(s, g) if slope > 0 else slope


class _Bounds(NamedTuple):
    """The options of a search along a line."""

    rho: float
    sig: float
    int: float
    ext: float


class _Line:
    """A point that moves along s, and the value, gradient and slope where it is."""

    f = d = 0.0

    def __init__(self, call: Call, opfunc: Opfunc, s: np.ndarray, g: np.ndarray):
        self.call, self.opfunc, self.s, self.g = call, opfunc, s, g
        self.evaluations = 1

    def move(self, z: float) -> None:
        move(self.call.x, z, self.s)
        self.evaluations += 1
        self.f, gradient = self.call.value(self.opfunc, f"evaluation {self.evaluations}", trial=True)
        np.copyto(self.g, gradient)
        self.d = dot(self.g, self.s)


def _search(line: _Line, f1: float, d1: float, z1: float, m: float, bounds: _Bounds) -> tuple[float, bool]:
    """Moves from a point with the value f1 and slope d1, first by z1, to one that satisfies the conditions.

    Returns how far that is, and whether it was found within m evaluations after the first.
    """
    rho, sig, *_ = bounds
    f3, d3, z3 = f1, d1, -z1  # the other end of the interval, seen from where the point is
    limit = -1.0  # how far is too far; negative while unknown
    line.move(z1)
    while True:
        while (line.f > f1 + z1 * rho * d1 or line.d > -sig * d1) and m > 0:
            limit = z1
            z2 = _back(line, f1, f3, d3, z3, bounds)
            z1 += z2
            z3 -= z2
            line.move(z2)
            m -= 1
        if line.f > f1 + z1 * rho * d1 or line.d > -sig * d1:
            return z1, False
        if line.d > sig * d1:
            return z1, True
        if m == 0:
            return z1, False
        z2 = _ahead(line, f3, d3, z3, z1, limit, bounds)
        # a fractional m passes by 0, and Torch then goes on while it goes downhill: for ever where that leads nowhere
        if m < 0 and (d1 == 0 or z1 + z2 == z1 or not math.isfinite(z1 + z2)):
            return z1, False
        f3, d3, z3 = line.f, line.d, -z2
        z1 += z2
        line.move(z2)
        m -= 1


def _cubic(line: _Line, f3: float, d3: float, z3: float) -> tuple[float, float, float]:
    """A and B of the cubic through both ends, and the root in the formula of where it is least."""
    A = divide(6 * (line.f - f3), z3) + 3 * (line.d + d3)
    B = 3 * (f3 - line.f) - z3 * (d3 + 2 * line.d)
    return A, B, sqrt(B * B - A * line.d * z3 * z3)


def _back(line: _Line, f1: float, f3: float, d3: float, z3: float, bounds: _Bounds) -> float:
    """The step into the interval: to the minimum of a parabola where the value has risen, else of a cubic."""
    if line.f > f1:
        z2 = z3 - divide(0.5 * d3 * z3 * z3, d3 * z3 + line.f - f3)
    else:
        A, B, root = _cubic(line, f3, d3, z3)
        z2 = divide(root - B, A)
    if not math.isfinite(z2):
        z2 = z3 / 2
    return larger(smaller(z2, bounds.int * z3), (1 - bounds.int) * z3)


def _ahead(line: _Line, f3: float, d3: float, z3: float, z1: float, limit: float, bounds: _Bounds) -> float:
    """The step on from z1: to the minimum of a cubic, if that is neither too near nor too far."""
    _, B, root = _cubic(line, f3, d3, z3)
    z2 = divide(-line.d * z3 * z3, B + root)
    bounded, unbounded = limit > -0.5, limit < -0.5
    if not math.isfinite(z2) or z2 < 0:
        return z1 * (bounds.ext - 1) if unbounded else (limit - z1) / 2
    if bounded and z2 + z1 > limit:
        return (limit - z1) / 2
    if unbounded and z2 + z1 > z1 * bounds.ext:
        return z1 * (bounds.ext - 1)
    if z2 < -z3 * bounds.int:
        return -z3 * bounds.int
    if bounded and z2 < (limit - z1) * (1 - bounds.int):
        return (limit - z1) * (1 - bounds.int)
    return z2

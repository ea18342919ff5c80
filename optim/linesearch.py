"""A search along a line for a point that satisfies the Wolfe conditions, and the polynomials it is guided by."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .common import Call, Opfunc, Options, described, number, restoring
from .numeric import divide, dot, larger, move, quiet, smaller, sqrt


class _Point(NamedTuple):
    """A place on the line: how far along it is, the value, the gradient and the slope there."""

    t: float
    f: float
    g: np.ndarray
    slope: float


def lswolfe(
    opfunc: Opfunc,
    x: np.ndarray,
    t: float,
    d: np.ndarray,
    f: float,
    g: np.ndarray,
    gtd: float,
    options: Options | None = None,
) -> tuple[float, np.ndarray, np.ndarray, float, int]:
    """Looks along x + t d for a point that satisfies the strong Wolfe conditions.

    `opfunc(x)` gives (f, df/dx); f and g are what it gives at x, gtd = g.d < 0 is the slope there, and t > 0 is the
    first step to try. The conditions are, with f' and g' the value and gradient at x + t d:

        f' <= f + c1 t gtd          lower by enough
        |g'.d| <= -c2 gtd           and flatter by enough

    First t grows until a point satisfies them or has gone too far, then the interval shrinks; new points come from
    optim.polyinterp.

    `options`, a mapping in which None counts as absent: c1 (1e-4), c2 (0.9), tolX (1e-9: the interval is too short
    when its length times the slope is below this), maxIter (20: how many points to try after the first), verbose
    (False: tell when maxIter is reached).

    x, of any shape, is moved in place to the best point found, which satisfies the conditions unless one of the limits
    was reached; after an error or Ctrl-C in opfunc x is back where it was.

    Returns f' and g' (an array of its own), x, t, and the number of evaluations.

    As in Torch, g is copied after the first evaluation. An opfunc that returns the same array every time, such as the
    gradParameters of a network, has written over it by then: where the first step was too long, the search goes on with
    a wrong slope at its start, takes longer or finds nothing. Let opfunc return a copy.

    Raises TypeError for options that are no mapping or no numbers, an x that is no floating array, a function that does
    not return a number and an array; ValueError for a d or gradient that does not fit x, a maxIter that is no whole
    number, and what optim.polyinterp refuses; FloatingPointError for what is not finite (see optim.nonfinite), but the
    search steps back from where f is infinite.

    Source: J. Nocedal and S. Wright, Numerical Optimization, 2nd edition, 2006, section 3.5.

    >>> def bowl(x):
    ...     return x.dot(x) / 2, x.copy()
    >>> x = np.array([4.0, -2.0])
    >>> f, g = bowl(x)
    >>> f, g, x, t, n = lswolfe(bowl, x, 0.25, -g, f, g, -g.dot(g), {"c2": 0.1})
    >>> print(round(f, 4), abs(x).round(4), round(t, 4), n)
    0.0 [0. 0.] 1.0 2
    """
    call = Call("optim.lswolfe", x, options, None)
    call.fits("d", d)
    call.fits("the first gradient", g)
    c1, c2, tolX, maxIter = call.options(c1=1e-4, c2=0.9, tolX=1e-9, maxIter=20)
    if not (maxIter >= 0 and (maxIter.is_integer() or maxIter == math.inf)):
        raise ValueError(f"optim.lswolfe: expected maxIter to be a whole number, got {maxIter}")
    t, f, gtd = (_number("optim.lswolfe", *given) for given in (("t", t), ("f", f), ("gtd", gtd)))
    line = _Line(call, opfunc, d, _Wolfe(f, gtd, c1, c2))
    with restoring(x, line.start):
        bracket, done = _bracketed(line, t, g, maxIter)
        if not done:
            _shrink(line, bracket, maxIter, tolX)
        if line.iterations == maxIter and call.flag("verbose"):
            print("<optim.lswolfe> ", "reached max number of iterations", sep="\t")
        best = bracket[_lowest(bracket)]
        line.go(best.t)
    return best.f, best.g, x, best.t, line.iterations + 1


class _Wolfe(NamedTuple):
    """The conditions, for a search that begins at the value f with the slope gtd."""

    f: float
    gtd: float
    c1: float
    c2: float

    def too_high(self, t: float, f: float) -> bool:
        return f > self.f + self.c1 * t * self.gtd

    def flat(self, slope: float) -> bool:
        return abs(slope) <= -self.c2 * self.gtd


class _Line:
    """The function along x + t d; x moves to where it is asked for."""

    def __init__(self, call: Call, opfunc: Opfunc, d: np.ndarray, wolfe: _Wolfe):
        self.call, self.opfunc, self.d, self.wolfe = call, opfunc, d, wolfe
        self.x, self.start = call.x, call.x.copy()
        self.iterations = -1  # the first evaluation is none

    def go(self, t: float) -> None:
        np.copyto(self.x, self.start)
        move(self.x, t, self.d)

    def at(self, t: float) -> _Point:
        """The point at t; its gradient is opfunc's array, which the next point may overwrite."""
        self.go(t)
        self.iterations += 1
        f, g = self.call.value(self.opfunc, f"evaluation {self.iterations + 1}", trial=True)
        return _Point(t, f, g, dot(g, self.d))

    def kept(self, point: _Point, memory: np.ndarray) -> _Point:
        """The point as a tensor of x's type holds it, with its gradient copied into memory."""
        np.copyto(memory, point.g)
        t, f = self.rounded([point.t, point.f]).tolist()
        return point._replace(t=t, f=f, g=memory)

    @quiet
    def rounded(self, numbers: list) -> np.ndarray:
        return np.array(numbers, self.x.dtype)

    def rows(self, points: list[_Point]) -> np.ndarray:
        """The points as optim.polyinterp takes them."""
        return self.rounded([(point.t, point.f, point.slope) for point in points])


def _bracketed(line: _Line, t: float, g: np.ndarray, maxIter: float) -> tuple[list[_Point], bool]:
    """A point that satisfies the conditions and True, or two with such points between them and False."""
    wolfe = line.wolfe
    new = line.at(t)
    first = last = _Point(0, wolfe.f, g.copy(), wolfe.gtd)
    spare = np.empty_like(g)
    while line.iterations < maxIter:
        if wolfe.too_high(new.t, new.f) or (line.iterations > 1 and new.f >= last.f):
            return [line.kept(last, last.g), line.kept(new, spare)], False
        if wolfe.flat(new.slope):
            return [line.kept(new, spare)], True
        if new.slope >= 0:
            return [line.kept(last, last.g), line.kept(new, spare)], False
        rows = line.rows([last, new])
        # where the points make a constant Torch fails; the search then goes on by the smallest step
        t, _ = _least(_interpolating(rows), rows[:, 0], new.t + 0.01 * (new.t - last.t), new.t * 10)
        np.copyto(last.g, new.g)
        last = new._replace(g=last.g)
        new = line.at(t)
    return [line.kept(first._replace(g=g), last.g), line.kept(new, spare)], False


def _shrink(line: _Line, bracket: list[_Point], maxIter: float, tolX: float) -> None:
    """Makes the interval smaller until one of its ends satisfies the conditions; the ends are changed in the list."""
    wolfe = line.wolfe
    bracket[:] = [point._replace(slope=dot(point.g, line.d)) for point in bracket]
    crowded = done = False
    while line.iterations < maxIter and not done:
        low = _lowest(bracket)
        high = 1 - low
        t, crowded = _off_the_ends(_least_of_cubic(line.rows(bracket)), bracket, crowded)
        new = line.at(t)
        if wolfe.too_high(t, new.f) or new.f >= bracket[low].f:
            bracket[high] = line.kept(new, bracket[high].g)
        else:
            done = wolfe.flat(new.slope)
            if not done and new.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket.reverse()  # the lowest so far becomes the other end
            bracket[low] = line.kept(new, bracket[low].g)
        if abs((bracket[0].t - bracket[1].t) * new.slope) < tolX:
            break


def _lowest(bracket: list[_Point]) -> int:
    """Which of the points is the lowest, the first of equals."""
    return int(np.argmin([point.f for point in bracket]))


def _off_the_ends(t: float, bracket: list[_Point], crowded: bool) -> tuple[float, bool]:
    """t, moved away from an end of the interval if it is on it or close for the second time in a row."""
    left, right = sorted(point.t for point in bracket)
    if not divide(smaller(right - t, t - left), right - left) < 0.1:
        return t, False
    if not crowded and left < t < right:
        return t, True
    tenth = 0.1 * (right - left)
    return (right - tenth if abs(t - right) < abs(t - left) else left + tenth), False


def polyinterp(
    points: np.ndarray, xminBound: float | None = None, xmaxBound: float | None = None
) -> float | tuple[float, float]:
    """Where the polynomial that has given values and derivatives at given positions is least.

    `points` is a floating array of N rows (position, value, derivative); the polynomial is of degree 2 N - 1.

    * Two points without bounds: the minimum of the cubic between them, their mean where it has none. Returns the
      position, a float.
    * Otherwise: the lowest among the bounds (by default the first and last position), the points and the places where
      the derivative vanishes, as far as they are within the bounds; the middle between the bounds if there are none.
      Returns the position and the polynomial's value there.

    Coefficients of 1e-12 and less count as 0.

    Raises TypeError for points that are no floating array and bounds that are no numbers; ValueError for points of
    another shape, and, where the polynomial is solved for, for points at the same position, for a polynomial that is
    not finite, and for one that is constant.

    >>> points = np.array([[0.0, 1.0, -2.0], [2.0, 3.0, 4.0]])
    >>> round(polyinterp(points), 4)
    0.6667
    >>> [round(number, 4) for number in polyinterp(points, 1, 5)]
    [1.0, 0.5]
    """
    if not isinstance(points, np.ndarray) or points.dtype.kind != "f":
        raise TypeError(f"optim.polyinterp: expected points to be a floating ndarray, got {described(points)}")
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"optim.polyinterp: expected rows (position, value, derivative), got {described(points)}")
    if len(points) == 2 and xminBound is None and xmaxBound is None:
        return _least_of_cubic(points)
    positions = points[:, 0].tolist()
    lowest = _number("optim.polyinterp", "xminBound", min(positions) if xminBound is None else xminBound)
    highest = _number("optim.polyinterp", "xmaxBound", max(positions) if xmaxBound is None else xmaxBound)
    params = _interpolating(points)
    if not params[:-1].any():
        raise ValueError("optim.polyinterp: the polynomial through these points is constant, and has no minimum")
    return _least(params, points[:, 0], lowest, highest)


def _number(who: str, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(number(value), float):
        raise TypeError(f"{who}: expected {what} to be a number, got {described(value)}")
    return float(value)


def _least_of_cubic(points: np.ndarray) -> float:
    """The minimum of the cubic between two points; Lua's arithmetic decides what becomes of infinity and NaN."""
    first = int(np.argmin(points[:, 0]))
    (x1, f1, g1), (x2, f2, g2) = points[first].tolist(), points[1 - first].tolist()
    d1 = g1 + g2 - divide(3 * (f1 - f2), x1 - x2)
    d2 = sqrt(d1 * d1 - g1 * g2)
    if math.isnan(d2):
        return (x1 + x2) / 2
    t = x2 - (x2 - x1) * divide(g2 + d2 - d1, g2 - g1 + 2 * d2)
    return smaller(larger(t, x1), x2)


@quiet
def _interpolating(points: np.ndarray) -> np.ndarray:
    """The coefficients of the polynomial through the points, of the highest power first."""
    x, f, g = points.astype(float).T
    if len(set(x.tolist())) < len(x):
        raise ValueError("optim.polyinterp: expected points at different positions, got equal ones")
    powers = np.arange(2 * len(x) - 1, -1, -1)
    values, slopes = x[:, None] ** powers, np.zeros((len(x), len(powers)))
    slopes[:, :-1] = powers[:-1] * values[:, 1:]
    # with Householder's matrices, as in LAPACK's gels, Torch's solver
    triangle = np.asarray(np.linalg.qr(np.block([[values, f[:, None]], [slopes, g[:, None]]]), mode="r"))
    try:
        params = np.linalg.solve(triangle[:, :-1], triangle[:, -1]).astype(points.dtype)
    except np.linalg.LinAlgError:
        raise ValueError("optim.polyinterp: the positions of the points are too close to tell them apart") from None
    if not np.isfinite(params).all():
        raise ValueError("optim.polyinterp: no polynomial with finite coefficients goes through these points")
    params[np.abs(params) <= 1e-12] = 0
    return params


def _least(params: np.ndarray, positions: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    """Where the polynomial is least, and its value there: the first of equals."""
    bounds = np.array([lowest, highest], params.dtype)
    least, fmin = (lowest + highest) / 2, math.inf
    for position in np.concatenate([bounds, positions, _critical(params)]).tolist():
        if lowest <= position <= highest and (value := _value(params, position)) < fmin:
            least, fmin = position, value
    return least, fmin


@quiet
def _critical(params: np.ndarray) -> np.ndarray:
    """Where the derivative of the polynomial is 0: the real ones of its roots."""
    derivative = params[:-1] * np.arange(len(params) - 1, 0, -1, dtype=params.dtype)
    (nonzero,) = derivative.nonzero()
    if len(nonzero) == 0:
        return params[:0]
    zeros = np.zeros(len(derivative) - 1 - nonzero[-1], params.dtype)
    derivative = derivative[nonzero[0] : nonzero[-1] + 1]
    companion = np.eye(len(derivative) - 1, k=-1, dtype=params.dtype)
    companion[:1] = -derivative[1:] / derivative[0]
    roots = np.linalg.eigvals(companion)
    return np.concatenate([roots[roots.imag == 0].real, zeros])


@quiet
def _value(params: np.ndarray, position: float) -> float:
    """The polynomial at a position, summed in Torch's order: where two are equally low, rounding decides."""
    powers = np.float64(position) ** np.arange(len(params) - 1, -1, -1)
    return float((params * powers).cumsum()[-1])

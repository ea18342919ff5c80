"""Differential evolution."""

from __future__ import annotations

import numpy as np

import torch7
from torch7 import Generator

from .common import Opfunc, Options
from .population import Population


def de(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A whole search by differential evolution: points are moved by the differences of others, without a gradient.

    `opfunc(point)` gives f, or (f, df/dx) of which only f counts. The first popsize points are drawn uniformly from
    minRegion to maxRegion; the values in x do not matter. Then, generation by generation, every point p gets a child:

        child = best + scaleFactor (a - b)            elementwise with probability crossoverRate,
        child = p                                     otherwise,

    with two other points a and b drawn at random. All children are made before any of them takes the place of its
    parent, as it does where its value is not greater.

    As in Torch, the first best point is the one of the *greatest* value, and it is replaced only by children that are
    less; the i-th child takes all its elements from the first formula with probability 1 / x.size.

    Options in `config`, a mapping in which None counts as absent: scaleFactor and crossoverRate (must be given; usually
    0.4 to 1 and 0.1 to 0.9), maxFEs (must be given: how many times to call opfunc; a multiple of popsize, or one more),
    popsize (10 for each element of x; at least 3), minRegion (-30), maxRegion (30). `state` is not used. Neither is
    changed, nor is x.

    Returns the best point, and the values of opfunc in the order of its calls. Both have one dimension and the type of
    x, float32 or float64, and opfunc gets its points like that too, whatever the shape of x. Where maxFEs is one more
    than a multiple of popsize, the last value is NaN: nothing was computed for it. The random numbers are from a
    generator of its own, seeded with 1, so that every call with the same arguments finds the same.

    Raises TypeError for tables that are no mappings, options that are missing or no numbers, an x that is no floating
    array, a function that does not return a number; ValueError for an x without elements, and for a popsize and maxFEs
    that do not go together; FloatingPointError for a value that is NaN or -inf (see optim.nonfinite). Infinity is a
    penalty and allowed.

    Source: R. Storn and K. Price, Differential Evolution - A Simple and Efficient Heuristic for Global Optimization
    over Continuous Spaces, 1997.

    >>> config = {"popsize": 20, "scaleFactor": 0.5, "crossoverRate": 0.9, "maxFEs": 1000}
    >>> best, f = de(lambda x: (x * x).sum(), np.zeros(2), config)
    >>> f.size, round(float(f[:20].min()), 4), bool(np.abs(best).max() < 1e-6)
    (1000, 29.6899, True)
    """
    call = Population("optim.de", opfunc, x, config, state)
    scaleFactor, crossoverRate = call.options(scaleFactor=None, crossoverRate=None)
    high, low = call.options(maxRegion=30, minRegion=-30)
    popsize, maxFEs = _sizes(call)
    gen = Generator()
    torch7.manualSeed(gen, 1)

    points = torch7.uniform_(gen, np.empty((popsize, x.size), x.dtype), low, high)
    values = call.fitnesses(points, x.dtype)
    history, first = [values.copy()], values.argmax()
    best, least = points[first].copy(), values[first]
    for _ in range(maxFEs // popsize - 1):
        children = _children(gen, points, best, scaleFactor, crossoverRate)
        f = call.fitnesses(children, x.dtype)
        history.append(f)
        better = np.flatnonzero(f <= values)
        points[better], values[better] = children[better], f[better]
        if (f[better] < least).any():
            i = better[f[better].argmin()]
            best, least = children[i].copy(), f[i]
    history.append(np.full(maxFEs % popsize, np.nan, x.dtype))
    return best, np.concatenate(history)


def _sizes(call: Population) -> tuple[int, int]:
    """popsize and maxFEs, if they go together."""
    popsize, maxFEs = call.whole(call.config, "popsize", 10 * call.x.size), call.whole(call.config, "maxFEs", None)
    if popsize < 3:
        raise ValueError(f"optim.de: expected a popsize of at least 3, so that each has two others, got {popsize}")
    if maxFEs < popsize or maxFEs % popsize > 1:
        raise ValueError(f"optim.de: expected maxFEs to be a multiple of popsize {popsize}, or one more, got {maxFEs}")
    return popsize, maxFEs


def _children(
    gen: Generator, points: np.ndarray, best: np.ndarray, scaleFactor: float, crossoverRate: float
) -> np.ndarray:
    """One child of each point, computed in double, in the type of the points."""
    children, exact = points.copy(), points.astype(np.float64)
    popsize, size = points.shape
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(popsize):
            a = _other(gen, popsize, i)
            b = _other(gen, popsize, i, a)
            whole = torch7.random(gen, size) == i + 1  # Torch compares with the number of the point, not the element
            crossed = gen.uniforms(size) < crossoverRate
            np.copyto(children[i], best + scaleFactor * (exact[a] - exact[b]), "same_kind", where=crossed | whole)
    return children


def _other(gen: Generator, n: int, *taken: int) -> int:
    """A random one of n numbers that is not taken."""
    while (drawn := torch7.random(gen, n) - 1) in taken:
        pass
    return drawn

"""Covariance matrix adaptation: a search that learns the shape of the valley it is in."""

from __future__ import annotations

import math

import numpy as np

import torch7
from torch7.dtypes import tostring

from .common import Opfunc, Options, absent
from .population import Population

CONDITION, TOLFUN, TOLX = 1e7, 1e-12, 1e-11


def cmaes(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[float], int]:
    """A whole search by CMA-ES: points are drawn from a normal distribution that moves to where they were good.

    `opfunc(point)` gives f, or (f, df/dx) of which only f counts. Each generation of popsize points is drawn from

        m + sigma N(0, C)

    with C = 1 and m = x at first. Then m becomes the weighted mean of the better half; C is changed towards the steps
    that led there and the path of m; sigma grows when steps of m go on in the same direction and shrinks when they
    cancel out.

    Options in `state` (in `config` if there is no state, else config is not used), a mapping in which None counts as
    absent:

    * sigma (must be given): the standard deviation of every element at first
    * verb_disp (must be given): after how many generations to print a line, 0 for printing nothing
    * popsize (4 + floor(3 log(x.size))): at least 2
    * maxEval (1000 x.size^2), ftarget (none), min_iterations (1): the search ends after the generation that reaches
      maxEval evaluations or ftarget, or in which all values are the same to 1e-12, the standard deviations have become
      less than 1e-11, or one of them 1e7 times another. Before min_iterations it ends only when rounding errors have
      left no distribution to draw from, where Torch would go on with NaN.

    Neither config nor state is changed, nor is x. The random numbers are torch7's: after the same torch7.manualSeed the
    points are Torch's. With more elements than parents, popsize / 2, some eigenvalues of C are the same in the first
    generations, and rounding errors choose their eigenvectors: with more than about 10 elements, or 3 in float32, other
    points of the same distributions are drawn than by Torch.

    Returns the best point that was drawn, in one dimension; the list of f(x), the least value of each generation, and
    the value of the best point; and how many points were drawn. opfunc gets points in the shape of x. x, float32 or
    float64, also gives the type of the points; the values are kept in Torch's default type, as there.

    Raises TypeError for tables that are no mappings, options that are missing or no numbers, an x that is no floating
    array, a function that does not return a number; ValueError for an x without elements, and for options out of range;
    FloatingPointError for a value that is NaN or -inf (see optim.nonfinite). Infinity is a penalty and allowed.

    Source: N. Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772, 2016.

    >>> import torch7
    >>> torch7.manualSeed(1)
    >>> best, f, evaluations = cmaes(lambda x: ((x - 3) ** 2).sum(), np.zeros(2), {"sigma": 1, "verb_disp": 0})
    >>> best.round(4), f[0], f[-1] < 1e-9, evaluations == 6 * (len(f) - 2)
    (array([3., 3.]), 18.0, True, True)
    """
    call = Population("optim.cmaes", opfunc, x, config, state)
    limits, search = _Limits(call), _Distribution(x, *_start(call))
    history = [call.fitness(x)]
    generation, reasons = 0, dict[str, float]()
    best, least, found = x, history[0], generation
    while not reasons or generation < limits.min_iterations:
        if not search.factorized():
            reasons = {"condition": CONDITION}
            break
        generation += 1
        points = search.ask()
        values = call.fitnesses(points.reshape(-1, *x.shape), torch7.default_dtype())
        order = values.argsort(kind="stable")
        points, values = points[order], values[order]
        history.append(values.item(0))
        if generation == 1 or history[-1] < least:
            best, least, found = points[0].copy(), history[-1], generation
        search.tell(points)
        reasons = limits.reached(search, values)
        limits.show(search, history[-1], generation)
    if limits.verb_disp > 0:
        _conclude(reasons, best, least, found, generation)
    return best, [*history, least], search.count


def _conclude(reasons: dict[str, float], best: np.ndarray, least: float, found: int, generation: int) -> None:
    """Prints why the search ended, and with what."""
    for name, limit in reasons.items():
        print("termination by", name, "=", tostring(limit), sep="\t")
    print("best f-value =", tostring(least), sep="\t")
    print("solution = ", best, sep="\n")
    print("best found at iteration: ", found, " , total iterations: ", generation, sep="\t")


def _start(call: Population) -> tuple[float, int]:
    """sigma and the size of a generation."""
    (sigma,) = call.recorded(sigma=None)
    popsize = call.whole(call.state, "popsize", 4 + math.floor(3 * math.log(call.x.size)))
    if not (sigma > 0 and _finite_square(sigma)):
        raise ValueError(f"optim.cmaes: expected sigma to be positive and finite, got {sigma}")
    if popsize < 2:
        raise ValueError(f"optim.cmaes: expected a popsize of at least 2, got {popsize}")
    return sigma, popsize


def _finite_square(sigma: float) -> bool:
    return 0 < sigma * sigma < math.inf


class _Limits:
    """When to end, and when to print."""

    def __init__(self, call: Population):
        if absent(call.state, "verb_disp"):
            raise TypeError(
                "optim.cmaes: expected verb_disp to be the number of generations from one printed line to the next, "
                "0 for none, got None"
            )
        (self.verb_disp,) = call.recorded(verb_disp=None)
        self.maxEval, self.min_iterations = call.recorded(maxEval=1e3 * call.x.size**2, min_iterations=1)
        (self.ftarget,) = call.recorded(ftarget=math.nan)  # which nothing is less than

    def reached(self, search: _Distribution, values: np.ndarray) -> dict[str, float]:
        """Torch's names of the reasons to end, and the limits; `values` are sorted."""
        longest, shortest = search.axes()
        least, greatest = values.item(0), values.item(-1)
        reasons = {
            "evals": (self.maxEval, search.count >= self.maxEval),
            "ftarget": (self.ftarget, least <= self.ftarget),
            "condition": (CONDITION, longest > CONDITION * shortest),
            "tolfun": (TOLFUN, greatest - least < TOLFUN),
            "tolx": (TOLX, search.sigma * longest < TOLX),
        }
        return {name: limit for name, (limit, true) in reasons.items() if true}

    def show(self, search: _Distribution, value: float, generation: int) -> None:
        """Every verb_disp generations a line, and over ten of them what it tells."""
        every = self.verb_disp
        if every == 0:
            return
        if generation == 1 or generation % (10 * every) == 0:
            print("evals:\t ax-ratio max(std)   f-value")
        if generation <= 2 or generation % every == 0:
            longest, shortest = search.axes()
            std = search.sigma * math.sqrt(search.C.diagonal().max())
            print(f"{search.count}:  {longest / shortest:6.1f} {std:8.1e} {tostring(value)}")


class _Distribution:
    """m + sigma N(0, C), and what one generation teaches it for the next."""

    def __init__(self, x: np.ndarray, sigma: float, popsize: int):
        N = x.size
        self.mean, self.sigma, self.popsize, self.count = x.flatten(), sigma, popsize, 0
        self._weigh(popsize / 2, x.dtype)
        mueff = self.mueff
        # how fast the paths forget, how fast C follows its path and the parents, and what holds sigma back
        self.cc = (4 + mueff / N) / (N + 4 + 2 * mueff / N)
        self.cs = (mueff + 2) / (N + mueff + 5)
        self.c1 = 2 / ((N + 1.3) ** 2 + mueff)
        self.cmu = min(1 - self.c1, 2 * (mueff - 2 + 1 / mueff) / ((N + 2) ** 2 + mueff))
        self.damps = 2 * mueff / popsize + 0.3 + self.cs
        # the paths of m, the standard deviations along the axes of C and their directions, C and C^(-1/2)
        self.pc, self.ps, self.D = np.zeros(N, x.dtype), np.zeros(N, x.dtype), np.ones(N, x.dtype)
        self.B, self.C, self.invsqrtC = (np.eye(N, dtype=x.dtype) for _ in range(3))
        self.factorized_at = 0

    def _weigh(self, parents: float, dtype: np.dtype) -> None:
        """The weights of the parents, and of how many equal ones they are worth. Half parents count in the formula."""
        ranks = range(1, int(parents) + 1)
        weights = np.array([math.log(parents + 0.5) - math.log(i) for i in ranks], torch7.default_dtype())
        weights /= _sum(weights)
        self.mueff = _sum(weights) ** 2 / _sum(weights * weights)
        self.weights = weights.astype(dtype)

    def axes(self) -> tuple[float, float]:
        """The longest and the shortest standard deviation, in units of sigma."""
        return float(self.D.max()), float(self.D.min())

    def factorized(self) -> bool:
        """Brings the axes up to date with C now and then; whether there is a distribution to draw from."""
        if self.count - self.factorized_at > self.popsize / (self.c1 + self.cmu) / len(self.C) / 10:
            self.factorized_at = self.count
            if not np.isfinite(self.C).all():
                return False
            squares, vectors = np.linalg.eigh(self.C, UPLO="U")  # with this triangle the signs are Torch's
            if not squares[0] > 0:
                return False
            self.D, self.B = np.sqrt(squares), np.asfortranarray(vectors)
            self.invsqrtC = (self.B * (1 / self.D)) @ self.B.T
        return _finite_square(self.sigma)

    def ask(self) -> np.ndarray:
        """A generation of points."""
        z = torch7.normal_(np.empty((self.popsize, len(self.D)), self.D.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            turned = np.array([self.B @ along for along in z * self.D])  # one by one, as Torch does, rounds likewise
            return self.mean + turned * self.sigma

    def tell(self, points: np.ndarray) -> None:
        """Learns from the points, which are sorted from good to bad."""
        self.count += self.popsize
        parents, before = points[: len(self.weights)], self.mean
        with np.errstate(all="ignore"):
            self.mean = parents.T @ self.weights
            length, hsig = self._advance_paths(self.mean - before)
            self._adapt(parents.astype(np.float64) - before, hsig)
        self.sigma *= math.exp(min(0.6, self.cs / self.damps * (length / len(self.C) - 1) / 2))

    def _advance_paths(self, step: np.ndarray) -> tuple[float, float]:
        """The square of ps' length, and whether pc goes on (1) or waits for ps to become shorter (0)."""
        N, cc, cs = len(self.C), self.cc, self.cs
        c = math.sqrt(cs * (2 - cs) * self.mueff) / self.sigma
        self.ps = self.ps - self.ps * cs + self.invsqrtC @ step * c
        length = _sum(self.ps * self.ps)
        hsig = float(length / (1 - (1 - cs) ** (2 * self.count / self.popsize)) / N < 2 + 4 / (N + 1))
        c = math.sqrt(cc * (2 - cc) * self.mueff) / self.sigma
        self.pc = self.pc - self.pc * cc + step * c * hsig
        return length, hsig

    def _adapt(self, steps: np.ndarray, hsig: float) -> None:
        """Moves C towards its path and the parents' steps; computed in double whatever its type.

        While parents are fewer than dimensions, some eigenvalues are the same and rounding errors choose their
        eigenvectors: so every element is summed in Torch's order.
        """
        old, pc, rank_mu = self.C.astype(np.float64), self.pc.astype(np.float64), np.zeros(self.C.shape)
        for weight, step in zip(self.weights.tolist(), steps):
            rank_mu += np.multiply.outer(weight * step, step)
        rank_mu /= self.sigma * self.sigma
        c1a = self.c1 - (1 - hsig**2) * self.c1 * self.cc * (2 - self.cc)
        change = (-c1a - self.cmu) * old + np.multiply.outer(self.c1 * pc, pc) + self.cmu * rank_mu
        self.C = (old + change).astype(self.C.dtype)


def _sum(a: np.ndarray) -> float:
    """The sum in double, as Torch's."""
    return float(a.sum(dtype=np.float64))

"""FISTA: minimizing a smooth function plus one that has a simple proximal operator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from .arithmetic import add
from .common import Call, Options, absent, demand_callable, described, loss, restoring
from .finite import demand_finite


def FistaLS(
    f: Callable[..., Any],
    g: Callable[[np.ndarray], Any],
    pl: Callable[[np.ndarray, float], Any],
    xinit: np.ndarray,
    params: Options | None = None,
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Minimizes f(x) + g(x) by ISTA or FISTA with a backtracking line search; f is smooth, g need not be.

    * `f(x)` gives f or (f, ...), and `f(x, "dx")` gives (f, df/dx) or (f, df/dx, ...)
    * `g(x)` gives g or (g, ...)
    * `pl(x, L)` changes x in place to the z that minimizes g(z) + L/2 |z - x|^2. For g = a |x|_1 this is the soft
      threshold: every element comes nearer to 0 by a/L, and no farther.

    Starting from y = 0, whatever is in xinit, iteration k does

        x_k = pl(y - f'(y) / L, L),  with L = L Lstep until  f(x_k) <= Q = f(y) + f'(y).(x_k - y) + L/2 |x_k - y|^2
        y = x_k                                              ISTA
        y = x_k + (t_k - 1) / t_{k+1} (x_k - x_{k-1})        FISTA, with t_1 = 1, t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2

    until f(y) + g(y) changes by no more than errthres. When L was raised maxline times in vain, x_k is x_{k-1}, in ISTA
    0.

    Options in `params`, a mapping in which None counts as absent: L (0.1, where to start), Lstep (1.5), maxiter (50),
    maxline (20), errthres (1e-4), doFistaUpdate (False: ISTA, as in Torch, whose comment says otherwise) and verbose
    (False: print every trial and iteration).

    `params` is changed in place: L, the last one; xkm, y and ply, memory that the next call uses again. These are of
    Torch's default type (see torch7.setdefaulttensortype) if not there already, and y is what f and g are called with.

    Returns y, which is params["y"] and changed by the next call with the same params, and the history: one dict for
    each iteration, with nline (line search trials), L, Fply = f(y), Gply = g(y), F, which is their sum, and Q; with
    verbose also copies of xk and y. xinit has the values of y afterwards.

    Raises TypeError for a params that is no mapping, options that are no numbers, an xinit that is no floating array,
    functions that do not return what they should; ValueError for options out of range, memory that xinit and params
    share, and a gradient that does not fit y; FloatingPointError for what is not finite (see optim.nonfinite), but f
    may be infinite at a trial of the line search, and g anywhere. After an error or Ctrl-C xinit has the values from
    before the call.

    Source: A. Beck and M. Teboulle, A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems,
    SIAM Journal on Imaging Sciences 2, 2009.

    >>> b = np.array([3.0, -1.0, 0.25])
    >>> def f(x, mode=""):
    ...     value = ((x - b) ** 2).sum() / 2
    ...     return (value, x - b) if mode == "dx" else value
    >>> def soft_threshold(x, L):
    ...     x[...] = np.sign(x) * np.maximum(np.abs(x) - 0.5 / L, 0)
    >>> x, params = np.zeros(3), {"doFistaUpdate": True}
    >>> y, history = FistaLS(f, lambda x: 0.5 * np.abs(x).sum(), soft_threshold, x, params)
    >>> y.round(2), round(history[-1]["F"], 4), round(params["L"], 4)
    (array([ 2.5, -0.5,  0. ]), 1.7813, 1.1391)
    """
    search = _Search(f, g, pl, xinit, params)
    with restoring(xinit, xinit.copy()):
        history = search.run()
    return search.y, history


class _Search(Call):
    """One call of FistaLS: its functions, checked when they are called, its options and its memory."""

    ARGUMENTS = ("xinit", "params", "state")

    def __init__(self, f: Any, g: Any, pl: Any, xinit: np.ndarray, params: Options | None):
        super().__init__("optim.FistaLS", xinit, params, None)
        demand_callable(self.name, f=f, g=g, pl=pl)
        self.f, self.g, self.pl = f, g, pl
        self.L, self.Lstep, self.errthres = self.options(L=0.1, Lstep=1.5, errthres=1e-4)
        self.maxiter, self.maxline = self.options(maxiter=50, maxline=20)
        self.momentum, self.verbose = self.flag("doFistaUpdate"), self.flag("verbose")
        if not (self.L > 0 and self.Lstep >= 1 and self.maxiter > 0):
            got = f"{self.L}, {self.Lstep} and {self.maxiter}"
            raise ValueError(f"{self.name}: expected L > 0, Lstep >= 1 and maxiter > 0, got {got}")
        self.xkm, self.y, self.ply = map(self._zeros, ("xkm", "y", "ply"))

    def _zeros(self, key: str) -> np.ndarray:
        """The memory that params has under `key`, in the shape of xinit; a new one is of the default type."""
        old = np.empty(0, torch7.default_dtype()) if absent(self.config, key) else self.config[key]
        if not torch7.isTensor(old) or old.dtype.kind != "f":
            raise TypeError(f"{self.name}: expected params.{key} to be a floating ndarray, got {described(old)}")
        self._writeable(f"params.{key}", old)
        if np.may_share_memory(old, self.x):
            raise ValueError(f"{self.name}: xinit shares memory with params.{key}; give a copy of it")
        self.config[key] = new = memory.resized(old, self.x.shape, old.dtype)
        new.fill(0)
        return new

    def run(self) -> list[dict[str, Any]]:
        """All iterations; afterwards xinit is y."""
        history: list[dict[str, Any]] = []
        self.penalty("at the start")
        t, F = 1.0, math.inf
        while len(history) < self.maxiter:
            where, last = f"in iteration {len(history) + 1}", F
            nline, Q = self.line_search(where)
            t = self.advance(t)
            Fply, Gply = self.smooth(self.y, where), self.penalty(where)
            F = Fply + Gply
            if self.verbose:
                print(f"iter={len(history)} eold={last:g} enew={F:g}")
            history.append({"nline": nline, "L": self.L, "F": F, "Fply": Fply, "Gply": Gply, "Q": Q})
            if self.verbose:
                history[-1].update(xk=self.x.copy(), y=self.y.copy())
            if len(history) > 1 and abs(F - last) <= self.errthres:
                break
        self.config["L"] = self.L
        np.copyto(self.x, self.y)
        return history

    def line_search(self, where: str) -> tuple[int, float]:
        """Moves xinit to x_k, raising L until Q is not below f there; returns how many trials it took, and Q."""
        x, y, ply = self.x, self.y, self.ply
        fy, slope = self.gradient(where)
        for nline in itertools.count(1):
            np.copyto(ply, y)
            add(ply, -1 / self.L, slope)
            self.shrink(ply)
            np.copyto(x, ply)
            fply = self.smooth(ply, where, trial=True)
            ply -= y
            Q2, Q3 = float(np.vdot(slope, ply)), self.L / 2 * float(np.vdot(ply, ply))
            Q = fy + Q2 + Q3
            if self.verbose:
                print(f"nline={nline - 1} L={self.L:g} fply={fply:g} Q={Q:g} fy={fy:g} Q2={Q2:g} Q3={Q3:g}")
            if fply <= Q:
                break
            if nline > self.maxline:
                np.copyto(x, self.xkm)
                break
            self.L *= self.Lstep
        return nline, Q

    def advance(self, t: float) -> float:
        """Moves y to where the next iteration starts from; returns the next t."""
        np.copyto(self.y, self.x)
        if self.momentum:
            before, t = t, (1 + math.sqrt(1 + 4 * t * t)) / 2
            self.xkm -= self.x
            add(self.y, (1 - before) / t, self.xkm)
            np.copyto(self.xkm, self.x)
        return t

    def gradient(self, where: str) -> tuple[float, np.ndarray]:
        result = self.f(self.y, "dx")
        if not isinstance(result, (tuple, list)) or len(result) < 2 or not torch7.isTensor(result[1]):
            raise TypeError(f"{self.name}: expected f(x, 'dx') to return (f, df/dx), got {described(result)}")
        fy, slope = loss(f"{self.name}: expected f", result), result[1]
        if (slope.shape, slope.dtype) != (self.y.shape, self.y.dtype):
            raise ValueError(f"{self.name}: y is {described(self.y)}, but the gradient is {described(slope)}")
        demand_finite(f"{self.name}: {where}", fy, slope, self.y)
        return fy, slope

    def smooth(self, x: np.ndarray, where: str, trial: bool = False) -> float:
        fx = loss(f"{self.name}: expected f", self.f(x))
        demand_finite(f"{self.name}: {where}", fx, None, x, trial)
        return fx

    def penalty(self, where: str) -> float:
        gy = loss(f"{self.name}: expected g", self.g(self.y))
        demand_finite(f"{self.name}: {where}", gy, None, self.y, trial=True)
        return gy

    def shrink(self, ply: np.ndarray) -> None:
        """pl(ply, L), in place: who returns another array instead has most likely not changed this one."""
        result = self.pl(ply, self.L)
        if isinstance(result, np.ndarray) and not np.may_share_memory(result, ply):
            raise TypeError(f"{self.name}: expected pl to change its argument in place, but it returned another array")

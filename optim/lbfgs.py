"""L-BFGS: Newton's method with a Hessian that is known from the last steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory

from .common import Call, Opfunc, Options, absent, beside, described, number, restoring
from .finite import demand_finite
from .numeric import divide, dot, move, norm1, quiet, scale, smaller, subtract


def lbfgs(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[float], int | None]:
    """Iterations of L-BFGS: steps along -H g, where H, the inverse of the Hessian, is estimated from the last steps.

    `opfunc(x)` gives (f, df/dx). With g the gradient, and for each of the last nCorrection iterations the step s and
    the change y of the gradient by it (those with y.s <= 1e-10 are left out):

        d = -H g              H by the two-loop recursion over s and y, beginning with (y.s) / (y.y) of the last ones
        x = x + t d           t = learningRate; the first iteration ever has d = -g and min(1, 1 / |g|_1) learningRate

    With a lineSearch t is where that begins. Without one nobody looks whether f gets lower.

    Options in `config`, a mapping in which None counts as absent:

    * maxIter (20), maxEval (1.25 maxIter): the call ends after so many iterations, or evaluations
    * tolFun (1e-5): or when the sum of |g| is not above this
    * tolX (1e-9): or when the sum of |t d|, the change of f, or the descent -g.d is below this
    * learningRate (1)
    * nCorrection (100): how many steps to remember; the memory for 2 nCorrection + 2 arrays like x is taken at once
    * lineSearch (none): optim.lswolfe (which wants opfunc to give a new gradient every time), or a function that is
      called like it and returns what it returns
    * lineSearchOptions (none): what that gets as options
    * verbose (False): tell why the call ended

    `state` (the config, unless given) is changed in place. It goes on from call to call: funcEval and nIter count;
    old_dirs and old_stps are the lists of s and y, oldest first, dir_bufs and stp_bufs those of unused memory; d, t,
    g_old and f_old are of the last step, Hdiag is what H begins with, and tmp1, ro and al are used by the way. A state
    that was saved resumes exactly. With an nIter of 0 it starts anew.

    x, of any shape, is changed in place. After an error or Ctrl-C in opfunc x is what it was before the call, and so is
    the state, but that it may have forgotten the oldest s and y to make room.
    Returns x, the list of f at the start and after every iteration (after the last one, without a lineSearch, f is not
    computed), and the number of evaluations, which is None if the sum of |g| was not above tolFun from the start.

    Raises TypeError for tables that are no mappings, options that are no numbers, an x that is no floating array, a
    lineSearch that cannot be called, functions that do not return what they should; ValueError for a gradient or state
    that does not fit x, and an nCorrection that is no positive whole number; FloatingPointError for what is not finite
    (see optim.nonfinite).

    Source: J. Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980; D. Liu and J. Nocedal, On the Limited
    Memory BFGS Method for Large Scale Optimization, 1989.

    >>> scales = np.array([1.0, 10.0])  # f = (x1^2 + 10 x2^2) / 2
    >>> x, f, n = lbfgs(lambda x: (x.dot(scales * x) / 2, scales * x), np.array([4.0, -2.0]), {"maxIter": 9})
    >>> [round(value, 4) for value in f], n
    ([28.0, 14.1528, 5.182, 4.0315, 0.1315, 0.0, 0.0, 0.0], 8)
    """
    run = _Run(Call("optim.lbfgs", x, config, state), opfunc)
    run.evaluate()
    if run.flat():
        return x, run.values, None
    past = run.past()
    with restoring(x, past.kept("x", x)), past:
        while run.iterations < run.maxIter and run.iterate(past):
            pass
    return x, run.values, run.evaluations


class _Run:
    """One call of lbfgs: its options, where it is, and what it has counted."""

    def __init__(self, call: Call, opfunc: Opfunc):
        self.call, self.opfunc = call, opfunc
        self.maxIter, self.nCorrection, self.learningRate = call.options(maxIter=20, nCorrection=100, learningRate=1)
        self.maxEval, self.tolFun, self.tolX = call.options(maxEval=1.25 * self.maxIter, tolFun=1e-5, tolX=1e-9)
        if not (self.nCorrection >= 1 and self.nCorrection.is_integer()):
            raise ValueError(f"optim.lbfgs: expected nCorrection to be whole and positive, got {self.nCorrection}")
        self.lineSearch: Any = None if absent(call.config, "lineSearch") else call.config["lineSearch"]
        if not (self.lineSearch is None or callable(self.lineSearch)):
            raise TypeError(f"optim.lbfgs: expected lineSearch to be callable, got {described(self.lineSearch)}")
        self.values: list[float] = []
        self.evaluations = self.iterations = 0
        call.state.update({key: call.count(key) for key in ("funcEval", "nIter")})

    def say(self, text: str) -> None:
        if self.call.flag("verbose"):
            print("<optim.lbfgs> ", text, sep="\t")

    def evaluate(self) -> None:
        f, g = self.call.value(self.opfunc, f"evaluation {self.call.state['funcEval'] + 1}")
        self.came(f, g, 1)

    def came(self, f: float, g: np.ndarray, evaluations: int) -> None:
        """Takes note of where x has come to, and what that cost."""
        self.f, self.g = f, g
        self.values.append(f)
        self.evaluations += evaluations
        self.call.state["funcEval"] += evaluations

    def flat(self) -> bool:
        """Whether the gradient is as good as 0."""
        flat = norm1(self.g, 1, self.call.buffer("tmp1")) <= self.tolFun
        if flat:
            self.say("optimality condition below tolFun")
        return flat

    def past(self) -> _Past:
        """What the state remembers, with memory for more."""
        call, n = self.call, int(self.nCorrection)
        if absent(call.state, "dir_bufs"):
            self.say("creating recyclable direction/step/history buffers")
            for key in ("dir_bufs", "stp_bufs"):
                call.state[key] = list(memory.zeros((n + 1, *call.x.shape), call.x.dtype))
        return _Past(call, n)

    def iterate(self, past: _Past) -> bool:
        """Makes one iteration; returns whether another one is to follow."""
        self.iterations += 1
        self.call.state["nIter"] += 1
        t = self.learningRate
        if past.turn(self.f, self.g):
            t *= smaller(1, divide(1, norm1(self.g, 1, past.tmp)))
        gtd = dot(self.g, past.d)
        if gtd > -self.tolX:
            return False
        if self.lineSearch is not None:
            past.t = self.search(t, past.d, gtd)
        else:
            past.t = t
            move(self.call.x, t, past.d)
            if self.iterations != self.maxIter:  # with other data each time, f here would be of no use
                self.evaluate()
        return not self.finished(past)

    def search(self, t: float, d: np.ndarray, gtd: float) -> float:
        """Lets lineSearch move x along d; returns how far that was."""
        call, x = self.call, self.call.x
        options = call.config.get("lineSearchOptions")
        found = self.lineSearch(self.opfunc, x, t, d, self.f, self.g, gtd, options)
        if not (isinstance(found, (tuple, list)) and len(found) == 5):
            got = described(found)
            raise TypeError(f"optim.lbfgs: expected lineSearch to return (f, g, x, t, evaluations), got {got}")
        f, g, there, t, evaluations = found
        for what, value in (("f", f), ("t", t), ("evaluations", evaluations)):
            if not isinstance(number(value), float):
                raise TypeError(f"optim.lbfgs: expected {what} of lineSearch to be a number, got {described(value)}")
        call.fits("g of lineSearch", g)
        if there is not x:
            call.fits("x of lineSearch", there)
            np.copyto(x, there)
        f = float(f)
        demand_finite(f"optim.lbfgs: after the search of iteration {call.state['nIter']}", f, g, x)
        self.came(f, g, int(evaluations))
        return float(t)

    def finished(self, past: _Past) -> bool:
        """Whether one of the limits is reached; tells which."""
        if self.iterations == self.maxIter:
            self.say("reached max number of iterations")
        elif self.evaluations >= self.maxEval:
            self.say("max nb of function evals")
        elif self.flat():
            pass  # has told
        elif norm1(past.d, past.t, past.tmp) <= self.tolX:
            self.say("step size below tolX")
        elif abs(self.f - past.f) < self.tolX:
            self.say("function value changing less than tolX")
        else:
            return False
        return True


class _Past:
    """What is known of the function from the iterations up to now: fields of the state.

    In a `with` block they are worked on. What goes wrong in it, or interrupts it, leaves the state as it was, but that
    the oldest pairs of old_dirs and old_stps are missing as far as their memory was needed.
    """

    def __init__(self, call: Call, nCorrection: int):
        self.call, self.nCorrection = call, nCorrection
        state = call.state
        self.counts = {"nIter": state["nIter"], "funcEval": state["funcEval"] - 1}  # before this call
        self.tmp = call.buffer("tmp1")
        self.lists = {key: self._rows(key) for key in ("old_dirs", "old_stps", "dir_bufs", "stp_bufs")}
        needed = ("old_dirs", "old_stps", "d", "g_old", "t", "Hdiag")
        self.blank = state["nIter"] == 0 or any(absent(state, key) for key in needed)
        self.t: Any = None
        self.f: Any = None
        if self.blank:
            self._forget(max(map(len, self.lists.values())))
            self.d, self.g = (memory.empty(call.x.shape, call.x.dtype) for _ in range(2))
        else:
            self.d, self.g = call.buffer("d"), call.buffer("g_old")
            self.t, self.Hdiag = call.recorded(t=1, Hdiag=1)
        self.forgotten = 0  # pairs that the state has

    def _rows(self, key: str) -> list[np.ndarray]:
        rows = [] if absent(self.call.state, key) else self.call.state[key]
        if not isinstance(rows, (list, tuple)):
            raise TypeError(f"optim.lbfgs: expected state.{key} to be a list of arrays, got {described(rows)}")
        for row in rows:
            self.call.fits(f"an array in state.{key}", row)
        return list(rows)

    def kept(self, key: str, a: np.ndarray) -> np.ndarray:
        """A copy of an array, in memory that is used again in every call."""
        memo = beside(self.tmp)
        memo[key] = memory.resized(memo.get(key), a.shape, a.dtype)
        np.copyto(memo[key], a)
        return memo[key]

    def __enter__(self) -> _Past:
        self.before = [] if self.blank else [(a, self.kept(key, a)) for key, a in (("d", self.d), ("g_old", self.g))]
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        if error is not None:
            self._undo()
        elif self.f is not None:
            self.call.state.update(self.lists, d=self.d, g_old=self.g, f_old=self.f, Hdiag=self.Hdiag)
            self.call.state.update({} if self.t is None else {"t": self.t})

    def _undo(self) -> None:
        state = self.call.state
        state.update(self.counts)
        for a, kept in self.before:
            np.copyto(a, kept)
        if self.before and self.forgotten:
            self.lists = {key: list(state[key]) for key in self.lists}
            self._forget(self.forgotten)
            state.update(self.lists)

    def _forget(self, pairs: int) -> None:
        """Takes the memory of the oldest pairs back."""
        for key, pool in (("old_dirs", "dir_bufs"), ("old_stps", "stp_bufs")):
            self.lists[pool] += self.lists[key][:pairs]
            del self.lists[key][:pairs]

    def turn(self, f: float, g: np.ndarray) -> bool:
        """Turns d to where the next step goes from a point with this f and g; returns whether it is the first step."""
        first, self.blank = self.blank, False
        if first:
            scale(g, -1, self.d)
            self.Hdiag = 1.0
        else:
            self._learn(g)
            self._apply(g)
        np.copyto(self.g, g)
        self.f = f
        return first

    def _learn(self, g: np.ndarray) -> None:
        """Adds the last step, and how the gradient changed by it, to what is known."""
        lists = self.lists
        y, s = (lists[key].pop() if lists[key] else np.empty_like(self.d) for key in ("dir_bufs", "stp_bufs"))
        subtract(g, self.g, y)
        scale(self.d, self.t, s)
        ys = dot(y, s)
        if ys > 1e-10:
            surplus = max(0, len(lists["old_dirs"]) + 1 - self.nCorrection)
            self._forget(surplus)
            self.forgotten += surplus
            lists["old_dirs"].append(s)
            lists["old_stps"].append(y)
            self.Hdiag = divide(ys, dot(y, y))
        else:
            lists["dir_bufs"].append(y)
            lists["stp_bufs"].append(s)

    @quiet
    def _apply(self, g: np.ndarray) -> None:
        """d = -H g."""
        pairs = list(enumerate(zip(self.lists["old_dirs"], self.lists["old_stps"])))
        ro, al = self._numbers("ro"), self._numbers("al")
        q, d = self.tmp, self.d
        scale(g, -1, q)
        for i, (s, y) in pairs:
            ro[i] = divide(1, dot(y, s))
        for i, (s, y) in reversed(pairs):
            al[i] = dot(s, q) * ro[i]
            move(q, -float(al[i]), y)
        scale(q, self.Hdiag, d)
        for i, (s, y) in pairs:
            move(d, float(al[i] - dot(y, d) * ro[i]), s)

    def _numbers(self, key: str) -> np.ndarray:
        """The state's array under `key`: of one number for each pair, in Torch's default type."""
        old = self.call.state.get(key)
        if not (isinstance(old, np.ndarray) and old.dtype.kind == "f" and old.shape >= (self.nCorrection,)):
            self.call.state[key] = memory.zeros((self.nCorrection,))
        return self.call.state[key]

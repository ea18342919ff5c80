"""Stochastic gradient descent: plain, with momentum, looking ahead, averaged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torch7.blocks import each
from torch7.memory import resized

from .arithmetic import add, product
from .common import Call, Opfunc, Options, absent, beside, restoring


def sgd(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of stochastic gradient descent, with momentum, decay and individual rates as options.

    `opfunc(x)` gives (f, df/dx). With g the gradient, v the velocity and n the steps before this one:

        g += weightDecay x                            (or g += weightDecays x, elementwise)
        v = momentum v + (1 - dampening) g            (v = g in the first step)
        g = v                                         (with nesterov: g += momentum v)
        x -= learningRate / (1 + n learningRateDecay) g           (times learningRates, elementwise)

    Options in `config`, a mapping in which None counts as absent:

    * learningRate (1e-3), learningRateDecay (0), weightDecay (0), momentum (0)
    * dampening (the momentum, so give 0 for the classical form), nesterov (False; needs a momentum and dampening 0)
    * learningRates, weightDecays (none): arrays of one number for each element of x. weightDecays counts only while
      weightDecay is 0.

    `state` (the config, unless given) is changed in place: evalCounter, and where the options need them dfdx (the
    velocity), decayParameters and deltaParameters. A state that was saved resumes exactly.

    x, of any shape, is changed in place; weight decay and nesterov also change the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises TypeError for tables that are no mappings, options that are no numbers, an x that is no floating array, a
    function that does not return a pair; ValueError for a gradient, buffer or vector that does not fit x, and for
    nesterov without momentum or with dampening; FloatingPointError for what is not finite (see optim.nonfinite).

    Source: H. Robbins and S. Monro, A Stochastic Approximation Method, 1951; B. Polyak, Some methods of speeding up the
    convergence of iteration methods, 1964; nesterov: I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance
    of initialization and momentum in deep learning, 2013.

    >>> x, config = np.array([4.0, -2.0]), {"learningRate": 0.25, "momentum": 0.5}
    >>> for step in range(3):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = sgd(lambda x: (x.dot(x) / 2, x.copy()), x, config)
    ...     print(f, x)
    10.0 [ 3.  -1.5]
    5.625 [ 2.125  -1.0625]
    2.822265625 [ 1.421875  -0.7109375]
    >>> config["evalCounter"], config["dfdx"]
    (3, array([ 2.8125 , -1.40625]))
    """
    call = Call("optim.sgd", x, config, state)
    lr, lrd, wd, mom = call.options(learningRate=1e-3, learningRateDecay=0, weightDecay=0, momentum=0)
    (damp,) = call.options(dampening=mom)
    nesterov = call.flag("nesterov")
    if nesterov and not (mom > 0 and damp == 0):
        got = f"momentum {mom} and dampening {damp}"
        raise ValueError(f"optim.sgd: Nesterov momentum requires a momentum and zero dampening, got {got}")
    wds = call.individual("weightDecays") if wd == 0 else None
    lrs = call.individual("learningRates")
    steps = call.state["evalCounter"] = call.count("evalCounter")
    clr = call.annealed(lr, lrd, steps)

    fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", wd != 0 or wds is not None or nesterov)
    first = absent(call.state, "dfdx")

    def update(p: Any, g: Any, wd_s: Any, decay: Any, v: Any, lr_s: Any, delta: Any) -> None:
        add(g, wd, p)
        if decay is not None:
            g += product(wd_s, p, decay)
        if v is not None:
            g = _momentum(g, v, first, mom, damp, nesterov)
        add(p, -clr, g if delta is None else product(lr_s, g, delta))

    decays = None if wds is None else call.buffer("decayParameters")
    velocity = None if mom == 0 else call.buffer("dfdx")
    deltas = None if lrs is None else call.buffer("deltaParameters")
    call.update(update, x, dfdx, wds, decays, velocity, lrs, deltas)
    call.state["evalCounter"] = steps + 1
    return x, [fx]


def _momentum(g: np.ndarray, v: np.ndarray, first: bool, mom: float, damp: float, nesterov: bool) -> np.ndarray:
    """The direction of the step; the first velocity is the gradient itself, undamped."""
    if first:
        np.copyto(v, g)
    else:
        v *= mom
        add(v, 1 - damp, g)
    if not nesterov:
        return v
    add(g, mom, v)
    return g


def nag(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of Nesterov's accelerated gradient: the gradient is taken where the momentum leads to.

    `opfunc(x)` gives (f, df/dx). With v the velocity, 0 at first, and n the steps before this one:

        x += momentum v
        g = df/dx at this x, plus weightDecay x
        d = learningRate / (1 + n learningRateDecay) g            (times learningRates, elementwise)
        v = momentum v - d
        x -= d

    Options in `config`, a mapping in which None counts as absent: learningRate (1e-3), learningRateDecay (0),
    weightDecay (0), momentum (0.9), learningRates (none: an array of one number for each element of x).

    `state` (the config, unless given) is changed in place: evalCounter, dfdx (the velocity), and with learningRates
    deltaParameters. A state that was saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned. opfunc is called
    with x moved ahead, and after an error or Ctrl-C in it x is back where it was: for that a copy of x is kept.
    Returns x and [f], f being the value at the point ahead.

    Raises what optim.sgd raises, and ValueError for a momentum that is not positive.

    Source: I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance of initialization and momentum in deep
    learning, 2013.

    >>> x, config = np.array([4.0, -2.0]), {"learningRate": 0.25, "momentum": 0.5}
    >>> for step in range(3):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = nag(lambda x: (x.dot(x) / 2, x.copy()), x, config)
    ...     print(f, x)
    10.0 [ 3.  -1.5]
    3.90625 [ 1.875  -0.9375]
    1.07666015625 [ 0.984375  -0.4921875]
    """
    call = Call("optim.nag", x, config, state)
    lr, lrd, wd, mom = call.options(learningRate=1e-3, learningRateDecay=0, weightDecay=0, momentum=0.9)
    if not mom > 0:
        raise ValueError(f"optim.nag: Momentum must be positive for Nesterov Accelerated Gradient, got {mom}")
    lrs = call.individual("learningRates")
    steps = call.state["evalCounter"] = call.count("evalCounter")
    clr = call.annealed(lr, lrd, steps)

    ahead = not absent(call.state, "dfdx")
    with restoring(x, _copied(x, call.buffer("dfdx")) if ahead else x):
        if ahead:
            call.update(lambda p, v: add(p, mom, v), x, call.buffer("dfdx"))
        fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", wd != 0)
        velocity, deltas = call.buffer("dfdx"), None if lrs is None else call.buffer("deltaParameters")

    def update(p: Any, g: Any, v: Any, lr_s: Any, delta: Any) -> None:
        add(g, wd, p)
        v *= mom
        step = g if delta is None else product(lr_s, g, delta)
        add(p, -clr, step)
        add(v, -clr, step)

    call.update(update, x, dfdx, velocity, lrs, deltas)
    call.state["evalCounter"] = steps + 1
    return x, [fx]


def _copied(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A copy of x in memory that is used again in every step with the velocity v."""
    memo = beside(v)
    memo["x"] = resized(memo.get("x"), x.shape, x.dtype)
    each(np.copyto, memo["x"], x)
    return memo["x"]


def asgd(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any], np.ndarray]:
    """One step of averaged stochastic gradient descent: plain steps, and the mean of the points they came to.

    `opfunc(x)` gives (f, df/dx). With g the gradient and t the steps including this one:

        x = (1 - lambda eta_t) x - eta_t g
        ax += mu_t (x - ax)                            (ax = x while mu_t is 1)
        eta_t = eta0 / (1 + lambda eta0 t)^alpha       for the next step, eta0 in the first
        mu_t = 1 / max(1, t - t0)                      for the next step, 1 in the first

    Options in `config`, a mapping in which None counts as absent: eta0 (1e-4), lambda (1e-4), alpha (0.75), t0 (1e6).
    They are written into it where they were absent.

    `state` (the config, unless given) is changed in place: t, eta_t, mu_t, ax and tmp. A state that was saved resumes
    exactly.

    x, of any shape, is changed in place. Returns x, [f], f being the value before the step, and the average ax, which
    the next step changes in place.

    Raises what optim.sgd raises, and ValueError for options with which eta_t is no number.

    Source: L. Bottou, sgd 2.0; B. Polyak and A. Juditsky, Acceleration of stochastic approximation by averaging, 1992.

    >>> x, config = np.array([4.0, -2.0]), {"eta0": 0.5, "t0": 1}
    >>> for step in range(4):  # f = x.x / 2 has the gradient x
    ...     _, (f,), average = asgd(lambda x: (x.dot(x) / 2, x.copy()), x, config)
    ...     print(round(f, 4), x.round(4), average.round(4))
    10.0 [ 1.9998 -0.9999] [ 1.9998 -0.9999]
    2.4995 [ 0.9998 -0.4999] [ 0.9998 -0.4999]
    0.6248 [ 0.4999 -0.25  ] [ 0.4999 -0.25  ]
    0.1562 [ 0.25  -0.125] [ 0.3749 -0.1875]
    """
    call = Call("optim.asgd", x, config, state)
    defaults = {"eta0": 1e-4, "lambda": 1e-4, "alpha": 0.75, "t0": 1e6}
    eta0, lambd, alpha, t0 = call.options(**defaults)
    eta, mu = call.recorded(eta_t=eta0, mu_t=1)
    t = call.count("t")
    try:
        following = eta0 / math.pow(1 + lambd * eta0 * (t + 1), alpha)
    except (ArithmeticError, ValueError):
        following = math.nan
    if math.isnan(following):
        got = f"lambda {lambd}, eta0 {eta0} and alpha {alpha}"
        raise ValueError(f"optim.asgd: no eta_t after {t + 1} steps with {got}")
    call.config.update({key: value for key, value in defaults.items() if absent(call.config, key)})
    call.state.update({"eta_t": eta, "mu_t": mu, "t": t})

    fx, dfdx = call.evaluate(opfunc, f"step {t + 1}")

    def update(p: Any, g: Any, ax: Any, tmp: Any) -> None:
        p *= 1 - lambd * eta
        add(p, -eta, g)
        if mu == 1:
            np.copyto(ax, p)
        else:
            np.subtract(p, ax, out=tmp)
            tmp *= mu
            ax += tmp

    ax, tmp = call.buffer("ax"), call.buffer("tmp")
    call.update(update, x, dfdx, ax, tmp)
    call.state.update({"t": t + 1, "eta_t": following, "mu_t": 1 / max(1, t + 1 - t0)})
    return x, [fx], ax

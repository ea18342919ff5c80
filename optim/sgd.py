"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arithmetic import add, blocks
from .common import Call, Opfunc, Options, absent


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
    nesterov without momentum or with dampening.

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

    fx, dfdx = call.evaluate(opfunc, changesGradient=wd != 0 or wds is not None or nesterov)
    first = absent(call.state, "dfdx")
    decays = None if wds is None else call.buffer("decayParameters")
    velocity = None if mom == 0 else call.buffer("dfdx")
    deltas = None if lrs is None else call.buffer("deltaParameters")
    for p, g, wd_s, decay, v, lr_s, delta in blocks(x, dfdx, wds, decays, velocity, lrs, deltas):
        add(g, wd, p)
        if decay is not None:
            g += _product(wd_s, p, decay)
        if v is not None:
            g = _momentum(g, v, first, mom, damp, nesterov)
        add(p, -clr, g if delta is None else _product(lr_s, g, delta))
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


def _product(factors: np.ndarray, x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """factors * x, both in the type of x."""
    np.copyto(out, factors, casting="same_kind")
    out *= x
    return out

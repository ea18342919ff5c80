"""Steps of which only the gradient's signs decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7.memory import scratch

from .arithmetic import addcmul
from .common import Call, Opfunc, Options, absent, beside

MASKS = ("psign", "nsign", "zsign", "dminmax")


def rprop(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """Steps of Rprop: every parameter has a step size of its own, which grows while its gradient keeps its sign.

    `opfunc(x)` gives (f, df/dx), which must be of the whole training set. With g the gradient and d the last one,
    elementwise:

        g d > 0:   s = min(etaplus s, stepsizemax)
        g d < 0:   s = max(etaminus s, stepsizemin),  g = 0       (no step after a change of sign)
        x -= sign(g) s
        d = g

    Options in `config`, a mapping in which None counts as absent: stepsize (0.1, of the first step), etaplus (1.2),
    etaminus (0.5), stepsizemax (50), stepsizemin (1e-6), niter (1: how many steps to take).

    `state` (the config, unless given) is changed in place: stepsize (s), delta (d), sign, and the byte masks psign,
    nsign, zsign and dminmax. A state that was saved resumes exactly.

    x, of any shape, is changed in place, and so is the gradient that opfunc returned.
    Returns x and the list of the values before each step.

    Raises what optim.rmsprop raises, and ValueError for a niter that is no whole number. After an error in a later one
    of niter steps x has the values from before that step.

    Source: M. Riedmiller and H. Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP
    Algorithm, 1993.

    >>> x, state = np.array([4.0, -0.125]), {}
    >>> x, f = rprop(lambda x: (x.dot(x) / 2, x.copy()), x, {"stepsize": 0.5, "niter": 3}, state)
    >>> x, [round(value, 4) for value in f]
    (array([2.18 , 0.125]), [8.0078, 6.1953, 4.2753])
    >>> state["stepsize"].round(4)  # the second one had stepped over the minimum
    array([0.72, 0.25])
    """
    call = Call("optim.rprop", x, config, state)
    etaplus, etaminus, niter = call.options(etaplus=1.2, etaminus=0.5, niter=1)
    largest, smallest = call.options(stepsizemax=50, stepsizemin=1e-6)
    # afterwards a config that is the state too has an array there
    first = absent(call.state, "delta") or absent(call.state, "stepsize")
    (stepsize,) = call.options(stepsize=0.1) if first else (0.1,)
    if not niter.is_integer():
        raise ValueError(f"optim.rprop: expected niter to be a whole number, got {niter}")

    def update(p: Any, g: Any, d: Any, s: Any, sign: Any, positive: Any, negative: Any, zero: Any, beyond: Any) -> None:
        _sign(np.multiply(g, d, out=sign), sign)
        kinds = ((np.greater, positive, etaplus), (np.less, negative, etaminus), (np.equal, zero, 1))
        for compare, mask, _ in kinds:
            compare(sign, 0, out=mask)
        for _, mask, factor in kinds:
            np.copyto(sign, factor, where=mask)
        s *= sign
        for compare, limit in ((np.greater, largest), (np.less, smallest)):
            compare(s, limit, out=beyond)
            np.copyto(s, limit, where=beyond)
        np.copyto(g, 0, where=negative)
        _sign(g, sign)
        addcmul(p, -1, sign, s)
        np.copyto(d, g)

    values = []
    for _ in range(int(niter)):
        new = absent(call.state, "delta")
        steps = 0 if new else beside(call.buffer("delta")).get("steps", 0)
        fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", changesGradient=True)
        if new:
            call.state.update(dict.fromkeys(("stepsize", "sign", *MASKS)))  # Torch renews all together
        if absent(call.state, "stepsize"):
            call.buffer("stepsize").fill(stepsize)
        masks = [call.buffer(key, dtype=np.uint8).view(bool) for key in MASKS]
        call.update(update, x, dfdx, *map(call.buffer, ("delta", "stepsize", "sign")), *masks)
        beside(call.buffer("delta"))["steps"] = steps + 1
        values.append(fx)
    return x, values


def _sign(a: np.ndarray, out: np.ndarray) -> None:
    """The signs of a; that of NaN is 0, as in Torch."""
    unknown = np.isnan(a, out=scratch(a.shape, np.dtype(bool)))
    np.sign(a, out=out)
    np.copyto(out, 0, where=unknown)

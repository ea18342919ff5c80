"""Optimizers that scale the step of each parameter by the gradients it has seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arithmetic import add, addcdiv, addcmul, blocks
from .common import Call, Opfunc, Options, absent


def adam(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of Adam: momentum divided by the root of the mean square gradient, both corrected for their start at 0.

    `opfunc(x)` gives (f, df/dx). With g the gradient and t the steps including this one:

        g += weightDecay x
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        x -= learningRate / (1 + (t - 1) learningRateDecay) sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)

    epsilon is added before the correction: it is the paper's epsilon hat.

    Options in `config`, a mapping in which None counts as absent: learningRate (1e-3), learningRateDecay (0),
    beta1 (0.9), beta2 (0.999), epsilon (1e-8), weightDecay (0).

    `state` (the config, unless given) is changed in place: t, m, v and denom, which is sqrt(v) + epsilon. A state that
    was saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises TypeError for tables that are no mappings, options that are no numbers, an x that is no floating array, a
    function that does not return a pair; ValueError for a gradient or buffer that does not fit x, and for betas that
    give no step size.

    Source: D. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015.

    >>> x, state = np.array([4.0, -2.0]), {}
    >>> for step in range(2):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = adam(lambda x: (x.dot(x) / 2, x.copy()), x, {"learningRate": 0.5}, state)
    ...     print(round(f, 4), x.round(4))
    10.0 [ 3.5 -1.5]
    7.25 [ 3.0028 -1.0087]
    >>> state["t"], state["m"].round(4)
    (2, array([ 0.71, -0.33]))
    """
    call = Call("optim.adam", x, config, state)
    lr, lrd, beta1, beta2 = call.options(learningRate=1e-3, learningRateDecay=0, beta1=0.9, beta2=0.999)
    epsilon, wd = call.options(epsilon=1e-8, weightDecay=0)
    if not (abs(beta1) < 1 and abs(beta2) <= 1):
        raise ValueError(f"optim.adam: expected |beta1| < 1 and |beta2| <= 1, got {beta1} and {beta2}")

    fx, dfdx = call.evaluate(opfunc, changesGradient=wd != 0)
    t = call.count("t") + 1
    clr = call.annealed(lr, lrd, t - 1)
    stepSize = clr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    for p, g, m, v, denom in blocks(x, dfdx, call.buffer("m"), call.buffer("v"), call.buffer("denom")):
        add(g, wd, p)
        m *= beta1
        add(m, 1 - beta1, g)
        v *= beta2
        addcmul(v, 1 - beta2, g, g)
        np.sqrt(v, out=denom)
        denom += epsilon
        addcdiv(p, -stepSize, m, denom)
    call.state["t"] = t
    return x, [fx]


def rmsprop(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of RMSprop: the gradient divided by the root of its running mean square.

    `opfunc(x)` gives (f, df/dx). With g the gradient:

        g += weightDecay x
        m = alpha m + (1 - alpha) g^2                 (before the first step m is initialMean)
        x -= learningRate g / (sqrt(m) + epsilon)

    Options in `config`, a mapping in which None counts as absent: learningRate (1e-2), alpha (0.99), epsilon (1e-8),
    weightDecay (0), initialMean (0).

    `state` (the config, unless given) is changed in place: m and tmp, which is sqrt(m) + epsilon. A state that was
    saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises TypeError for tables that are no mappings, options that are no numbers, an x that is no floating array, a
    function that does not return a pair; ValueError for a gradient or buffer that does not fit x.

    Source: T. Tieleman and G. Hinton, Lecture 6.5 - RMSProp: Divide the gradient by a running average of its recent
    magnitude, COURSERA: Neural Networks for Machine Learning, 2012.

    >>> x, state = np.array([4.0, -2.0]), {}
    >>> for step in range(2):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = rmsprop(lambda x: (x.dot(x) / 2, x.copy()), x, {"learningRate": 0.5, "alpha": 0.75}, state)
    ...     print(round(f, 4), x.round(4))
    10.0 [ 3. -1.]
    5.0 [ 2.3453 -0.5   ]
    >>> state["m"].round(4)
    array([5.25, 1.  ])
    """
    call = Call("optim.rmsprop", x, config, state)
    lr, alpha, epsilon = call.options(learningRate=1e-2, alpha=0.99, epsilon=1e-8)
    wd, initialMean = call.options(weightDecay=0, initialMean=0)

    fx, dfdx = call.evaluate(opfunc, changesGradient=wd != 0)
    if absent(call.state, "m"):
        call.state["tmp"] = None  # Torch renews both together
        call.buffer("m").fill(initialMean)
    for p, g, m, tmp in blocks(x, dfdx, call.buffer("m"), call.buffer("tmp")):
        add(g, wd, p)
        m *= alpha
        addcmul(m, 1 - alpha, g, g)
        np.sqrt(m, out=tmp)
        tmp += epsilon
        addcdiv(p, -lr, g, tmp)
    return x, [fx]

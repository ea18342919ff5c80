"""Optimizers that scale the step of each parameter by the gradients it has seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arithmetic import add, addcdiv, addcmul
from .common import Call, Opfunc, Options, absent, beside


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
    give no step size; FloatingPointError for what is not finite (see optim.nonfinite).

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

    t = call.count("t") + 1
    clr = call.annealed(lr, lrd, t - 1)
    stepSize = clr * math.sqrt(1 - beta2**t) / (1 - beta1**t)

    fx, dfdx = call.evaluate(opfunc, f"step {t}", wd != 0)

    def update(p: Any, g: Any, m: Any, v: Any, denom: Any) -> None:
        add(g, wd, p)
        m *= beta1
        add(m, 1 - beta1, g)
        v *= beta2
        addcmul(v, 1 - beta2, g, g)
        np.sqrt(v, out=denom)
        denom += epsilon
        addcdiv(p, -stepSize, m, denom)

    call.update(update, x, dfdx, call.buffer("m"), call.buffer("v"), call.buffer("denom"))
    call.state["t"] = t
    return x, [fx]


def adamax(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of AdaMax: momentum divided by the largest gradient of late, where Adam takes the root mean square.

    `opfunc(x)` gives (f, df/dx). With g the gradient and t the steps including this one:

        g += weightDecay x
        m = beta1 m + (1 - beta1) g
        u = max(beta2 u, |g| + epsilon)
        x -= learningRate / (1 - beta1^t) m / u

    Options in `config`, a mapping in which None counts as absent: learningRate (2e-3), beta1 (0.9), beta2 (0.999),
    epsilon (1e-38), weightDecay (0).

    `state` (the config, unless given) is changed in place: t, m, u, and max, which holds what u is the larger of; as in
    Torch they have a first dimension more, of 1 and 2. A state that was saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises what optim.adam raises.

    Source: D. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015, section 7.1.

    >>> x, state = np.array([4.0, -2.0]), {}
    >>> for step in range(2):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = adamax(lambda x: (x.dot(x) / 2, x.copy()), x, {"learningRate": 0.5}, state)
    ...     print(round(f, 4), x.round(4))
    10.0 [ 3.5 -1.5]
    7.25 [ 3.0324 -1.0654]
    >>> state["t"], state["u"].round(4)
    (2, array([[3.996, 1.998]]))
    """
    call = Call("optim.adamax", x, config, state)
    lr, beta1, beta2 = call.options(learningRate=2e-3, beta1=0.9, beta2=0.999)
    epsilon, wd = call.options(epsilon=1e-38, weightDecay=0)
    if not abs(beta1) < 1:
        raise ValueError(f"optim.adamax: expected |beta1| < 1, got {beta1}")
    t = call.count("t") + 1
    stepSize = lr / (1 - beta1**t)

    fx, dfdx = call.evaluate(opfunc, f"step {t}", wd != 0)

    def update(p: Any, g: Any, m: Any, u: Any, decayed: Any, size: Any) -> None:
        add(g, wd, p)
        m *= beta1
        add(m, 1 - beta1, g)
        np.multiply(u, beta2, out=decayed)
        np.abs(g, out=size)
        size += epsilon
        np.maximum(decayed, size, out=u)
        addcdiv(p, -stepSize, m, u)

    call.update(update, x, dfdx, call.buffer("m"), *call.buffer("u", (1, *x.shape)), *call.buffer("max", (2, *x.shape)))
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
    function that does not return a pair; ValueError for a gradient or buffer that does not fit x; FloatingPointError
    for what is not finite (see optim.nonfinite), whose step is counted since the state was made or loaded.

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

    new = absent(call.state, "m")
    steps = 0 if new else beside(call.buffer("m")).get("steps", 0)

    fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", wd != 0)
    if new:
        call.state["tmp"] = None  # Torch renews both together
        call.buffer("m").fill(initialMean)
    m, tmp = call.buffer("m"), call.buffer("tmp")

    def update(p: Any, g: Any, m: Any, tmp: Any) -> None:
        add(g, wd, p)
        m *= alpha
        addcmul(m, 1 - alpha, g, g)
        np.sqrt(m, out=tmp)
        tmp += epsilon
        addcdiv(p, -lr, g, tmp)

    call.update(update, x, dfdx, m, tmp)
    beside(m)["steps"] = steps + 1
    return x, [fx]


def adagrad(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of Adagrad: the gradient divided by the root of the sum of all its squares so far.

    `opfunc(x)` gives (f, df/dx). With g the gradient and n the steps before this one:

        g += weightDecay x
        v = v + g^2
        x -= learningRate / (1 + n learningRateDecay) g / (sqrt(v) + 1e-10)

    Options in `config`, a mapping in which None counts as absent: learningRate (1e-3), learningRateDecay (0),
    weightDecay (0).

    `state` (the config, unless given) is changed in place: evalCounter, paramVariance (v) and paramStd, which is
    sqrt(v) + 1e-10. A state that was saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises what optim.rmsprop raises.

    Source: J. Duchi, E. Hazan and Y. Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization, 2011.

    >>> x, state = np.array([4.0, -2.0]), {}
    >>> for step in range(2):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = adagrad(lambda x: (x.dot(x) / 2, x.copy()), x, {"learningRate": 0.5}, state)
    ...     print(round(f, 4), x.round(4))
    10.0 [ 3.5 -1.5]
    7.25 [ 3.1707 -1.2   ]
    """
    call = Call("optim.adagrad", x, config, state)
    lr, lrd, wd = call.options(learningRate=1e-3, learningRateDecay=0, weightDecay=0)
    steps = call.state["evalCounter"] = call.count("evalCounter")
    clr = call.annealed(lr, lrd, steps)

    fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", wd != 0)

    def update(p: Any, g: Any, variance: Any, std: Any) -> None:
        add(g, wd, p)
        addcmul(variance, 1, g, g)
        np.sqrt(variance, out=std)
        std += 1e-10
        addcdiv(p, -clr, g, std)

    if absent(call.state, "paramVariance"):
        call.state["paramStd"] = None  # Torch renews both together
    call.update(update, x, dfdx, call.buffer("paramVariance"), call.buffer("paramStd"))
    call.state["evalCounter"] = steps + 1
    return x, [fx]


def adadelta(
    opfunc: Opfunc, x: np.ndarray, config: Options | None = None, state: Options | None = None
) -> tuple[np.ndarray, list[Any]]:
    """One step of Adadelta: the gradient times the root mean square of late steps, divided by that of late gradients.

    `opfunc(x)` gives (f, df/dx). With g the gradient:

        g += weightDecay x
        v = rho v + (1 - rho) g^2
        delta = sqrt(a + eps) / sqrt(v + eps) g
        x -= delta
        a = rho a + (1 - rho) delta^2

    Options in `config`, a mapping in which None counts as absent: rho (0.9), eps (1e-6), weightDecay (0). There is no
    learning rate.

    `state` (the config, unless given) is changed in place: evalCounter, paramVariance (v), paramStd, which is
    sqrt(v + eps), delta and accDelta (a). A state that was saved resumes exactly.

    x, of any shape, is changed in place; weight decay also changes the gradient that opfunc returned.
    Returns x and [f], f being the value before the step.

    Raises what optim.rmsprop raises.

    Source: M. Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.

    >>> x, state = np.array([4.0, -2.0]), {}
    >>> for step in range(2):  # f = x.x / 2 has the gradient x
    ...     _, (f,) = adadelta(lambda x: (x.dot(x) / 2, x.copy()), x, {"eps": 0.01}, state)
    ...     print(round(f, 4), x.round(4))
    10.0 [ 3.6848 -1.6877]
    8.2128 [ 3.3743 -1.3945]
    """
    call = Call("optim.adadelta", x, config, state)
    rho, eps, wd = call.options(rho=0.9, eps=1e-6, weightDecay=0)
    steps = call.state["evalCounter"] = call.count("evalCounter")

    fx, dfdx = call.evaluate(opfunc, f"step {steps + 1}", wd != 0)

    def update(p: Any, g: Any, variance: Any, std: Any, delta: Any, acc: Any) -> None:
        add(g, wd, p)
        variance *= rho
        addcmul(variance, 1 - rho, g, g)
        for root, square in ((std, variance), (delta, acc)):
            np.add(square, eps, out=root)
            np.sqrt(root, out=root)
        delta /= std
        delta *= g
        p -= delta
        acc *= rho
        addcmul(acc, 1 - rho, delta, delta)

    keys = ("paramVariance", "paramStd", "delta", "accDelta")
    if absent(call.state, "paramVariance"):
        call.state.update(dict.fromkeys(keys[1:]))  # Torch renews all together
    call.update(update, x, dfdx, *map(call.buffer, keys))
    call.state["evalCounter"] = steps + 1
    return x, [fx]

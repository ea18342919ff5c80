"""Learning rates that fall with time, as scripts of the time wrote them by hand.

Each is a pure function of the first rate and of how far training is: set `config["learningRate"]` before a step.
"""

from __future__ import annotations

import math

from .common import positive, real


def exponential_decay(initial: float, epochs: int, factor: float = 0.97, after: float = 10) -> float:
    """The rate after so many finished epochs, each of which, from the `after`-th on, multiplies it by `factor`.

    initial factor^n, where n of the epochs 1, 2 ... are not before `after`: char-rnn's `-learning_rate_decay` and
    `-learning_rate_decay_after`. The factor is multiplied again and again, as the scripts do it, so that the last digit
    is theirs.

    Raises ValueError for an initial rate or factor that is not positive, for epochs that are no whole number of at
    least 0, and for a negative `after`; TypeError for what is no number.

    >>> [round(exponential_decay(2e-3, epochs, 0.5, after=2), 6) for epochs in range(5)]
    [0.002, 0.002, 0.001, 0.0005, 0.00025]
    """
    name = "optim.exponential_decay"
    rate = positive(name, "initial", initial)
    factor = positive(name, "factor", factor)
    if after != 0:
        positive(name, "after", after)
    for epoch in range(1, _whole(name, "epochs", epochs) + 1):
        if epoch >= after:
            rate *= factor
    return rate


def step_decay(initial: float, epochs: int, every: int, factor: float = 0.1) -> float:
    """The rate after so many finished epochs, of which every `every`-th multiplies it by `factor`.

    initial factor^floor(epochs / every): the rate of image classifiers that is divided by ten every 30 epochs, and
    torch-rnn's `-lr_decay_every` and `-lr_decay_factor`.

    Raises ValueError for an initial rate, factor or `every` that is not positive and for epochs below 0, TypeError for
    what is no number.

    >>> [round(step_decay(0.1, epochs, every=30), 6) for epochs in (0, 29, 30, 60)]
    [0.1, 0.1, 0.01, 0.001]
    """
    name = "optim.step_decay"
    rate = positive(name, "initial", initial)
    factor = positive(name, "factor", factor)
    for _ in range(_whole(name, "epochs", epochs) // _whole(name, "every", every, least=1)):
        rate *= factor
    return rate


def inverse_time_decay(initial: float, steps: int, decay: float) -> float:
    """The rate after so many steps, which falls as 1 / t.

    initial / (1 + steps decay): what `learningRateDecay` does in optim.sgd and others.

    Raises ValueError for an initial rate that is not positive, steps below 0 and a negative decay, TypeError for what
    is no number.

    >>> [inverse_time_decay(1.0, steps, 0.5) for steps in (0, 2, 6)]
    [1.0, 0.5, 0.25]
    """
    name = "optim.inverse_time_decay"
    rate = positive(name, "initial", initial)
    decay = positive(name, "decay", decay) if decay != 0 else 0
    return rate / (1 + _whole(name, "steps", steps) * decay)


def _whole(name: str, what: str, value: int, least: int = 0) -> int:
    real(name, what, value)
    if not (least <= value < math.inf and value == int(value)):
        raise ValueError(f"{name}: expected {what} to be a whole number of at least {least}, got {value}")
    return int(value)

"""The functions that the recorded trajectories descend, summed in the order of the recording."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tests.support import golden

TRAJECTORIES = "optim/trajectories.json"


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, and its gradient."""
    z, g, f = x.tolist(), np.zeros_like(x), 0.0
    for i in range(len(z) - 1):
        a, b = z[i + 1] - z[i] ** 2, 1 - z[i]
        f += 100 * a**2 + b**2
        g[i] = float(g[i]) - 400 * z[i] * a - 2 * b
        g[i + 1] = float(g[i + 1]) + 200 * a
    return f, g


def rosenbrock_of_searches(x: np.ndarray) -> float:
    """The value of rosenbrock, rounded as where the searches in other.json were recorded."""
    z, f = x.tolist(), 0.0
    for now, after in itertools.pairwise(z):
        a, b = after - now * now, 1 - now
        f = f + 100 * a * a + b * b
    return f


def logistic(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean negative log-likelihood of the recorded labels plus lambda / 2 |weights|^2, and its gradient."""
    data = golden.decode(golden.load(TRAJECTORIES)["logistic_data"])
    n, lam = len(data["y"]), data["lambda"]
    *w, bias = x.tolist()
    f, g = 0.0, np.zeros_like(x)
    for row, y in zip(data["X"].tolist(), data["y"].tolist()):
        s = bias
        for wj, xj in zip(w, row):
            s += wj * xj
        p = 1 / (1 + math.exp(-s))
        f -= math.log(p) if y else math.log(1 - p)
        for j, xj in enumerate((*row, 1.0)):
            g[j] = float(g[j]) + (p - y) * xj
    for j in range(len(g)):
        g[j] = float(g[j]) / n
    for j, wj in enumerate(w):
        g[j] = float(g[j]) + lam * wj
    return f / n + lam / 2 * sum(wj * wj for wj in w), g


OBJECTIVES: dict[str, Any] = {"rosenbrock": rosenbrock, "logistic": logistic}

"""What the searches with populations of points share: they want only values of a function, and leave x as it is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .common import Call, Opfunc, Options, absent, demand_callable, described, loss
from .finite import demand_finite


class Population(Call):
    """A Call that evaluates a function at many points and does not change x.

    Raises TypeError also for an x of a type in which Torch has no random numbers, ValueError for an empty one.
    """

    CHANGES_X = False

    def __init__(self, name: str, opfunc: Opfunc, x: np.ndarray, config: Options | None, state: Options | None):
        super().__init__(name, x, config, state)
        demand_callable(name, opfunc=opfunc)
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"{name}: expected x to be of float32 or float64, got {described(x)}")
        if x.size == 0:
            raise ValueError(f"{name}: expected x to have elements, got {described(x)}")
        self.opfunc, self.evaluations = opfunc, itertools.count(1)

    def whole(self, table: Options, key: str, default: int | None) -> int:
        """The whole number that config or state has under `key`; None as default for one that must be there."""
        value: Any = default if absent(table, key) else table[key]
        if value is None or not self._number(table, key, default).is_integer():
            where = self.ARGUMENTS[1 if table is self.config else 2]
            error = TypeError if value is None else ValueError
            raise error(f"{self.name}: expected {where}.{key} to be a whole number, got {described(value)}")
        return int(value)

    def fitness(self, point: np.ndarray) -> float:
        """The function at a point. Infinity is a penalty; what else is not finite raises FloatingPointError."""
        f = loss(f"{self.name}: expected opfunc", self.opfunc(point))
        demand_finite(f"{self.name}: in evaluation {next(self.evaluations)}", f, None, self.x, trial=True)
        return f

    def fitnesses(self, points: np.ndarray, dtype: Any) -> np.ndarray:
        """The function at every one of the points, which lie along the first dimension."""
        values = np.empty(len(points), dtype)
        for i, point in enumerate(points):
            f = self.fitness(point)
            with np.errstate(over="ignore"):  # what is too big for the type becomes a penalty
                values[i] = f
        return values

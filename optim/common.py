"""What the optimizers share: the reading and checking of all that a call is given."""

from __future__ import annotations

import numbers
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np

import torch7
from torch7 import memory

Opfunc = Callable[[np.ndarray], Any]
Options = MutableMapping[str, Any]


class Call:
    """One call of an optimizer: its name, the point x, and the config and state as Torch defaults them.

    Raises TypeError unless config and state are mappings and x is a floating array, ValueError if x is read-only.
    """

    def __init__(self, name: str, x: np.ndarray, config: Options | None, state: Options | None):
        self.name, self.x = name, x
        self.config: Options = {} if config is None else config
        self.state: Options = self.config if state is None else state
        for what, table in (("config", self.config), ("state", self.state)):
            if not isinstance(table, MutableMapping):
                hint = ": an empty table in a file loads as a list, give {} instead" if table == [] else ""
                raise TypeError(
                    f"{name}: expected {what} to be a mapping such as a dict, got {_described(table)}{hint}"
                )
        if not torch7.isTensor(x) or x.dtype.kind != "f" or x.ndim == 0:
            raise TypeError(
                f"{name}: expected x to be a floating ndarray of one dimension or more, got {_described(x)}"
            )
        self._writeable("x", x)

    def options(self, **defaults: float) -> list[float]:
        """The numbers that config has under these names, in their order."""
        return [self._number(self.config, key, default) for key, default in defaults.items()]

    def flag(self, key: str) -> bool:
        """Whether the option `key` is on."""
        return not absent(self.config, key) and bool(self.config[key])

    def individual(self, key: str) -> np.ndarray | None:
        """The option `key` that has one number for each element of x, in x's shape; None where it is absent."""
        if absent(self.config, key):
            return None
        values = self.config[key]
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise TypeError(f"{self.name}: expected {key} to be an ndarray of numbers, got {_described(values)}")
        if values.size != self.x.size:
            raise ValueError(
                f"{self.name}: expected {key} to have one number for each of the {self.x.size} elements of x, "
                f"got {_described(values)}"
            )
        return values.reshape(self.x.shape)

    def count(self, key: str) -> int:
        """The number of steps that the state has counted under `key`, 0 at first; from a file it may be a float."""
        count = self._number(self.state, key, 0)
        if not count.is_integer():
            raise ValueError(f"{self.name}: expected state.{key} to be a whole number, got {count}")
        return int(count)

    def annealed(self, learningRate: float, learningRateDecay: float, steps: int) -> float:
        """learningRate / (1 + steps * learningRateDecay)."""
        divisor = 1 + steps * learningRateDecay
        if divisor == 0:
            raise ValueError(f"{self.name}: learningRateDecay {learningRateDecay} divides by 0 after {steps} steps")
        return learningRate / divisor

    def evaluate(self, opfunc: Opfunc, changesGradient: bool = False) -> tuple[Any, np.ndarray]:
        """f(x) and df/dx, checked; f is a Python float where it is a number."""
        name, x = self.name, self.x
        if not callable(opfunc):
            raise TypeError(f"{name}: expected opfunc to be callable, got {_described(opfunc)}")
        result = opfunc(x)
        if not isinstance(result, (tuple, list)) or len(result) < 2:
            raise TypeError(f"{name}: expected opfunc to return (f, df/dx), got {_described(result)}")
        fx, dfdx = result[:2]
        if not torch7.isTensor(dfdx):
            raise TypeError(f"{name}: expected opfunc to return df/dx as an ndarray, got {_described(dfdx)}")
        self._fits("the gradient", dfdx)
        if changesGradient:
            self._writeable("the gradient, with these options,", dfdx)
        isNumber = isinstance(fx, numbers.Real) or (isinstance(fx, np.ndarray) and fx.ndim == 0)
        return (float(fx) if isNumber else fx), dfdx

    def buffer(self, key: str) -> np.ndarray:
        """The array that state has under `key`, of x's shape and type; zeros where it is absent."""
        if absent(self.state, key):
            self.state[key] = memory.zeros(self.x.shape, self.x.dtype)
        old = self.state[key]
        self._fits(f"state.{key}", old)
        self._writeable(f"state.{key}", old)
        return old

    def _number(self, table: Options, key: str, default: float) -> float:
        value = default if absent(table, key) else table[key]
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{self.name}: expected {key} to be a number, got {_described(value)}")
        # arithmetic with a Python float keeps the type of an array, with a numpy scalar it may not
        return float(value)

    def _fits(self, what: str, a: Any) -> None:
        if not isinstance(a, np.ndarray) or (a.shape, a.dtype) != (self.x.shape, self.x.dtype):
            raise ValueError(f"{self.name}: x is {_described(self.x)}, but {what} is {_described(a)}")

    def _writeable(self, what: str, a: np.ndarray) -> None:
        if not a.flags.writeable:
            raise ValueError(f"{self.name}: {what} is changed in place, but is a read-only array")


def absent(table: Options, key: str) -> bool:
    """Whether Lua's `table.key or default` takes the default: there is no such key, or it is None or False.

    >>> absent({}, "momentum"), absent({"momentum": None}, "momentum"), absent({"momentum": 0}, "momentum")
    (True, True, False)
    """
    value = table.get(key)
    return value is None or value is False


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, (bool, str, numbers.Number)) or value is None:
        return repr(value)
    return f"a {type(value).__name__}" + (f" of length {len(value)}" if hasattr(value, "__len__") else "")

"""What the optimizers share: the reading and checking of all that a call is given."""

from __future__ import annotations

import contextlib
import numbers
import weakref
from collections.abc import Callable, Iterator, MutableMapping, Sized
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.blocks import each

from .finite import demand_finite

Opfunc = Callable[[np.ndarray], Any]
Options = MutableMapping[str, Any]


class Call:
    """One call of an optimizer: its name, the point x, and the config and state as Torch defaults them.

    Raises TypeError unless config and state are mappings and x is a floating array, ValueError if x is read-only.
    """

    ARGUMENTS = ("x", "config", "state")  # as the caller knows them
    CHANGES_X = True

    def __init__(self, name: str, x: np.ndarray, config: Options | None, state: Options | None):
        self.name, self.x = name, x
        self.config: Options = {} if config is None else config
        self.state: Options = self.config if state is None else state
        point, *tables = self.ARGUMENTS
        for what, table in zip(tables, (self.config, self.state)):
            if not isinstance(table, MutableMapping):
                hint = (
                    ": an empty table in a file loads as a list, give {} instead"
                    if isinstance(table, list) and not table
                    else ""
                )
                raise TypeError(f"{name}: expected {what} to be a mapping such as a dict, got {described(table)}{hint}")
        if not torch7.isTensor(x) or x.dtype.kind != "f" or x.ndim == 0:
            got = f"of one dimension or more, got {described(x)}"
            raise TypeError(f"{name}: expected {point} to be a floating ndarray {got}")
        if self.CHANGES_X:
            self._writeable(point, x)

    def options(self, **defaults: float | None) -> list[float]:
        """The numbers that config has under these names, in their order; None as default for one that must be there."""
        return [self._number(self.config, key, default) for key, default in defaults.items()]

    def recorded(self, **defaults: float | None) -> list[float]:
        """The numbers that state has under these names, in their order, likewise."""
        return [self._number(self.state, key, default) for key, default in defaults.items()]

    def flag(self, key: str) -> bool:
        """Whether the option `key` is on."""
        return not absent(self.config, key) and bool(self.config[key])

    def individual(self, key: str) -> np.ndarray | None:
        """The option `key` that has one number for each element of x, in x's shape; None where it is absent."""
        if absent(self.config, key):
            return None
        values = self.config[key]
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise TypeError(f"{self.name}: expected {key} to be an ndarray of numbers, got {described(values)}")
        if values.size != self.x.size:
            raise ValueError(
                f"{self.name}: expected {key} to have one number for each of the {self.x.size} elements of x, "
                f"got {described(values)}"
            )
        return values.reshape(self.x.shape)

    def count(self, key: str) -> int:
        """The number of steps that the state has counted under `key`, 0 at first; from a file it may be a float."""
        (count,) = self.recorded(**{key: 0})
        if not count.is_integer():
            raise ValueError(f"{self.name}: expected state.{key} to be a whole number, got {count}")
        return int(count)

    def annealed(self, learningRate: float, learningRateDecay: float, steps: int) -> float:
        """learningRate / (1 + steps * learningRateDecay)."""
        divisor = 1 + steps * learningRateDecay
        if divisor == 0:
            raise ValueError(f"{self.name}: learningRateDecay {learningRateDecay} divides by 0 after {steps} steps")
        return learningRate / divisor

    def evaluate(
        self, opfunc: Opfunc, where: str, changesGradient: bool = False, trial: bool = False
    ) -> tuple[Any, np.ndarray]:
        """f(x) and df/dx, checked; f is a Python float where it is a number. `where` is such as "step 3".

        A trial point of a search may have an infinite f; what else is not finite raises FloatingPointError.
        """
        name, x = self.name, self.x
        demand_callable(name, opfunc=opfunc)
        result = opfunc(x)
        if not isinstance(result, (tuple, list)) or len(result) < 2:
            raise TypeError(f"{name}: expected opfunc to return (f, df/dx), got {described(result)}")
        fx, dfdx = number(result[0]), result[1]
        if not torch7.isTensor(dfdx):
            raise TypeError(f"{name}: expected opfunc to return df/dx as an ndarray, got {described(dfdx)}")
        self.fits("the gradient", dfdx)
        if changesGradient:
            self._writeable("the gradient, with these options,", dfdx)
        demand_finite(f"{name}: in {where}", fx, dfdx, x, trial)
        return fx, dfdx

    def update(self, function: Callable[..., None], *arrays: np.ndarray | None) -> None:
        """function(*parts) for every block of the arrays, which it changes. Overflows are silent, as in Torch.

        A warning that was made an error would stop it halfway.
        """
        with np.errstate(all="ignore"):
            each(function, *arrays, scale=2)  # short operations: fewer blocks, fewer waits for the interpreter

    def value(self, opfunc: Opfunc, where: str, trial: bool = False) -> tuple[float, np.ndarray]:
        """What `evaluate` gives, for searches: they compare values, so f must be a number."""
        fx, dfdx = self.evaluate(opfunc, where, trial=trial)
        if not isinstance(fx, float):
            raise TypeError(f"{self.name}: expected opfunc to return a number as f, got {described(fx)}")
        return fx, dfdx

    def buffer(self, key: str, shape: tuple[int, ...] | None = None, dtype: Any = None) -> np.ndarray:
        """The array that state has under `key`, of x's shape and type unless told else; zeros where it is absent."""
        shape, dtype = self.x.shape if shape is None else shape, self.x.dtype if dtype is None else np.dtype(dtype)
        if absent(self.state, key):
            self.state[key] = memory.zeros(shape, dtype)
        old = self.state[key]
        self.fits(f"state.{key}", old, shape, dtype)
        self._writeable(f"state.{key}", old)
        return old

    def fits(self, what: str, a: Any, shape: tuple[int, ...] | None = None, dtype: Any = None) -> None:
        """Raises ValueError unless a is an array of x's shape and type, or of those given."""
        if not isinstance(a, np.ndarray) or (a.shape, a.dtype) != (shape or self.x.shape, dtype or self.x.dtype):
            raise ValueError(f"{self.name}: x is {described(self.x)}, but {what} is {described(a)}")

    def _number(self, table: Options, key: str, default: float | None) -> float:
        return real(self.name, key, default if absent(table, key) else table[key])

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


@contextlib.contextmanager
def restoring(x: np.ndarray, saved: np.ndarray) -> Iterator[None]:
    """Whatever goes wrong in the block, or interrupts it, leaves x with the values in `saved`."""
    try:
        yield
    except BaseException:
        np.copyto(x, saved)
        raise


_beside: dict[int, tuple[weakref.ref, dict[str, Any]]] = {}


def beside(a: np.ndarray) -> dict[str, Any]:
    """What is remembered with an array of a state as long as the array lives, but is no part of the state.

    >>> m = np.zeros(3)
    >>> beside(m)["steps"] = 1
    >>> beside(m)
    {'steps': 1}
    """
    key = id(a)
    if key not in _beside:
        _beside[key] = weakref.ref(a, lambda _: _beside.pop(key)), {}
    return _beside[key][1]


def number(f: Any) -> Any:
    """f as a Python float where it is a number."""
    return float(f) if isinstance(f, numbers.Real) or (isinstance(f, np.ndarray) and f.ndim == 0) else f


def real(name: str, what: str, value: Any) -> float:
    """A number, checked: with a Python float, arithmetic keeps the type of an array, with a numpy scalar it may not.

    >>> real("optim.sgd", "momentum", np.float32(0.5))
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected {what} to be a number, got {described(value)}")
    return float(value)


def positive(name: str, what: str, value: Any) -> float:
    """A number above 0, checked.

    >>> positive("optim.clip_by_norm", "limit", 5)
    5.0
    """
    checked = real(name, what, value)
    if not checked > 0:
        raise ValueError(f"{name}: expected {what} to be positive, got {value}")
    return checked


def loss(what: str, result: Any) -> float:
    """The number that a function returned: alone, as an array of one element, or as the first of several results.

    Raises TypeError for anything else; `what` begins its message, such as "optim.de: expected opfunc".

    >>> loss("optim.de: expected opfunc", 2), loss("optim.de: expected opfunc", (np.array([2.5]), np.zeros(3)))
    (2.0, 2.5)
    """
    f = result[0] if isinstance(result, (tuple, list)) and len(result) else result
    if isinstance(f, np.ndarray) and f.size == 1:
        f = f.item()
    if not isinstance(f, numbers.Real):
        raise TypeError(f"{what} to return a number, or a number as its first result, got {described(result)}")
    return float(f)


def demand_callable(name: str, **functions: Any) -> None:
    """Raises TypeError unless all these arguments can be called."""
    for what, function in functions.items():
        if not callable(function):
            raise TypeError(f"{name}: expected {what} to be callable, got {described(function)}")


def described(value: Any) -> str:
    """What a value is, in a few words.

    >>> described(np.zeros(3)), described([1]), described("a")
    ('float64 of shape (3,)', 'a list of length 1', "'a'")
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, (bool, str, numbers.Number)) or value is None:
        return repr(value)
    return f"a {type(value).__name__}" + (f" of length {len(value)}" if isinstance(value, Sized) else "")

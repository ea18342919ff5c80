"""Torch's random number generator: the Mersenne Twister, its seeds and its state, word for word."""

from __future__ import annotations

import functools
import math
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from . import libm, memory
from .dtypes import lua_type, typename
from .registry import register
from .tables import Storage

T = TypeVar("T")

BLOCK = 624  # words that one turn of the twister yields

# The C structure whose bytes are Torch's saved state, padding included.
STATE = np.dtype(
    [
        ("initial_seed", "<i8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("state", "<u8", BLOCK),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("padding", "<i4"),
    ]
)


@register("torch.Generator")
class Generator:
    """A stream of random numbers with a state of its own; a new one has a seed from the operating system.

    Every function of torch7 that draws takes one as an optional first argument. A Generator can be pickled and
    deep-copied: the copy goes on where the original was.

    >>> g = Generator()
    >>> manualSeed(g, 123)
    >>> g.words(), g.words(2)
    (2991312382, array([3062119789, 1228959102], dtype=uint64))
    """

    _mt: np.random.MT19937
    _block: np.ndarray  # the words of the current turn ...
    _next: int  # ... of which this one is drawn next ...
    _end: int  # ... and this one no more. Both are 0 before the first turn.

    def __init__(self) -> None:
        self._mt = np.random.MT19937(0)
        self.manual_seed(secrets.randbits(53))

    def manual_seed(self, seed: int) -> None:
        """Starts the stream of a seed, of which the low 32 bits count, and drops a kept normal number."""
        np.random.RandomState(self._mt).seed(seed & 0xFFFFFFFF)
        self.initial_seed = seed
        self._block = np.empty(0, np.uint64)
        self._next = self._end = 0
        self.normal_x = self.normal_y = self.normal_rho = 0.0
        self.normal_is_valid = False

    def words(self, n: int | None = None) -> Any:
        """The next n numbers of 32 bits as a uint64 array, which is not to be written to; without n one int."""
        ready = self._end - self._next
        if n is None:
            if not ready:
                self._turn(1)
            self._next += 1
            return self._block.item(self._next - 1)
        taken = self._block[self._next : self._next + min(n, ready)]
        self._next += taken.size
        missing = n - taken.size
        if not missing:
            return taken
        turns = -(-missing // BLOCK)
        fresh = self._turn(turns)
        self._next = missing - (turns - 1) * BLOCK
        return np.concatenate([taken, fresh[:missing]])

    def _turn(self, turns: int) -> np.ndarray:
        fresh = self._mt.random_raw(turns * BLOCK)
        self._block = fresh[-BLOCK:].copy()
        self._next, self._end = 0, BLOCK
        return fresh

    def uniforms(self, n: int | None = None) -> Any:
        """The next n numbers of [0, 1) as an array, or one as a float; each takes one word."""
        return self.words(n) * 2.0**-32

    def normals(self, n: int | None = None) -> Any:
        """The next n numbers of the standard normal distribution as an array, or one as a float.

        They come in pairs from two uniform numbers x and y, by Box and Muller: with rho = sqrt(-2 log(1 - y)),
        rho cos(2 pi x) and rho sin(2 pi x). The second one of a pair is kept for the next draw.
        """
        if n is None:
            return self._normal()
        out = np.empty(n)
        kept = int(n > 0 and self.normal_is_valid)
        if kept:
            out[0] = self._normal()
        pairs = (n - kept + 1) // 2
        if pairs:
            uniforms = self.uniforms(2 * pairs)
            x, y = uniforms[::2], uniforms[1::2]
            rho, angle = np.sqrt(-2.0 * libm.log(1.0 - y)), 2.0 * math.pi * x
            out[kept::2] = rho * libm.cos(angle)
            seconds = out[kept + 1 :: 2]
            seconds[...] = (rho * libm.sin(angle))[: seconds.size]
            self.normal_x, self.normal_y, self.normal_rho = float(x[-1]), float(y[-1]), float(rho[-1])
            self.normal_is_valid = seconds.size < pairs
        return out

    def _normal(self) -> float:
        self.normal_is_valid = not self.normal_is_valid
        if not self.normal_is_valid:
            return self.normal_rho * math.sin(2.0 * math.pi * self.normal_x)
        self.normal_x, self.normal_y = self.uniforms(), self.uniforms()
        self.normal_rho = math.sqrt(-2.0 * math.log(1.0 - self.normal_y))
        return self.normal_rho * math.cos(2.0 * math.pi * self.normal_x)

    def state(self) -> bytes:
        """The whole state in the layout of Torch's C structure."""
        record = np.zeros(1, STATE)
        record["initial_seed"] = self.initial_seed
        record["left"], record["seeded"], record["next"] = self._end - self._next + 1, 1, self._next
        record["state"] = self._mt.state["state"]["key"]
        record["normal_x"], record["normal_y"], record["normal_rho"] = self.normal_x, self.normal_y, self.normal_rho
        record["normal_is_valid"] = self.normal_is_valid
        return record.tobytes()

    def set_state(self, state: bytes, who: str = "torch7.Generator") -> None:
        """Goes on from a state that `state` returned. Raises ValueError when it is none."""
        if len(state) != STATE.itemsize:
            raise ValueError(f"{who}: expected a state of {STATE.itemsize} bytes, got {len(state)}")
        record = np.frombuffer(state, STATE)[0]
        start, left = int(record["next"]), int(record["left"])
        if record["seeded"] != 1 or left < 1 or start + left - 1 > BLOCK:
            raise ValueError(f"{who}: invalid state (seeded {record['seeded']}, next {start}, left {left})")
        if not hasattr(self, "_mt"):  # pickle and file readers make objects without __init__
            self._mt = np.random.MT19937(0)
        key = record["state"].astype(np.uint32)
        self._mt.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": start}}
        self._block = np.concatenate([np.zeros(start, np.uint64), self._mt.random_raw(BLOCK - start)])
        self._next, self._end = start, start + left - 1
        self.initial_seed = int(record["initial_seed"])
        self.normal_x, self.normal_y = float(record["normal_x"]), float(record["normal_y"])
        self.normal_rho, self.normal_is_valid = float(record["normal_rho"]), bool(record["normal_is_valid"])

    __getstate__ = state
    __setstate__ = set_state

    def write(self, file: Any) -> None:
        """Writes the state as raw bytes: Torch's form of a Generator in a file."""
        file.writeByte(np.frombuffer(self.state(), np.uint8).view(Storage))

    def read(self, file: Any, version: int = 1) -> None:
        """Takes the state that `write` has written. There is only one version."""
        self.set_state(np.asarray(file.readByte(STATE.itemsize), np.uint8).tobytes())


default_generator = Generator()


def draws(function: Callable[..., T], fill: Callable[..., Any] | None = None) -> Callable[..., T]:
    """Makes the first argument `gen` of a function optional, with the default generator in its place.

    As in Torch, an array that is filled or holds the result comes before the Generator; after it is accepted too.
    With `fill`, a call on an array is a call of that function.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], Generator):
            gen, rest = args[0], args[1:]
        elif len(args) > 1 and isinstance(args[1], Generator) and isinstance(args[0], np.ndarray):
            gen, rest = args[1], (args[0], *args[2:])
        else:
            gen, rest = kwargs.pop("gen", default_generator), args
        if fill is not None and rest and isinstance(rest[0], np.ndarray):
            return fill(gen, *rest, **kwargs)
        return function(gen, *rest, **kwargs)

    return call


def whole(who: str, x: Any) -> int:
    """The whole part of a number, as Torch takes it where it wants a whole number."""
    try:
        return int(x)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"torch7.{who}: expected a whole number, got {x!r}") from None


def describe(x: Any) -> str:
    """What an argument is, for an error message."""
    return typename(x) or (f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"a {lua_type(x)}")


@draws
def manualSeed(gen: Generator, number: float) -> None:
    """`manualSeed([gen,] number)` starts the stream of a seed: the same seed gives the same numbers, those of Torch.

    The seed is a whole number of at most 64 bits; its low 32 bits choose the stream.

    >>> manualSeed(0)
    >>> default_generator.words()
    2357136044
    """
    seed_ = whole("manualSeed", number)
    if not -(2**63) <= seed_ < 2**63:
        raise ValueError(f"torch7.manualSeed: expected a seed of 64 bits, got {number}")
    gen.manual_seed(seed_)


@draws
def seed(gen: Generator) -> int:
    """`seed([gen])` takes a new seed from the operating system and returns it.

    It has 53 bits, so that it is the same as a floating-point number.
    """
    gen.manual_seed(secrets.randbits(53))
    return gen.initial_seed


@draws
def initialSeed(gen: Generator) -> int:
    """`initialSeed([gen])`: the number from which the generator was started.

    >>> manualSeed(-1)
    >>> initialSeed()
    -1
    """
    return gen.initial_seed


@draws
def getRNGState(gen: Generator, result: np.ndarray | None = None) -> np.ndarray:
    """`getRNGState([result,] [gen])`: the state as the 5048 bytes of Torch's ByteTensor.

    >>> state = getRNGState()
    >>> state.shape, state.dtype
    ((5048,), dtype('uint8'))
    """
    if result is not None and (not isinstance(result, np.ndarray) or result.dtype != np.uint8):
        raise TypeError(f"torch7.getRNGState: expected a torch.ByteTensor for the result, got {describe(result)}")
    out = memory.resized(result, (STATE.itemsize,), np.uint8)
    out[...] = np.frombuffer(gen.state(), np.uint8)
    return out


@draws
def setRNGState(gen: Generator, state: np.ndarray) -> np.ndarray:
    """`setRNGState([gen,] state)` goes on from a state that `getRNGState` or Torch saved, and returns it.

    Raises ValueError when the bytes are no valid state.

    >>> state = getRNGState()
    >>> first = default_generator.words()
    >>> setRNGState(state) is state, default_generator.words() == first
    (True, True)
    """
    if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
        raise TypeError(f"torch7.setRNGState: expected a torch.ByteTensor, got {describe(state)}")
    gen.set_state(state.tobytes(), "torch7.setRNGState")
    return state

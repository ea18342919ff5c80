"""Clocks: Timer, tic and toc."""

from __future__ import annotations

import os
import time
from types import ModuleType
from typing import Any

from .registry import register
from .tables import Table

try:
    import resource
except ImportError:  # not a Unix system
    resource: ModuleType | None = None  # type: ignore[no-redef]


def _now() -> tuple[float, float, float]:
    """Seconds of the wall clock, and seconds that the process spent in its own code and in the system's."""
    if resource is None:
        used = os.times()
        return time.time(), used.user, used.system
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.time(), usage.ru_utime, usage.ru_stime


@register("torch.Timer")
class Timer:
    """Measures time in seconds, from its construction on, with pauses.

    >>> timer = Timer()
    >>> timer.stop().time() == timer.time()
    True
    >>> sorted(timer.time()), timer
    (['real', 'sys', 'user'], torch.Timer [status: stopped])
    """

    def __init__(self) -> None:
        self._running = True
        self.reset()

    def reset(self) -> Timer:
        """Sets the time to 0; a running timer keeps running, a stopped one stays stopped."""
        self._total: tuple[float, ...] = (0.0, 0.0, 0.0)
        self._start = _now()
        return self

    def stop(self) -> Timer:
        """Stops the clock; a stopped one stays as it is."""
        self._total, self._running = self._elapsed(), False
        return self

    def resume(self) -> Timer:
        """Lets a stopped clock go on from where it stopped; a running one runs on."""
        if not self._running:
            self._start, self._running = _now(), True
        return self

    def time(self) -> Table:
        """The time measured so far: `real` of the wall clock, `user` and `sys` of the process."""
        return Table(zip(("real", "user", "sys"), self._elapsed()))

    def _elapsed(self) -> tuple[float, ...]:
        if not self._running:
            return self._total
        return tuple(total + now - start for total, now, start in zip(self._total, _now(), self._start))

    def write(self, file: Any) -> None:
        """Writes nothing, as Torch's nn does: a timer in a file is a new one when it is read."""

    def read(self, file: Any, version: float = 1) -> None:
        """Starts as a new timer."""
        Timer.__init__(self)

    def __repr__(self) -> str:
        return f"torch.Timer [status: {'running' if self._running else 'stopped'}]"


_tic: float | None = None


def tic() -> float:
    """Starts the clock of `toc` and returns the time of day in seconds since 1970."""
    global _tic
    _tic = time.time()
    return _tic


def toc(start: float | None = None, verbose: bool = False) -> float:
    """The seconds since `start`, a result of `tic`, or since the last `tic`; `verbose` prints them too.

    Raises RuntimeError when there was no `tic`.
    """
    if isinstance(start, bool):
        start, verbose = None, start
    start = _tic if start is None else start
    if start is None:
        raise RuntimeError("torch7.toc: expected a call of tic() before")
    elapsed = time.time() - start
    if verbose:
        print(f"elapsed time: {elapsed:.6f} seconds")
    return elapsed

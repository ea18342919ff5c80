"""Data-parallel training: the processes that MPI started average their gradients."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import numbers
import os
import pickle
import platform
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from nn.checks import described, note
from torch7.optional import optional

NAME = "pygraphnn.distributed"
STARTED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # how many processes mpiexec has started, as MPICH and Open MPI tell
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

# What a rank may be doing when it meets the others, each with a place after the gradient in what is summed.
KINDS = ("gives f and df/dx", "gives f alone", "calls allgather", "has ended its run", "failed")
GRADIENT, VALUE, GATHER, END, FAILED = range(len(KINDS))
F, STOP = len(KINDS), len(KINDS) + 1
PLACES = len(KINDS) + 2


class distributed:
    """opfunc for all the processes (ranks) that MPI started: the mean of what it gives on each of them.

        f = (f_1 + ... + f_N) / N        df/dx = (df_1/dx + ... + df_N/dx) / N

    Every rank runs the same script, each on its own part of the data, and gives this to an optimizer:

        opfunc = pygraphnn.distributed(feval, comm)    # once, before the loop
        optim.rmsprop(opfunc, params, state)

    `opfunc(x)` gives (f, df/dx), or f alone as optim.de, optim.cmaes and optim.FistaLS take it; further arguments are
    handed on. x and df/dx are float32 or float64, df/dx is changed in place, and f is averaged in x's type. `comm` is a
    communicator of mpi4py, by default `world()`. With one process this is opfunc itself.

    At the first call, or now if x is given, x becomes on all ranks what it is on rank 0, and each process limits the
    threads of its matrix products to its share of the machine's cores (with the package threadpoolctl, unless
    OPENBLAS_NUM_THREADS, OMP_NUM_THREADS or MKL_NUM_THREADS is set). Every call makes one allreduce, in buffers that
    are made once. Since all ranks see the same f and df/dx they all take the same steps.

    No rank waits for one that will not come: an error that opfunc raises on one rank (Ctrl-C too) is raised by all; one
    that ends a process elsewhere aborts the others; and where a rank has come to its end while others go on, these
    raise RuntimeError. A handler of Ctrl-C that calls `stop()` instead has `stopped` become true on all ranks after the
    same step.

    Raises TypeError for an opfunc that cannot be called or returns something else, or an x of another type; ValueError
    where x differs in shape or type between the ranks, or from df/dx.

    Source: W. Gropp, E. Lusk and A. Skjellum, Using MPI, 1994, on collective operations.

    >>> feval = distributed(lambda x: (float(x @ x), 2 * x), Alone())
    >>> feval.rank, feval.size
    (0, 1)
    >>> feval(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """

    def __init__(self, opfunc: Callable[[np.ndarray], Any], comm: Any = None, x: np.ndarray | None = None):
        self.opfunc, self.comm = opfunc, world() if comm is None else comm
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.stopping = False  # whether this rank has called stop()
        self._agreed = self._over = False
        self._mine: Any = None
        if self.size > 1:
            _watch(self)
        if not callable(opfunc):
            raise TypeError(f"{NAME}: expected opfunc to be callable, got {described(opfunc)}")
        if x is not None and self.size > 1:
            self._start(x)

    def __call__(self, x: np.ndarray, *args: Any) -> Any:
        if self.size == 1:
            return self.opfunc(x, *args)
        if self._mine is None:
            self._start(x)
        error: BaseException | None = None
        f, g = 0.0, None
        try:
            f, g = self._result(self.opfunc(x, *args), x)
        except BaseException as caught:  # told to the others, who wait
            error = caught
        f = self._meet(FAILED if error else VALUE if g is None else GRADIENT, f, g, error)
        return f if g is None else (f, g)

    def allgather(self, value: Any) -> list[Any]:
        """The values that all ranks give, in the order of the ranks; any that can be pickled.

        >>> distributed(lambda x: (0.0, x), Alone()).allgather("a")
        ['a']
        """
        if self._mine is not None:
            self._meet(GATHER)
        return exchange(self.comm, value)

    def stop(self) -> None:
        """Asks all ranks to stop: from the end of the next call on, `stopped` is true on every one of them."""
        self.stopping = True

    @property
    def stopped(self) -> bool:
        """Whether a rank has called stop(), as all ranks know it since the last call."""
        return self._agreed if self.size > 1 else self.stopping

    def _start(self, x: Any) -> None:
        """Sees that x is alike on all ranks, makes it the same, and makes the buffers."""
        fine = torch7.isTensor(x) and x.dtype in FLOATS and x.flags.writeable
        cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
        told = exchange(self.comm, (fine, described(x), platform.node(), frozenset(cores)))
        kinds = [kind for _, kind, _, _ in told]
        if len(set(kinds)) > 1:
            which = ", ".join(f"{kind} on rank {kinds.index(kind)}" for kind in dict.fromkeys(kinds))
            raise _known(ValueError(f"{NAME}: expected x to be alike on all ranks, got {which}"))
        if not all(fine for fine, *_ in told):
            wanted = "a float32 or float64 array that can be changed"
            raise _known(TypeError(f"{NAME}: expected x to be {wanted}, got {kinds[0]}"))
        _share_cores(self.rank, [(node, cores) for _, _, node, cores in told])
        self._mine, self._sum = (torch7.memory.zeros((x.size + PLACES,), x.dtype) for _ in range(2))
        flat = self._mine[: x.size]
        np.copyto(flat.reshape(x.shape), x)
        self.comm.Bcast(flat, root=0)
        np.copyto(x, flat.reshape(x.shape))

    def _result(self, result: Any, x: np.ndarray) -> tuple[float, np.ndarray | None]:
        """f and df/dx, or None, of what opfunc returned."""
        alone = not isinstance(result, (tuple, list))
        f, g = (result, None) if alone else (*result[:2], None, None)[:2]
        if isinstance(f, np.ndarray) and f.size == 1:
            f = f.item()
        if not isinstance(f, numbers.Real) or not (g is None or torch7.isTensor(g)):
            raise TypeError(f"{NAME}: expected opfunc to return (f, df/dx), or the number f, got {described(result)}")
        if x.size + PLACES != self._mine.size or x.dtype != self._mine.dtype:
            first = f"{self._mine.size - PLACES} elements of {self._mine.dtype}"
            raise ValueError(f"{NAME}: expected x to have {first} as in the first call, got {described(x)}")
        if g is not None and (g.shape, g.dtype) != (x.shape, x.dtype):
            raise ValueError(f"{NAME}: x is {described(x)}, but the gradient is {described(g)}")
        return float(f), g

    def _meet(self, kind: int, f: float = 0.0, g: np.ndarray | None = None, error: Any = None) -> float:
        """The allreduce: the mean of f, and in g its mean. All ranks raise unless all have come for the same."""
        mine, total = self._mine, self._sum
        n = mine.size - PLACES
        if g is not None:
            np.copyto(mine[:n].reshape(g.shape), g)
        mine[n:] = 0
        mine[n + kind] = 1
        with np.errstate(over="ignore"):
            mine[n + F], mine[n + STOP] = f, self.stopping
        self.comm.Allreduce(mine, total)
        self._over = bool(total[n + kind] != self.size or kind == FAILED)
        if self._over:
            self._part(kind, error)
        self._agreed = bool(total[n + STOP])
        if g is not None:
            np.divide(total[:n].reshape(g.shape), self.size, out=g)
        return float(total[n + F]) / self.size

    def _part(self, kind: int, error: BaseException | None) -> None:
        """Raises what went wrong: all ranks know by now that something has, and come here."""
        doing = exchange(self.comm, KINDS[kind], error)
        told = ", ".join(f"rank {rank} {what}" for rank, what in enumerate(doing))
        raise _known(Parted(f"{NAME}: the ranks do not all do the same: {told}"))


class Parted(RuntimeError):
    """A rank has ended its run, or does something else, while others would have waited for it for ever."""


class Alone:
    """The communicator of a process that is the only one."""

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 1


def world() -> Any:
    """The communicator of all processes that mpiexec started: mpi4py's COMM_WORLD, or Alone without mpiexec and mpi4py.

    Raises ImportError where mpiexec started this process but mpi4py or its MPI library is not installed, and
    RuntimeError where mpi4py uses another MPI than mpiexec's, so that the processes cannot see each other.
    """
    processes = started()
    if processes == 1 and importlib.util.find_spec("mpi4py") is None:
        return Alone()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "suspicious MPI", RuntimeWarning)  # told below, as an error
            comm = optional("mpi4py.MPI", "mpi", NAME).COMM_WORLD
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ImportError(f"{NAME} needs an MPI library: pip install 'pygraphnn[mpi]' ({reason})") from error
    if comm.Get_size() == 1 < processes:
        raise RuntimeError(
            f"{NAME}: mpiexec started {processes} processes, but each is alone: it belongs to another MPI than the one "
            f"that mpi4py uses, {sys.modules['mpi4py.MPI'].Get_library_version().splitlines()[0].strip()}"
        )
    return comm


def started() -> int:
    """How many processes mpiexec has started; 1 without it.

    >>> started()
    1
    """
    return max(int(os.environ.get(name, 1)) for name in STARTED)


def exchange(comm: Any, value: Any = None, error: BaseException | None = None) -> list[Any]:
    """The values of all ranks, unless one of them has an error: then every rank raises its own or else the first.

    >>> exchange(Alone(), 3)
    [3]
    """
    if comm.Get_size() == 1:
        if error is not None:
            raise error
        return [value]
    told = comm.allgather((None if error is None else _packed(error, comm.Get_rank(), comm.Get_size()), value))
    errors = [packed for packed, _ in told if packed is not None]
    if error is not None:
        raise _known(error)
    if errors:
        raise _known(pickle.loads(errors[0]))
    return [value for _, value in told]


def known(error: BaseException | None) -> bool:
    """Whether an error was raised by all ranks together.

    >>> known(ValueError())
    False
    """
    return getattr(error, "of_all_ranks", False)


def _known(error: BaseException) -> BaseException:
    with contextlib.suppress(AttributeError):
        error.of_all_ranks = True  # type: ignore[attr-defined]
    return error


def _packed(error: BaseException, rank: int, size: int) -> bytes:
    """An error for other ranks, of its own class where that can be, with a note that says whose it is."""
    note(error, lambda: f"on rank {rank} of {size}")
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
    except Exception:
        text = f"{NAME}: rank {rank} of {size} failed: {type(error).__name__}: {error}"
        packed = pickle.dumps(RuntimeError(text))
    return packed


def _share_cores(rank: int, ranks: list[tuple[str, frozenset[int]]]) -> None:
    """Limits the threads of matrix products to a rank's share of the cores that its machine's ranks may use."""
    node, mine = ranks[rank]
    cores = frozenset().union(*(cores for name, cores in ranks if name == node))
    share = max(1, min(len(mine), len(cores) // Counter(name for name, _ in ranks)[node]))
    if not any(os.environ.get(name) for name in THREADS):
        with contextlib.suppress(ImportError):
            torch7.setnumthreads(share)


_watched: list[distributed] = []  # the latest one of this process


def _watch(latest: distributed) -> None:
    """From now on the end of this process is told to the others."""
    if not _watched:
        sys.excepthook = functools.partial(_uncaught, sys.excepthook)
        atexit.register(_end)
    _watched[:] = [latest]


def _uncaught(before: Callable[..., Any], kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Tells of an error, and ends the ranks that do not know of it: they may wait anywhere for this one."""
    before(kind, error, trace)
    if _watched and not known(error):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        time.sleep(0.5)  # mpiexec may lose what it has not passed on when it hears of the end
        _watched[0].comm.Abort(130 if kind is KeyboardInterrupt else 1)


def _end() -> None:
    """At the end of the process: meets the ranks that end too, or those that would have waited for this one."""
    latest = _watched[0]
    if latest._mine is not None and not latest._over:
        with contextlib.suppress(Exception):
            latest._meet(END)

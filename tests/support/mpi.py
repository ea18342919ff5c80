"""Programs under mpiexec, and communicators of threads for what needs no processes."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec: pip install .[mpi]"
)


def start(processes: int, *command: str | Path, **variables: str) -> subprocess.Popen[str]:
    """Starts a Python program so many times over, with these environment variables."""
    usual = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # Open MPI wants to be told twice
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(processes), sys.executable, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | usual | root | variables,
        # Ctrl-C is ignored by what a shell started in the background, and by what that starts in turn
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def mpirun(processes: int, *command: str | Path, **variables: str) -> tuple[int, str, str]:
    """Runs it; returns how it ended, what it printed and its errors. What takes too long has hung, and is killed."""
    with start(processes, *command, **variables) as running:
        try:
            out, err = running.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            running.terminate()  # mpiexec ends the ranks
            raise
    told_by_mpiexec = r"-{70,}\n.*?-{70,}\n\0?"  # Open MPI's comments
    return running.returncode, out, re.sub(told_by_mpiexec, "", err, flags=re.DOTALL)


def is_open_mpi() -> bool:
    """Whether mpiexec is Open MPI's."""
    version = subprocess.run([str(MPIEXEC), "--version"], capture_output=True, text=True, check=True).stdout
    return "Open MPI" in version


class Shared:
    """What the threads of one run share."""

    def __init__(self, size: int):
        self.size, self.places = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=20)
        self.calls: list[tuple[str, int]] = []  # of rank 0: what, and how many elements


class Threads:
    """A communicator whose ranks are threads."""

    def __init__(self, shared: Shared, rank: int):
        self.shared, self.rank = shared, rank

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.shared.size

    def _all(self, what: str, size: int, value: Any) -> list[Any]:
        if self.rank == 0:
            self.shared.calls.append((what, size))
        self.shared.places[self.rank] = (what, size, value)
        self.shared.barrier.wait()
        told: Any = list(self.shared.places)
        self.shared.barrier.wait()
        assert len({(what, size) for what, size, _ in told}) == 1, "the ranks call different things"
        return [value for *_, value in told]

    def allgather(self, value: Any) -> list[Any]:
        return self._all("allgather", 1, value)

    def Bcast(self, x: np.ndarray, root: int) -> None:
        assert root == 0
        x[...] = self._all("Bcast", x.size, x.copy())[0]

    def Allreduce(self, mine: np.ndarray, total: np.ndarray) -> None:
        total[...] = np.sum(self._all("Allreduce", mine.size, mine.copy()), axis=0, dtype=mine.dtype)


def as_threads(size: int, run: Callable[[Threads], Any]) -> tuple[list[Any], list[tuple[str, int]]]:
    """run(comm) on so many ranks: what each returned or raised, and the calls that it took."""
    shared, results = Shared(size), [None] * size

    def work(rank: int) -> None:
        try:
            results[rank] = run(Threads(shared, rank))
        except BaseException as error:
            results[rank] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, shared.calls

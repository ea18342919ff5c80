"""How processes that train together find each other, begin and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optim
from pygraphnn import distributed
from pygraphnn.distributed import STARTED, Alone, started, world

from ..support.mpi import ROOT, mpirun, needs_mpi, start


@pytest.fixture(autouse=True)
def alone(monkeypatch: Any) -> None:
    """Where mpiexec runs the tests, they do not know it."""
    for name in STARTED:
        monkeypatch.delenv(name, raising=False)


class TestWorld:
    def python(self, code: str, **variables: str) -> str:
        env = {"PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def test_without_mpi4py_and_mpiexec_a_process_is_alone(self, monkeypatch: Any) -> None:
        monkeypatch.setitem(sys.modules, "mpi4py", None)
        assert isinstance(world(), Alone)
        assert distributed(lambda x: (1.0, x))(2) == (1.0, 2)

    def test_without_mpi4py_under_mpiexec(self, monkeypatch: Any) -> None:
        monkeypatch.setitem(sys.modules, "mpi4py", None)
        monkeypatch.setenv("PMI_SIZE", "2")
        assert started() == 2
        with pytest.raises(
            ImportError, match=r"pygraphnn.distributed needs the package mpi4py: pip install 'pygraphnn"
        ):
            world()

    def test_without_an_mpi_library(self, tmp_path: Path) -> None:
        (tmp_path / "mpi4py").mkdir()
        (tmp_path / "mpi4py" / "__init__.py").write_text("")
        (tmp_path / "mpi4py" / "MPI.py").write_text("raise RuntimeError('cannot load MPI library\\nlibmpi.so: ...')")
        code = """if True:
            from pygraphnn.distributed import world
            try:
                world()
            except ImportError as error:
                print(error)
        """
        told = self.python(code, PYTHONPATH=f"{tmp_path}:{ROOT}")
        assert told == (
            "pygraphnn.distributed needs an MPI library: pip install 'pygraphnn[mpi]' (cannot load MPI library)"
        )

    def test_an_mpiexec_of_another_mpi(self, tmp_path: Path) -> None:
        """The processes are alone, each with a size of 1, although two were started."""
        (tmp_path / "mpi4py").mkdir()
        (tmp_path / "mpi4py" / "__init__.py").write_text("")
        (tmp_path / "mpi4py" / "MPI.py").write_text(
            "import warnings\n"
            "class COMM_WORLD:\n    Get_size = staticmethod(lambda: 1)\n"
            "Get_library_version = lambda: 'Some MPI 1.0\\nmore'\n"
            "warnings.warn('suspicious MPI execution environment', RuntimeWarning)\n"
        )
        code = """if True:
            from pygraphnn.distributed import world
            try:
                world()
            except RuntimeError as error:
                print(error)
        """
        told = self.python(code, PYTHONPATH=f"{tmp_path}:{ROOT}", PMI_SIZE="2", PYTHONWARNINGS="error")
        assert told == (
            "pygraphnn.distributed: mpiexec started 2 processes, but each is alone: it belongs to another MPI than the "
            "one that mpi4py uses, Some MPI 1.0"
        )


SCRIPT = """
import sys
import numpy as np
import optim, torch7
from pygraphnn import distributed
from pygraphnn.distributed import world

comm = world()
rank = comm.Get_rank()
torch7.manualSeed(1)
x = np.full(5, 1.0 + rank)
step = 0

def feval(x):
    global step
    step += 1
    inside()
    return float((x - rank) @ (x - rank)) / 2, x - rank

def inside():
    pass

def outside():
    pass

{what}
opfunc, state = distributed(feval, comm), {{}}
for i in range(1, 7):
    optim.rmsprop(opfunc, x, state)
    outside()
rank == 0 and print(opfunc.size, step, *x, flush=True)
"""


@needs_mpi
class TestProcesses:
    """Two processes, or one: none of them hangs, whatever happens to the other."""

    def run(self, tmp_path: Path, what: str = "", processes: int = 2) -> tuple[int, str, str]:
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(what=textwrap.dedent(what)))
        return mpirun(processes, script)

    @pytest.mark.parametrize("processes", [1, 2])
    def test_train_together(self, tmp_path: Path, processes: int) -> None:
        status, out, err = self.run(tmp_path, processes=processes)
        assert (status, err) == (0, "")
        size, steps, *x = out.split()
        assert (int(size), int(steps)) == (processes, 6)
        center, expected, state = (processes - 1) / 2, np.ones(5), {}  # type: ignore[var-annotated]
        for _ in range(6):
            optim.rmsprop(lambda x: (0.0, x - center), expected, state)
        np.testing.assert_allclose([float(value) for value in x], expected, rtol=1e-13)

    def test_without_mpiexec(self, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(what=""))
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, script], env=env, capture_output=True, check=True)
        assert done.stdout.startswith(b"1 6 ")

    def test_populations(self, tmp_path: Path) -> None:
        """optim.de and optim.cmaes, whose random numbers are the same on all ranks, want f alone."""
        what = """
        def f(x):
            return float((x - rank) @ (x - rank))
        for method, config in ((optim.de, DE), (optim.cmaes, {"sigma": 1, "verb_disp": 0, "maxEval": 100})):
            torch7.manualSeed(1)
            together = method(distributed(f, comm), np.zeros(2), config)
            torch7.manualSeed(1)
            alone = method(lambda x: (f_0(x) + f_1(x)) / 2, np.zeros(2), config)
            assert np.allclose(together[0], alone[0], rtol=1e-12), (together[0], alone[0])
            assert np.allclose(together[1], alone[1], rtol=1e-12)
            rank == 0 and print(method.__name__, flush=True)
        """
        what = "DE = {'popsize': 8, 'maxFEs': 200, 'scaleFactor': 0.5, 'crossoverRate': 0.5}\n" + textwrap.dedent(what)
        what = "f_0 = lambda x: float(x @ x)\nf_1 = lambda x: float((x - 1) @ (x - 1))\n" + what
        status, out, err = self.run(tmp_path, what)
        assert (status, err) == (0, "")
        assert out.split()[:2] == ["de", "cmaes"]

    def test_an_error_in_opfunc(self, tmp_path: Path) -> None:
        what = """
        def inside():
            if (rank, step) == (1, 3):
                raise ValueError("bad row")
        """
        status, out, err = self.run(tmp_path, what)
        assert (status, out) == (1, "")
        assert err.count("ValueError: bad row\non rank 1 of 2") == 2
        assert "in inside" in err
        assert "Abort" not in err

    def test_an_error_elsewhere(self, tmp_path: Path) -> None:
        what = """
        def outside():
            if (rank, step) == (1, 3):
                raise KeyError("lost")
        """
        status, out, err = self.run(tmp_path, what)
        assert (status, out) == (1, "")
        assert "KeyError: 'lost'" in err
        assert "in outside" in err

    def test_the_end_of_a_process_that_the_others_would_wait_for(self, tmp_path: Path) -> None:
        what = """
        def outside():
            if (rank, step) == (1, 3):
                print("rank 1 leaves", file=sys.stderr, flush=True)
                sys.exit(3)
        """
        status, out, err = self.run(tmp_path, what)
        assert status != 0
        assert out == ""
        assert "rank 1 leaves" in err
        assert "rank 0 gives f and df/dx, rank 1 has ended its run" in err

    def test_a_process_that_is_killed(self, tmp_path: Path) -> None:
        what = """
        import os
        def outside():
            if (rank, step) == (1, 3):
                os.kill(os.getpid(), 9)
        """
        status, out, _ = self.run(tmp_path, what)
        assert status != 0
        assert "\n2 6 " not in f"\n{out}"  # a run's last line; mpiexec may print of its own

    def test_other_parameters(self, tmp_path: Path) -> None:
        status, out, err = self.run(tmp_path, "x = x[: 5 - rank]")
        assert (status, out) == (1, "")
        assert err.count("shape (5,) on rank 0, a torch.DoubleTensor of shape (4,) on rank 1") == 2

    def test_an_interrupt(self, tmp_path: Path) -> None:
        what = """
        import time
        def outside():
            rank == 0 and print("step", flush=True)
            time.sleep(0.05)
        def inside():
            global step
            step = 1
        range = lambda *_: iter(int, 1)  # for ever
        """
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(what=textwrap.dedent(what)))
        with start(2, script) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "step\n"
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert running.returncode != 0
        assert "Parted" not in err

"""train.py with several processes."""

from __future__ import annotations

import re
import shlex
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch7
import train
from pygraphnn.distributed import Alone
from util import ranks
from util.misc import UsageError

from ..support.char_rnn import EXAMPLE
from ..support.mpi import Threads, as_threads, is_open_mpi, mpirun, needs_mpi, start
from .programs import TINY, call, place
from .test_resume import numbers, same, saved

HALVES = TINY.replace("-batch_size 10", "-batch_size 5")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new directory with data/small in it, as the current one; no pictures, which take time."""
    monkeypatch.setattr(train, "save_loss_curve", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    place("small")
    Path("quick.py").write_text(
        f"import sys\nsys.path.insert(0, {str(EXAMPLE)!r})\nimport train\nfrom util.misc import run\n"
        "train.draw_step = train.save_loss_curve = lambda *_: None\n"
        "sys.argv[0] = 'train.py'\n"
    )


def several(processes: int, options: str, before: str = "") -> tuple[int, list[str], str]:
    """Runs train.py with so many processes, without pictures."""
    Path("run.py").write_text(Path("quick.py").read_text() + before + "\nrun(train.main)\n")
    status, out, err = mpirun(processes, "run.py", *shlex.split(options))
    return status, out.splitlines(), err


def losses(lines: list[str]) -> list[float]:
    return [float(re.findall(r"train_loss = ([\d.]+)", line)[0]) for line in lines if "train_loss" in line]


def parameters(path: str) -> np.ndarray:
    return torch7.load(path).protos.rnn.getParameters()[0]


@needs_mpi
class TestTwoProcesses:
    @pytest.mark.parametrize("model", ["lstm -num_layers 2", "rnn"])
    def test_equal_one_with_the_double_batch(self, model: str) -> None:
        """Losses, validation, parameters, states and the optimizer's state: nothing but rounding differs."""
        whole = call("train", f"{TINY} -model {model} -eval_val_every 10 -checkpoint_dir one -log csv")
        options = f"{HALVES} -model {model} -eval_val_every 10 -checkpoint_dir two -log csv -distributed 1"
        status, lines, err = several(2, options)
        assert (status, err) == (0, "")
        told = [line.replace("two/", "one/").split(", grad/param")[0] for line in lines if "drew" not in line]
        assert told == [line.split(", grad/param")[0] for line in whole.lines if "drew" not in line][-len(told) :]
        assert len(losses(lines)) == 24
        for path in saved(whole):
            one, two = (torch7.load(name) for name in (path, path.replace("one/", "two/")))
            np.testing.assert_allclose(two.train_losses, one.train_losses, rtol=1e-10)
            np.testing.assert_allclose(list(two.val_losses.values()), list(one.val_losses.values()), rtol=1e-10)
            np.testing.assert_allclose(*(c.protos.rnn.getParameters()[0] for c in (two, one)), rtol=0, atol=1e-10)
            states = [c.resume.init_state_global for c in (two, one)]
            np.testing.assert_allclose(*states, rtol=0, atol=1e-10)
            assert (two.opt.batch_size, one.opt.batch_size) == (5, 10)
        for name in ("one", "two"):
            assert len(Path(name, "lm_lstm_loss.csv").read_text().splitlines()) == 25

    def test_resume_exactly(self) -> None:
        """With dropout, whose random numbers each rank has for itself."""
        options = f"{HALVES} -dropout 0.4 -num_layers 2 -eval_val_every 10 -distributed 1"
        status, whole, err = several(2, options)
        assert (status, err) == (0, "")
        paths = [line.split(" to ")[1] for line in whole if line.startswith("saving checkpoint")]
        expected = torch7.load(paths[-1])
        Path(paths[-1]).unlink()
        status, more, err = several(2, f"-resume {paths[0]}")
        assert (status, err) == (0, "")
        assert losses(more) == losses(whole)[10:]
        again = torch7.load(paths[-1])
        assert same(again.train_losses, expected.train_losses)
        assert same(again.resume, expected.resume)
        assert same(parameters(paths[-1]), expected.protos.rnn.getParameters()[0])
        masks = expected.resume.rng_states
        assert len(masks) == 2
        assert not np.array_equal(*masks)

    def test_are_interrupted_together(self) -> None:
        Path("run.py").write_text(Path("quick.py").read_text() + "run(train.main)\n")
        with start(2, "run.py", *shlex.split(f"{HALVES} -max_epochs 50 -distributed 1")) as running:
            assert running.stdout is not None
            out = ""
            while "10/1200 " not in out:
                line = running.stdout.readline()
                assert line, out
                out += line
            running.send_signal(signal.SIGINT)
            rest, err = running.communicate(timeout=60)
        if is_open_mpi():
            pytest.skip("Open MPI ends the processes at Ctrl-C without asking them")
        assert running.returncode == 130, err
        last = rest.splitlines()[-1]
        done = re.fullmatch(r"to go on after iteration (\d+): mpiexec -n 2 .* -resume cv/lm_lstm_interrupted.t7", last)
        assert done
        assert torch7.load("cv/lm_lstm_interrupted.t7").i == int(done[1])
        assert "Traceback" not in err
        status, lines, err = several(2, f"-resume cv/lm_lstm_interrupted.t7 -max_epochs {int(done[1]) // 24 + 1}")
        assert (status, err) == (0, "")
        assert len(losses(lines)) == 24 - int(done[1]) % 24

    def test_mistakes_are_told_once(self) -> None:
        status, _, err = several(2, "-data_dir nowhere -distributed 1")
        assert status == 2
        assert err.count("train.py: no file nowhere/input.txt: -data_dir names the directory") == 1
        assert "Traceback" not in err

    def test_a_mistake_of_one_rank(self) -> None:
        before = (
            "from util import ranks\nbuild = ranks.CharSplitLMMinibatchLoader\n"
            "def loader(*args):\n"
            "    import mpi4py.MPI\n"
            "    if mpi4py.MPI.COMM_WORLD.Get_rank(): raise OSError(2, 'gone', 'a.txt')\n"
            "    return build(*args)\n"
            "ranks.CharSplitLMMinibatchLoader = loader\n"
        )
        status, _, err = several(2, f"{HALVES} -distributed 1", before)
        assert status == 2
        assert err.count("train.py: a.txt: gone\n") == 1
        assert "Traceback" not in err

    def test_rank_0_cannot_save(self) -> None:
        """The other one hears of it in its next minibatch."""
        before = (
            "def full(*_): raise OSError(28, 'No space left on device', 'loss.png')\ntrain.save_loss_curve = full\n"
        )
        status, _, err = several(2, f"{HALVES} -distributed 1 -eval_val_every 10", before)
        assert status != 0
        assert "train.py: loss.png: No space left on device\n" in err
        assert "train.py: pygraphnn.distributed: the ranks do not all do the same: rank 0 has ended its run" in err
        assert "Traceback" not in err

    def test_nan_on_one_rank_stops_all(self) -> None:
        before = (
            "feval = train.Trainer.feval\n"
            "def broken(self, x):\n"
            "    loss, gradient = feval(self, x)\n"
            "    if self.ranks.rank == 1 and len(self.train_losses) == 2: gradient[0] = float('nan')\n"
            "    return loss, gradient\n"
            "train.Trainer.feval = broken\n"
        )
        status, lines, err = several(2, f"{HALVES} -distributed 1", before)
        assert (status, err) == (0, "")
        assert lines[-2].startswith("iteration 3: optim.rmsprop: in step 3 the gradient has 1 NaN of ")
        assert "first in tensor 1, gradWeight of nn.Linear" in lines[-2]

    def test_want_to_be_told(self) -> None:
        status, _, err = several(2, HALVES)
        assert status == 2
        assert "train.py: mpiexec started 2 processes: give -distributed 1 for them to train together\n" in err

    def test_one_process_is_as_none(self) -> None:
        status, lines, err = several(1, f"{TINY} -distributed 1")
        assert (status, err) == (0, "")
        assert losses(lines) == losses(call("train", TINY).lines)


def test_without_mpi_distributed_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "world", Alone)
    assert numbers(call("train", f"{TINY} -distributed 1")) == numbers(call("train", TINY))


def test_mpi_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ImportError("pygraphnn.distributed needs an MPI library")

    monkeypatch.setattr(ranks, "world", missing)
    result = call("train", f"{TINY} -distributed 1")
    assert (result.status, result.err) == (2, "train.py: pygraphnn.distributed needs an MPI library\n")


def test_another_number_of_processes_cannot_resume() -> None:
    path = saved(call("train", TINY))[0]
    checkpoint = torch7.load(path)
    checkpoint.resume.init_state_global = np.concatenate([checkpoint.resume.init_state_global] * 3, axis=1)
    torch7.save(path, checkpoint)
    result = call("train", f"-resume {path} -max_epochs 2")
    assert (result.status, result.err) == (
        2,
        "train.py: the run to resume had 3 processes and this one has 1: use mpiexec -n 3 and -distributed 1\n",
    )
    alone = ranks.Ranks()
    alone.size = 2
    with pytest.raises(UsageError, match="had 1 processes and this one has 2: use one process"):
        alone.own(torch7.Table(init_state_global=np.zeros((2, 10, 8))), 10)


def test_each_rank_has_rows_of_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("data/small", 4, 15, (0.4, 0.05, 0.55), "bytes")
    whole = ranks.Ranks().loader("data/small", 8, *arguments[2:])

    def run(comm: Threads) -> list[Any]:
        monkeypatch.setattr(ranks, "world", lambda: comm)
        mine = ranks.Ranks(1)
        mine.comm, mine.rank, mine.size, mine.first = comm, comm.rank, 2, comm.rank == 0
        loader = mine.loader(*arguments)
        return [loader.next_batch(split) for split in (1, 1, 2)]

    (a, b), _ = as_threads(2, run)
    for (xa, ya), (xb, yb), split in zip(a, b, (1, 1, 2)):
        x, y = whole.next_batch(split)
        np.testing.assert_array_equal(np.concatenate([xa, xb]), x)
        np.testing.assert_array_equal(np.concatenate([ya, yb]), y)


def test_other_texts_are_found() -> None:
    place("other", content=b"abcd" * 500)

    def run(comm: Threads) -> Any:
        mine = ranks.Ranks()
        mine.comm, mine.rank, mine.size, mine.first = comm, comm.rank, 2, comm.rank == 0
        return mine.loader(f"data/{['small', 'other'][comm.rank]}", 2, 15, (0.4, 0.05, 0.55), "bytes")

    for error in as_threads(2, run)[0]:
        assert isinstance(error, UsageError)
        assert "the ranks have not all the same text in data/" in str(error)

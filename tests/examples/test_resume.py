"""Runs that were interrupted and go on."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import optim
import torch7
import train
from util import run_log

from .programs import TINY, Result, call, place, process, start


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new directory with data/small in it, as the current one; no pictures, which take time."""
    monkeypatch.setattr(train, "save_loss_curve", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    place("small")


def interrupted(options: str, *minibatches: int) -> Result:
    """Runs train.py as if Ctrl-C were pressed during these minibatches, as often as each is named."""
    iteration = train.Trainer.iteration

    def pressed(self: Any, i: int, iterations: int) -> Any:
        for _ in range(minibatches.count(i)):
            signal.raise_signal(signal.SIGINT)
        return iteration(self, i, iterations)

    with mock.patch.object(train.Trainer, "iteration", pressed):
        return call("train", options)


def saved(result: Result) -> list[str]:
    """The checkpoints that a run said it saved."""
    return [line.split(" to ")[1] for line in result.lines if line.startswith("saving checkpoint")]


def numbers(result: Result) -> list[str]:
    """The lines about minibatches and checkpoints, without times."""
    lines = [line.split(", time/batch")[0] for line in result.lines]
    return [line for line in lines if "train_loss" in line or line.startswith(("saving checkpoint", "decayed"))]


def same(a: Any, b: Any) -> bool:
    """Whether two values from files are the same in all bits, whatever holds them."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, (list, dict)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(torch7.pairs(a), torch7.pairs(b)))
    if isinstance(a, tuple):
        return all(map(same, a, b))
    return a == b


def checkpoint(path: str) -> Any:
    """What makes a checkpoint: all of it, but for the objects of the network, of which its parameters."""
    loaded = torch7.load(path)
    parameters = loaded.pop("protos").rnn.getParameters()[0]
    loaded.opt.pop("resume")
    return {**loaded, "parameters": parameters, "vocab": sorted(loaded.vocab.items())}


OPTIONS = {
    "lstm": "-num_layers 2 -learning_rate_decay_after 1",
    "gru": "-model gru -dropout 0.3",
    "rnn": "-model rnn -float 1",
    "lstm with dropout": "-dropout 0.5 -num_layers 2 -sample_length 5",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_goes_on_as_if_nothing_had_been(name: str) -> None:
    """Interrupted between two evaluations and directly after one."""
    options = f"{TINY} -eval_val_every 8 {OPTIONS[name]}"
    whole = call("train", options)
    last = saved(whole)[-1]
    expected = checkpoint(last)
    for i in (11, 16):
        Path(last).unlink()
        first = interrupted(options, i)
        assert first.status == 130
        assert "interrupted: finishing this minibatch, then saving (press Ctrl-C again to quit at once)" in first.lines
        assert first.lines[-1].startswith(f"to go on after iteration {i}: ")
        second = call("train", "-resume cv/lm_lstm_interrupted.t7")
        assert second.status == 0
        assert [line for line in numbers(first) if "interrupted" not in line] + numbers(second) == numbers(whole)
        assert same(checkpoint(last), expected)


def test_any_checkpoint_can_be_resumed() -> None:
    whole = call("train", f"{TINY} -eval_val_every 10")
    expected = checkpoint(saved(whole)[-1])
    Path(saved(whole)[-1]).unlink()
    again = call("train", f"-resume {saved(whole)[0]}")
    assert numbers(again) == numbers(whole)[numbers(whole).index(f"saving checkpoint to {saved(whole)[0]}") + 2 :]
    assert same(checkpoint(saved(whole)[-1]), expected)


def test_may_be_interrupted_again() -> None:
    whole = call("train", TINY)
    assert interrupted(TINY, 10).status == 130
    assert interrupted("-resume cv/lm_lstm_interrupted.t7", 15).lines[-1].startswith("to go on after iteration 15: ")
    assert numbers(call("train", "-resume cv/lm_lstm_interrupted.t7")) == numbers(whole)[15:]


def test_goes_on_longer_and_elsewhere() -> None:
    whole = call("train", f"{TINY} -max_epochs 2 -eval_val_every 24 -checkpoint_dir a")
    options = "-max_epochs 2 -checkpoint_dir b -savefile more -print_every 10"
    more = call("train", f"-resume {saved(whole)[0]} {options}")
    assert numbers(more)[:-1] == [line for line in numbers(whole) if line.startswith(("30/48", "40/48"))]
    assert saved(more) == [saved(whole)[1].replace("a/lm_lstm", "b/lm_more")]


def test_an_interrupt_of_the_last_minibatch_changes_nothing() -> None:
    result = interrupted(TINY, 24)
    assert (result.status, numbers(result)) == (0, numbers(call("train", TINY)))


def test_a_second_interrupt_quits_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    result = interrupted(TINY, 10, 10)
    assert (result.status, result.err) == (130, "")
    assert result.lines[-1].startswith("interrupted: finishing this minibatch")
    assert saved(result) == []
    assert signal.getsignal(signal.SIGINT) is before


class TestRefuses:
    def resume(self, options: str) -> str:
        result = call("train", options)
        assert result.status == 2
        assert result.err.startswith("train.py: ")
        assert result.err.count("\n") == 1
        return result.err.removeprefix("train.py: ").strip()

    @pytest.fixture
    def end(self) -> str:
        """The last checkpoint of a run."""
        return saved(call("train", TINY))[-1]

    def test_a_complete_run(self, end: str) -> None:
        assert self.resume(f"-resume {end}") == (
            f"{end} is from the end of its run: give more than 1 as -max_epochs to train on"
        )

    def test_other_options(self, end: str) -> None:
        for option, was in (("rnn_size", "8"), ("seed", "123"), ("learning_rate", "0.002"), ("float", "0")):
            value = {"learning_rate": "0.1", "float": "1"}.get(option, "9")
            assert self.resume(f"-resume {end} -max_epochs 2 -{option} {value}") == (
                f"-{option} should be {was} as in the run that -resume continues, got {value}"
            )

    def test_another_text(self, end: str) -> None:
        place("more", content=Path("data/small/input.txt").read_bytes() * 2)
        assert self.resume(f"-resume {end} -max_epochs 2 -data_dir data/more") == (
            f"{end} cannot go on with this text: it has [48, 6, 66] batches for training, validation and test, "
            "and the run had [24, 3, 33]"
        )

    def test_a_checkpoint_of_torch(self) -> None:
        file = Path(__file__).parents[1] / "golden/t7/checkpoints/lstm_small.t7"
        assert self.resume(f"-resume {file}") == (
            f"{file} was not saved by this program and has nothing to resume from: use -init_from {file}"
        )

    def test_two_beginnings(self) -> None:
        assert self.resume("-resume a.t7 -init_from b.t7") == "-resume and -init_from exclude each other"


class TestProcess:
    def wait_for(self, running: Any, beginning: bytes) -> bytes:
        """Reads until a line begins so."""
        seen = b""
        for line in running.stdout:
            seen += line
            if line.startswith(beginning):
                return seen
        raise AssertionError(f"no line begins with {beginning!r} in {seen!r}")

    def test_an_interrupt_saves_and_tells_how_to_go_on(self) -> None:
        options = f"{TINY} -max_epochs 4 -checkpoint_dir 'my checkpoints'"
        whole = call("train", options)
        with start("train", options) as running:
            out = self.wait_for(running, b"10/96 ")
            running.send_signal(signal.SIGINT)
            rest, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (130, b"")
        first = Result(130, out + rest, "")
        done, command = re.fullmatch(r"to go on after iteration (\d+): (.*)", first.lines[-1]).groups()  # type: ignore[union-attr]
        assert shlex.split(command)[0] == sys.executable
        second = process("train", shlex.join(shlex.split(command)[2:]))
        assert second.status == 0, second.err
        assert numbers(first)[: int(done)] + numbers(second) == numbers(whole)

    def test_on_a_terminal(self) -> None:
        """A progress bar in place of lines, which Ctrl-C leaves in order."""
        master, slave = pty.openpty()
        with start("train", f"{TINY} -max_epochs 99", output=slave, TERM="xterm") as running:
            os.close(slave)
            seen = b""
            while b"loss" not in seen:
                seen += os.read(master, 1000)
            running.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # the end of a terminal
                while more := os.read(master, 1000):
                    seen += more
            assert running.wait(timeout=60) == 130
        os.close(master)
        text = seen.decode()
        assert "/2376 " in text
        assert "train_loss" not in text
        assert "interrupted: finishing this minibatch" in text
        assert re.search(r"saving checkpoint to cv/lm_lstm_interrupted.t7\r\nto go on after iteration .*\r\n$", text)

    def test_an_interrupt_before_the_first_minibatch_just_ends(self) -> None:
        with start("train", TINY) as running:
            self.wait_for(running, b"number of parameters")
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 130
        assert b"Traceback" not in err


@pytest.mark.parametrize("format", run_log.ENDINGS)
def test_the_log_goes_on_where_the_run_does(format: str) -> None:
    """It was 3 minibatches further than the checkpoint that the run goes on from."""
    whole = call("train", f"{TINY} -log {format} -eval_val_every 21 -savefile whole")
    first = call("train", f"{TINY} -log {format} -max_epochs 1 -eval_val_every 21")
    assert (whole.status, first.status) == (0, 0)
    path = saved(first)[0]
    assert call("train", f"-resume {path} -log {format}").status == 0
    logs = [optim.Logger.from_file(f"cv/lm_{name}_{run_log.ENDINGS[format]}") for name in ("whole", "lstm")]
    assert logs[0].names == logs[1].names == run_log.SYMBOLS
    assert logs[0].symbols == logs[1].symbols
    assert logs[0].symbols[0] == list(range(1, 25))


def test_a_log_that_begins_in_the_middle() -> None:
    first = call("train", f"{TINY} -eval_val_every 10")
    assert call("train", f"-resume {saved(first)[0]} -log csv").status == 0
    assert optim.Logger.from_file("cv/lm_lstm_loss.csv").symbols[0] == list(range(11, 25))


def test_a_log_that_is_none() -> None:
    first = call("train", f"{TINY} -eval_val_every 10")
    Path("cv/lm_lstm_loss.csv").write_text("a,b\n1,2,3\n")
    result = call("train", f"-resume {saved(first)[0]} -log csv")
    assert result.status == 2
    assert "cv/lm_lstm_loss.csv: line 2 has 3 values, expected 2" in result.err

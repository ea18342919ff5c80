"""Runs the programs of examples/char_rnn: in this process, or as a user does."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import optim

from ..support.char_rnn import EXAMPLE
from ..support.golden import ROOT

CHECKPOINTS = ROOT / "t7" / "checkpoints"
PROJECT = EXAMPLE.parent.parent

# A network that trains in a moment on data/small: 24 minibatches.
TINY = (
    "-data_dir data/small -rnn_size 8 -num_layers 1 -batch_size 10 -seq_length 15 -train_frac 0.4 -val_frac 0.05 "
    "-max_epochs 1 -sample_length 0"
)


def text(name: str) -> bytes:
    """A recorded text: small, chinese or tinyshakespeare."""
    plain = ROOT / "charrnn" / f"{name}.txt"
    return plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_suffix(".txt.gz").read_bytes())


def place(name: str, directory: Path = Path(), content: bytes | None = None) -> Path:
    """Makes data/<name>/input.txt in a directory; returns data/<name>."""
    folder = directory / "data" / name
    folder.mkdir(parents=True)
    (folder / "input.txt").write_bytes(text(name) if content is None else content)
    return folder


@dataclass
class Result:
    """What a program said, and how it ended."""

    status: Any
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode("utf-8", "replace").splitlines()


def call(program: str, options: str) -> Result:
    """Runs a program in this process, with options as a shell reads them."""
    module, misc = importlib.import_module(program), importlib.import_module("util.misc")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    argv = [str(EXAMPLE / f"{program}.py"), *shlex.split(options)]
    status: Any = 0
    with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            misc.run(module.main)
        except SystemExit as error:
            status = error.code
    return Result(status, out.buffer.getvalue(), err.buffer.getvalue().decode())


def start(program: str, options: str, *, output: Any = subprocess.PIPE, **variables: str) -> Any:
    """Starts a program as a process of its own, with these environment variables."""
    usual = {"PYTHONPATH": str(PROJECT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    return subprocess.Popen(
        [sys.executable, str(EXAMPLE / f"{program}.py"), *shlex.split(options)],
        bufsize=0,
        stdout=output,
        stderr=subprocess.PIPE,
        env=os.environ | usual | variables,
        # Ctrl-C is ignored by what a shell started in the background, and by what that starts in turn
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def process(program: str, options: str, **variables: str) -> Result:
    """Runs a program as a process of its own, with these environment variables."""
    with start(program, options, **variables) as running:
        out, err = running.communicate(timeout=120)
    return Result(running.returncode, out, err.decode())


class Enough(Exception):
    """Ends a run after as many minibatches as were recorded."""


@dataclass
class Run:
    """What happened in a run of train.py."""

    directory: Path
    series: dict[str, list[float]] = field(default_factory=dict)  # a number for every minibatch
    first: dict[str, Any] = field(default_factory=dict)  # what there is once
    out: str = ""
    trainer: Any = None

    def note(self, **values: Any) -> None:
        for name, value in values.items():
            self.series.setdefault(name, []).append(float(value))


def watch(run: Run, minibatches: int) -> Any:
    """Gives train.py an optimizer that notes what it sees, and ends a run that was not recorded whole."""
    rmsprop = optim.rmsprop

    def watched(opfunc: Any, x: np.ndarray, state: Any) -> Any:
        run.trainer = trainer = opfunc.__self__
        if not run.series:
            run.first["init_params"] = x.copy()
        rate = state.learningRate
        result = rmsprop(opfunc, x, state)
        grad_norm, norm = np.linalg.norm(trainer.grad_params), np.linalg.norm(x)
        if not run.series:
            run.first["grad_head"], run.first["params_head"] = trainer.grad_params[:20].copy(), x[:20].copy()
        run.note(loss=result[1][0], grad_norm=grad_norm, param_norm=norm, ratio=grad_norm / norm)
        run.note(param_sum=x.sum(), learning_rate=rate)
        if len(run.series["loss"]) == minibatches < trainer.opt.max_epochs * trainer.loader.ntrain:
            raise Enough
        return result

    return mock.patch.object(optim, "rmsprop", watched)


def repeat(recorded: Any, directory: Path) -> Run:
    """Repeats a recorded run of train.py, with the same options, in a directory."""
    run, out, train = Run(directory), io.StringIO(), importlib.import_module("train")
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(directory))
        stack.enter_context(
            mock.patch.object(sys, "argv", ["train.py", *recorded["args"], "-sample_length", "30", "-engine", "clones"])
        )
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(watch(run, recorded["iterations"]))
        stack.enter_context(contextlib.suppress(Enough))
        train.main()
    run.out = out.getvalue()
    return run

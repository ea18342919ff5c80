"""Small things."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import torch7


class UsageError(Exception):
    """A mistake of the user's, told in one line."""


TOLD = (UsageError, torch7.T7Error, OSError, MemoryError)  # what `run` tells in one line


def expect(opt: Any, name: str, fine: bool, what: str) -> None:
    """Raises an error that says what the option should be, unless it is."""
    if not fine:
        raise UsageError(f"-{name} should be {what}, got {torch7.dtypes.tostring(opt[name])}")


def clone_list(tensor_list: list[np.ndarray], zero_too: bool = False) -> list[np.ndarray]:
    """Copies of the tensors; with zero_too, zeros of their shapes."""
    return [np.zeros_like(t) if zero_too else t.copy() for t in tensor_list]


def run(main: Callable[[], Any]) -> None:
    """Calls main; a mistake of the user's ends the program with one line and exit status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sample may hold what the terminal cannot show
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # such as `sample.py ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python will flush what nobody reads
        sys.exit(1)
    except TOLD as error:
        text = " ".join(str(error).split()) or "out of memory"
        if isinstance(error, OSError) and error.filename is not None:
            text = f"{error.filename}: {error.strerror}"
        elif isinstance(error, torch7.T7Error):
            text = f"not a file of Torch's, or a damaged one: {text}"
        print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr)
        sys.exit(2)


def only_cpu(opt: Any, say: Callable[[str], Any]) -> None:
    """Goes on with the CPU, and says so where a GPU was asked for: char-rnn's default asks for one if there is any."""
    if opt.gpuid > 0 or (opt.gpuid == 0 and opt.opencl == 1):
        say("this port uses no GPU. Falling back on CPU mode")
    opt.gpuid = -1


def initial_state(checkpoint_opt: Any, batch_size: int, dtype: np.dtype) -> list[np.ndarray]:
    """Zeros for the states of all layers: cell and output for an LSTM, the output alone for other models."""
    per_layer = 2 if checkpoint_opt.model == "lstm" else 1
    return [
        torch7.memory.zeros((batch_size, checkpoint_opt.rnn_size), dtype)
        for _ in range(per_layer * checkpoint_opt.num_layers)
    ]

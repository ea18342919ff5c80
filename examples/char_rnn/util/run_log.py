"""The log of a run, for people and programs that watch it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optim

from .misc import UsageError

# the formats, and how the name of the file ends, or of TensorBoard's folder
ENDINGS = {"torch": "loss.log", "csv": "loss.csv", "jsonl": "loss.jsonl", "tensorboard": "events"}
SYMBOLS = ["iteration", "train loss", "grad/param norm", "learning rate"]


def open_log(format: str, path: Callable[[str], Path], done: int) -> optim.Logger | None:
    """The log of a run that has done so many iterations, what it had of later ones dropped; None without a format."""
    if not format:
        return None
    try:
        log = optim.Logger(path(ENDINGS[format]), format=format, resume=done > 0)
        log.setNames(SYMBOLS)
    except (ImportError, ValueError) as error:  # no package for TensorBoard; a file that is no such log
        raise UsageError(str(error)) from None
    iterations = log.symbols[0]
    if iterations:  # a row for each from the first on, whose number a file of Torch's format has rounded later
        log.truncate(max(0, min(len(iterations), done - int(iterations[0]) + 1)))
    return log

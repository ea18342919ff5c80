"""What a training run prints: char-rnn's lines, and on a terminal a progress bar instead of one line per minibatch."""

from __future__ import annotations

import sys
from typing import Any

from torch7.optional import optional


class Report:
    """Prints lines; between `start` and `stop` on a terminal, `step` moves a bar."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None

    def start(self, total: int, done: int) -> None:
        """Shows the bar, if standard output is a terminal and the package for it is there."""
        if not sys.stdout.isatty():
            return
        try:
            progress = optional("rich.progress", "progress", "the progress bar")
            console = optional("rich.console", "progress", "the progress bar").Console()
        except ImportError as error:
            print(error, file=sys.stderr)
            return
        columns = ("{task.completed}/{task.total}", progress.BarColumn(), "{task.description}")
        bar = progress.Progress(*columns, progress.TimeRemainingColumn(), console=console)
        if console.is_interactive:  # a terminal that can move its cursor
            self.task = bar.add_task("", total=total, completed=done)
            bar.start()
            self.bar = bar

    def stop(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def say(self, text: str) -> None:
        """Prints a line."""
        if self.bar is not None:
            self.bar.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
        else:
            print(text, flush=True)

    def step(self, i: int, line: str, brief: str, wanted: bool) -> None:
        """One minibatch is done: `line` is what a file gets, if `wanted`, and `brief` what stands beside the bar."""
        if self.bar is not None:
            self.bar.update(self.task, completed=i, description=brief)
        elif wanted:
            print(line, flush=True)

"""The processes of one run, which train on parts of every minibatch together."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from pygraphnn.distributed import Alone, Parted, distributed, exchange, known, started, world

from .char_split_lm_minibatch_loader import CharSplitLMMinibatchLoader
from .corpus import builtin_corpus
from .misc import TOLD, UsageError


class Ranks:
    """This process alone or, with -distributed 1, all that mpiexec started.

    Rank r of N has the rows r B + 1 .. (r + 1) B of minibatches of N B rows, B being -batch_size. Only rank 0 prints,
    and only it writes files.
    """

    def __init__(self, wanted: int = 0):
        if started() > 1 and not wanted:
            raise UsageError(f"mpiexec started {started()} processes: give -distributed 1 for them to train together")
        try:
            self.comm = world() if wanted else Alone()
        except (ImportError, RuntimeError) as error:
            raise UsageError(str(error)) from None
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.first = self.rank == 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """In this block only rank 0 prints, and what goes wrong on one rank ends all; rank 0 tells what users did."""
        with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
            if not self.first:
                stack.enter_context(contextlib.redirect_stdout(nowhere))
            try:
                yield
            except TOLD as error:
                if known(error) and not self.first:
                    sys.exit(2)
                raise
            except Parted as error:
                raise UsageError(str(error)) from None

    @contextlib.contextmanager
    def alike(self) -> Iterator[None]:
        """In this block, at whose end the ranks wait for each other, an error of one is raised by all."""
        error: BaseException | None = None
        try:
            yield
        except BaseException as caught:
            if known(caught):
                raise
            error = caught
        exchange(self.comm, error=error)

    def loader(self, data_dir: str, batch_size: int, *rest: Any) -> CharSplitLMMinibatchLoader:
        """The text, of which this rank has its rows. Rank 0 reads it first, and writes what is kept beside it."""
        loader: Any = None
        for turn in (self.first, not self.first):
            with self.alike():
                if turn:
                    directory = data_dir or builtin_corpus()
                    loader = CharSplitLMMinibatchLoader(directory, batch_size * self.size, *rest)
                    loader.take_rows(self.rows(batch_size))
        texts = exchange(self.comm, (loader.split_sizes, loader.vocab_mapping))
        if any(text != texts[0] for text in texts):
            raise UsageError(f"the ranks have not all the same text in {directory}")
        return loader

    def rows(self, batch_size: int) -> slice:
        """The rows of a minibatch that are this rank's."""
        return slice(self.rank * batch_size, (self.rank + 1) * batch_size)

    def seed(self, seed: int) -> None:
        """Gives each rank random numbers of its own, for dropout; those of rank 0 go on as they are."""
        if not self.first:
            torch7.manualSeed(seed ^ self.rank)

    def gathered(self, opfunc: distributed, state: list[np.ndarray]) -> dict[str, Any]:
        """What a checkpoint has of all ranks: the states of all rows, and where the random numbers are."""
        states, numbers = zip(*opfunc.allgather((np.stack(state), torch7.getRNGState())))
        more = {"rng_states": list(numbers)} if self.size > 1 else {}
        return {"init_state_global": np.concatenate(states, axis=1), "rng_state": numbers[0], **more}

    def own(self, saved: Any, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Of that what is this rank's."""
        ranks = saved.init_state_global.shape[1] // batch_size
        if ranks != self.size:
            how = f"mpiexec -n {ranks} and -distributed 1" if ranks > 1 else "one process"
            raise UsageError(f"the run to resume had {ranks} processes and this one has {self.size}: use {how}")
        numbers = saved.rng_state if self.size == 1 else saved.rng_states[self.rank]
        return saved.init_state_global[:, self.rows(batch_size)], numbers

    def command(self, *words: str) -> str:
        """How to start such a run in a shell."""
        start = ["mpiexec", "-n", str(self.size)] if self.size > 1 else []
        return shlex.join([*start, sys.executable, sys.argv[0], *words])

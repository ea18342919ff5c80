"""Long sequences in segments: only the states between them are kept, and everything else is computed once more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import torch7

from .clones import learned, modules_in
from .nested import at, copied, each, leaves, made


@dataclass
class Start:
    """What a segment begins with: states, the state of the random numbers, and what was learned in forward."""

    states: list[Any] = field(default_factory=list)
    random: Any = None
    learned: Any = None


class Segments:
    """Runs an engine on segments of a sequence, one after the other, and in backward each of them again.

    It has an engine's methods. With one segment nothing is kept and nothing computed twice; but with `learn=False` the
    engine keeps nothing for backward, and if there is one everything is computed again.
    Source: Chen, Xu, Zhang and Guestrin, Training deep nets with sublinear memory cost, 2016.
    """

    engine: Any = None
    sequences: Any = None
    ends: Any = None
    given: Any = None  # to backward
    learn = True
    held: int | None = None  # the segment that the engine ran last

    def __init__(self) -> None:
        self.bounds: list[slice] = []
        self.starts: list[Start] = []
        self._outputs: Any = None
        self._finals: Any = None
        self._gradients: list[Any] = []
        self._flowing: Any = None

    def forward(
        self,
        engine: Any,
        sequences: list[Any],
        states: list[Any],
        ends: np.ndarray | None,
        length: int | None,
        learn: bool = True,
    ) -> tuple[list[Any], list[Any]]:
        """What `engine.forward(sequences, states, ends, learn)` gives, in segments of `length` steps."""
        T = len(leaves(sequences)[0])
        self.engine, self.sequences, self.ends, self.learn = engine, sequences, ends, learn
        self.bounds = [slice(t, min(t + length, T)) for t in range(0, T, length)] if length else [slice(0, T)]
        if self._whole():
            return engine.forward(sequences, states, ends)
        self.starts += [Start() for _ in range(len(self.bounds) - len(self.starts))]
        for i, bound in enumerate(self.bounds):
            self._start(i, states)
            part, states = self._run(i, learn)
            self._outputs = made(self._outputs, part, lambda a: (T, *a.shape[1:]))
            each(np.copyto, at(self._outputs, bound), part)
        self._finals = copied(self._finals, states)  # the engine's own are written again in backward
        return self._outputs, self._finals

    def _start(self, i: int, states: list[Any]) -> None:
        start = self.starts[i]
        start.states = copied(start.states, states)
        start.random = torch7.getRNGState()
        start.learned = copied(start.learned, values(self.engine.step))

    def _whole(self) -> bool:
        """Whether the engine has all that backward needs, in one run."""
        return self.learn and len(self.bounds) == 1

    def _run(self, i: int, learn: bool) -> tuple[list[Any], list[Any]]:
        bound = self.bounds[i]
        self.held = None
        ends = None if self.ends is None else np.clip(self.ends - bound.start, 0, bound.stop - bound.start)
        result = self.engine.forward(at(self.sequences, bound), self.starts[i].states, ends, learn)
        self.held = i if learn else None  # what backward needs of this segment is there
        return result

    def backward(
        self, gradSequences: list[Any], gradStates: list[Any], scale: float | None = None
    ) -> tuple[list[Any], list[Any]]:
        """What `engine.backward` gives; with a scale it does what `accumulate(scale)` does, too."""
        if not self._whole():
            return self._sweep(gradSequences, gradStates, scale)
        result = self.engine.backward(gradSequences, gradStates)
        if scale is not None:
            self.engine.accumulate(scale)
        return result

    def accumulate(self, scale: float) -> None:
        """Adds to the parameters' gradients what belongs to the last backward."""
        if not self._whole():
            gradSequences, gradStates = self.given
            self._sweep(gradSequences, gradStates, scale)
        else:
            self.engine.accumulate(scale)

    def _sweep(self, gradSequences: list[Any], gradStates: list[Any], scale: float | None) -> Any:
        """backward of all segments, from the last to the first."""
        self.given = gradSequences, gradStates
        gradients: list[Any] = [None] * len(self.sequences)
        with self._unchanged():
            for i, bound in reversed(list(enumerate(self.bounds))):
                if self.held != i:
                    self._again(i)
                parts, gradStates = self.engine.backward(at(gradSequences, bound), gradStates)
                self._flowing = gradStates = copied(self._flowing, gradStates)
                if scale is not None:
                    self.engine.accumulate(scale)
                self._gather(gradients, parts, bound)
        return gradients, gradStates

    def _gather(self, gradients: list[Any], parts: list[Any], bound: slice) -> None:
        """Puts the gradients of a segment into those of the sequences; what segments do not give is zero."""
        self._gradients += [None] * (len(parts) - len(self._gradients))
        T = self.bounds[-1].stop
        for k, part in enumerate(parts):
            if part is not None:
                if gradients[k] is None:
                    gradients[k] = self._gradients[k] = made(self._gradients[k], part, lambda a: (T, *a.shape[1:]))
                    each(lambda a: a.fill(0), gradients[k])
                each(np.copyto, at(gradients[k], bound), part)

    def _again(self, i: int) -> None:
        """Computes a segment once more, with the random numbers that it had."""
        start = self.starts[i]
        torch7.setRNGState(start.random)
        each(np.copyto, values(self.engine.step), start.learned)
        self._run(i, True)

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Takes the random numbers, and what was learned in forward, back to where they are."""
        random, kept = torch7.getRNGState(), copied(None, values(self.engine.step))
        try:
            yield
        finally:
            torch7.setRNGState(random)
            each(np.copyto, values(self.engine.step), kept)


def values(step: Any) -> list[np.ndarray]:
    """The arrays that a forward of the step changes for good."""
    return [getattr(module, name) for module, name in learned(modules_in(step))]

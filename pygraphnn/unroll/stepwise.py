"""Steps one after the other, each in a clone of the network: slow, and right for every module."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.checks import attempt, note
from torch7.tables import is_table

from ..nesting import form
from .clones import Clones
from .nested import at, copied, each, leaves, stacked
from .roles import Roles


class StepwiseEngine:
    """Runs a network for one time step over sequences, as a loop over its clones does.

    `forward(sequences, states, ends)` takes sequences (T, B, ...) and states (B, ...), lists of arrays or of nested
    lists of them, in the order of `roles`; it gives the output sequences and the final states. `ends` has for every
    row the number of steps, 0 to T, after which its state is the final one; None means T for all. `backward` gives the
    gradients of sequences and initial states from those of output sequences and final states; where steps give none,
    None. After a forward with `learn=False` there is no backward. `accumulate` adds to the parameters' gradients what
    belongs to the last `backward`.

    All results are in memory that the next call uses again. The states, and their gradients, given may be such results.
    """

    def __init__(self, step: Any, roles: Roles):
        self.step, self.roles = step, roles
        self.clones = Clones(step)
        self.inputs: list[Any] = []  # of every step of the last run
        self.gradients: list[Any] = []  # of every step's output
        self.ends: np.ndarray | None = None
        self._start: Any = None  # the initial states
        self._arrived: Any = None  # the gradients of the final ones
        self._results: list[Any] = [None] * 4

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone makes its own

    def forward(
        self, sequences: list[Any], states: list[Any], ends: np.ndarray | None, learn: bool = True
    ) -> tuple[list[Any], list[Any]]:
        T = len(leaves(sequences)[0])
        self.ends, self.gradients = ends, []
        self._start = flowing = copied(self._start, states)
        self.inputs, outputs, after = [], [], []
        for t, clone in enumerate(self.clones.get(T)):
            self.inputs.append(self.roles.input(at(sequences, t), flowing))
            y, flowing = self.roles.parts_of_output(_run(t, clone.updateOutput, self.inputs[-1]))
            outputs.append(y)
            after.append(flowing)
            if t == 0:
                self._check_states(states, flowing)
        sequence, final = self._results[:2]
        final = copied(final, self._start if ends is not None else flowing)
        for end in np.unique(ends[ends > 0]) if ends is not None else ():
            _put_rows(final, after[end - 1], ends == end)
        self._results[:2] = stacked(sequence, outputs), final
        return self._results[0], self._results[1]

    def backward(self, gradSequences: list[Any], gradStates: list[Any]) -> tuple[list[Any], list[Any]]:
        T = len(self.inputs)
        clones, ends = self.clones.refresh(), self.ends
        self._arrived = gradStates = copied(self._arrived, gradStates)
        flowing: list[Any] = [None] * len(gradStates) if ends is not None else gradStates
        self.gradients = [None] * T
        found: list[Any] = [None] * T
        for t in reversed(range(T)):
            if ends is not None:
                flowing = _arriving(flowing, gradStates, ends == t + 1)
            self.gradients[t] = self.roles.output(at(gradSequences, t), flowing)
            g = _run(t, clones[t].updateGradInput, self.inputs[t], self.gradients[t])
            found[t], flowing = self.roles.parts_of_input(g)
        if ends is not None:
            flowing = _arriving(flowing, gradStates, ends == 0)
        sequence, initial = self._results[2:]
        given = [self.roles.parts_of_input(x)[0] for x in self.inputs]
        sequence = stacked(sequence, [each(_fitting, *parts) for parts in zip(found, given)])
        self._results[2:] = sequence, copied(initial, flowing)
        return self._results[2], self._results[3]

    def accumulate(self, scale: float) -> None:
        clones = self.clones.refresh()
        for t in reversed(range(len(self.gradients))):
            _run(t, clones[t].accGradParameters, self.inputs[t], self.gradients[t], scale)

    def _check_states(self, before: list[Any], after: list[Any]) -> None:
        for i, k, old, new in zip(self.roles.states, self.roles.finals, before, after):
            if each(np.shape, old) != each(np.shape, new):
                raise ValueError(
                    f"Unroll: expected output {k + 1} of the step in the form of the state that it becomes, input "
                    f"{i + 1}, {form(old)}, got {form(new)}"
                )


def _run(t: int, method: Any, *args: Any) -> Any:
    """What a clone's method gives; an error gets a note of the time step."""
    return attempt(lambda error: note(error, lambda: f"In time step {t + 1}"), method, *args)


def _fitting(gradient: Any, x: Any) -> Any:
    """A gradient; zeros if it has not the input's form, as where a module gives none for indices."""
    return gradient if np.shape(gradient) == np.shape(x) else np.zeros(np.shape(x), gradient.dtype)


def _rows(rows: np.ndarray, a: np.ndarray) -> np.ndarray:
    """A choice of rows, in the dimensions of a."""
    return rows.reshape(-1, *(1,) * (a.ndim - 1))


def _put_rows(final: Any, now: Any, rows: np.ndarray) -> None:
    """Copies some rows of states into the final ones."""
    for f, s in zip(final, now):
        if is_table(f):
            _put_rows(f, s, rows)
        elif f is not None:
            np.copyto(f, s, where=_rows(rows, f))


def _arriving(flowing: Any, final: Any, rows: np.ndarray) -> Any:
    """The gradient of a state with that of the final state added in some rows, in new memory."""
    return [_added(f, g, rows) for f, g in zip(flowing, final)] if rows.any() else flowing


def _added(flowing: Any, final: Any, rows: np.ndarray) -> Any:
    if final is None:
        return flowing
    if isinstance(final, np.ndarray):
        new = np.zeros_like(final) if flowing is None else np.array(flowing)
        np.add(new, final, out=new, where=_rows(rows, new))
        return new
    return [_added(None if flowing is None else f, g, rows) for f, g in zip(flowing or final, final)]

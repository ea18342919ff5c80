"""Which inputs and outputs of a network for one time step are sequences, and which are states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch7
from torch7.dims import whole
from torch7.tables import is_table, pairs

from ..gmodule import gModule


class Roles(NamedTuple):
    """Positions, from 0, among a step's inputs and outputs: state input `states[i]` gets output `finals[i]`."""

    sequences: tuple[int, ...]
    states: tuple[int, ...]
    finals: tuple[int, ...]
    outputs: tuple[int, ...]

    def input(self, sequences: Sequence[Any], states: Sequence[Any]) -> Any:
        """A step's input of its sequences and states: the bare value where there is one only."""
        return _laid(self.sequences, sequences, self.states, states)

    def output(self, outputs: Sequence[Any], finals: Sequence[Any]) -> Any:
        """A step's output, or its gradient, of what belongs to sequences and to states."""
        return _laid(self.outputs, outputs, self.finals, finals)

    def parts_of_input(self, x: Any) -> tuple[list[Any], list[Any]]:
        """The sequences and the states in a step's input, or in its gradient, which may be None."""
        return _parts(x, self.sequences, self.states)

    def parts_of_output(self, y: Any) -> tuple[list[Any], list[Any]]:
        """The sequences and the states in a step's output."""
        return _parts(y, self.outputs, self.finals)


def _laid(places: Sequence[int], values: Sequence[Any], others: Sequence[int], more: Sequence[Any]) -> Any:
    at = dict(zip((*places, *others), (*values, *more)))
    return at[0] if len(at) == 1 else [at[i] for i in range(len(at))]


def _parts(x: Any, places: Sequence[int], others: Sequence[int]) -> tuple[list[Any], list[Any]]:
    n = len(places) + len(others)
    x = [x] if n == 1 else [None] * n if x is None else x
    return [x[i] for i in places], [x[i] for i in others]


def state_map(step: Any, states: Any, who: str) -> dict[int, int]:
    """Which output of a step feeds which of its inputs, from 1: `states`, or for None the layout of char-rnn.

    Raises TypeError when step is no gModule or states no mapping, ValueError when it does not fit the step.
    """
    check_step(step, who)
    n, m = step.nInputs, outputs_of(step)
    if states is None:
        if m < n - 1:
            raise ValueError(
                f"{who}: without states, a step with inputs [x, s1..s{n - 1}] should give [s1'..s{n - 1}', y...], "
                f"got one with {m} output{'s' * (m > 1)}; give states={{input: output}}"
            )
        return {i + 1: i for i in range(1, n)}
    if not isinstance(states, Mapping) and not is_table(states):
        raise TypeError(f"{who}: expected states as a dict {{input: output}}, got {states!r:.80}")
    found = {whole(i, who, "input"): whole(k, who, "output") for i, k in pairs(states)}  # a list was read from a file
    for i, k in found.items():
        if not (1 <= i <= n and 1 <= k <= m):
            raise ValueError(f"{who}: states should map inputs (1 to {n}) to outputs (1 to {m}), got {i}: {k}")
    twice = sorted({k for k in found.values() if list(found.values()).count(k) > 1})
    if twice:
        raise ValueError(f"{who}: an output can feed one state only, got output {twice[0]} twice in states {found}")
    if len(found) == n:
        raise ValueError(
            f"{who}: expected an input that is a sequence, which tells the number of steps; all are states"
        )
    return dict(sorted(found.items()))


def check_step(step: Any, who: str) -> None:
    """Raises TypeError for a step that is no gModule."""
    if not isinstance(step, gModule):
        raise TypeError(f"{who}: expected an nn.gModule that computes one time step, got a {torch7.type(step)}")


def outputs_of(step: Any) -> int:
    """The number of outputs of a gModule."""
    return len(step.outnode.children)


def roles_of(step: Any, states: Mapping[int, int]) -> Roles:
    """The roles that a state map, which fits the step, gives to its inputs and outputs."""
    inputs, finals = tuple(i - 1 for i in states), tuple(k - 1 for k in states.values())
    return Roles(
        tuple(i for i in range(step.nInputs) if i not in inputs),
        inputs,
        finals,
        tuple(k for k in range(outputs_of(step)) if k not in finals),
    )

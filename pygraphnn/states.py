"""The states that a network of one time step begins with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from networkx.utils import UnionFind

import nn
import torch7
from nn.activations.elementwise import Elementwise
from torch7.dims import whole

from .facts import Parts, facts, outputs, places
from .gmodule import gModule

AS_WIDE = (Elementwise, nn.Identity, nn.CAddTable, nn.CSubTable, nn.CMulTable, nn.CDivTable, nn.SoftMax, nn.LogSoftMax)


def initial_states(step: gModule, B: int, states: Mapping[int, int] | None = None) -> list[np.ndarray]:
    """Zeros for the states of a network of one time step, for B sequences at once: a (B, width) for each.

    `states` tells which input gets what which output was, counted from 1: {2: 1, 3: 2}. Without it the first input is
    x, and all others are states, which are the first outputs. The zeros come in the order of the inputs.

    The widths are those of the nn.Linear and nn.CMul that a state is read or made by, directly or through functions and
    sums that work element by element: any network has them, also one from a file. All of the graph is read for them at
    every call: in a loop, make the states once.
    Raises ValueError where nothing tells how wide a state is, and for states that are no inputs or outputs.

    >>> x, h = nn.Identity()(), nn.Identity()()
    >>> step = gModule([x, h], [nn.Tanh()(nn.CAddTable()([nn.Linear(3, 2)(x), nn.Linear(2, 2)(h)]))])
    >>> initial_states(step, 4)[0].shape
    (4, 2)
    """
    if not isinstance(step, gModule):
        raise TypeError(f"pygraphnn.initial_states: expected a gModule, got a {torch7.type(step)}")
    B, n = whole(B, "pygraphnn.initial_states", "B"), len(outputs(step))
    if states is None:
        states = {i: i - 1 for i in range(2, step.nInputs + 1)}
    if not isinstance(states, Mapping):
        raise TypeError(f"pygraphnn.initial_states: expected states as a dict of inputs to outputs, got {states!r:.80}")
    for i, k in states.items():
        if i not in range(1, step.nInputs + 1) or k not in range(1, n + 1):
            raise ValueError(
                f"pygraphnn.initial_states: states should map inputs (1 to {step.nInputs}) to outputs (1 to {n}), "
                f"got {i!r}: {k!r}"
            )
    dtype = torch7.dtype_of(step.type())
    return [torch7.memory.zeros((B, width), dtype) for width in _widths(step, states)]


def _widths(step: gModule, states: Mapping[int, int]) -> list[int]:
    """How wide the states are, in the order of the inputs."""
    innode = places(step)[id(step.innode.data)]
    inputs = {i: (innode, (i,) if step.nInputs > 1 else ()) for i in states}
    same, known = UnionFind(), dict[tuple[int, Parts], int]()
    for fact in facts(step):
        module, value = fact.module, (fact.place, ())
        if isinstance(module, nn.Linear):
            known[value], known[fact.sources[0]] = module.weight.shape
        elif isinstance(module, AS_WIDE):
            same.union(value, *fact.sources)
        if isinstance(module, nn.CMul) and module.weight.ndim == 1:
            known[value] = len(module.weight)
    made = [(place, parts) for place, parts, _ in outputs(step)]
    for i, k in states.items():
        same.union(inputs[i], made[k - 1])
    widths = {same[value]: width for value, width in known.items()}
    for i in states:
        if same[inputs[i]] not in widths:
            raise ValueError(f"pygraphnn.initial_states: nothing tells how wide input {i} of the {step} is")
    return [widths[same[inputs[i]]] for i in sorted(states)]

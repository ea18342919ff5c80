"""Back-propagation through time: one clone of a network per time step, and one vector of parameters for all."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn.parameters
from torch7.cloning import deep_copy


def combine_all_parameters(*nets: Any) -> tuple[np.ndarray, np.ndarray]:
    """All parameters of several networks as one flat vector, and all their gradients as another.

    Like `getParameters`, over several networks: afterwards their weights are views into the first vector. Call it
    before cloning.
    """
    return nn.parameters.getParameters([slot for net in nets for slot in net.slots()])


def clone_many_times(net: Any, T: int, *_: Any) -> list[Any]:
    """T clones of a module or criterion, one per time step, which share its parameters and gradients.

    Outputs and states are each clone's own. (Scripts pass a third argument, which nothing depends on.)
    """
    shared = []
    if hasattr(net, "slots"):
        shared = [getattr(owner, name) for owner, *names in net.slots() for name in names]
    return [deep_copy(net, [a for a in shared if a is not None]) for _ in range(T)]

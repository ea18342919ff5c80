"""Two ways to run the network over a minibatch: unrolled, which is fast, and by clones, whose digits are Torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nn
import pygraphnn

from .misc import clone_list
from .model_utils import clone_many_times

States = list[np.ndarray]


class Unrolled:
    """The network as one module for all time steps.

    `loss` gives the mean loss of a minibatch, time first, and the states after it; `gradient` adds the gradient of that
    loss, times the number of steps as in char-rnn, to the parameters'.
    """

    def __init__(self, protos: Any, T: int, say: Callable[[str], Any]):
        self.net = pygraphnn.Unroll(protos.rnn)
        self.criterion = nn.ClassNLLCriterion(None, False)  # a sum over time steps and sequences
        self.criterion.type(protos.rnn.type())

    def loss(self, x: np.ndarray, y: np.ndarray, states: States, training: bool) -> tuple[float, States]:
        self.net.training() if training else self.net.evaluate()
        self.x, self.y, self.states = x, y.reshape(-1), states
        *after, self.predictions = self.net.forward([x, *states])
        total = self.criterion.forward(self.predictions.reshape(x.size, -1), self.y)
        return total / x.size, clone_list(after)

    def gradient(self) -> None:
        batch, predictions = self.x.shape[1], self.predictions
        doutput = self.criterion.backward(predictions.reshape(self.x.size, -1), self.y)
        doutput /= batch
        # nothing comes back from the time after the last step
        zeros = clone_list(self.states, True)
        self.net.backward([self.x, *self.states], [*zeros, doutput.reshape(predictions.shape)])

    def carry(self, state: np.ndarray) -> States:
        """The states that a resumed run begins with."""
        return list(state)


class Clones:
    """One clone of the network per time step, as char-rnn has them.

    The states after a minibatch are arrays of the last clone. Carried over to the next minibatch without a copy, they
    are written again before backward has used them: so char-rnn does, and the numbers show that.
    """

    def __init__(self, protos: Any, T: int, say: Callable[[str], Any]):
        for name in sorted(protos):
            say(f"cloning {name}")
        self.rnns = clone_many_times(protos.rnn, T)
        self.criterions = clone_many_times(protos.criterion, T)

    def loss(self, x: np.ndarray, y: np.ndarray, states: States, training: bool) -> tuple[float, States]:
        self.x, self.y, self.states, self.predictions, loss = x, y, [states], [], 0.0
        for t, clone in enumerate(self.rnns):
            clone.training() if training else clone.evaluate()  # for dropout
            *state, prediction = clone.forward([x[t], *self.states[t]])
            self.states.append(state)
            self.predictions.append(prediction)
            loss += self.criterions[t].forward(prediction, y[t])
        return loss / len(x), self.states[-1]

    def gradient(self) -> None:
        # nothing comes back from the time after the last step
        dstate = clone_list(self.states[-1], True)
        for t in reversed(range(len(self.x))):
            doutput = self.criterions[t].backward(self.predictions[t], self.y[t])
            _, *dstate = self.rnns[t].backward([self.x[t], *self.states[t]], [*dstate, doutput])

    def carry(self, state: np.ndarray) -> States:
        """Puts a state where the run had it: in the last clone's outputs."""
        last = self.rnns[-1]
        last.evaluate()  # draws no random numbers
        *outputs, _ = last.forward([np.ones(state.shape[1]), *state])
        for output, value in zip(outputs, state):
            output[...] = value
        return outputs


ENGINES: dict[str, Any] = {"unroll": Unrolled, "clones": Clones}

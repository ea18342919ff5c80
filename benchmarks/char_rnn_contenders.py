"""What benchmarks/char_rnn.py times: one minibatch, or some letters of a text, in this project's ways and PyTorch's.

A minibatch is forward and backward through all time steps, without the optimizer's update. All read the same random
letters as one-hot vectors, begin with states of zero, and end with a log-softmax decoder and the negative
log-likelihood, summed over steps and averaged over the batch. PyTorch's GRU applies its reset gate after the matrix
product instead of before; that is as much work.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

V = 65  # letters
NUMBA = importlib.util.find_spec("numba") is not None
Run = Callable[[], Any]


@dataclass(frozen=True)
class Work:
    """A network, and how many letters it reads at once."""

    kind: str = "lstm"
    layers: int = 2
    width: int = 128
    batch: int = 50
    steps: int = 50
    dtype: str = "float32"
    segment: int | None = None

    def letters(self) -> np.ndarray:
        """Indices from 1, of the inputs, and a step later of what is to be predicted."""
        return np.random.default_rng(1).integers(1, V + 1, (self.steps + 1, self.batch))

    def kept(self) -> int:
        """Bytes that backward cannot do without, unless it computes matrix products again: the gates and the states
        after every step (LSTM 4 + 1, GRU 3 + 1), and the predictions. Everything else follows element by element."""
        columns = {"lstm": 5, "gru": 4}[self.kind] * self.layers * self.width + V
        return self.steps * self.batch * columns * np.dtype(self.dtype).itemsize


# -- this project


def network(work: Work) -> tuple[Any, Any, Any]:
    """One time step, its flat gradient, and the criterion."""
    import nn
    import pygraphnn
    import torch7

    torch7.manualSeed(1)
    step, criterion = getattr(pygraphnn, work.kind)(V, work.width, work.layers), nn.ClassNLLCriterion()
    if work.dtype == "float32":
        step.float(), criterion.float()
    params, gradients = pygraphnn.combine_all_parameters(step)
    torch7.uniform_(params, -0.08, 0.08)
    return step, gradients, criterion


def numpy_alone(name: str) -> Any:
    """Unroll or Fused as it is where numba is not installed."""
    import pygraphnn
    from pygraphnn.unroll.planned import PlannedEngine

    class Engine(PlannedEngine):
        compiled = False

    class Unroll(pygraphnn.Unroll):
        def _engine(self) -> type:
            return Engine

    class Fused(pygraphnn.Fused):
        compiled = False

    return {"Unroll": Unroll, "Fused": Fused}[name]


def unrolled(work: Work, compiled: bool) -> Run:
    """All time steps at once."""
    import pygraphnn

    step, gradients, criterion = network(work)
    net = (pygraphnn.Unroll if compiled else numpy_alone("Unroll"))(step, segment=work.segment)
    letters, states = work.letters(), pygraphnn.initial_states(step, work.batch)
    x, target = [letters[:-1], *states], letters[1:].ravel()

    def minibatch() -> float:
        gradients.fill(0)
        y = net.forward(x)[-1]
        rows = y.reshape(-1, V)
        loss = criterion.forward(rows, target)
        d = criterion.backward(rows, target)
        d *= work.steps
        net.backward(x, [*[None] * len(states), d.reshape(y.shape)])
        return loss * work.steps

    return minibatch


def clones(work: Work, fused: bool, compiled: bool = False) -> Run:
    """One clone per time step, as char-rnn's scripts make them."""
    import pygraphnn

    step, gradients, criterion = network(work)
    zeros = pygraphnn.initial_states(step, work.batch)
    if fused:
        step = (pygraphnn.Fused if compiled else numpy_alone("Fused"))(step)
    T, x = work.steps, work.letters()
    steps, criterions = pygraphnn.clone_many_times(step, T), pygraphnn.clone_many_times(criterion, T)

    def minibatch() -> float:
        gradients.fill(0)
        states, outputs, loss = [zeros], [], 0.0
        for t in range(T):
            *state, y = steps[t].forward([x[t], *states[t]])
            states.append(state)
            outputs.append(y)
            loss += criterions[t].forward(y, x[t + 1])
        d = [np.zeros_like(z) for z in zeros]
        for t in reversed(range(T)):
            _, *d = steps[t].backward([x[t], *states[t]], [*d, criterions[t].backward(outputs[t], x[t + 1])])
        return loss

    return minibatch


# -- PyTorch


def their_network(work: Work, cells: bool) -> tuple[list[Any], Any, Any]:
    """The recurrent layers, the decoder, and the one-hot vectors of all letters."""
    import torch

    torch.manual_seed(1)
    kind = getattr(torch, work.dtype)
    name = work.kind.upper()
    if cells:
        cell = getattr(torch.nn, f"{name}Cell")
        layers = [cell(work.width if i else V, work.width).to(kind) for i in range(work.layers)]
    else:
        layers = [getattr(torch.nn, name)(V, work.width, work.layers).to(kind)]
    return layers, torch.nn.Linear(work.width, V).to(kind), torch.eye(V, dtype=kind)


def their_states(work: Work) -> list[Any]:
    """Zeros for every cell."""
    import torch

    zero = torch.zeros(work.batch, work.width, dtype=getattr(torch, work.dtype))
    return [(zero, zero) if work.kind == "lstm" else zero for _ in range(work.layers)]


def through_cells(cells: list[Any], states: list[Any], h: Any) -> Any:
    """One step of all layers; changes the list of states."""
    for i, cell in enumerate(cells):
        states[i] = cell(h, states[i])
        h = states[i][0] if isinstance(states[i], tuple) else states[i]
    return h


def pytorch(work: Work, cells: bool) -> Run:
    """PyTorch's module for sequences, or a loop over its cells."""
    import torch

    layers, decoder, onehot = their_network(work, cells)
    loss = torch.nn.NLLLoss()
    letters = torch.from_numpy(work.letters() - 1)
    target = letters[1:].reshape(-1)

    def outputs() -> torch.Tensor:
        if not cells:
            return layers[0](onehot[letters[:-1]])[0]
        states = their_states(work)
        return torch.stack([through_cells(layers, states, onehot[x]) for x in letters[:-1]])

    def minibatch() -> None:
        for module in [*layers, decoder]:
            module.zero_grad(set_to_none=False)
        y = torch.log_softmax(decoder(outputs()), -1)
        (loss(y.reshape(-1, V), target) * work.steps).backward()

    return minibatch


# -- what nobody can do without


def products(work: Work) -> Run:
    """The matrix products of a minibatch, and nothing else: those of the recurrence step by step, all others once for
    all steps; the first layer chooses rows by letter and has none."""
    T, B, H, L = work.steps, work.batch, work.width, work.layers
    rng = np.random.default_rng(1)
    parts = {"lstm": [4], "gru": [2, 1]}[work.kind]  # widths of the products of one step, one after the other

    def some(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.1, shape).astype(work.dtype)

    weights = [[(some(H, n * H), some(n * H, H)) for n in parts] for _ in range(L)]
    h = [some(T, B, H) for _ in range(L)]
    z = [[some(T, B, n * H) for n in parts] for _ in range(L)]
    wide = sum(parts) * H
    forth, weight, learned = some(H, wide), some(wide, H), some(wide, H)  # of a layer's input
    sums, back = some(T * B, wide), some(B, H)
    gradients = [some(n * H, H) for n in parts]
    decoder, logits, above, grad = some(V, H), some(T * B, V), some(T * B, H), some(V, H)

    def minibatch() -> None:
        for i in range(L):
            if i:
                np.dot(h[i - 1].reshape(-1, H), forth, out=sums)
            for t in range(T):
                for (transposed, _), gates in zip(weights[i], z[i]):
                    np.dot(h[i][t], transposed, out=gates[t])
        np.dot(above, decoder.T, out=logits)
        np.dot(logits, decoder, out=above)
        np.dot(logits.T, above, out=grad)
        for i in reversed(range(L)):
            for t in reversed(range(T)):
                for (_, plain), gates in zip(weights[i], z[i]):
                    np.dot(gates[t], plain, out=back)
            for gates, out in zip(z[i], gradients):
                np.dot(gates.reshape(T * B, -1).T, h[i].reshape(-1, H), out=out)
            if i:
                np.dot(sums, weight, out=above)
                np.dot(sums.T, h[i - 1].reshape(-1, H), out=learned)

    return minibatch


CONTENDERS: dict[str, Callable[[Work], Run]] = {
    "Unroll, numba": partial(unrolled, compiled=True),
    "Unroll, numpy": partial(unrolled, compiled=False),
    "clones of Fused, numba": partial(clones, fused=True, compiled=True),
    "clones of Fused, numpy": partial(clones, fused=True),
    "clones": partial(clones, fused=False),
    "PyTorch module": partial(pytorch, cells=False),
    "PyTorch cells": partial(pytorch, cells=True),
    "matrix products alone": products,
}
if not NUMBA:
    CONTENDERS = {name: make for name, make in CONTENDERS.items() if not name.endswith("numba")}


def label(name: str, kind: str) -> str:
    """The name of a contender in a table of one kind of network."""
    theirs = {"PyTorch module": f"PyTorch nn.{kind.upper()}", "PyTorch cells": f"PyTorch {kind.upper()}Cell loop"}
    return theirs.get(name, name)


# -- sampling


def our_texts(work: Work, length: int) -> Run:
    """SequenceWriter."""
    import pygraphnn

    step, _, _ = network(work)
    writer = pygraphnn.SequenceWriter(step, pygraphnn.initial_states(step, work.batch), V)

    def write() -> None:
        for _ in writer.generate(length):
            pass

    return write


def their_texts(work: Work, length: int) -> Run:
    """A loop over PyTorch's cells without gradients; indices come to Python, as a text needs them."""
    import torch

    cells, decoder, onehot = their_network(work, cells=True)

    @torch.no_grad()
    def write() -> None:
        states, letters = their_states(work), torch.zeros(work.batch, dtype=torch.long)
        for _ in range(length):
            h = through_cells(cells, states, onehot[letters])
            letters = torch.multinomial(torch.softmax(decoder(h), -1), 1)[:, 0]
            letters.tolist()

    return write


WRITERS = {"SequenceWriter": our_texts, "PyTorch cells": their_texts}

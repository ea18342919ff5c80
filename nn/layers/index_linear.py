"""A linear map of sparse vectors, given as keys and values, whose gradient is as sparse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions, whole_numbers

from ..checks import described, table, tensor
from ..kernels.scatter import add_rows, rounds
from ..module import Module
from ..parameters import Slot, initial_bound

NORMALIZING = 4  # columns of the weight: greatest value, its inverse, factor of the learning rate, bias of the feature
WHOLE = ("keys", "sizes", "cumSumSizes", "updateKeys", "updateKeysBuffer", "lkeys", "sizesCache", "cumSumSizesCache")


class IndexLinear(Module):
    """A linear map of sparse vectors: y = x W + b, x given by the numbers (keys) of its features and their values.

    Input `[keys, values]`, two tensors (n), for one vector; or two tables of N such tensors; or `[keys, values,
    sizes]`, all keys and all values of N vectors in one tensor each, and how many belong to each vector. Output
    (outputSize), or (N, outputSize). weight (inputSize, outputSize) and bias (outputSize) are 0 until `reset`, or
    are given to the constructor, and the sizes taken from them. Key k stands for the row k + keysOffset of the weight
    (Torch's documentation says minus).

    With `normalize`, the weight has four columns more in front, and the value v of a feature becomes v / m + c, or
    +-1 + c if |v| > m: m is the greatest |v| of it seen in training mode (which training() switches on), c a learned
    bias of the feature, which is in the fourth column.

    accGradParameters keeps the gradient of every key that comes up in a list, `running`; updateParameters goes along
    the list: for each occurrence of a key, its weights shrink by the part `weightDecay` and move against their
    gradient. zeroGradParameters empties the list. So no gradient of the size of the weight is made, unless
    parameters() or getParameters() asks for one: from then on `gradWeight` is the sum of the list, row by row.

    gradInput is an empty table, or with `doGradInput` the keys 1 to inputSize and the dense gradient, in the form of
    the input. Raises IndexError for a key that has no row, ValueError for other forms or lengths that do not fit, and
    for a gradInput with `normalize`.

    >>> m = IndexLinear(3, 2)
    >>> m.weight[...] = [[1, 2], [3, 4], [5, 6]]
    >>> m.forward([np.array([1, 3]), np.array([10.0, 1.0])])
    array([15., 26.])
    """

    BUFFERS = ("gradWeightBuffer", "valuesBuffer", "normalizedValues")
    TRANSIENT = ("_pairs",)
    weightDecay: float = 0
    isFlat: Any = None
    noBatch: Any = None
    keys: Any = None
    values: Any = None
    sizes: Any = None
    cumSumSizes: Any = None
    normalizedValues: Any = None
    _pairs: Any = (None, None)  # what gradInput is made of

    def __init__(
        self,
        inputSize: int,
        outputSize: int,
        doGradInput: bool = False,
        keysOffset: int | None = None,
        weight: np.ndarray | None = None,
        bias: np.ndarray | None = None,
        normalize: bool = False,
    ):
        super().__init__()
        self.normalize = NORMALIZING if normalize else 0
        self.weight = memory.zeros((inputSize, outputSize + self.normalize)) if weight is None else self.typed(weight)
        if self.weight.ndim != 2:
            raise ValueError(f"nn.IndexLinear: expected a matrix as weight, got {described(weight)}")
        self.inputSize, columns = self.weight.shape
        self.outputSize = columns - self.normalize
        self.bias = memory.zeros((self.outputSize,)) if bias is None else self.typed(bias)
        if self.bias.shape != (self.outputSize,):
            raise ValueError(f"nn.IndexLinear: expected a bias of {self.outputSize}, got {described(bias)}")
        self.gradWeight = memory.empty()
        self.gradBias = memory.zeros((self.outputSize,))
        self.gradWeightBuffer = memory.empty()
        self.valuesBuffer = memory.empty()
        self.normalizedValues = memory.empty()
        self.sizesCache: list[Any] = []
        self.cumSumSizesCache: list[Any] = []
        self.running: Any = {"cumSumSizes": [], "keys": [], "gradWeight": [], "counter": 1}
        self.weightDecay = 0
        self.doGradInput = doGradInput or False
        self.offset = -1 if keysOffset is None else keysOffset - 1

    def reset(self, stdv: float | None = None) -> None:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(the weight's columns); the
        bias then times 1e-6. What belongs to the normalization becomes 0."""
        s = initial_bound(stdv, self.weight.shape[1])
        torch7.uniform_(self.weight, -s, s)
        torch7.uniform_(self.bias, -s, s)
        self.bias *= 0.000001
        self.weight[:, : self.normalize] = 0

    # -- the forms of the input

    def reshapeInput(self, input: Any) -> tuple[Any, ...]:
        """Keys, values and sizes of a flat input; tables of keys and values of one in another form."""
        if len(table(self, input, 2)) > 3:
            raise ValueError(f"nn.IndexLinear: expected keys, values and perhaps sizes, got {described(input)}")
        keys, values = input[:2]
        self.isFlat = len(input) == 3
        if self.isFlat:
            self.noBatch = False
            self._paired(keys, values)
            return keys, values, input[2] if isinstance(input[2], np.ndarray) else np.array([input[2]])
        self.noBatch = isinstance(keys, np.ndarray) and isinstance(values, np.ndarray)
        if self.noBatch:
            keys, values = [keys], [values]
        if len(table(self, keys)) != len(table(self, values)):
            raise ValueError(f"nn.IndexLinear: expected as many keys as values, got {len(keys)} and {len(values)}")
        for k, v in zip(keys, values):
            self._paired(k, v)
        return keys, values

    def _paired(self, keys: Any, values: Any) -> None:
        if tensor(self, keys).ndim != 1 or self.typed(values).shape != keys.shape:
            raise ValueError(
                f"nn.IndexLinear: expected two vectors of one length as keys and values, "
                f"got {described(keys)} and {described(values)}"
            )

    def longTensor(self, *args: Any) -> np.ndarray:
        """A tensor for keys: torch7.LongTensor(...)."""
        return torch7.LongTensor(*args)

    def flattenInputs(self, input: Any) -> None:
        """Sets `keys`, `values` and `sizes` to those of the input, and adds the keys to `running`."""
        keys, values, *given = self.reshapeInput(input)
        sizes = given[0] if given else [len(k) for k in keys]
        self.sizes = whole_numbers(sizes, "nn.IndexLinear", "sizes").reshape(-1).copy()
        self.keys = whole_numbers(keys if given else np.concatenate(keys), "nn.IndexLinear", "keys").copy()
        self.values = values.copy() if given else np.concatenate(values)
        if (self.sizes < 0).any() or self.sizes.sum() != len(self.keys):
            raise ValueError(f"nn.IndexLinear: expected sizes of {len(self.keys)} keys in all, got {self.sizes}")
        self.cumSumSizes = np.cumsum(self.sizes)
        self._run(keys=self.keys, cumSumSizes=self.cumSumSizes)

    def _run(self, **entries: np.ndarray) -> None:
        """Puts entries at the counter's place of the lists in `running`."""
        place = self.running["counter"] - 1
        for name, entry in entries.items():
            self.running[name][place : place + 1] = [entry]

    def _rows(self, keys: np.ndarray) -> np.ndarray:
        """The rows of the weight, counted from 0, that belong to keys."""
        what = "keys" if self.offset == -1 else "keys plus keysOffset"
        return positions(keys + (self.offset + 1), len(self.weight), "nn.IndexLinear", what)

    def _vectors(self) -> np.ndarray:
        """For every key, the number of its vector, counted from 0."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    # -- computing

    def updateOutput(self, input: Any) -> np.ndarray:
        self.flattenInputs(input)
        rows = self._rows(self.keys)
        shape = (self.outputSize,) if self.noBatch else (len(self.sizes), self.outputSize)
        self.output = out = memory.resized(self.output, shape, self.weight.dtype)
        out[...] = self.bias
        values = self._normalized(rows) if self.normalize else self.values
        terms = self.weight[rows, self.normalize :] * values[:, None]
        add_rows(out.reshape(-1, self.outputSize), self._vectors(), terms)
        return out

    def _normalized(self, rows: np.ndarray) -> np.ndarray:
        """The values between -1 and 1, plus the features' biases; in training, greater values are learned first."""
        values = self.values
        self.normalizedValues = out = memory.resized(self.normalizedValues, values.shape, values.dtype)
        # one after the other where a feature comes up again
        groups = rounds(rows, len(self.weight)) if self.train else (slice(None),)
        for group in groups:
            row, v = rows[group], values[group]
            if self.train:
                self._learn_sizes(row, abs(v))
            greatest, inverse, _, bias = self.weight[row, :NORMALIZING].T
            out[group] = np.where(abs(v) > greatest, np.sign(v), v * inverse) + bias
        return out

    def _learn_sizes(self, rows: np.ndarray, sizes: np.ndarray) -> None:
        grown = sizes > self.weight[rows, 0]
        self.weight[rows[grown], 0] = sizes[grown]
        self.weight[rows[grown], 1] = 1 / sizes[grown]
        self.weight[rows, 2] = 1

    def _gradient(self, gradOutput: Any) -> np.ndarray:
        """The gradient of the output, a row per vector."""
        g = self.typed(gradOutput)
        if self.keys is None:
            raise ValueError("nn.IndexLinear: expected a forward before the backward")
        if g.size != len(self.sizes) * self.outputSize or g.shape[-1:] != (self.outputSize,):
            raise ValueError(f"nn.IndexLinear: expected a gradient of {self.output.shape}, got shape {g.shape}")
        return g.reshape(-1, self.outputSize)

    def _key_gradients(self, g: np.ndarray, scale: float, out: np.ndarray) -> np.ndarray:
        """The gradient of the weights of every key, with `normalize` after that of its whole row."""
        rows = g[self._vectors()]
        if scale != 1:
            rows *= scale
        values = self.normalizedValues if self.normalize else self.values
        np.multiply(rows, values[:, None], out=out[:, -self.outputSize :])
        if self.normalize:
            out[:, : self.outputSize] = rows
        return out

    def _key_shape(self) -> tuple[int, int]:
        return len(self.keys), self.outputSize * (2 if self.normalize else 1)

    def accGradParameters(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> None:
        g = self._gradient(gradOutput)
        place = self.running["counter"] - 1
        old = self.running["gradWeight"][place : place + 1] or [None]
        grads = self._key_gradients(g, scale, memory.resized(old[0], self._key_shape(), g.dtype))
        self._run(keys=self.keys, cumSumSizes=self.cumSumSizes, gradWeight=grads)
        self.running["counter"] += 1
        self.gradBias += scale * g.sum(0)
        if self._is_dense():
            self._add_dense(self.keys, grads)

    def accUpdateGradParameters(self, input: Any, gradOutput: np.ndarray, lr: float) -> None:
        g = self._gradient(gradOutput)
        self.bias -= lr * g.sum(0)
        rows = self._rows(self.keys)
        self._step(rows, self._key_gradients(g, lr, np.empty(self._key_shape(), g.dtype)), 1)
        if self.normalize and self.outputSize == 1:
            self.weight[rows, 2] = 0  # Torch quirk: no learning before the next forward, with one output only

    def updateParameters(self, learningRate: float) -> None:
        pending = list(self._pending())
        if pending:
            self.bias -= learningRate * self.gradBias
        for keys, grads in pending:
            self._step(self._rows(keys), grads, learningRate)

    def _pending(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Keys and gradients since the last zeroGradParameters."""
        n = self.running["counter"] - 1
        return zip(self.running["keys"][:n], self.running["gradWeight"][:n])

    def _step(self, rows: np.ndarray, grads: np.ndarray, rate: float) -> None:
        """Moves the weights of every key against its gradient, one after the other where a key comes up again."""
        if not self.normalize and not self.weightDecay:
            return add_rows(self.weight, rows, -rate * grads)
        for group in rounds(rows, len(self.weight)):
            old, g = self.weight[rows[group]], grads[group]
            weights, steps = old[:, self.normalize :], rate * g[:, -self.outputSize :]
            decay: Any = self.weightDecay
            if self.normalize:
                factor = old[:, 2:3]
                old[:, 3] -= rate * factor[:, 0] * np.vecdot(g[:, : self.outputSize], weights)
                steps *= factor
                decay = decay * factor * (-1 if self.outputSize == 1 else 1)  # Torch quirk: -1
            weights *= 1 - decay
            weights -= steps
            self.weight[rows[group]] = old

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        self.gradInput = []
        if not self.doGradInput:
            return self.gradInput
        if self.normalize:
            raise ValueError("nn.IndexLinear: there is no gradInput with normalize, as in Torch")
        g = self._gradient(gradOutput)
        shape = (len(g), len(self.weight))
        keys = memory.resized(self._pairs[0], shape, np.int64)
        keys[...] = np.arange(1, shape[1] + 1)
        values = memory.resized(self._pairs[1], shape, g.dtype)
        np.dot(g, self.weight.T, out=values)
        self._pairs = keys, values
        for a in self._pairs:
            self.gradInput.append(a if self.isFlat else a[0] if self.noBatch else list(a))
        return self.gradInput

    # -- parameters

    def _is_dense(self) -> bool:
        """Whether somebody asked for a gradient of the size of the weight."""
        return self.gradWeight.shape == self.weight.shape

    def _add_dense(self, keys: np.ndarray, grads: np.ndarray) -> None:
        rows, n = self._rows(keys), self.outputSize
        add_rows(self.gradWeight[:, self.normalize :], rows, grads[:, -n:])
        if self.normalize:
            biases = np.vecdot(grads[:, :n], self.weight[rows, self.normalize :])
            np.add.at(self.gradWeight[:, 3], rows, biases)

    def slots(self) -> Iterator[Slot]:
        if not self._is_dense():
            self.gradWeight = memory.zeros(self.weight.shape, self.weight.dtype)
            for keys, grads in self._pending():
                self._add_dense(keys, grads)
        return self._declared_slots()

    def zeroGradParameters(self) -> None:
        self.gradBias.fill(0)
        self.running["counter"] = 1
        if self._is_dense():
            self.gradWeight.fill(0)

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is None:
            return self._type
        self.gradInput, self._pairs = [], (None, None)
        kept = {name: vars(self).pop(name) for name in WHOLE if name in vars(self)}  # keys stay whole numbers
        running = {name: self.running[name] for name in ("keys", "cumSumSizes")}
        self.running.update(dict.fromkeys(running, ()))
        super().type(type, tensorCache)
        vars(self).update(kept)
        self.running.update(running)
        return self

    def clearState(self) -> IndexLinear:
        for name in ("keys", "values", "sizes", "cumSumSizes", "lkeys", "lvalues", "updateKeys", "updateKeysBuffer"):
            vars(self).pop(name, None)
        self.running.update(cumSumSizes=[], keys=[], gradWeight=[], counter=1)
        return super().clearState()

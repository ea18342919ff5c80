"""The maxout layer."""

from __future__ import annotations

from ..containers.sequential import Sequential
from ..layers.linear import Linear
from ..module import Module
from ..tables.reduce import Max
from ..tables.shape import View


class Maxout(Sequential):
    """The largest of `maxoutNumber` linear maps: y[j] = max over k of (W[k] x + b[k])[j].

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize). It is a chain of
    Linear(inputSize, outputSize * maxoutNumber), View(maxoutNumber, outputSize), the module `preprocess`, if given,
    which sees (N, maxoutNumber, outputSize), and Max. After Goodfellow and others, Maxout Networks, 2013.

    >>> import numpy as np
    >>> m = Maxout(2, 1, 2)
    >>> m.get(1).weight[...] = [[1, 0], [0, 1]]
    >>> m.get(1).bias[...] = 0
    >>> m.forward(np.array([[2.0, 3.0], [5.0, 4.0]]))
    array([[3.],
           [5.]])
    """

    def __init__(self, inputSize: int, outputSize: int, maxoutNumber: int, preprocess: Module | None = None):
        super().__init__()
        self.add(Linear(inputSize, outputSize * maxoutNumber))
        self.add(View(maxoutNumber, outputSize).setNumInputDims(1))
        if preprocess is not None:
            self.add(preprocess)
        self.add(Max(1, 2))

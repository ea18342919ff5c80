"""Training by stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch7
from torch7.dtypes import tostring
from torch7.registry import register

from ..criterion import Criterion
from ..module import Module


@register("nn.StochasticGradient")
class StochasticGradient:
    """Trains a module on one example after the other: parameters -= learningRate * gradient of the criterion.

    Fields to set before `train`:

    * `learningRate` (0.01) and `learningRateDecay` (0): pass i, counted from 2 on, has learningRate / (1 + i * decay);
    * `maxIteration` (25): the number of passes over the examples; with 0 or less it goes on without end;
    * `shuffleIndices` (True): the examples come in a random order, the same in every pass;
    * `verbose` (True): the mean error of every pass is printed;
    * `hookExample(trainer, example)`, called after every example, and `hookIteration(trainer, iteration, error)`, after
      every pass.

    >>> import numpy as np, nn
    >>> torch7.manualSeed(1)
    >>> trainer = StochasticGradient(nn.Linear(1, 1), nn.MSECriterion())
    >>> trainer.maxIteration, trainer.learningRate = 2, 0.1
    >>> trainer.train([(np.array([x]), np.array([2 * x])) for x in (-1.0, 1.0)])
    # StochasticGradient: training
    # current error = 5.6801363412302
    # current error = 2.0448490828429
    # StochasticGradient: you have reached the maximum number of iterations
    # training error = 2.0448490828429
    """

    verbose: Any = None  # files from before the field train silently
    hookExample: Callable[[Any, Any], Any] | None = None
    hookIteration: Callable[[Any, int, float], Any] | None = None

    def __init__(self, module: Module, criterion: Criterion):
        self.learningRate = 0.01
        self.learningRateDecay = 0.0
        self.maxIteration = 25
        self.shuffleIndices = True
        self.module = module
        self.criterion = criterion
        self.verbose = True

    def train(self, dataset: Any) -> None:
        """Trains on `dataset`: a sequence of pairs of input and target.

        Or, as in Torch, anything with a method size() whose [i], counted from 1, is such a pair.
        Raises ValueError when there are no examples.
        """
        example, size = _examples(dataset)
        order = torch7.randperm(size).tolist()  # Torch draws it in any case
        if not self.shuffleIndices:
            order = range(1, size + 1)
        rate, iteration = self.learningRate, 1
        print("# StochasticGradient: training")
        while True:
            error = sum(self._step(example(int(i)), rate) for i in order) / size
            if self.hookIteration is not None:
                self.hookIteration(self, iteration, error)
            if self.verbose:
                print(f"# current error = {tostring(error)}")
            iteration += 1
            rate = self.learningRate / (1 + iteration * self.learningRateDecay)
            if 0 < self.maxIteration < iteration:
                break
        print("# StochasticGradient: you have reached the maximum number of iterations")
        print(f"# training error = {tostring(error)}")

    def _step(self, example: Any, rate: float) -> float:
        """Makes one step; the error before it."""
        input, target = example[0], example[1]
        error = self.criterion.forward(self.module.forward(input), target)
        self.module.updateGradInput(input, self.criterion.updateGradInput(self.module.output, target))
        self.module.accUpdateGradParameters(input, self.criterion.gradInput, rate)
        if self.hookExample is not None:
            self.hookExample(self, example)
        return error


def _examples(dataset: Any) -> tuple[Callable[[int], Any], int]:
    """The function from a number, counted from 1, to an example, and the number of examples."""
    if callable(getattr(dataset, "size", None)):
        example, size = dataset.__getitem__, dataset.size()
    else:
        example, size = lambda i: dataset[i - 1], len(dataset)
    if size < 1:
        raise ValueError("nn.StochasticGradient: expected examples to train on, got none")
    return example, size

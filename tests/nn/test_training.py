"""nn.StochasticGradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support import golden
from tests.support.nested import assert_same, copied


class Counted:
    """A data set as Torch has it, which counts from 1."""

    def __init__(self, pairs: list[Any]):
        self.pairs = pairs
        self.asked: list[int] = []

    def size(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: int) -> Any:
        assert i >= 1
        self.asked.append(i)
        return self.pairs[i - 1]


def pairs(n: int = 4) -> list[Any]:
    x = np.random.default_rng(n).normal(size=(n, 2))
    return [(row, row.sum(keepdims=True)) for row in x]


def trainer(**options: Any) -> nn.StochasticGradient:
    torch7.manualSeed(3)
    made = nn.StochasticGradient(nn.Linear(2, 1), nn.MSECriterion())
    made.verbose = False
    for name, value in options.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def test_prints_what_Torch_prints(capsys: pytest.CaptureFixture[str]) -> None:
    case = next(c for c in golden.cases("nn/behaviours.json") if c["id"] == "StochasticGradient-o")
    torch7.manualSeed(case["seed"])
    names = {"nn": nn, "R": {}, "clone": copied} | {name: golden.decode(value) for name, value in case["vars"].items()}
    exec(case["py"], names)
    assert capsys.readouterr().out.splitlines() == case["printed"]["table"]


def test_has_Torch_s_defaults() -> None:
    made = nn.StochasticGradient(nn.Tanh(), nn.MSECriterion())
    assert (made.learningRate, made.learningRateDecay, made.maxIteration) == (0.01, 0, 25)
    assert (made.shuffleIndices, made.verbose, made.hookExample, made.hookIteration) == (True, True, None, None)


def test_steps_against_the_gradient_of_each_example(capsys: pytest.CaptureFixture[str]) -> None:
    made = trainer(shuffleIndices=False, maxIteration=2, learningRate=0.1, learningRateDecay=0.5)
    w, b = made.module.weight.copy(), made.module.bias.copy()
    errors = []
    for rate in (0.1, 0.1 / 2):
        total = 0.0
        for x, y in pairs():
            error = (w @ x + b - y).item()
            total += error**2
            w -= rate * 2 * error * x
            b -= rate * 2 * error
        errors.append(total / 4)
    seen: list[Any] = []
    made.hookIteration = lambda self, iteration, error: seen.append((self, iteration, error))
    made.train(pairs())
    assert_same([made.module.weight, made.module.bias], [w, b], rtol=1e-12)
    assert [(a, n) for a, n, _ in seen] == [(made, 1), (made, 2)]
    assert [error for _, _, error in seen] == pytest.approx(errors, rel=1e-12)
    assert all(type(error) is float for _, _, error in seen)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "# StochasticGradient: training",
        "# StochasticGradient: you have reached the maximum number of iterations",
    ]
    assert lines[2] == f"# training error = {errors[1]:.14g}"


@pytest.mark.parametrize("shuffle", [True, False])
def test_order_of_examples(shuffle: bool) -> None:
    data, made = Counted(pairs(6)), trainer(maxIteration=2, shuffleIndices=shuffle)
    torch7.manualSeed(5)
    made.train(data)
    drawn = torch7.uniform()  # the order is drawn in any case
    torch7.manualSeed(5)
    order = torch7.randperm(6).astype(int).tolist() if shuffle else list(range(1, 7))
    assert data.asked == order * 2
    if not shuffle:
        torch7.randperm(6)
    assert torch7.uniform() == drawn


def test_lists_and_data_sets_of_Torch_s_are_the_same() -> None:
    results = []
    for data in (pairs(), Counted(pairs()), tuple(pairs()), torch7.Table(enumerate(pairs(), 1), size=lambda: 4)):
        made = trainer(maxIteration=3)
        made.train(data)
        results.append(copied(made.module.parameters()[0]))
    assert_same(results[1:], results[:1] * 3)


def test_hookExample_gets_every_example() -> None:
    data, seen = pairs(), []
    made = trainer(maxIteration=1, shuffleIndices=False)
    made.hookExample = lambda self, example: seen.append((self, example))
    made.train(data)
    assert [example for _, example in seen] == data
    assert all(a is made for a, _ in seen)


@pytest.mark.parametrize("iterations", [0, -1])
def test_goes_on_without_end(iterations: int) -> None:
    class Enough(Exception):
        """Ends the training."""

    def hook(self: Any, iteration: int, error: float) -> None:
        if iteration == 40:
            raise Enough

    made = trainer(maxIteration=iterations)
    made.hookIteration = hook
    with pytest.raises(Enough):
        made.train(pairs())


@pytest.mark.parametrize("data", [[], Counted([])])
def test_needs_examples(data: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.StochasticGradient: expected examples to train on, got none"):
        trainer().train(data)


def test_is_saved_with_its_module() -> None:
    made = trainer(learningRate=0.5)
    other = torch7.deserialize(torch7.serialize(made))
    assert type(other) is nn.StochasticGradient
    assert (other.learningRate, other.verbose, other.hookExample) == (0.5, False, None)
    assert_same(other.module.weight, made.module.weight)

"""mlp.py: the wider, the better; a training loop that sees every example once in an epoch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import nn
import torch7

from ...support.course import program, refuses, wrote

mlp = program("mlp")


def test_the_error_falls_with_the_width(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    errors = mlp.main(["--short", "--output", str(tmp_path)])
    assert list(errors) == [1, 4, 32]
    assert errors[1] > 0.05  # however well it is trained: one step is no wave
    assert errors[1] > errors[4] > 5 * errors[32]
    assert errors[32] < errors[1] / 40
    told = capsys.readouterr().out
    assert f"32 hidden units: mean squared error {errors[32]:.6f}" in told
    assert wrote(told, tmp_path) == {"mlp.png", "mlp-graph.svg"}


def test_four_hidden_units_learn_exclusive_or_and_none_do_not() -> None:
    torch7.manualSeed(2)
    answers = mlp.exclusive_or(mlp.arguments(["--epochs", "500"]))
    np.testing.assert_allclose(answers["one layer"], 0.5, atol=0.02)
    np.testing.assert_allclose(answers["four hidden units"], mlp.EXCLUSIVE[:, 0], atol=0.05)


@pytest.mark.parametrize("curve", mlp.CURVES)
def test_examples_are_points_of_the_curve(curve: str) -> None:
    x, t = mlp.examples(curve, 50)
    assert (x.shape, t.shape, x.dtype, t.dtype) == ((50, 1), (50, 1), np.float32, np.float32)
    assert (x[0], x[-1]) == (-1, 1)
    assert 0.5 < abs(t).max() <= 1
    assert t[17, 0] == pytest.approx(mlp.CURVES[curve](x[17, 0].item()), abs=1e-5)


def test_minibatches_have_all_examples_once_and_each_with_its_target() -> None:
    torch7.manualSeed(1)
    x = np.arange(50, dtype=np.float32)[:, None]
    batches = list(mlp.minibatches(x, -x, 8))
    assert [len(some) for some, _ in batches] == [8] * 6 + [2]
    seen = np.concatenate([some for some, _ in batches])[:, 0]
    assert sorted(seen) == list(range(50))
    assert list(seen) != list(range(50))
    for some, t in batches:
        assert np.array_equal(some, -t)
    again = np.concatenate([some for some, _ in mlp.minibatches(x, -x, 8)])[:, 0]
    assert not np.array_equal(again, seen)


def test_a_step_is_the_formula_of_the_description() -> None:
    x, t = np.array([[2.0]], np.float32), np.array([[1.0]], np.float32)
    net, options = nn.Linear(1, 1, False).float(), mlp.arguments(["--epochs", "3", "--rate", "0.02"])
    w, v = net.weight.item(), 0.0
    net_losses = list(mlp.train(net, x, t, options, width=4))
    losses = []
    for epoch in range(3):
        losses.append((2 * w - 1) ** 2)
        v = 0.9 * v + 2 * (2 * w - 1) * 2
        w -= 0.02 / 2 * (1 - epoch / 3) * v
    assert net_losses == pytest.approx(losses, rel=1e-5)
    assert net.weight.item() == pytest.approx(w, rel=1e-5)


def test_hidden_units_turn_around_within_the_curve() -> None:
    torch7.manualSeed(1)
    first = mlp.network(1, 200).get(1)
    turns = -first.bias / first.weight[:, 0]
    assert abs(turns).max() <= 1.001
    assert abs(turns).max() > 0.9
    assert abs(turns.mean()) < 0.2


def test_a_rate_that_is_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--rate", "1e4", "--short", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["examples/course/mlp.py", *words])
    with pytest.raises(SystemExit, match=r"^mlp\.py: training went astray, .* in step \d+ the loss is "):
        program("lecture").run(mlp.main)
    assert not list(tmp_path.iterdir())


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("mlp", "--curve circle", "invalid choice: 'circle'", capsys)
    refuses("mlp", "--widths 3 0", "argument --widths: expected 1 or more, got 0", capsys)
    refuses("mlp", "--momentum 1", "expected a number below 1 and at least 0, got 1", capsys)

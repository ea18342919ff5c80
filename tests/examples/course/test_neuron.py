"""neuron.py: the chain rule by hand is the library's gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

neuron = program("neuron")


def test_the_three_gradients_agree(capsys: pytest.CaptureFixture[str]) -> None:
    torch7.manualSeed(3)
    ways = neuron.compare(neuron.neuron())
    assert [len(ways[name][0]) for name in ("dl/dw", "dl/db", "dl/dx")] == [2, 1, 2]
    for hand, modules, differences in ways.values():
        np.testing.assert_allclose(hand, modules, rtol=1e-14)
        np.testing.assert_allclose(hand, differences, rtol=1e-8)
        assert abs(hand).min() > 1e-3
    assert capsys.readouterr().out.count("dl/d") == 5


@pytest.mark.parametrize("target", ["and", "or"])
def test_a_neuron_learns_what_a_line_separates(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = neuron.main(["--target", target, "--short", "--output", str(tmp_path)])
    assert ((net.forward(neuron.CORNERS)[:, 0] > 0.5) == neuron.TARGETS[target]).all()
    assert wrote(capsys.readouterr().out, tmp_path) == {"neuron.png", "neuron-graph.svg"}


def test_no_neuron_learns_exclusive_or() -> None:
    torch7.manualSeed(1)
    net = neuron.neuron()
    losses = neuron.learn(net, np.array([[0.0], [1], [1], [0]]), 2000, 2.0)
    assert losses[-1] > 0.24


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("neuron", "--target xor", "invalid choice: 'xor'", capsys)
    refuses("neuron", "--steps 1.5", "expected a whole number, got '1.5'", capsys)

"""irnn.py: a rectifier that begins with the identity adds two numbers, in steps that are too few for tanh."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

import nn
import torch7

from ...support.course import program, refuses, wrote

irnn = program("irnn")


def test_the_irnn_solves_what_tanh_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {run.network: run for run in irnn.main(["--short", "--seed", "2", "--output", str(tmp_path)])}
    assert list(runs) == ["tanh", "irnn", "lstm"]
    assert runs["irnn"].errors[-1] < irnn.SOLVED
    assert runs["irnn"].solved == runs["irnn"].steps[-1] <= 300
    assert min(runs["lstm"].errors) < irnn.BASELINE / 5
    assert runs["tanh"].solved is None
    assert min(runs["tanh"].errors[: len(runs["irnn"].errors)]) > 3 * irnn.SOLVED
    told = capsys.readouterr().out
    assert (
        f"irnn           error {min(runs['irnn'].errors):.4f} at best: solved after {runs['irnn'].solved} steps" in told
    )
    assert wrote(told, tmp_path) == {"irnn.png", "irnn-graph.svg"}


def test_the_recurrent_matrix_begins_as_the_identity_and_keeps_what_is_in_the_state() -> None:
    torch7.manualSeed(1)
    step = irnn.network("irnn", 7)
    maps = [node.data.module for node in step.forwardnodes if isinstance(node.data.module, nn.Linear)]
    (recurrent,) = (m for m in maps if m.weight.shape == (7, 7))
    np.testing.assert_array_equal(recurrent.weight, np.eye(7))
    h = np.arange(7.0)[None]
    np.testing.assert_array_equal(step.forward([np.zeros((1, 2)), h])[0], h)


@pytest.mark.parametrize("length", [2, 7, 100])
def test_two_numbers_are_marked_and_their_sum_is_wanted(length: int) -> None:
    torch7.manualSeed(1)
    x, sums = irnn.problem(length, 400)
    numbers, markers = x[:, :, 0], x[:, :, 1]
    assert (x.shape, sums.shape) == ((length, 400, 2), (400, 1))
    half = length // 2
    assert (markers[:half].sum(0) == 1).all()
    assert (markers[half:].sum(0) == 1).all()
    assert markers.any(1).mean() > 0.9  # every place is marked some time
    for b in range(400):
        first, second = np.flatnonzero(markers[:, b])
        assert sums[b, 0] == numbers[first, b] + numbers[second, b]
    assert 0 <= numbers.min() < numbers.max() <= 1


def test_always_to_answer_1_has_the_error_of_the_baseline() -> None:
    torch7.manualSeed(1)
    _, sums = irnn.problem(10, 20000)
    assert abs(np.mean((sums - 1) ** 2) - irnn.BASELINE) < 0.006


def test_errors_are_those_of_the_last_answer() -> None:
    torch7.manualSeed(1)
    step = irnn.network("tanh", 5)
    adding = irnn.Adding(step, 0.1)
    x, sums = irnn.problem(6, 3)
    h = np.zeros((3, 5), np.float32)
    for row in x:
        h, y = step.forward([row, h])
        h = h.copy()
    assert abs(adding.error(x, sums) - np.mean((y - sums) ** 2)) < 1e-5


def test_a_run_whose_numbers_leave_float32_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    torch7.manualSeed(1)
    run = irnn.Run(30, "irnn")
    options = argparse.Namespace(rate=1e6, steps=20, batch_size=2)
    with np.errstate(all="ignore"):
        irnn.train(run, irnn.network("irnn", 4), irnn.problem(30, 2), options)
    assert run.errors[-1] == np.inf
    assert run.solved is None


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("irnn", "--lengths 50 1", "expected 2 or more, got 1", capsys)
    refuses("irnn", "--networks gru", "invalid choice: 'gru'", capsys)
    refuses("irnn", "--rate 0", "expected a number above 0, got 0", capsys)

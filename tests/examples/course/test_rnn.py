"""rnn.py: with memory the same letter is followed by another one, without it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn
import pygraphnn

from ...support.course import program, refuses, wrote

rnn = program("rnn")


def test_it_knows_which_l_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alphabet, y = rnn.main(["--short", "--output", str(tmp_path)])
    assert [alphabet[i] for i in y.argmax(1)] == list("ello h")
    assert y.max(1).min() > 0.9
    assert wrote(capsys.readouterr().out, tmp_path) == {"rnn.png", "rnn-step.svg", "rnn-unrolled.svg"}


def test_without_memory_it_guesses(tmp_path: Path) -> None:
    alphabet, y = rnn.main(["--short", "--forget", "--output", str(tmp_path)])
    for row in y[2], y[3]:
        np.testing.assert_allclose(row[[alphabet.index("l"), alphabet.index("o")]], 0.5, atol=0.02)


def test_the_unrolled_network_is_the_step_over_and_over() -> None:
    step, wide = rnn.step(3, 4), rnn.unrolled(3, 4, 5)
    assert len({p.__array_interface__["data"][0] for p in wide.parameters()[0]}) == len(step.parameters()[0]) == 6
    for mine, other in zip(step.parameters()[0], sorted_like(wide, step)):
        mine[...] = other
    x, h = np.eye(3)[[0, 2, 1, 1, 0]][:, None], np.full((1, 4), 0.5)
    *ys, last = wide.forward([*x, h])
    for letter, expected in zip(x, ys):
        h, y = step.forward([letter, h])
        np.testing.assert_allclose(y, expected, rtol=1e-14)
        h = h.copy()
    np.testing.assert_allclose(h, last, rtol=1e-14)


def sorted_like(wide: pygraphnn.gModule, step: pygraphnn.gModule) -> list[np.ndarray]:
    """The parameters of the first nodes of each name, in the order of the step's."""
    first: dict[str, nn.Module] = {}
    for node in wide.forwardnodes:
        if isinstance(node.data.module, nn.Linear):
            first.setdefault(node.data.annotations["name"], node.data.module)
    names = [node.data.annotations["name"] for node in step.forwardnodes if isinstance(node.data.module, nn.Linear)]
    return [p for name in names for p in (first[name].weight, first[name].bias)]


def test_letters_that_fonts_lack_make_no_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rnn.main(["--text", "你好\uf8ff", "--epochs", "2", "--output", str(tmp_path)])
    assert "rnn.png" in wrote(capsys.readouterr().out, tmp_path)


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("rnn", "--text aaa", "expected two different letters or more, got 'aaa'", capsys)
    refuses("rnn", "--rate -1", "expected a number above 0, got -1", capsys)

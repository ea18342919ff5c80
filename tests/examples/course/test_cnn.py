"""cnn.py: what it teaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn

from ...support.course import program, refuses, wrote

cnn = program("cnn")


def test_cnn_soon_reads_at_least_95_of_100_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    share = cnn.main(["--short", "--output", str(tmp_path)])
    assert share >= 0.95
    told = capsys.readouterr().out
    assert f"{share:.2%} of the held-out digits are right" in told
    assert f"global correct: {share * 100:.14g}%" in told
    assert "[class: 9]" in told
    assert "1438 pictures to learn from, 359 held out" in told
    assert wrote(told, tmp_path) == {"cnn-graph.svg", "cnn-filters.png", "cnn-confusion.png"}


def test_cnn_never_trains_on_what_is_held_out() -> None:
    (kept, labels), (held, held_labels) = cnn.digits(1)
    assert len(held) == (len(kept) + len(held)) // 5
    assert sorted({*labels, *held_labels}) == list(range(1, 11))
    again = cnn.digits(1)
    assert np.array_equal(again[1][0], held)
    assert not np.array_equal(cnn.digits(2)[1][0], held)


def test_cnn_counts_confusions() -> None:
    net = nn.Sequential().add(nn.View(10))
    matrix = cnn.confusions(net, np.eye(10)[[0, 2, 9]], np.array([1, 1, 10]))
    assert (matrix.mat[0, 0], matrix.mat[0, 2], matrix.mat[9, 9], matrix.mat.sum()) == (1, 1, 1, 3)
    assert matrix.name(10) == "9"
    assert matrix.totalValid == 2 / 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--epochs 0", "expected 1 or more, got 0"),
        ("--batch-size many", "expected a whole number, got 'many'"),
        ("--dropout 1", "expected a number below 1 and at least 0, got 1"),
        ("--rate nan", "expected a number above 0, got nan"),
        ("--output nowhere", "there is no folder 'nowhere'"),
        ("-x", "unrecognized arguments: -x"),
    ],
)
def test_cnn_refuses_options_that_make_no_sense(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("cnn", words, complaint, capsys)


def test_cnn_learns_less_without_enough_time(tmp_path: Path) -> None:
    assert cnn.main(["--epochs", "1", "--rate", "1e-5", "--output", str(tmp_path)]) < 0.5

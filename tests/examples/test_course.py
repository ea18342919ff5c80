"""The lecture's systems: what each of them teaches, and how they answer bad options."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import nn

COURSE = Path(__file__).parents[2] / "examples" / "course"


def program(name: str) -> ModuleType:
    """The program of a name, imported from its file."""
    spec = importlib.util.spec_from_file_location(name, COURSE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cnn = program("cnn")


def test_cnn_reads_at_least_98_of_100_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    share = cnn.main(["--output", str(tmp_path)])
    assert share >= 0.98
    told = capsys.readouterr().out
    assert f"{share:.2%} of the held-out digits are right" in told
    assert f"global correct: {share * 100:.14g}%" in told
    assert "[class: 9]" in told
    assert "1438 pictures to learn from, 359 held out" in told
    for name in ("cnn-filters.png", "cnn-confusion.png"):
        assert f"wrote {tmp_path / name}" in told
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


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
    "words",
    [
        "--epochs 0",
        "--batch-size -1",
        "--dropout 1",
        "--learning-rate 0",
        "--learning-rate nan",
        "--output nowhere",
        "-x",
    ],
)
def test_cnn_refuses_options_that_make_no_sense(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        cnn.main(words.split())
    assert error.value.code == 2
    assert words.split()[0].split("=")[0] in capsys.readouterr().err


def test_cnn_learns_less_without_enough_time(tmp_path: Path) -> None:
    assert cnn.main(["--epochs", "1", "--learning-rate", "1e-5", "--output", str(tmp_path)]) < 0.5

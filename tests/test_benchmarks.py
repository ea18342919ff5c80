"""What benchmarks/char_rnn.py times, and how it tells it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("Unroll, numba", "Unroll, numpy", "clones of Fused, numba", "clones of Fused, numpy", "clones")


@pytest.fixture
def program(monkeypatch):
    """The modules of the benchmark by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module
    for name in ("char_rnn_page", "char_rnn_contenders"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_all_ways_of_a_minibatch_have_the_same_loss(program, kind):
    contenders = program("char_rnn_contenders")
    work = contenders.Work(kind, width=8, batch=3, steps=4, dtype="float64")
    runs = {name: make(work) for name, make in contenders.CONTENDERS.items() if name in NAMES}
    assert len(runs) >= 3
    losses = {name: [run(), run()] for name, run in runs.items()}
    first = losses["clones"][0]
    assert all(loss == pytest.approx(first, rel=1e-9) for both in losses.values() for loss in both), losses


@pytest.mark.parametrize("compiled", [False, True])
def test_contenders_of_numpy_alone_compile_nothing(program, monkeypatch, compiled):
    contenders = program("char_rnn_contenders")
    numba_code = importlib.import_module("pygraphnn.unroll.numba_code")
    if compiled and not contenders.NUMBA:
        pytest.skip("needs numba")
    made = []
    kernel = numba_code.kernel
    monkeypatch.setattr(numba_code, "kernel", lambda text: made.append(text) or kernel(text))
    contenders.unrolled(contenders.Work(width=8, batch=3, steps=4), compiled)()
    assert bool(made) == compiled


@pytest.mark.parametrize(("kind", "columns"), [("lstm", 5), ("gru", 4)])
def test_what_backward_needs(program, kind, columns):
    work = program("char_rnn_contenders").Work(kind)
    assert work.kept() == 50 * 50 * (2 * 128 * columns + 65) * 4


def test_tables_leave_out_what_was_not_measured(program):
    page = program("char_rnn_page")
    found = {"Unroll, numpy": {"best": 30.0, "median": 36.0}, "PyTorch module": {"best": 20.0, "median": 18.0}}
    table = {"kind": "gru", "model": "2x128", "dtype": "float32", "batch": 50, "steps": 50, "kept": 1.0, "found": found}
    assert page.text(page.contest(table)).splitlines()[2:] == [
        "                best ms  median ms        to nn  peak MB",
        "Unroll, numpy      30.0       36.0  1.50 / 2.00",
        "PyTorch nn.GRU     20.0       18.0  1.00 / 1.00",
    ]


def test_pages_tell_the_figures_that_were_kept(program):
    page = program("char_rnn_page")
    figures = json.loads(page.FIGURES.read_text())
    for path in (ROOT / "docs" / "performance.md", ROOT / "README.md"):
        assert page.filled(path.read_text(), figures) == path.read_text(), "run: python benchmarks/char_rnn_page.py"


def test_pictures_show_the_contenders(program, tmp_path):
    page = program("char_rnn_page")
    figures = json.loads(page.FIGURES.read_text())
    page.plot(figures, tmp_path, ("svg", "png"))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{ending}" for name in ("growth", "segments") for ending in ("svg", "png")
    }
    for folder in (tmp_path, page.FIGURES.parent):
        drawn = (folder / "growth.svg").read_text()
        assert all(f">{page.label(name, 'lstm')}<" in drawn for name in figures["growth"]["steps"])
        assert len(drawn) < 100_000

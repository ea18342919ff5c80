"""Compiled code: its functions' accuracy, and the files in which it is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from pygraphnn.unroll import numba_code, row_code
from pygraphnn.unroll.fastmath import functions

nb = pytest.importorskip("numba")
TEXT = numba_code.HEAD.format(dtype="float64", cache="{cache}", arguments="a0", constants="c0 = number(3.0)")
TEXT += "    for row in range(a0.shape[0]):\n        for j in range(a0.shape[1]):\n            a0[row, j] = c0\n"
PROGRAM = """
import sys, numpy as np
from pygraphnn.unroll import numba_code
numba_code.cache_directory = lambda: __import__("pathlib").Path(sys.argv[1])
a = np.zeros((2, 2))
kernel = numba_code.kernel(open(sys.argv[2]).read())
kernel(a)
assert (a == 3).all()
print(sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels are kept in this test."""
    monkeypatch.setattr(numba_code, "cache_directory", lambda: tmp_path / "kernels")
    numba_code.kernel.cache_clear()
    yield tmp_path / "kernels"
    numba_code.kernel.cache_clear()


def computes() -> None:
    a = np.zeros((2, 2))
    numba_code.kernel(TEXT)(a)
    assert (a == 3).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_functions_are_within_three_units_in_the_last_place(dtype: str, name: str) -> None:
    function = getattr(functions(dtype), name)
    compute = nb.vectorize(lambda x: function(x))
    small = np.logspace(-30, 1, 20001)
    x = np.concatenate([np.linspace(-30, 30, 60001), small, -small]).astype(dtype)
    exact = np.tanh(x.astype(np.longdouble)) if name == "tanh" else 1 / (1 + np.exp(-x.astype(np.longdouble)))
    assert (np.abs(compute(x) - exact) / np.spacing(np.abs(exact).astype(dtype))).max() < 3
    special = compute(np.array([np.nan, np.inf, -np.inf], dtype))
    low = -1 if name == "tanh" else 0
    np.testing.assert_allclose(special, [np.nan, 1, low], 0, 1e-37)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_up_to_zero(dtype: str) -> None:
    function = functions(dtype).exp
    compute = nb.vectorize(lambda x: function(x))
    least = np.log(np.finfo(dtype).tiny)
    x = np.concatenate([np.linspace(least * 0.999, 0, 60001), -np.logspace(-30, 1, 20001)]).astype(dtype)
    exact = np.exp(x.astype(np.longdouble))
    assert (np.abs(compute(x) - exact) / np.spacing(exact.astype(dtype))).max() < 3
    with np.errstate(invalid="ignore"):  # the comparison with nan
        special = compute(np.array([np.nan, -np.inf, 1.1 * least, 0], dtype))
    np.testing.assert_array_equal(special, [np.nan, 0, 0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("module", [nn.LogSoftMax(), nn.SoftMax()], ids=str)
def test_softmax_is_that_of_the_modules(dtype: str, module: Any) -> None:
    draw = np.random.default_rng(0)
    x = (10 * draw.normal(size=(9, 7))).astype(dtype)
    x[0, 3], x[1, 2], x[2, 4], x[3], x[4] = np.nan, np.inf, -np.inf, -np.inf, -1e30
    x[5, 1:] = -2000
    g, y, dx = draw.normal(size=x.shape).astype(dtype), *np.full((2, *x.shape), 7, dtype)
    module = module.clone().type("torch.FloatTensor" if dtype == "float32" else "torch.DoubleTensor")
    want = module.forward(x), module.backward(x, g)
    row_code.classes(module, "function", x.dtype)(x, 1, y)
    row_code.classes(module, "derivative", x.dtype)(y, g, 1, dx)
    for got, wanted in zip((y, dx), want):
        np.testing.assert_allclose(got, wanted, 50 * np.finfo(dtype).eps, 20 * np.finfo(dtype).eps)


def test_kernels_are_kept_for_other_processes(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    hits = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(directory), str(tmp_path / "text")],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout.strip()
        for _ in range(2)
    ]
    assert hits == ["0", "1"]


def test_a_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(numba_code, "cache_directory", lambda: tmp_path / "file" / "kernels")
    computes()


def test_a_damaged_file_is_made_anew(directory: Path) -> None:
    computes()
    numba_code.kernel.cache_clear()
    (path,) = directory.glob("*.py")
    path.write_text("half a ker")
    computes()
    assert path.read_text() == TEXT.replace("{cache}", "True")


def test_compiled_code_is_only_for_those_who_have_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_code.works.cache_clear()
    assert not numba_code.works()
    numba_code.works.cache_clear()
    with pytest.raises(ImportError, match=r"needs the package numba: pip install 'pygraphnn\[numba\]'"):
        functions("float32")


@pytest.mark.parametrize(("n", "width"), [(1, 3), (5, 40), (6, 40), (40, 3)])
def test_rows_are_added_as_without_compiled_code(n: int, width: int) -> None:
    draw = np.random.default_rng(0)
    rows, values = draw.integers(0, 5, n), draw.normal(size=(n, width))
    targets: Any = np.zeros((2, width, 5)).transpose(0, 2, 1)
    row_code.add_rows(targets[0], rows, values)
    np.add.at(targets[1], rows, values)
    np.testing.assert_allclose(targets[0], targets[1], 1e-13)

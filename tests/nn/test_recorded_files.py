"""Files that the real Torch7 wrote: their objects of nn are of the classes of nn, and compute what they computed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nn
import pygraphnn  # noqa: F401  (nn.gModule)
import torch7
from tests.support import golden
from tests.support.nn_golden import Comparison
from torch7.registry import name_of
from torch7.tables import Key

ROOT = golden.ROOT / "t7"
HOW = {file["file"]: file for case in golden.cases("t7/manifest.json") for file in case["files"]}


def names_in(path: Path) -> set[str]:
    """The names after `nn.` in a file."""
    return {name.decode() for name in re.findall(rb"\bnn\.([A-Za-z]\w*)", path.read_bytes())}


def load(name: str) -> Any:
    """What is in a file, read as it was written."""
    how = HOW.get(name, {"mode": "binary", "longSize": 8, "endian": "little"})
    with torch7.DiskFile(str(ROOT / name), "r") as file:
        if how["mode"] == "binary":
            file.binary().longSize(how["longSize"])
            if how["endian"] == "big":
                file.bigEndianEncoding()
        return file.readObject()


def objects(root: Any) -> Iterator[Any]:
    """The Torch objects in what was read, each once."""
    seen, work = set(), [root]
    while work:
        x = work.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, (list, tuple)):
            work += x
        elif isinstance(x, dict):
            work += [*x.values(), *(key.value for key in x if isinstance(key, Key))]
        elif hasattr(x, "__dict__"):
            work += vars(x).values()
            if name_of(x):
                yield x


RUNS = {
    file["file"]: case["run"]
    for case in golden.cases("t7/manifest.json")
    for file in case["files"]
    if "run" in case and all(hasattr(nn, name) for name in names_in(ROOT / file["file"]))
}
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.t7") if names_in(path))


@pytest.mark.parametrize("name", FILES)
def test_objects_are_of_the_classes_of_nn(name: str) -> None:
    found = [x for x in objects(load(name)) if str(name_of(x)).startswith("nn.")]
    assert found
    classes = [getattr(nn, str(name_of(x)).removeprefix("nn."), None) for x in found]
    assert [x for x, cls in zip(found, classes) if cls is not None and type(x) is not cls] == []


@pytest.mark.parametrize("name", RUNS)
def test_modules_compute_what_they_computed(name: str) -> None:
    run, module, comparison = RUNS[name], load(name), Comparison(tol=1e-14, rtol=1e-12)
    x, g = golden.decode(run["input"]), golden.decode(run["gradOutput"])
    comparison.same(module.parameters()[0], run["params"], "params")
    module.zeroGradParameters()
    comparison.same(module.forward(x), run["output"], "output")
    comparison.same(module.backward(x, g), run["gradInput"], "gradInput")
    comparison.same(module.parameters()[1], run["gradParams"], "gradParams")
    assert comparison.differences == []


@pytest.mark.parametrize("kind", ["nn_linear", "nn_sequential", "nn_concat", "nngraph_lstm"])
def test_there_are_runs_of_every_kind(kind: str) -> None:
    assert [name for name in RUNS if Path(name).name.startswith(kind)]

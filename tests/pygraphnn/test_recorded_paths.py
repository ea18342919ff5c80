"""Every recorded graph, copied, saved, converted or cleared, before a run and after one, computes what it did."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch7
from tests.pygraphnn.test_graphs import CASES, each
from tests.support.golden import decode
from tests.support.graph_golden import assert_close, build, structure
from tests.support.nested import assert_same, copied
from tests.support.t7 import again


def there_and_back(g: Any) -> Any:
    """g with its tensors in the other precision and then in its own again."""
    kind = g.type()
    other = "torch.FloatTensor" if kind == "torch.DoubleTensor" else "torch.DoubleTensor"
    assert g.type(other) is g
    return g.type(kind)


WAYS: dict[str, Callable[[Any], Any]] = {
    "clone": lambda g: g.clone(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda g: pickle.loads(pickle.dumps(g)),
    "binary": again,
    "ascii": lambda g: again(g, "ascii"),
    "types": there_and_back,
    "clearState": lambda g: g.clearState(),
    "saved twice": lambda g: again(again(g)).clone(),
}


def passed(g: Any, recorded: Any) -> Any:
    """What a recorded pass gives: output, gradInput and the gradients of the parameters."""
    torch7.manualSeed(recorded["seed_before_forward"])
    g.zeroGradParameters()
    x = decode(recorded["input"])
    output = copied(g.forward(x))
    return output, copied(g.backward(x, decode(recorded["gradOutput"]))), copied(g.parameters()[1])


def rounded(g: Any) -> Any:
    """g with parameters that single precision can hold, which there_and_back() does not change."""
    for w in g.parameters()[0]:
        w[...] = w.astype(np.float32)
    return g


@pytest.mark.parametrize("has_run", [False, True])
@pytest.mark.parametrize("way", WAYS)
@each(CASES)
def test_the_numbers_stay(case, way, has_run):
    g, twin = (rounded(build(case)) if way == "types" else build(case) for _ in range(2))
    wants = [passed(twin, case[name]) for name in ("pass1", "pass2")]
    if has_run:
        assert_same(passed(g, case["pass2"]), wants[1])
    got = WAYS[way](g)
    for name, want in zip(("pass1", "pass2"), wants):
        assert_same(passed(got, case[name]), want)
    if way != "types":
        assert_close(passed(got, case["pass1"])[0], case["pass1"]["output"], "output")


@pytest.mark.parametrize("way", WAYS)
@each([case for case in CASES if "structure" in case])
def test_the_structure_stays(case, way):
    g, want = build(case), case["structure"]
    got = structure(WAYS[way](g))
    for field in want:
        assert got[field] == want[field], field


@each(CASES)
def test_a_run_of_a_copy_leaves_the_original_alone(case):
    g = build(case)
    passed(g, case["pass1"])
    held = copied([g.output, g.gradInput, *g.parameters()])
    for way in ("clone", "deepcopy", "pickle", "binary"):
        passed(WAYS[way](g), case["pass2"])
        assert_same([g.output, g.gradInput, *g.parameters()], held)

"""Every recorded program of random numbers, run draw for draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import torch7
from tests.support.golden import case_id, decode, load
from tests.support.randomness import stream

FILES = ("raw", "scalar", "fill", "perm_multinomial", "state")
PROGRAMS = [program for name in FILES for program in load(f"random/{name}.json")["programs"]]

# These pass through log, exp, sin or cos, where another C library may differ in the last bits.
ROUNDED = {"normal", "randn", "logNormal", "exponential", "cauchy"}


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    with stream(0):
        yield


def check(call: str, got: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert [type(x) for x in got] == [type(x) for x in expected]
        for g, e in zip(got, expected, strict=True):
            check(call, g, e)
    elif isinstance(expected, np.ndarray):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        if call in ROUNDED:
            np.testing.assert_array_max_ulp(got, expected, 2)
        else:
            np.testing.assert_array_equal(got, expected)
    elif call in ROUNDED:
        np.testing.assert_array_max_ulp(got, expected, 2)
    else:
        assert (type(got), got) == (type(expected), expected)


class Runner:
    """Runs the operations of one program, in their order."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}

    def run(self, op: dict[str, Any]) -> None:
        if op.get("raises"):
            with pytest.raises((TypeError, ValueError)):
                self.call(op)
            return
        got = [self.call(op) for _ in range(op.get("times", 1))]
        name = op.get("method") or op["call"]
        if "results" in op:
            check(name, got, number_types(name, decode(op["results"])))
        if "result" in op:
            check(name, got[0], decode(op["result"]))
        if "nbytes" in op:
            assert (got[0].dtype, got[0].shape) == (np.uint8, (op["nbytes"],))
        if "save_as" in op:
            self.saved[op["save_as"]] = got[0]

    def call(self, op: dict[str, Any]) -> Any:
        args = [decode(a) for a in op.get("args", [])]
        gen = [self.saved[op["gen"]]] if "gen" in op else []
        if "method" in op:
            x = np.zeros(op["size"], torch7.dtype_of(op["tensor"]))
            x = x.T if op.get("transposed") else x
            assert getattr(torch7, op["method"] + "_")(*gen, x, *args) is x
            return x
        if op["call"] == "multinomialAlias":
            args = [np.zeros(op["n"], np.int64), self.saved[op["load"]]]
        elif "load" in op:
            args = [self.saved[op["load"]]]
        return getattr(torch7, op["call"])(*gen, *args)


def number_types(call: str, results: list[Any]) -> list[Any]:
    """JSON writes a whole number without a fraction, whatever the function draws."""
    whole = call in {"random", "bernoulli", "geometric", "initialSeed"}
    return [int(x) if whole else float(x) for x in results]


@pytest.mark.parametrize("program", PROGRAMS, ids=case_id)
def test_program(program: dict[str, Any]) -> None:
    if "default_tensor_type" in program:
        torch7.setdefaulttensortype(program["default_tensor_type"])
    runner = Runner()
    for op in program["ops"]:
        runner.run(op)


def test_the_bytes_of_a_state() -> None:
    recorded = load("random/rng_state_bytes.json")
    torch7.manualSeed(recorded["seed"])
    for _ in range(10):
        torch7.random()
    torch7.normal()
    assert torch7.getRNGState().tobytes().hex() == recorded["hex"]


def test_going_on_from_recorded_bytes() -> None:
    recorded = load("random/rng_state_bytes.json")
    state = np.frombuffer(bytes.fromhex(recorded["hex"]), np.uint8)
    torch7.manualSeed(1)
    assert torch7.setRNGState(state) is state
    assert torch7.initialSeed() == recorded["seed"]
    check("normal", torch7.normal(), recorded["after_normal"])
    assert [torch7.random() for _ in range(3)] == recorded["after_random"]

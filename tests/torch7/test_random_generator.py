"""Generators: their streams, seeds, saved states, copies and files."""

from __future__ import annotations

import copy
import math
import pickle
import pkgutil
import random as python_random
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import torch7
from tests.support.randomness import refused, stream
from torch7 import generator, serialization
from torch7.cloning import deep_copy


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with stream(123):
        yield


# --- names


def test_no_module_hides_a_function() -> None:
    functions = {name for name, value in vars(torch7).items() if isinstance(value, FunctionType)}
    assert not functions & {module.name for module in pkgutil.iter_modules(torch7.__path__)}
    assert torch7.random(1, 6) == 5


def test_functions_keep_their_documentation() -> None:
    assert torch7.uniform.__name__ == "uniform"
    assert torch7.uniform.__doc__ is not None
    assert "[a, b)" in torch7.uniform.__doc__


# --- generators and seeds


def test_words_are_those_of_another_mersenne_twister() -> None:
    """Python's own generator, given the saved state, goes on with the same words."""
    for drawn in (0, 1, 623, 624, 625, 1300):
        torch7.manualSeed(99)
        torch7.default_generator.words(drawn)
        record = torch7.getRNGState().view(generator.STATE)[0]
        position = int(record["next"]) if drawn else 624
        twister = python_random.Random()
        twister.setstate((3, (*record["state"].tolist(), position), None))
        expected = [twister.getrandbits(32) for _ in range(700)]
        assert [torch7.random() for _ in range(700)] == expected


@pytest.mark.parametrize(
    ("drawn", "left", "next_"), [(0, 1, 0), (1, 624, 1), (623, 2, 623), (624, 1, 624), (625, 624, 1)]
)
def test_position_in_the_state(drawn: int, left: int, next_: int) -> None:
    torch7.default_generator.words(drawn)
    record = torch7.getRNGState().view(generator.STATE)[0]
    assert (record["left"], record["next"], record["seeded"], record["initial_seed"]) == (left, next_, 1, 123)


def test_a_state_that_ends_its_turn_early() -> None:
    torch7.random()
    state = torch7.getRNGState()
    state.view(generator.STATE)["left"] = 3
    torch7.setRNGState(state)
    assert torch7.getRNGState().tobytes() == state.tobytes()
    early = [torch7.random() for _ in range(4)]
    torch7.manualSeed(123)
    words = torch7.default_generator.words(626).tolist()
    assert early == [*words[1:3], *words[624:]]


@pytest.mark.parametrize(
    ("field", "value"), [("seeded", 0), ("left", 0), ("left", -1), ("left", 625), ("next", 625), ("next", 2**63)]
)
def test_an_invalid_state_is_refused(field: str, value: int) -> None:
    torch7.random()
    state = torch7.getRNGState()
    state.view(generator.STATE)[field] = value
    refused(ValueError, "setRNGState: invalid state", torch7.setRNGState, state)


def test_what_is_no_state_is_refused() -> None:
    refused(ValueError, "expected a state of 5048 bytes, got 5047", torch7.setRNGState, np.zeros(5047, np.uint8))
    refused(TypeError, "expected a torch.ByteTensor, got torch.DoubleTensor", torch7.setRNGState, np.zeros(5048))
    refused(TypeError, "expected a torch.ByteTensor, got a nil", torch7.setRNGState, None)


def test_a_state_into_a_result() -> None:
    result = np.zeros(5048, np.uint8)
    assert torch7.getRNGState(result) is result
    assert result.tobytes() == torch7.getRNGState().tobytes()
    gen = torch7.Generator()
    assert torch7.getRNGState(result, gen).tobytes() == gen.state()
    assert torch7.getRNGState(np.zeros(3, np.uint8)).shape == (5048,)
    refused(TypeError, "expected a torch.ByteTensor", torch7.getRNGState, np.zeros(5048))


def test_seeds() -> None:
    drawn = torch7.seed()
    assert 0 <= drawn < 2**53
    assert torch7.initialSeed() == drawn
    first = torch7.random()
    torch7.manualSeed(drawn)
    assert torch7.random() == first
    assert torch7.seed() != drawn


@pytest.mark.parametrize("seed", [-(2**63), 2**63 - 1, np.int64(-5), 5.0])
def test_seeds_at_the_limits(seed: Any) -> None:
    torch7.manualSeed(seed)
    assert torch7.initialSeed() == int(seed)
    again = torch7.Generator()
    torch7.setRNGState(again, torch7.getRNGState())
    assert torch7.initialSeed(again) == int(seed)
    torch7.manualSeed(int(seed) & 0xFFFFFFFF)
    assert torch7.random() == torch7.random(again)


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1])
def test_a_seed_of_more_than_64_bits_is_refused(seed: int) -> None:
    refused(ValueError, "manualSeed: expected a seed of 64 bits", torch7.manualSeed, seed)


@pytest.mark.parametrize("seed", ["abc", None, math.nan, math.inf, [1]])
def test_a_seed_that_is_no_number_is_refused(seed: Any) -> None:
    refused(TypeError, "manualSeed: expected a whole number", torch7.manualSeed, seed)


def test_generators_are_independent() -> None:
    gen = torch7.Generator()
    torch7.manualSeed(gen, 7)
    before = torch7.getRNGState()
    assert torch7.random(gen) == 327741615
    assert torch7.initialSeed(gen) == 7
    np.testing.assert_array_equal(torch7.getRNGState(), before)
    assert torch7.initialSeed(torch7.Generator()) != torch7.initialSeed(torch7.Generator())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, deep_copy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_go_on_independently(copied: Any) -> None:
    gen = torch7.Generator()
    torch7.normal(gen)
    torch7.random_(gen, np.zeros(700))
    twin = copied(gen)
    assert type(twin) is torch7.Generator
    assert twin.state() == gen.state()
    draws = [torch7.normal(gen) for _ in range(800)]
    assert [torch7.normal(twin) for _ in range(800)] == draws


@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_a_generator_in_a_file_is_its_raw_state(mode: str) -> None:
    gen = torch7.Generator()
    torch7.normal(gen)
    content = serialization.serialize([gen, gen], mode)
    assert gen.state() in content
    read, same = serialization.deserialize(content, mode)
    assert read is same
    assert torch7.typename(read) == "torch.Generator"
    assert [torch7.normal(read) for _ in range(3)] == [torch7.normal(gen) for _ in range(3)]

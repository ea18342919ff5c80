"""Drawing random numbers: the forms of each call, what may be filled, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import torch7
from tests.support.randomness import refused, stream
from torch7 import libm

REAL = (np.float32, np.float64)
WHOLE = (np.uint8, np.int8, np.int16, np.int32, np.int64)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with stream(123):
        yield


# --- the places of a Generator


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("uniform_", (-1, 1)),
        ("normal_", (2, 3)),
        ("logNormal_", (0, 1)),
        ("exponential_", (2,)),
        ("cauchy_", (0, 2)),
        ("geometric_", (0.3,)),
        ("bernoulli_", (0.3,)),
        ("random_", (5, 9)),
    ],
)
def test_forms_of_a_call(name: str, args: tuple[float, ...]) -> None:
    """A Generator first, after the array or by name; and the function without underscore, applied to an array."""
    gen = torch7.Generator()
    fill, scalar = getattr(torch7, name), getattr(torch7, name.rstrip("_"))

    def result(function: Any, *args: Any, **kwargs: Any) -> list[float]:
        torch7.manualSeed(gen, 123)
        x = np.zeros(5)
        placed = [x if a is None else a for a in args]
        assert function(*placed, **kwargs) is x
        return x.tolist()

    torch7.manualSeed(123)
    expected = fill(np.zeros(5), *args).tolist()
    assert result(fill, gen, None, *args) == expected
    assert result(fill, None, gen, *args) == expected
    assert result(fill, None, *args, gen=gen) == expected
    assert result(scalar, None, gen, *args) == expected
    assert result(scalar, gen, None, *args) == expected
    torch7.manualSeed(gen, 123)
    assert [scalar(gen, *args), *(scalar(*args, gen=gen) for _ in range(4))] == pytest.approx(expected, rel=1e-15)


def test_numbers_are_python_numbers() -> None:
    for function, args in (("uniform", (0, 1)), ("normal", (0, 1)), ("logNormal", (0, 1)), ("cauchy", (0, 1))):
        for kind in (int, float, np.float32, np.int64):
            assert type(getattr(torch7, function)(*map(kind, args))) is float
    assert type(torch7.exponential(np.float32(2))) is float
    for whole in (torch7.bernoulli(np.float64(0.5)), torch7.geometric(np.float32(0.5)), torch7.random(np.int64(5))):
        assert type(whole) is int


# --- filling


@pytest.mark.parametrize("name", ["uniform_", "normal_", "logNormal_", "cauchy_", "exponential_"])
@pytest.mark.parametrize("dtype", [*WHOLE, np.float16, np.bool_, np.complex128, ">f8"])
def test_only_real_types_have_continuous_distributions(name: str, dtype: Any) -> None:
    args = (1,) if name == "exponential_" else ()
    wanted = f"{name}: expected one of torch.FloatTensor, torch.DoubleTensor, got"
    refused(TypeError, wanted, getattr(torch7, name), np.zeros(3, dtype), *args)


@pytest.mark.parametrize(("name", "args"), [("random_", ()), ("bernoulli_", ()), ("geometric_", (0.5,))])
def test_types_of_whole_numbers(name: str, args: tuple[float, ...]) -> None:
    for dtype in (*WHOLE, *REAL):
        x = getattr(torch7, name)(np.full(50, -1, np.int64).astype(dtype), *args)
        assert x.dtype == dtype
        assert (x >= 0).all()
    for other in (np.float16, np.bool_, np.uint16):
        refused(
            TypeError, f"{name}: expected one of torch.ByteTensor", getattr(torch7, name), np.zeros(3, other), *args
        )


@pytest.mark.parametrize("x", [[0.0, 0.0], None, np.zeros(3).view(torch7.Storage), (1, 2)])
def test_only_arrays_are_filled(x: Any) -> None:
    refused(TypeError, "uniform_: expected one of torch.FloatTensor", torch7.uniform_, x)


def test_a_read_only_array_is_refused() -> None:
    x = np.zeros((2, 3))
    x.flags.writeable = False
    for fill in (torch7.uniform_, torch7.bernoulli_, torch7.random_):
        refused(ValueError, r"the array of shape \(2, 3\) is read-only", fill, x)


def test_an_empty_array_takes_nothing() -> None:
    before = torch7.getRNGState()
    for shape in ((0,), (3, 0)):
        assert torch7.normal_(np.zeros(shape)).shape == shape
        torch7.bernoulli_(np.zeros(shape), np.zeros(shape))
    np.testing.assert_array_equal(torch7.getRNGState(), before)


def test_an_array_without_dimensions() -> None:
    assert torch7.uniform_(np.zeros(())) == 0.6964691872708499


def test_float_arguments_are_rounded_first() -> None:
    """A FloatTensor's method takes float arguments, computes in double and rounds the result."""
    words = torch7.default_generator.words(1000)
    a, b = float(np.float32(-0.08)), float(np.float32(0.1))
    torch7.manualSeed(123)
    got = torch7.uniform_(np.zeros(1000, np.float32), -0.08, 0.1)
    np.testing.assert_array_equal(got, (words * 2.0**-32 * (b - a) + a).astype(np.float32))
    assert (got != (words * 2.0**-32 * 0.18 - 0.08).astype(np.float32)).any()


def test_probabilities_stay_double() -> None:
    """Unlike the arguments of uniform, p is a double for all types."""
    p = float(np.nextafter(0.6964691872708499, 0))
    assert torch7.bernoulli_(np.zeros(1, np.float32), p) == 0
    torch7.manualSeed(123)
    assert torch7.bernoulli_(np.zeros(1, np.float32), 0.6964691872708499) == 1


def test_results_too_big_for_the_type_are_infinite() -> None:
    assert torch7.logNormal(1000, 1) == math.inf
    assert np.isinf(torch7.logNormal_(np.zeros(5), 1000, 1)).all()
    assert np.isinf(torch7.logNormal_(np.zeros(5, np.float32), 100, 1)).all()
    assert (torch7.uniform_(np.zeros(5, np.float32), 0, 1e300) == math.inf).all()


def test_exponential_of_rate_zero() -> None:
    assert torch7.exponential(0) == math.inf
    assert torch7.exponential(-0.0) == -math.inf
    assert (torch7.exponential_(np.zeros(3), 0) == math.inf).all()
    assert torch7.exponential(-2) < 0


def test_random_in_wide_and_negative_ranges() -> None:
    word = torch7.random()
    for low, high in ((-(2**62), 2**62), (0, 2**32 - 1), (-5, 2**40), (-(2**63), 2**63 - 1)):
        torch7.manualSeed(123)
        assert torch7.random(low, high) == word + low
        torch7.manualSeed(123)
        assert torch7.random_(np.zeros(1, np.int64), low, high) == word + low
    torch7.manualSeed(123)
    assert torch7.random(1.9, 6.9) == word % 6 + 1


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 2)])
@pytest.mark.parametrize("dtype", REAL)
def test_bernoulli_with_a_probability_for_each(shape: tuple[int, ...], dtype: Any) -> None:
    p = np.linspace(0, 1, 6).astype(dtype)
    expected = [torch7.bernoulli(x) for x in p.tolist()]
    for x in (np.zeros(shape, np.uint8), np.zeros(shape[::-1], np.float32).T):
        torch7.manualSeed(123)
        assert torch7.bernoulli_(x, p.reshape(2, 3)) is x
        assert x.reshape(-1).tolist() == expected
    torch7.manualSeed(123)
    assert torch7.bernoulli_(np.zeros(6), p.reshape(3, 2).T.copy().T).tolist() == expected


def test_wrong_probabilities_of_bernoulli() -> None:
    x = np.zeros(3)
    refused(TypeError, "type Float or Double, got torch.LongTensor", torch7.bernoulli_, x, np.ones(3, np.int64))
    refused(ValueError, r"expected 3 probabilities, got shape \(2,\)", torch7.bernoulli_, x, np.ones(2))
    for bad in (-0.1, 1.1, math.nan):
        refused(ValueError, "probabilities of 0 to 1", torch7.bernoulli_, x, np.array([0.5, bad, 0.5]))
        refused(ValueError, "probability of 0 to 1", torch7.bernoulli_, x, bad)
        refused(ValueError, "probability of 0 to 1", torch7.bernoulli, bad)


@pytest.mark.parametrize("x", [None, np.zeros(3), np.zeros(3, np.float32)])
def test_arguments_that_are_refused(x: np.ndarray | None) -> None:
    def bad(error: type[Exception], text: str, name: str, *args: Any) -> None:
        if x is None:
            refused(error, text, getattr(torch7, name), *args)
        else:
            refused(error, text, getattr(torch7, name + "_"), x, *args)

    for stdv in (0, -1, math.nan):
        bad(ValueError, "torch7.normal: expected a positive standard deviation", "normal", 0, stdv)
        bad(ValueError, "torch7.logNormal: expected a positive standard deviation", "logNormal", 0, stdv)
    for p in (0, 1, -1, 2, math.nan):
        bad(ValueError, "geometric: expected a probability above 0 and below 1", "geometric", p)
    bad(ValueError, "upper bound must be at least 3, got 2", "random", 3, 2)
    bad(ValueError, "upper bound must be at least 1, got 0", "random", 0)
    bad(TypeError, "expected a whole number, got None", "random", None, 5)
    bad(TypeError, "expected a whole number, got 'x'", "random", "x")
    for name in ("uniform", "normal", "logNormal", "cauchy"):
        bad(TypeError, f"{name}_?: expected numbers, got 0, None", name, 0, None)
        bad(TypeError, "positional argument", name, 0, 1, 2)
    for name in ("exponential", "geometric"):
        bad(TypeError, "missing 1 required positional argument", name)
    for name in ("exponential", "geometric", "bernoulli"):
        bad(TypeError, f"{name}_?: expected numbers, got 'x'", name, "x")


# --- new arrays


@pytest.mark.parametrize(("function", "fill"), [(torch7.rand, torch7.uniform_), (torch7.randn, torch7.normal_)])
def test_rand_and_randn(function: Any, fill: Any) -> None:
    expected = fill(np.zeros((2, 3)))
    sizes = np.array([2, 3]).view(torch7.Storage)
    gen = torch7.Generator()
    for args in ((2, 3), ([2, 3],), ((2, 3),), (sizes,), (np.int64(2), 3), (2.0, 3.0)):
        torch7.manualSeed(123)
        np.testing.assert_array_equal(function(*args), expected)
        result = np.zeros((2, 3))
        for order in ((gen, result), (result, gen)):
            torch7.manualSeed(gen, 123)
            assert function(*order, *args) is result
            np.testing.assert_array_equal(result, expected)
    assert function(0).shape == (0,)


def test_new_arrays_have_the_default_type_or_that_of_the_result() -> None:
    assert torch7.rand(2).dtype == torch7.randn(2).dtype == torch7.randperm(2).dtype == np.float64
    torch7.setdefaulttensortype("torch.FloatTensor")
    assert torch7.rand(2).dtype == torch7.randn(2).dtype == torch7.randperm(2).dtype == np.float32
    resized = torch7.rand(np.zeros(5), 2, 2)
    assert (resized.shape, resized.dtype) == ((2, 2), np.float64)
    assert isinstance(resized.base, np.ndarray)
    assert resized.base.ndim == 1


@pytest.mark.parametrize("args", [(), (-1,), (2, -1), (-2, -3), ([],), ("a",), (None,), ([2, "b"],)])
@pytest.mark.parametrize("name", ["rand", "randn"])
def test_wrong_sizes(name: str, args: tuple[Any, ...]) -> None:
    refused(ValueError, f"torch7.{name}: expected sizes", getattr(torch7, name), *args)


def test_a_result_of_a_type_without_uniform_numbers() -> None:
    refused(TypeError, "expected one of torch.FloatTensor", torch7.rand, np.zeros(3, np.int64), 3)


# --- numpy's loops and the C library


def test_functions_agree_with_the_c_library_to_the_last_bit() -> None:
    u = torch7.rand(5000)
    for function, x in ((libm.log, 1 - u), (libm.sin, 6 * u), (libm.cos, 6 * u), (libm.tan, 3 * u), (libm.exp, 9 * u)):
        np.testing.assert_array_max_ulp(function(x), np.array([function(v) for v in x.tolist()]), 1)


def test_a_loop_that_differs_is_not_used() -> None:
    def log(x: float) -> float:
        return math.nextafter(math.log(x), math.inf)

    x = 1 - torch7.rand(100)
    both = libm.elementwise(log, np.log, libm.SPREAD)
    assert both(x).tolist() == [log(v) for v in x.tolist()]
    assert both(0.5) == log(0.5)

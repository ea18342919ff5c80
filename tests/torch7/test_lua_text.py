from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch7.cmdline import tonumber
from torch7.dtypes import printed, tostring


@given(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53))
def test_tonumber_reads_what_python_writes(x):
    for text in (repr(x), f"  {x!r}\t", float(x).hex()):
        read = tonumber(text)
        assert read == x
        assert isinstance(read, int) == (abs(x) <= 2**53 and x == int(x))


@given(st.integers(0, 2**53), st.sampled_from(["{:x}", "{:X}"]), st.sampled_from(["0x", "0X", "-0x", "+0x"]))
def test_tonumber_reads_hexadecimal(n, form, prefix):
    assert tonumber(prefix + form.format(n)) == (-n if "-" in prefix else n)


@given(st.text(alphabet="0123456789.eExXpP+-abf_ ", max_size=7))
def test_tonumber_reads_numbers_only(text):
    read = tonumber(text)
    body = text.strip()
    if "x" not in body.lower():
        plausible = body.lower().translate(str.maketrans("", "", "0123456789.+-e")) == ""
        try:
            expected = float(body) if plausible else None
        except ValueError:
            expected = None
        assert read == expected
    elif read is not None:
        assert read == float.fromhex(body)


@pytest.mark.parametrize(
    "text", ["", " ", ".", "-", "e5", "5e", "0x", "0x.", "0xg", "1.5.2", "1_0", "5LL", "- 5", "٣", b"5", None, [1]]
)
def test_tonumber_refuses(text):
    assert tonumber(text) is None


SPELLINGS = {
    "1e999": math.inf, "-inf": -math.inf, "Infinity": math.inf, "0x1p9999": math.inf, "-0x1p9999": -math.inf,
    "0x.8": 0.5, "0x1P4": 16, "5.": 5, "+.5e1": 5, "00012": 12, "\v3\f": 3,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SPELLINGS.items())
def test_tonumber_reads(text, value):
    assert tonumber(text) == value


def test_tonumber_of_nan_and_of_numbers():
    assert math.isnan(tonumber("nan"))
    assert tonumber(5.5) == 5.5


@given(st.floats(allow_nan=False) | st.integers(-(10**18), 10**18))
def test_tostring_keeps_fourteen_digits(x):
    text = tostring(x)
    assert float(text) == pytest.approx(x, rel=1e-13)
    assert len(re.sub(r"e.*|^-?0\.0*|[-.]", "", text)) <= 14


def test_tostring_of_other_values():
    assert [tostring(x) for x in (True, False, None, "a", b"b", math.inf)] == ["true", "false", "nil", "a", "b", "inf"]
    assert tostring(np.float32(0.5)) == "0.5"


@pytest.mark.parametrize(
    ("x", "spec", "text"),
    [  # what LuaJIT 2.1 prints
        (14.0625, "11.4e", " 1.4063e+01"),
        (-14.0625, "11.4e", "-1.4063e+01"),
        (np.float32(14.0625), "11.4e", " 1.4063e+01"),
        (99999.5, "11.4e", " 1.0000e+05"),
        (14.06249999999999, "11.4e", " 1.4062e+01"),
        (1.7976931348623157e308, "11.4e", "1.7977e+308"),
        (5e-324, "11.4e", "4.9407e-324"),
        (-0.0, "11.4e", "-0.0000e+00"),
        (float("-inf"), "11.4e", "       -inf"),
        (float("nan"), "11.4e", "        nan"),
        (10**300, "11.4e", "1.0000e+300"),
        (1.5625, "2.3f", "1.563"),
        (-0.0005, "2.3f", "-0.001"),
        (0.125, ".2f", "0.13"),
        (2.5, ".0f", "3"),
        (1e300, ".1f", f"{int(1e300)}.0"),
        (100 / 2**21, ".14g", "4.7683715820313e-05"),
        (100000000000000.5, ".14g", "1e+14"),
        (123456789012345, ".14g", "1.2345678901235e+14"),
    ],
)
def test_numbers_are_rounded_as_luajit_does(x, spec, text):
    assert printed(x, spec) == text


@given(st.floats(allow_nan=False) | st.integers(-(2**60), 2**60).map(lambda n: n / 2**30))
def test_only_halves_are_rounded_otherwise_than_in_python(x):
    for spec in ("11.4e", ".14g", ".3f"):
        printed_by_us = printed(x, spec)
        if printed_by_us != f"{x:{spec}}":
            assert abs(float(printed_by_us) - x) == pytest.approx(abs(float(f"{x:{spec}}") - x), rel=1e-9)

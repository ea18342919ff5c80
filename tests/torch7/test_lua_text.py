from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch7.cmdline import tonumber
from torch7.dtypes import tostring


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

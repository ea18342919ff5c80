"""Torch's tensor types as numpy dtypes: names, the default type, and what kind of thing a value is."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np

from . import registry
from .tables import Storage, is_table

KINDS: dict[str, np.dtype] = {
    "Byte": np.dtype(np.uint8),
    "Char": np.dtype(np.int8),
    "Short": np.dtype(np.int16),
    "Int": np.dtype(np.int32),
    "Long": np.dtype(np.int64),
    "Float": np.dtype(np.float32),
    "Double": np.dtype(np.float64),
    "Half": np.dtype(np.float16),
}
KIND_OF = {dtype: kind for kind, dtype in KINDS.items()}
DTYPES = {f"torch.{kind}Tensor": dtype for kind, dtype in KINDS.items()}

# A GPU tensor becomes the CPU tensor of the same precision; Cuda and Cl alone mean float.
GPU_KINDS = {"Cuda": "Float", "Cl": "Float"} | {
    f"{gpu}{kind}": kind for gpu in ("Cuda", "Cl") for kind in KINDS if (gpu, kind) != ("Cuda", "Float")
}
DTYPES |= {f"torch.{gpu}Tensor": KINDS[kind] for gpu, kind in GPU_KINDS.items()}

_default = "torch.DoubleTensor"


def dtype_of(name: str) -> np.dtype:
    """The numpy dtype of a Torch tensor type.

    >>> dtype_of("torch.FloatTensor")
    dtype('float32')
    """
    try:
        return DTYPES[name]
    except (KeyError, TypeError):
        raise ValueError(f"torch7: unknown tensor type {name!r}, expected one of {', '.join(DTYPES)}") from None


def tensor_type(dtype: np.dtype) -> str:
    """The Torch tensor type of a numpy dtype: `torch.DoubleTensor` for float64."""
    try:
        return f"torch.{KIND_OF[np.dtype(dtype)]}Tensor"
    except KeyError:
        raise TypeError(f"torch7: Torch has no tensor of dtype {dtype}") from None


def setdefaulttensortype(name: str) -> None:
    """Sets the type of tensors made without naming one: "torch.DoubleTensor" (at first) or "torch.FloatTensor"."""
    global _default
    if dtype_of(name).kind != "f":
        raise ValueError(f"torch7.setdefaulttensortype: {name} cannot be the default, expected a floating type")
    _default = tensor_type(dtype_of(name))


def getdefaulttensortype() -> str:
    """The name of the default tensor type.

    >>> getdefaulttensortype()
    'torch.DoubleTensor'
    """
    return _default


def default_dtype() -> np.dtype:
    """The numpy dtype of the default tensor type."""
    return DTYPES[_default]


def isStorage(x: Any) -> bool:
    """Whether x is a Torch storage."""
    return isinstance(x, Storage)


def isTensor(x: Any) -> bool:
    """Whether x is a tensor, here: a numpy array that is no storage."""
    return isinstance(x, np.ndarray) and not isinstance(x, Storage)


def typename(x: Any) -> str | None:
    """The Torch class name of a tensor, storage or object of a registered class; None for anything else.

    >>> typename(np.zeros(2)), typename(3)
    ('torch.DoubleTensor', None)
    """
    if isinstance(x, np.ndarray):
        kind = KIND_OF.get(x.dtype)
        return kind and f"torch.{kind}{'Storage' if isinstance(x, Storage) else 'Tensor'}"
    return registry.name_of(x)


def type_(x: Any, spec: str | None = None) -> Any:
    """Torch's name for the type of x; with `spec`, whether x is of that type.

    >>> type_([1, 2]), type_("a"), type_(2.5), type_(None), type_(np.zeros(1))
    ('table', 'string', 'number', 'nil', 'torch.DoubleTensor')
    """
    name = typename(x) or lua_type(x)
    return name if spec is None else name == spec


def lua_type(x: Any) -> str:
    """Lua's own name for the type of x: nil, boolean, number, string, table, function or userdata."""
    if x is None:
        return "nil"
    if isinstance(x, (bool, np.bool_)):
        return "boolean"
    if isinstance(x, numbers.Number):
        return "number"
    if isinstance(x, (str, bytes)):
        return "string"
    if is_table(x) or isinstance(x, dict):
        return "table"
    return "function" if callable(x) else "userdata"


def printed(x: float, spec: str) -> str:
    """A number as LuaJIT's string.format prints it: a half of the last digit is rounded away from zero.

    C and Python round it to the even digit: 14.0625 percent are 1.4062e+01.

    >>> printed(14.0625, "11.4e"), printed(1.5625, ".3f"), printed(float("nan"), ".14g")
    (' 1.4063e+01', '1.563', 'nan')
    """
    x, places = float(x), int(spec.partition(".")[2][:-1])
    if math.isfinite(x):
        if spec.endswith("f"):
            rounded = Decimal(x).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, Context(prec=400))
        else:
            rounded = Context(places + spec.endswith("e"), ROUND_HALF_UP).create_decimal(x)
        x = float(rounded) if math.isfinite(float(rounded)) else x  # the largest double may be rounded to more
    return f"{x:{spec}}"


def tostring(x: Any) -> str:
    """The text that Lua's `tostring` gives: numbers with up to 14 digits, `true`, `false`, `nil`; else Python's.

    >>> tostring(2e-3), tostring(5.0), tostring(1 / 3), tostring(False)
    ('0.002', '5', '0.33333333333333', 'false')
    """
    kind = lua_type(x)
    if kind == "number":
        return printed(x, ".14g")
    if isinstance(x, bytes):
        return x.decode(errors="replace")
    return {"boolean": str(x).lower(), "nil": "nil"}.get(kind) or str(x)


def isTypeOf(x: Any, spec: Any) -> bool:
    """Whether x is of the class `spec` or of one derived from it; `spec` is a Torch class name or a Python class."""
    if isinstance(spec, type):
        return isinstance(x, spec)
    if isinstance(x, np.ndarray):
        return typename(x) == spec
    return any(registry.class_name(cls) == spec for cls in type(x).__mro__)


def sizes_of(sizes: Sequence[Any], who: str = "torch7", least: int = 0) -> tuple[int, ...]:
    """A shape from Torch's ways to give one: `(2, 3)`, or one list, tuple or LongStorage of sizes.

    With `least` -1, sizes may be -1: what the others leave.

    >>> sizes_of([2, 3.0]), sizes_of([(2, 3)])
    ((2, 3), (2, 3))
    """
    given = sizes[0] if len(sizes) == 1 and (is_table(sizes[0]) or isStorage(sizes[0])) else sizes
    if len(given) == 0 or not all(lua_type(n) == "number" and least <= n < 2**63 for n in given):
        got = ", ".join(map(repr, sizes)) or "nothing"
        lowest = f"below {least}" if least else "negative"
        raise ValueError(f"{who}: expected sizes (whole numbers, none {lowest}), got {got}")
    return tuple(int(n) for n in given)

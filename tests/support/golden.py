"""Reads the recorded data in tests/golden: numbers, texts and files that the real Torch7 produced."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

import torch7

ROOT = Path(__file__).parent.parent / "golden"
SPECIAL = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


@functools.cache
def load(name: str) -> Any:
    """The parsed JSON file `name`, relative to tests/golden. Callers must not change it."""
    return json.loads((ROOT / name).read_text())


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file."""
    return load(name)["cases"]


def case_id(case: dict[str, Any]) -> str:
    """A name of a case for pytest."""
    return str(case.get("id") or case.get("name"))


def number(x: Any) -> Any:
    return SPECIAL[x] if isinstance(x, str) else x


def decode(value: Any) -> Any:
    """A recorded value as Python value: tensors as arrays, tables as lists or dicts."""
    if isinstance(value, str):
        return SPECIAL.get(value, value)
    if not isinstance(value, dict):
        return value
    if "table" in value:
        return [decode(x) for x in value["table"]]
    if "dict" in value:
        return {k: decode(v) for k, v in value["dict"].items()}
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    if "shape" in value:
        return decode_tensor(value)
    return {k: decode(v) for k, v in value.items()}


def decode_tensor(value: dict[str, Any]) -> np.ndarray:
    shape = tuple(value["shape"]) or (0,)
    data = np.array([number(x) for x in value["data"]], dtype=value["dtype"]).reshape(shape)
    if value.get("storage"):
        return data.view(torch7.Storage)
    if "strides" not in value:
        return data
    room = np.zeros(1 + sum((n - 1) * s for n, s in zip(shape, value["strides"])), data.dtype)
    view = torch7.memory.view_of(room, 0, shape, value["strides"])
    view[...] = data
    return view

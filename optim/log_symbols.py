"""What a caller of optim.Logger may give: names, values, styles, and symbols by name or position."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

import torch7

from .common import described
from .log_formats import Name, Value
from .plot_styles import parse_style


def at(table: Any, key: Any) -> Any:
    """The entry of a list, whose keys count from 1, or of a mapping."""
    return table[key - 1] if torch7.is_table(table) else table[key]


def place_of(name: Any, texts: list[str], method: str) -> int:
    """The place of a symbol among all, from 0 on; its position from 1 on counts as its name, too."""
    if str(name) in texts:
        return texts.index(str(name))
    if isinstance(name, int) and 1 <= name <= len(texts):
        return name - 1
    raise ValueError(f"optim.Logger.{method}: unknown symbol {name!r}; expected one of {texts or 'none yet'}")


def checked_name(name: Any) -> Name:
    """A name as Python's own string, or whole number, which is what symbols without a name have."""
    if isinstance(name, str):
        return str(name)
    if isinstance(name, numbers.Integral) and not isinstance(name, bool):
        return int(name)
    raise TypeError(f"optim.Logger: expected names to be strings, got {described(name)}")


def checked_value(name: Name, value: Any) -> Value:
    """A value as Python's own number or string."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"optim.Logger.add: can only log numbers and strings, got {described(value)} for {name!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"optim.Logger.add: the number for {name!r} is too large for a double") from None
    return int(value) if isinstance(value, numbers.Integral) else number


def checked_styles(style: Any) -> list[str]:
    """One style or several as a list of styles that are known."""
    styles = list(style) if torch7.is_table(style) else [style]
    for text in styles:
        if not isinstance(text, str):
            raise TypeError(
                f"optim.Logger.style: style should be a string or a list of strings, got {described(style)}"
            )
        parse_style(text)
    return styles

"""The languages of optim.Logger's plots: Torch's styles, matplotlib's and gnuplot's, and gnuplot's `set` commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from .common import described

Color = str | int  # a name or code, or the number of a colour in the plot's own order, from 1


@dataclass(frozen=True)
class Style:
    """How one symbol is drawn: matplotlib's line style and marker, "" for none, and the shape between the points."""

    line: str = ""
    marker: str = ""
    shape: str = "lines"  # or smooth, steps, boxes, impulses
    hollow: bool = False
    color: Color | None = None
    width: float | None = None
    size: float | None = None


TORCH = {
    ".": Style(marker="."),
    "+": Style(marker="+"),
    "-": Style("-"),
    "+-": Style("-", "+"),
    "~": Style("-", shape="smooth"),
    "|": Style("-", shape="boxes"),
}

# gnuplot's words; the first that a word begins is what an abbreviation stands for
_SHAPES = {
    "lines": TORCH["-"],
    "points": TORCH["+"],
    "linespoints": TORCH["+-"],
    "lp": TORCH["+-"],
    "dots": TORCH["."],
    "boxes": TORCH["|"],
    "impulses": Style("-", shape="impulses"),
    "steps": Style("-", shape="steps"),
    "csplines": TORCH["~"],
}
_OPTIONS = {
    "lw": "linewidth",
    "lt": "linetype",
    "lc": "linecolor",
    "dt": "dashtype",
    "pt": "pointtype",
    "ps": "pointsize",
}
_POINTS = "+x*ssoo^^vvDD"  # gnuplot's point types from 1; from the fourth on, an empty one and a filled one in turn
_DASHES = {"1": "-", "2": "--", "3": ":", "4": "-.", "5": "-."} | {"solid": "-", "-": "--", ".": ":", "-.": "-."}
_MATPLOTLIB = re.compile(
    r"(?P<line>--|-\.|-|:)|(?P<color>C\d+|[bgrcmykw])|(?P<marker>[.,ov^<>1234" + r"8spP*hH+xXDd|_])"
)


def parse_style(text: str) -> Style:
    """The style that a string names; ValueError for any other string.

    >>> parse_style("+-")
    Style(line='-', marker='+', shape='lines', hollow=False, color=None, width=None, size=None)
    >>> parse_style("r--") == parse_style("with lines dt 2 lc rgb 'r'")
    True
    """
    style = TORCH.get(text) or _matplotlib_style(text)
    return _gnuplot_style(text) if style is None else style


def _matplotlib_style(text: str) -> Style | None:
    """The style of one of matplotlib's format strings: a colour, a marker and a line style in any order."""
    found: dict[str, str] = {}
    end = 0
    for match in _MATPLOTLIB.finditer(text):
        kind = str(match.lastgroup)
        if kind in found or match.start() != end:
            return None
        found[kind], end = match[0], match.end()
    if not text or end != len(text):
        return None
    line = found.get("line", "" if "marker" in found else "-")
    return Style(line, found.get("marker", ""), color=found.get("color"))


def _gnuplot_style(text: str) -> Style:
    """The style of gnuplot's `with linespoints lw 2 lc rgb "red"`, of which the first word may be left out."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if len(words) > 1 and any(word.startswith(words[0]) for word in ("with", "smooth")):
        del words[0]
    word = next((shape for shape in _SHAPES if words and words[0] and shape.startswith(words[0])), None)
    if word is None:
        _unknown(text)
    style, rest = _SHAPES[word], iter(words[1:])
    for option in rest:
        value = next(rest, "")
        if option in ("lc", "linecolor") and value in ("rgb", "rgbcolor"):
            value = next(rest, "")
        change = _option(_OPTIONS.get(option, option), value)
        if change is None:
            _unknown(text, f"{option} {value}".rstrip())
        # lines have no points and points no dashes, whatever is said of them
        style = replace(style, **{key: new for key, new in change.items() if getattr(style, key) != ""})
    return style


def _option(name: str, value: str) -> dict[str, Any] | None:
    """What an option of gnuplot changes in a style; None if it is none of the known ones."""
    if name in ("linewidth", "pointsize") and re.fullmatch(r"\d+\.?\d*|\.\d+", value):
        return {"width" if name == "linewidth" else "size": float(value)}
    if name in ("linetype", "linecolor") and re.fullmatch(r"[1-9]\d*", value):
        return {"color": int(value)}
    if name == "linecolor" and re.fullmatch(r"#[0-9a-fA-F]{6}|[A-Za-z][\w-]*", value):
        return {"color": value.replace("-", "")}  # gnuplot's dark-green is darkgreen elsewhere
    if name == "dashtype" and value in _DASHES:
        return {"line": _DASHES[value]}
    if name == "pointtype" and value.isdecimal() and 1 <= int(value) <= len(_POINTS):
        return {"marker": _POINTS[int(value) - 1], "hollow": int(value) >= 4 and int(value) % 2 == 0}
    return None


def _unknown(text: str, part: str = "") -> NoReturn:
    where = f" ({part!r} is not known)" if part else ""
    raise ValueError(
        f"optim.Logger: unknown style {text!r}{where}; expected one of {' '.join(TORCH)}, matplotlib's such as 'r--', "
        "or gnuplot's such as 'with linespoints lw 2 pt 7 lc rgb \"red\"'"
    )


# A command as a plot carries it out: what to set, and to which value.
Command = tuple[str, Any]

_COMMANDS = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^;\n"'])+""")
_TEXTS = ("xlabel", "ylabel", "title")
_BOUND = r"\s*(\*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)?\s*"
_RANGE = re.compile(rf"\[{_BOUND}:{_BOUND}\]")


def parse_commands(raw: Any) -> list[Command] | Callable[[Any], Any]:
    """gnuplot's commands, separated by semicolons or line ends, as pairs; a function as it is; none for None or False.

    Raises TypeError for anything else, and ValueError for unknown commands.

    >>> parse_commands('set xlabel "epoch"; set yrange [0:*]; unset key')
    [('xlabel', 'epoch'), ('yrange', (0.0, None)), ('key', None)]
    """
    if callable(raw):
        return raw
    if raw is None or raw is False:
        return []
    if not isinstance(raw, str):
        raise TypeError(f"optim.Logger: expected plotRawCmd to be a string or a function, got {described(raw)}")
    return [_command(command.strip()) for command in _COMMANDS.findall(raw) if command.strip()]


def _command(text: str) -> Command:
    try:
        verb, what, *rest = shlex.split(text)
    except ValueError:
        verb, what, rest = "", "", []
    value = text.split(None, 2)[2] if rest else ""
    command = _set(what, rest, value) if verb == "set" else _unset(what, rest) if verb == "unset" else None
    if command is None:
        raise ValueError(
            f"optim.Logger: plotRawCmd has {text!r}, expected gnuplot's set or unset of xlabel, ylabel, title, xrange, "
            "yrange, key, grid or logscale; a function that takes matplotlib's axes can do anything"
        )
    return command


def _set(what: str, rest: list[str], value: str) -> Command | None:
    """What `set` sets; None if it is nothing known."""
    if what in _TEXTS and len(rest) == 1:
        return what, rest[0]
    if what in ("xrange", "yrange") and (match := _RANGE.fullmatch(value)):
        low, high = (None if bound in (None, "*") else float(bound) for bound in match.groups())
        return what, (low, high)
    if what == "key":
        return _key(rest)
    if what == "grid" and not rest:
        return what, True
    if what in ("log", "logscale") and rest in ([], ["x"], ["y"], ["xy"]):
        return "logscale", dict.fromkeys(rest[0] if rest else "xy", True)
    return None


def _unset(what: str, rest: list[str]) -> Command | None:
    """What `unset` takes away; None if it is nothing known."""
    if what in ("log", "logscale") and rest in ([], ["x"], ["y"], ["xy"]):
        return "logscale", dict.fromkeys(rest[0] if rest else "xy", False)
    if rest:
        return None
    return {"key": ("key", None), "grid": ("grid", False)}.get(what, (what, "") if what in _TEXTS else None)


def _key(words: list[str]) -> Command | None:
    """Where the legend is: matplotlib's name of a place in the axes, "below" them, or None for nowhere."""
    if words == ["off"]:
        return "key", None
    if words in (["below"], ["outside"], ["on"], []):
        return "key", "below"
    rows = [{"top": "upper", "bottom": "lower"}[word] for word in words if word in ("top", "bottom")]
    columns = [word for word in words if word in ("left", "right", "center")]
    if len(rows) > 1 or len(columns) > 1 or len(rows) + len(columns) < len(words):
        return None
    row, column = rows[0] if rows else "upper", columns[0] if columns else "right"
    return "key", f"{row} {column}"

"""The pictures of optim.Logger, drawn with matplotlib on any figure."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from torch7.optional import optional
from torch7.replacing import replacing

from .pictures import Picture, breadth, fonts, quietly
from .plot_styles import TORCH, Command, Style

WIDTH, HEIGHT = 7.5, 4.5  # of a picture, in inches
LINE = 0.2  # of the legend, in inches
RESOLUTION = 150  # dots per inch
MANY = 5000  # points from which on a symbol's marks are drawn as dots, and as one bitmap in files of lines and curves
LARGE = 1e150  # what is larger is not shown: margins and ticks beyond it could be beyond all numbers
DENSE = 1000  # values from which on lines are thin, and boxes have no sides
LINES = ("-", "--", ":", "-.")
GRID = "#e3e3e3"  # no transparency, which eps does not know

RawCommands = Sequence[Command] | Callable[[Any], Any]


class Curve(NamedTuple):
    """One symbol of a plot: its name, its number among all symbols from 0 on, its values and how to draw them."""

    name: str
    number: int
    values: np.ndarray
    styles: list[Style]


@dataclass
class Plot(Picture):
    """All that a plot shows."""

    title: str
    curves: list[Curve]
    logscale: bool
    raw: RawCommands

    @property
    def size(self) -> tuple[float, float]:
        """That of a new figure, which is higher where the legend has many lines."""
        lines = _lines([curve.name for curve in self.curves], WIDTH)
        return WIDTH, HEIGHT + LINE * max(0, lines - 2)

    def draw(self, figure: Any) -> None:
        """Draws on a matplotlib figure in place of what is there."""
        matplotlib = optional("matplotlib", "plot", "optim.Logger.plot")
        with matplotlib.rc_context({"font.family": fonts(), "text.usetex": False}):
            self._draw(figure)

    def _draw(self, figure: Any) -> None:
        figure.clear()
        figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.08)
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(self.title, fontsize="medium", parse_math=False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        commands = [] if callable(self.raw) else self.raw
        logscale = self._has_logscale(commands)
        handles = [tuple(_drawn(axes, curve, style, logscale) for style in curve.styles) for curve in self.curves]
        if logscale:
            _set_logscale(axes)
        for command in commands:
            _apply(axes, *command)
        if callable(self.raw):
            self.raw(axes)
        place = dict([("key", "below"), *commands])["key"]
        if place is not None and axes.get_legend() is None:
            self._legend(figure, axes, place, handles)

    def _has_logscale(self, commands: Sequence[Command]) -> bool:
        """Whether the y-axis is logarithmic: it has to be asked for, and there has to be something to show."""
        asked = self.logscale
        for what, value in commands:
            asked = value.get("y", asked) if what == "logscale" else asked
        return asked and any((curve.values > 1 / LARGE).any() for curve in self.curves)

    def _legend(self, figure: Any, axes: Any, place: str, handles: list[Any]) -> None:
        names = [curve.name for curve in self.curves]
        blank = [" "] * len(names)  # matplotlib would leave out names that begin with _
        if place == "below":
            width, height = figure.get_size_inches()
            # in a window, which does not grow, the letters shrink
            room = max(0.3, height - 2.5) / (LINE * _lines(names, width))
            scale = min(1.0, math.sqrt(room))
            columns = _columns(names, width / scale)
            legend = figure.legend(
                handles, blank, loc="outside lower center", ncols=columns, frameon=False, fontsize=10 * scale
            )
        else:
            legend = axes.legend(handles, blank, loc=place, framealpha=1, edgecolor=GRID)
        for text, name in zip(legend.get_texts(), names):
            text.set(text=name, parse_math=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture to a file, in the format that its suffix names."""
        figure = self.figure()
        suffix = os.path.splitext(path)[1].removeprefix(".").lower()
        known = figure.canvas.get_supported_filetypes()
        if suffix not in known:
            expected = ", ".join(f".{name}" for name in sorted(known))
            raise ValueError(f"optim.Logger: expected the name of a picture to end in one of {expected}, got {path}")
        with replacing(path) as draft, quietly():
            figure.savefig(draft, format=suffix, dpi=RESOLUTION)


def smooth(x: np.ndarray, y: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The natural cubic spline through points with ascending x, at `points` places between the first and the last.

    >>> smooth(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), 5)[1]
    array([0.    , 0.6875, 1.    , 0.6875, 0.    ])
    """
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    # the second derivatives m solve h[i-1] m[i-1] + 2 (h[i-1] + h[i]) m[i] + h[i] m[i+1] = 6 (slope[i] - slope[i-1])
    system = np.diag(2 * (h[1:] + h[:-1])) + np.diag(h[1:-1], 1) + np.diag(h[1:-1], -1)
    m = np.zeros(len(x))
    m[1:-1] = np.linalg.solve(system, 6 * np.diff(slope))
    at = np.linspace(x[0], x[-1], points)
    i = np.clip(np.searchsorted(x, at) - 1, 0, len(h) - 1)
    a, b = (x[i + 1] - at) / h[i], (at - x[i]) / h[i]
    bend = ((a**3 - a) * m[i] + (b**3 - b) * m[i + 1]) * h[i] ** 2 / 6
    return at, a * y[i] + b * y[i + 1] + bend


def _drawn(axes: Any, curve: Curve, style: Style, logscale: bool) -> Any:
    """Draws a symbol in one style; returns what stands for it in the legend."""
    shown = np.abs(curve.values) < LARGE
    if logscale:
        shown &= curve.values > 1 / LARGE
    y = np.where(shown, curve.values, np.nan)
    x = np.arange(1, len(y) + 1)
    color = _color(style, curve.number)
    width = (1.6 if len(y) <= DENSE else 0.8) if style.width is None else style.width
    if style.shape == "boxes" and len(y) <= DENSE:
        return axes.bar(x, y, width=1, facecolor="none", edgecolor=color, linewidth=width)
    if style.shape == "impulses":
        return axes.vlines(x[shown], 0, y[shown], color=color, linewidth=width)
    if style.shape == "smooth":
        x, y = _smoothed(x, y, logscale)
    (line,) = axes.plot(
        x,
        y,
        linestyle=_line(style, curve.number) or "none",
        drawstyle={"steps": "steps-post", "boxes": "steps-mid"}.get(style.shape),
        color=color,
        linewidth=width,
        rasterized=len(y) > MANY and bool(style.marker),
        **_marks(style, len(y)),
    )
    if len(y) > MANY and not style.line:  # its marks are too small to be seen alone
        return type(line)([], [], linestyle="none", marker="o", markersize=4, color=color)
    return line


def _marks(style: Style, count: int) -> dict[str, Any]:
    """How matplotlib draws the marks at `count` points: all of them, or with a line some, so that they stay apart."""
    if not style.marker:
        return {}
    many = count > MANY and not style.line
    size = (3.5 if style.marker in ".," else 6) * min(1.0, max(0.5, 10 / math.sqrt(count)))
    marks = {
        "marker": "." if many else style.marker,
        "markersize": (1.5 if many else size) * (1 if style.size is None else style.size),
        "markevery": max(1, count // 40) if style.line else None,
        "markeredgewidth": 0 if many else 1.2,
    }
    return marks | ({"markerfacecolor": "none"} if style.hollow else {})


def _smoothed(x: np.ndarray, y: np.ndarray, logscale: bool) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve through the points, of the logarithms where these are what is shown."""
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if not 3 <= len(x) <= 500:  # between more points than that a curve cannot be told from lines
        return x, y
    x, y = smooth(x, np.log(y) if logscale else y, max(600, 4 * len(x)))
    return x, np.exp(y) if logscale else y


def _set_logscale(axes: Any) -> None:
    """A logarithmic y-axis, with numbers as they are and not as powers."""
    formatter = optional("matplotlib.ticker", "plot", "optim.Logger.plot").LogFormatter

    class Plain(formatter):  # type: ignore[misc, valid-type]
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(Plain())
    axes.yaxis.set_minor_formatter(Plain())


def _line(style: Style, number: int) -> str:
    """The line style: that of the style, but dashes where the colours have started again."""
    return LINES[number // len(_palette()) % len(LINES)] if style == TORCH["-"] else style.line


def _palette() -> list[Any]:
    cycle = optional("matplotlib", "plot", "optim.Logger.plot").rcParams["axes.prop_cycle"].by_key()
    return cycle.get("color", ["black"])


def _color(style: Style, number: int) -> Any:
    """The colour of a style, else that of the symbol."""
    colors = optional("matplotlib.colors", "plot", "optim.Logger.plot")
    palette = _palette()
    if style.color is None:
        return palette[number % len(palette)]
    if isinstance(style.color, int):
        return palette[(style.color - 1) % len(palette)]
    if not colors.is_color_like(style.color):
        raise ValueError(f"optim.Logger: unknown colour {style.color!r}; expected one that matplotlib knows")
    return style.color


def _columns(names: list[str], width: float) -> int:
    """The number of columns of a legend of a width in inches."""
    widest = max(map(breadth, names))
    return max(1, min(len(names), int((width - 0.3) / (0.65 + 0.121 * widest))))


def _lines(names: list[str], width: float) -> int:
    """The number of its lines."""
    return math.ceil(len(names) / _columns(names, width))


def _apply(axes: Any, what: str, value: Any) -> None:
    """Carries out one of gnuplot's commands."""
    if what in ("xlabel", "ylabel", "title"):
        axes.set(**{what: value})
    elif what == "xrange":
        axes.set_xlim(*value)
    elif what == "yrange":
        axes.set_ylim(*value)
    elif what == "grid":
        axes.grid(value)
    elif what == "logscale" and "x" in value:
        axes.set_xscale("log" if value["x"] else "linear")

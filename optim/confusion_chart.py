"""Confusion matrices drawn for reports and notebooks: rows and columns with names, counts, what is wrong in red."""

from __future__ import annotations

import io
import math
import os
from typing import Any

import numpy as np

from torch7.optional import optional
from torch7.replacing import replace, suffix_of

from .confusion_picture import Arrangement, printable
from .pictures import breadth, fonts, new_figure, quietly

FORMATS = ("png", "svg", "pdf")
LONGEST_NAME = 32
POINTS = 72  # in an inch
INK, PALE, LINES = "#22303c", "#6b7885", "#dfe4e9"
RIGHT, WRONG = np.array([43, 110, 172]) / 255, np.array([203, 33, 28]) / 255


def save(confusion: Any, path: str | os.PathLike[str], sortmode: str | None, title: str | None, dpi: float) -> None:
    """Draws a matrix to a file in the format that its suffix names."""
    who = "optim.ConfusionMatrix.save"
    format = suffix_of(path, FORMATS, who)
    if not dpi > 0:
        raise ValueError(f"{who}: expected a dpi above 0, got {dpi}")
    replace(path, drawn(confusion, format, sortmode, title, dpi, who))


def png(confusion: Any) -> bytes:
    """The picture of a matrix as a notebook shows it."""
    return drawn(confusion, "png", None, None, 80, "optim.ConfusionMatrix")


def drawn(confusion: Any, format: str, sortmode: str | None, title: str | None, dpi: float, who: str) -> bytes:
    """The picture of a matrix in a format."""
    confusion.updateValids()
    file = io.BytesIO()
    with quietly():
        figure = Chart(confusion, Arrangement(confusion, sortmode, who), title).figure
        figure.savefig(file, format=format, dpi=dpi, bbox_inches="tight", pad_inches=0.2, facecolor="white")
    return file.getvalue()


class Chart:
    """A matplotlib figure of a matrix. A cell is 1 in the coordinates of its axes, and `cell` inches wide."""

    def __init__(self, confusion: Any, arrangement: Arrangement, title: str | None):
        self.arrangement, n = arrangement, len(arrangement)
        self.cell = min(max(5.5 / n, 0.27), 1.1, 40 / n)
        self.point = 1 / (POINTS * self.cell)
        side = n * self.cell
        self.figure = new_figure((side, side))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, n), ylim=(n, 0))
        self.axes.axis("off")
        self.style = {"family": fonts(), "parse_math": False, "usetex": False, "color": INK}
        self.fill_cells()
        self.write_counts()
        self.write_names()
        self.write_shares()
        self.write_title(title or "Confusion matrix", told(confusion, arrangement), min(max(1, side / 10), 2))

    def write(self, x: float, y: float, text: str, size: float, **style: Any) -> None:
        """Writes a text of a size in points at a place in cells."""
        self.axes.text(x, y, text, size=size, **{**self.style, **style})

    def fill_cells(self) -> None:
        """A grid, and a square for each cell that is not empty."""
        collections = optional("matplotlib.collections", "plot", "a picture")
        n, width = len(self.arrangement), min(0.8, self.cell * 5)
        marks = range(0, n + 1, 1 if self.cell > 0.1 else n)  # a grid of tiny cells would be a gray area
        lines = [line for i in marks for line in (((0, i), (n, i)), ((i, 0), (i, n)))]
        self.axes.add_collection(collections.LineCollection(lines, colors=LINES, linewidths=width, clip_on=False))
        places = np.argwhere(self.arrangement.counts)
        corners = places[:, None, ::-1] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        filled = colors(self.arrangement.shares)[tuple(places.T)]
        squares = collections.PolyCollection(corners, facecolors=filled, edgecolors="white", linewidths=width)
        self.axes.add_collection(squares)

    def write_counts(self) -> None:
        """The count of each cell, and its share of the row below it where there is room for both."""
        two = self.cell >= 0.5
        size = min(0.32 / self.point, 15) * (0.8 if two else 1)
        if size < 5:
            return
        counts, shares = self.arrangement.counts, self.arrangement.shares
        digits = int(0.9 / self.point / (0.7 * size))  # 4 or more
        up, down = (0.4 * size * self.point, 0.8 * size * self.point) if two else (0, 0)
        for i, j in np.argwhere(counts):
            loud = i != j and strength(shares[i, j], False) > 0.6
            style = {"color": "white" if loud else INK, "ha": "center", "va": "center_baseline", "clip_on": True}
            weight = "normal" if i == j else "bold"
            self.write(j + 0.5, i + 0.5 - up, short(int(counts[i, j]), digits), size, weight=weight, **style)
            if two:
                self.write(j + 0.5, i + 0.5 + down, percent(shares[i, j]), size * 0.68, alpha=0.8, **style)

    def write_names(self) -> None:
        """The names of the rows and the columns."""
        size, step = self.fitting(10, 6.5)
        names = [
            name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in self.arrangement.names
        ]
        gap, n = 5 * self.point, len(names)
        flat = max(map(breadth, names)) * size * self.point <= step
        turned = {"ha": "center"} if flat else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        for i in range(0, n, step):
            self.write(-gap, i + 0.5, names[i], size, ha="right", va="center_baseline")
            self.write(i + 0.5, n + gap, names[i], size, va="top", **turned)
        self.write(0, -gap, "is ↓   taken for →", size, color=PALE, va="bottom")

    def write_shares(self) -> None:
        """At the right, the share of right ones of each row and the number of its examples."""
        arrangement = self.arrangement
        size, step = self.fitting(9.5, 6)
        columns = [len(arrangement) + width * size * self.point for width in (5, 11)]
        for x, head in zip(columns, ("right", "examples")):
            self.write(x, -5 * self.point, head, size, color=PALE, ha="right", va="bottom")
        for i in range(0, len(arrangement), step):
            share = percent(arrangement.scores[i], 1) if arrangement.examples[i] else "–"
            for x, text, color in zip(columns, (share, short(int(arrangement.examples[i]), 9)), (INK, PALE)):
                self.write(x, i + 0.5, text, size, color=color, ha="right", va="center_baseline")

    def write_title(self, title: str, summary: str, scale: float) -> None:
        """The title and the measures above the matrix."""
        above = (20 + 10 * scale) * self.point
        self.write(0, -above, summary, 9 * scale, color=PALE, va="bottom")
        self.write(0, -above - 17 * scale * self.point, printable(title), 13 * scale, weight="bold", va="bottom")

    def fitting(self, largest: float, smallest: float) -> tuple[float, int]:
        """The size of text beside the rows, and how many rows one line of it takes."""
        size = min(largest, max(smallest, 0.4 / self.point))
        return size, math.ceil(1.15 * size * self.point)


def told(confusion: Any, arrangement: Arrangement) -> str:
    """The measures in one line."""
    total = int(arrangement.examples.sum())
    if total == 0:
        return "no examples"
    right = int(arrangement.counts.trace())
    return (
        f"{right} of {total} right ({confusion.totalValid:.2%}), "
        f"mean of the classes {confusion.averageValid:.2%}, VOC measure {confusion.averageUnionValid:.2%}"
    )


def strength(share: Any, right: Any) -> Any:
    """How much of its colour a cell has, from 0 to 1; a few wrong ones are seen at once, right ones are never loud."""
    return np.where(right, 0.1 + 0.35 * share, np.minimum(1, 0.2 + 1.3 * np.sqrt(share)))


def colors(shares: np.ndarray) -> np.ndarray:
    """Shares (n, n) as colours (n, n, 3), from white to blue on the diagonal, from white to red elsewhere."""
    right = np.eye(len(shares), dtype=bool)
    return 1 - strength(shares, right)[..., None] * (1 - np.where(right[..., None], RIGHT, WRONG))


def percent(share: float, digits: int | None = None) -> str:
    """A share in percent, with a decimal where it tells something; what is not nothing or all never seems to be.

    >>> percent(0.5), percent(0.015), percent(0.0001), percent(0.99999), percent(1)
    ('50%', '1.5%', '0.1%', '99.9%', '100%')
    """
    if 0 < share < 1:
        share = min(max(share, 0.001), 0.999)
    if digits is None:
        digits = 0 if share == 1 or 0.1 <= share < 0.995 else 1
    return f"{share:.{digits}%}"


def short(count: int, digits: int) -> str:
    """A count in no more than `digits` digits, which may be 4 or more: 12345 is 12k where there is room for four.

    >>> short(12345, 5), short(12345, 4), short(1234567, 4)
    ('12345', '12k', '1M')
    """
    for unit in "", "k", "M", "G":
        if count < 1000 or len(f"{count}{unit}") <= digits:
            return f"{count}{unit}"
        count = round(count / 1000)
    return f"{count}T"

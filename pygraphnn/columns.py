"""Deep networks in columns: a picture of hundreds of rows would be a ribbon that nobody can read."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any, NamedTuple

from .facts import Parts, letter
from .view import Box, Edge, View

ROWS = 30  # that fit a page well
PER_BOX = 4  # sets large networks in columns about as high as they are wide


class Link(NamedTuple):
    """Where a value leaves a column, or comes into another: a small mark with a letter, the same at both ends."""

    id: str
    mark: str


class Level:
    """The boxes that stand side by side, in the picture or in one box, with the edges between them, and their columns.

    A box begins in row `top[box]`. `starts` are the rows where columns begin; `column[box]` counts from 0.
    """

    def __init__(
        self, around: Box | None, boxes: list[Box], edges: list[tuple[Box, Box, Edge]], height: dict[Box, int]
    ):
        self.name = around.id if around else "n"
        self.boxes, self.edges, self.height = boxes, edges, height
        self.sources: dict[Box, list[Box]] = {box: [] for box in boxes}
        self.readers: dict[Box, list[Box]] = {box: [] for box in boxes}
        for start, end, _ in edges:
            self.sources[end].append(start)
            self.readers[start].append(end)
        self.top: dict[Box, int] = {}
        for box in boxes:  # in the order in which they run
            self.top[box] = max((self.top[s] + height[s] for s in self.sources[box]), default=0)
        self.loose = set(self._lowered())
        self.rows = max((self.top[box] + height[box] for box in boxes), default=0)
        self.starts = [0]
        self.column = dict.fromkeys(boxes, 0)

    def _lowered(self) -> Iterable[Box]:
        """Moves what little depends on, such as inputs, down to what reads it first; gives what was moved."""
        for box in reversed(self.boxes):
            if len(self.readers[box]) >= max(1, len(self.sources[box])):
                row = min(self.top[r] for r in self.readers[box]) - self.height[box]
                if row > self.top[box]:
                    self.top[box] = row
                    yield box

    def divide(self, rows: int) -> None:
        """Makes columns of about so many rows, cut where few values go from one to the next."""
        crossing = self._crossing()
        for left in range(math.ceil(self.rows / rows), 1, -1):
            per = (self.rows - self.starts[-1]) // left  # of each column that is still to come
            aim = self.starts[-1] + per
            near = range(aim - per // 4, aim + per // 6 + 1)
            self.starts.append(min(near, key=lambda row: (crossing[row], abs(row - aim))))
        self.column = {box: bisect.bisect(self.starts, self.top[box]) - 1 for box in self.boxes}
        for box in reversed(self.boxes):
            first = min((self.column[r] for r in self.readers[box]), default=0)
            if box in self.loose and first > self.column[box]:
                self.column[box], self.top[box] = first, self.starts[first]
        for box in self.boxes:
            if self.height[box] == 1 and not self.readers[box] and self.sources[box]:  # an output, as a rule
                self.column[box] = max(self.column[s] for s in self.sources[box])

    def _crossing(self) -> list[int]:
        """How many values go from above each row to it, or to what is below."""
        first: dict[tuple[Box, Parts], int] = {}
        last: dict[tuple[Box, Parts], int] = {}
        for start, end, edge in self.edges:
            value = edge.start, edge.parts
            first[value] = self.top[start]
            last[value] = max(last.get(value, 0), self.top[end])
        crossing = [0] * (self.rows + 1)
        for value, row in first.items():
            for below in range(row + 1, last[value] + 1):
                crossing[below] += 1
        return crossing

    def heads(self) -> Iterable[str]:
        """Invisible boxes, one above every column, that keep the order of the columns, and boxes in their rows."""
        heads = [f"{self.name}_column{c}" for c in range(len(self.starts))]
        yield from (f'{head} [style=invis, label="", width=0, height=0, margin=0];' for head in heads)
        yield f"{{rank=same; {' -> '.join(heads)} [style=invis];}}"
        held = {end for start, end, _ in self.edges if self.column[start] == self.column[end]}
        for box in self.boxes:
            if box not in held:
                c = self.column[box]
                length = self.top[box] - self.starts[c] + 1
                yield f"{heads[c]} -> {next(box.leaves()).id} [style=invis, minlen={length}];"


class Columns:
    """The columns of a picture: `levels` has those of the picture (None) and of every box with boxes inside.

    Graphviz sets every box below those that it reads. An edge from one column to another is shown as two ends with
    the same letter: `ends` has them.
    """

    def __init__(self, view: View, rows: int | None):
        if rows is not None and not (isinstance(rows, Integral) and rows >= 0):
            raise ValueError(f"pygraphnn.draw: expected a number of rows, or 0 for one column, got {rows!r}")
        leaves = sum(1 for box in view.boxes for _ in box.leaves())
        self.limit = max(ROWS, math.isqrt(int(PER_BOX * leaves))) if rows is None else rows
        self.around: dict[Box, Box | None] = {}
        self.levels: dict[Box | None, Level] = {}
        self.ends: dict[Edge, tuple[Link, Link]] = {}
        self.links: dict[Box | None, set[Link]] = {}
        if rows == 0:
            return
        self._note(None, view.boxes)
        self.edges: dict[Box | None, list[tuple[Box, Box, Edge]]] = {}
        for edge in view.edges:
            self._lift(edge)
        self._arrange(None, view.boxes)
        self._link()

    def _note(self, around: Box | None, boxes: list[Box]) -> None:
        for box in boxes:
            self.around[box] = around
            self._note(box, box.inside)

    def _path(self, box: Box | None) -> list[Box]:
        """The box and those around it, the outermost first."""
        path = []
        while box is not None:
            path.append(box)
            box = self.around[box]
        return path[::-1]

    def _lift(self, edge: Edge) -> None:
        """Notes an edge with the outermost boxes that it joins, which stand side by side in one box."""
        around = None
        for start, end in zip(self._path(edge.start), self._path(edge.end)):
            if start is not end and not edge.state:
                self.edges.setdefault(around, []).append((start, end, edge))
                return
            around = start

    def _arrange(self, around: Box | None, boxes: list[Box]) -> int:
        """Makes the columns inside a box; returns its height in rows."""
        height = {box: self._arrange(box, box.inside) if box.inside else 1 for box in boxes}
        level = Level(around, boxes, self.edges.get(around, []), height)
        if level.rows <= self.limit:
            return level.rows
        level.divide(self.limit)
        self.levels[around] = level
        ends = [*level.starts[1:], level.rows]
        return max(end - start for start, end in zip(level.starts, ends))

    def _link(self) -> None:
        """Gives the ends of edges between columns their letters, one for each value."""
        marks: dict[tuple[Box, Parts], str] = {}
        for around, level in self.levels.items():
            for start, end, edge in level.edges:
                c, d = level.column[start], level.column[end]
                if c != d:
                    mark = marks.setdefault((edge.start, edge.parts), letter(len(marks)).lower())
                    self.ends[edge] = ends = Link(f"{mark}_from", mark), Link(f"{mark}_in_{level.name}_{d}", mark)
                    self.links.setdefault(around, set()).update(ends)

    def lines(self, around: Box | None) -> Iterable[str]:
        """What the picture's text says about the columns inside a box."""
        level: Any = self.levels.get(around)
        return [] if level is None else level.heads()

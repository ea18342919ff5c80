"""A group of elementwise operations as lanes: columns that are computed one like the other.

A lane is one operation on so many neighbouring columns. Splits, reshapes, narrows and joins are no operations: they
only tell at which columns to look. Equal lanes are entered once. The backward lanes follow by going through the
forward lanes in reverse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from .buffers import Where
from .functions import FUNCTIONS
from .values import Op, Value

ELEMENTWISE = {*FUNCTIONS, "join", "mask", "mulrow", "addrow"}


NO_LEAF = (1 << 62, 0)


class Gradient(NamedTuple):
    """A term of the gradient of a value: of its columns from `start` to `stop`, where column 0 would be at `where`."""

    where: Where
    start: int
    stop: int


class Row(NamedTuple):
    """Columns of a parameter that is the same for all rows, from `start` on."""

    module: Any
    name: str
    start: int


class Lane(NamedTuple):
    """`function` of the lanes `args`, or what is there: "load" reads the constant, a Where; "row" is the sum of the
    constant, some Rows; "kept", among backward lanes, is the forward lane that the constant tells."""

    function: str
    args: tuple[int, ...]
    constant: Any
    width: int


class Lanes:
    """Lanes in an order in which they can be computed, and the places where some of them are to be stored."""

    def __init__(self, forward: Lanes | None = None):
        self.all: list[Lane] = []
        self.stores: list[tuple[int, Where]] = []
        self._place: dict[Lane, int] = {}
        self._with_row: dict[int, tuple[int, tuple[Row, ...]]] = {}
        self._forward = forward

    def get(self, function: str, args: Iterable[int], constant: Any = None, width: int = 0) -> int:
        """The lane for this operation, entered if it is new."""
        args = tuple(args)
        if function in ("add", "mul"):
            args = tuple(sorted(args))
        if function == "add" and not self._with_row.keys().isdisjoint(args):
            return self._rows_last(*args)
        return self._enter(function, args, constant, width)

    def _enter(self, function: str, args: tuple[int, ...], constant: Any, width: int) -> int:
        lane = Lane(function, args, constant, width or self.all[args[0]].width)
        if lane not in self._place:
            self._place[lane] = len(self.all)
            self.all.append(lane)
        return self._place[lane]

    def load(self, where: Where, width: int) -> int:
        return self.get("load", (), where, width)

    def add_row(self, lane: int, rows: tuple[Row, ...]) -> int:
        """The lane plus parameters of one row, which are added up once for all time steps."""
        row = self.get("row", (), rows, self.all[lane].width)
        result = self._enter("add", (lane, row), None, self.all[lane].width)
        self._with_row[result] = lane, rows
        return result

    def _rows_last(self, a: int, b: int) -> int:
        """(a + row) + (b + row) as (a + b) + one row."""
        (x, first), (y, second) = self._with_row.get(a, (a, ())), self._with_row.get(b, (b, ()))
        return self.add_row(self.get("add", (x, y)), first + second)

    def kept(self, forward: int) -> int:
        """In backward lanes: what a forward lane computed."""
        assert self._forward is not None
        return self.get("kept", (), forward, self._forward.all[forward].width)

    def first(self, i: int) -> tuple[int, int]:
        """Which leaf, of which number and from which column on, a lane is computed from: to sort lanes by."""
        lane = self.all[i]
        if lane.function == "load":
            return lane.constant.buffer.number, lane.constant.offset
        return min((self.first(arg) for arg in lane.args), default=NO_LEAF)

    def total(self, terms: list[int]) -> int | None:
        """The sum of lanes, None of none."""
        result: int | None = None
        for term in terms:
            result = term if result is None else self.get("add", (result, term))
        return result


def cut_points(ops: list[Op], edges: dict[Value, set[int]], following: dict[Value, Value]) -> dict[Value, list[int]]:
    """At which columns every value that elementwise operations read or make has to be cut, so that lanes fit, within
    an operation and from one to the next; `edges` are where others begin or end to read. What a state becomes
    (`following`) is cut where the state is."""
    ops = [op for op in ops if op.kind in ELEMENTWISE]
    cuts: dict[Value, set[int]] = defaultdict(set)
    for value in [*edges, *(op.out for op in ops), *(ref.value for op in ops for ref in op.reads())]:
        cuts[value] |= {0, value.width} | edges.get(value, set())
    before = 0
    while before < (before := sum(map(len, cuts.values()))):
        for op in ops:
            _match(op, cuts)
        for state, after in following.items():
            cuts[after] |= cuts[state]
    return {value: sorted(columns) for value, columns in cuts.items()}


def _match(op: Op, cuts: dict[Value, set[int]]) -> None:
    """Cuts what an operation reads and makes at the same columns."""
    at, ours = 0, cuts[op.out]
    for ref in op.reads():
        theirs = cuts[ref.value]
        theirs |= {c - at + ref.offset for c in ours if 0 <= c - at <= ref.width}
        ours |= {c - ref.offset + at for c in theirs if 0 <= c - ref.offset <= ref.width}
        at += ref.width if op.kind == "join" else 0


class Group:
    """Elementwise operations that run together, with their forward lanes and, later, their backward lanes.

    `where` tells the places of values that others make or read; `folded` are those to which a bias is still to be
    added, and its module; `noise` is what dropouts multiply with, and `cuts` tells where values are cut into lanes.
    """

    def __init__(
        self,
        ops: list[Op],
        where: dict[Value, Where],
        folded: dict[Value, Any],
        noise: dict[Op, Value],
        cuts: dict[Value, list[int]],
    ):
        self.ops, self.where, self.folded, self.noise = ops, where, folded, noise
        self.cuts = cuts
        self.forward = Lanes()
        self.loads: dict[Value, dict[tuple[int, int], int]] = {}  # of what others make: the lane of each piece
        self._found: dict[tuple[Value, int], int] = {}
        for op in ops:
            for start, width in self.pieces(op.out):
                self.lane(op.out, start, width)
            if op.out in where:
                self._store(op.out, where[op.out])
        self.backward = Lanes(self.forward)

    def pieces(self, value: Value) -> list[tuple[int, int]]:
        """The lanes of a value: first column and width of each."""
        cuts = self.cuts[value]
        return [(a, b - a) for a, b in pairwise(cuts)]

    def lane(self, value: Value, start: int, width: int) -> int:
        """The lane of some columns of a value."""
        key = (value, start)
        if key not in self._found:
            self._found[key] = (
                self._computed(value.producer, start, width)
                if value.producer in self.ops
                else self._loaded(value, start, width)
            )
        return self._found[key]

    def _loaded(self, value: Value, start: int, width: int) -> int:
        lane = self.forward.load(self.where[value].at(start), width)
        self.loads.setdefault(value, {})[start, width] = lane
        if value in self.folded:
            return self.forward.add_row(lane, (Row(self.folded[value], "bias", start),))
        return lane

    def _computed(self, op: Any, start: int, width: int) -> int:
        get = self.forward.get
        if op.kind == "join":
            for ref in op.reads():
                if start < ref.width:
                    return self.lane(ref.value, ref.offset + start, width)
                start -= ref.width
        args = [self.lane(ref.value, ref.offset + start, width) for ref in op.reads()]
        if op.kind == "mask":
            return get("mul", (args[0], self.lane(self.noise[op], start, width)))
        if op.kind in ("mulrow", "addrow"):
            row = (Row(op.module, op.constant, start),)
            if op.kind == "addrow":
                return self.forward.add_row(args[0], row)
            return get("mul", (args[0], get("row", (), row, width)))
        if op.kind == "pointwise":
            return get(op.kind, args, op.module)
        result = args[0] if len(args) > 1 else get(op.kind, args, op.constant)
        for arg in args[1:]:
            result = get(op.kind, (result, arg))
        return result

    def _store(self, value: Value, where: Where) -> None:
        for start, width in self.pieces(value):
            self.forward.stores.append((self.lane(value, start, width), where.at(start)))

    def differentiate(self, gradients: dict[Value, list[Gradient]]) -> dict[int, int]:
        """Makes the backward lanes, from the places of the gradients of the group's values; gives the backward lane
        of the gradient of every forward lane that has one."""
        forward, backward = self.forward, self.backward
        terms: list[list[int]] = [[] for _ in forward.all]
        for op in self.ops:
            for start, width in self.pieces(op.out):
                for g in gradients.get(op.out, ()):
                    if g.start <= start and start + width <= g.stop:
                        terms[self.lane(op.out, start, width)].append(backward.load(g.where.at(start), width))
        totals: dict[int, int] = {}
        for i in reversed(range(len(forward.all))):
            lane, total = forward.all[i], backward.total(terms[i])
            if total is None:
                continue
            totals[i] = total
            rule = FUNCTIONS[lane.function].backward if lane.function in FUNCTIONS else None
            if rule is not None:
                for arg, gradient in zip(lane.args, rule(backward, i, lane.args, total, lane.constant)):
                    if gradient is not None:
                        terms[arg].append(gradient)
        return totals

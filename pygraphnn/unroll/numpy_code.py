"""Groups of lanes as calls of numpy's functions.

Neighbouring lanes of one function, whose operands are neighbours and whose results may be, are one call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .buffers import Where
from .functions import FUNCTIONS, Call
from .lanes import Lanes


class Span(NamedTuple):
    """Neighbouring columns of a buffer."""

    where: Where
    width: int

    @property
    def dtype(self) -> np.dtype:
        return self.where.buffer.dtype

    def follows(self, other: Span) -> bool:
        """Whether the columns begin where those of `other` end."""
        return other.where.at(other.width) == self.where


LEAVES = ("load", "row", "kept")


def live(lanes: Lanes, more: Iterable[int] = (), stored: bool = True) -> list[int]:
    """The lanes that the stored ones, and some more, need, in order."""
    needed = {*more, *(lane for lane, _ in lanes.stores if stored)}
    for i in reversed(range(len(lanes.all))):
        if i in needed:
            needed.update(lanes.all[i].args)
    return sorted(needed)


def kept_lanes(lanes: Lanes) -> list[int]:
    """The forward lanes that backward lanes need."""
    return [lanes.all[i].constant for i in live(lanes) if lanes.all[i].function == "kept"]


class Emitter:
    """The calls for some lanes. `place` tells where the leaves lie, `room` makes scratch of a width."""

    def __init__(self, lanes: Lanes, place: Callable[[Lanes, int], Where | None], room: Callable[[int], Where]):
        self.lanes, self.room = lanes, room
        self.order = live(lanes)
        self.span: dict[int, Span] = {}
        self.uses: dict[int, int] = defaultdict(int)
        self.reader: dict[int, int] = {}
        self.busy: dict[Span | None, int] = {}  # places of lanes to come, and the lane that is there for now
        self.loaded: dict[Span, list[int]] = defaultdict(list)  # the leaves in a place
        self.free: dict[int, list[Span]] = defaultdict(list)
        self.scratch: dict[Span, set[int]] = {}  # in use, by which lanes
        stored = dict(reversed(lanes.stores))
        for i in self.order:
            lane = lanes.all[i]
            for arg in lane.args:
                self.uses[arg] += 1
                self.reader[arg] = i
            where = place(lanes, i)
            if where is not None:
                self.span[i] = Span(where, lane.width)
                self.loaded[self.span[i]].append(i)
            elif i in stored:
                self.span[i] = Span(stored[i], lane.width)
        self.calls: list[Call] = []
        for run in self.runs():
            self.emit(run)
        for i, where in lanes.stores:
            target = Span(where, lanes.all[i].width)
            if self.span[i] != target:
                self.calls.append((np.copyto, (target, self.span[i])))

    def aim(self, i: int) -> Span | None:
        """Where a lane belongs: where it is stored or, if only one other lane reads it, where that one belongs."""
        while (
            i not in self.span and self.uses[i] == 1 and self.lanes.all[self.reader[i]].width == self.lanes.all[i].width
        ):
            i = self.reader[i]
        return self.span.get(i)

    def runs(self) -> Any:
        """Lanes that can be computed by one call, one list after the other."""
        depth: dict[int, int] = {}
        late: dict[str, int] = {}  # of the results that no lane reads: these can wait for others like them
        for i in self.order:
            lane = self.lanes.all[i]
            depth[i] = 0 if lane.function in LEAVES else 1 + max((depth[arg] for arg in lane.args), default=0)
            if not self.uses[i]:
                late[lane.function] = max(late.get(lane.function, 0), depth[i])
        waiting: dict[tuple[int, str, Any], list[int]] = defaultdict(list)
        for i in self.order:
            lane = self.lanes.all[i]
            if lane.function not in LEAVES:
                waiting[depth[i] if self.uses[i] else late[lane.function], lane.function, lane.constant].append(i)
        for _, found in sorted(waiting.items(), key=lambda item: item[0][0]):
            found.sort(key=self.position)
            run = found[:1]
            for i in found[1:]:
                if self.joins(run[-1], i):
                    run.append(i)
                else:
                    yield run
                    run = [i]
            yield run

    def position(self, i: int) -> list[tuple[int, int]]:
        """Where the operands of a lane lie, as something to sort by."""
        spans = [self.span[arg] for arg in self.lanes.all[i].args]
        return [(span.where.buffer.number, span.where.offset) for span in spans]

    def joins(self, i: int, j: int) -> bool:
        """Whether lane j can be computed by the same call as lane i, to its right."""
        a, b = self.lanes.all[i].args, self.lanes.all[j].args
        if not a or not all(self.span[y].follows(self.span[x]) for x, y in zip(a, b)):
            return False
        mine, other = self.span.get(j), self.span.get(i)
        return mine.follows(other) if mine and other else mine is None and other is None

    def emit(self, run: list[int]) -> None:
        """The calls for lanes side by side."""
        lanes = [self.lanes.all[i] for i in run]
        width = sum(lane.width for lane in lanes)
        first = lanes[0]
        operands = [Span(self.span[arg].where, width) for arg in first.args]
        done = self.release(run)
        for i in run:
            self.busy.pop(self.span.get(i), None)
        if len(run) == 1 and run[0] not in self.span:
            aim = self.aim(run[0])
            if aim is not None and self.vacant(aim, first.args):
                self.span[run[0]] = aim
                self.busy[aim] = run[0]
        if run[0] in self.span:
            out = Span(self.span[run[0]].where, width)
        else:
            out = next((span for span in done if span in operands), None) or self.take(width)
            at = 0
            for i, lane in zip(run, lanes):
                self.span[i] = Span(out.where.at(at), lane.width)
                at += lane.width
            self.scratch[out] = set(run)
        spare = out
        if out in operands:
            spare = self.take(width)
            self.free[width].append(spare)
        self.calls += FUNCTIONS[first.function].numpy(out, spare, first.constant, *operands)
        for span in done:
            if span != out:
                self.free[span.width].append(span)

    def vacant(self, aim: Span, operands: tuple[int, ...]) -> bool:
        """Whether a place may be written to, by a lane of these operands: nobody reads afterwards what is there."""
        read = any(self.uses[i] for i in self.loaded.get(aim, ()))
        return not read and (aim not in self.busy or self.busy[aim] in operands)

    def take(self, width: int) -> Span:
        """Scratch of this width."""
        return self.free[width].pop() if self.free[width] else Span(self.room(width), width)

    def release(self, run: list[int]) -> list[Span]:
        """Counts the uses of the operands of a run; gives the scratch that nobody needs afterwards."""
        for i in run:
            for arg in self.lanes.all[i].args:
                self.uses[arg] -= 1
        done = [span for span, users in self.scratch.items() if all(self.uses[i] == 0 for i in users)]
        for span in done:
            del self.scratch[span]
        return done

"""The calls that a plan comes to, with places where they will have arrays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nn.kernels.scatter import add_rows

from . import numba_code, row_code
from .buffers import Kind, Where
from .functions import FUNCTIONS
from .lanes import Gradient, Group, Lane, Lanes, Row
from .nested import each
from .numpy_code import Emitter, Span, kept_lanes, live
from .plan import PRODUCTS, Block, Plan, Work
from .values import Op, Ref, Value

TRANSCENDENTAL = ("sigmoid", "tanh")  # kept side by side, so that numpy makes them side by side


class Weight(NamedTuple):
    """A linear map's weight, or its transpose."""

    module: Any
    transposed: bool


class Bias(NamedTuple):
    """Columns of a parameter of one row."""

    module: Any
    name: str
    start: int
    width: int


class Table(NamedTuple):
    """The columns of a linear map's weight, as rows that indices choose from."""

    module: Any


class Compute(NamedTuple):
    """A module's `function` or `derivative` (its name, or compiled code for it), itself or, `spread` over threads, by
    its method `compute`."""

    module: Any
    function: Any
    spread: bool


class Indices(NamedTuple):
    """The positions (from 0) that a sequence of indices tells."""

    value: Value


class Invocation(NamedTuple):
    """A module's own method: forward of inputs into outputs, or backward of the outputs' gradients into those of
    inputs. Parts, nested as the module's; None where nobody wants a gradient."""

    op: Op
    backward: bool
    inputs: Any
    outputs: Any
    into: Any = None


@dataclass(frozen=True)
class Part:
    """Columns of a buffer as rows of a shape."""

    span: Span
    shape: tuple[int, ...]


class Code:
    """For every block of a plan the calls of one step, forward and backward, and the calls that learn."""

    def __init__(self, plan: Plan, compiled: bool | None = None):
        self.plan, self.compiled = plan, numba_code.works() if compiled is None else compiled
        self.once: list[Any] = []  # calls before the first step: sums of biases, tables
        self.rows: dict[tuple[Any, ...], Where] = {}
        self.tables: list[Any] = []
        self.indices: dict[Value, int] = {}  # and how many there can be
        self.overwrites = False  # whether backward leaves less than it found
        self.products: list[tuple[Op, Span, Span | Indices]] = []  # gradient and input
        self.backward: list[list[Any]] = []
        # backward first: what it needs is kept by forward
        for block in reversed(plan.blocks) if plan.learn else ():
            self.backward.append([call for item in reversed(block.items) for call in self._back(block, item)])
        self.add_rows = row_code.add_rows if self.compiled else add_rows
        self.forward = [[call for item in block.items for call in self._forth(block, item)] for block in plan.blocks]

    def _room(self, block: Block, dtype: Any) -> Any:
        kind = Kind.STEP if block.steps else Kind.STACK
        return lambda width: self.plan.buffer(kind, width, dtype)

    def _row(self, lane: Lane) -> Where:
        """A place for the sum of parameters of one row."""
        rows: tuple[Row, ...] = lane.constant
        start = rows[0].start
        parameters = [getattr(row.module, row.name) for row in rows]
        whole = all(row.start == start for row in rows) and len({p.size for p in parameters}) == 1
        key = tuple((row.module, row.name) for row in rows) if whole else (rows, lane.width)
        if key not in self.rows:
            width, at = (parameters[0].size, 0) if whole else (lane.width, None)
            where = self.rows[key] = self.plan.buffer(Kind.ROW, width, parameters[0].dtype)
            out = Span(where, width)
            parts = [Bias(row.module, row.name, row.start if at is None else at, width) for row in rows]
            if len(parts) == 1:
                self.once.append((np.copyto, (out, parts[0])))
            else:
                self.once.append((np.add, (parts[0], parts[1], out)))
                self.once += [(np.add, (out, part, out)) for part in parts[2:]]
        return self.rows[key].at(start) if whole else self.rows[key]

    # -- forward

    def _forth(self, block: Block, item: Any) -> list[Any]:
        where = self.plan.where
        if isinstance(item, Group):
            return self._emit(block, item, item.forward, self._leaf)
        op: Op = item.op
        if op.kind == "classes":
            return [self._classes(op, "function", self._source(op), Span(where[op.out], op.out.width))]
        if op.kind == "call":
            inputs = each(lambda ref: self._part(ref.value, ref.offset, ref.shape), op.inputs)
            outputs = each(lambda value: self._part(value, 0, value.shape), op.outputs)
            return [Invocation(op, False, inputs, outputs)]
        out = Span(where[op.out], op.out.width)
        if op.kind == "gather":
            calls: list[Any] = [self._gather(op, out)]
        else:
            calls = [(np.dot, (self._source(op), Weight(op.module, True), out))]
        if op.module.bias is not None and op.out not in self.plan.folded:
            calls.append((np.add, (out, Bias(op.module, "bias", 0, out.width), out)))
        return calls

    def _gather(self, op: Op, out: Span) -> Any:
        """A choice of rows; for many of them from a table in which rows lie together."""
        if not self.plan.unroll:
            return choose, (Weight(op.module, True), self._indices(op), out)
        if op.module not in self.tables:
            self.tables.append(op.module)
            self.once.append((np.copyto, (Table(op.module), Weight(op.module, True))))
        return np.take, (Table(op.module), self._indices(op), 0, out, "clip")

    def _classes(self, op: Op, name: str, *arrays: Span) -> Any:
        """A softmax or its derivative; for many rows by the module's way to spread them over threads."""
        *given, out = arrays
        function = row_code.classes(op.module, name, out.dtype) if self.compiled else name
        return Compute(op.module, function, self.plan.unroll), (arrays if self.plan.unroll else (*given, 1, out))

    def _part(self, value: Value, offset: int, shape: tuple[int, ...]) -> Part:
        return Part(Span(self.plan.where[value].at(offset), int(np.prod(shape, dtype=int))), shape)

    def _source(self, op: Op) -> Span:
        ref = op.inputs
        return Span(self.plan.where[ref.value].at(ref.offset), ref.width)

    def _indices(self, op: Op) -> Indices:
        value = op.inputs.value
        self.indices[value] = min(op.module.weight.shape[1], self.indices.get(value, op.module.weight.shape[1]))
        return Indices(value)

    def _leaf(self, lanes: Lanes, i: int) -> Where | None:
        """Where a lane lies that is not computed."""
        lane = lanes.all[i]
        if lane.function == "row":
            return self._row(lane)
        return lane.constant if lane.function == "load" else None

    def _emit(self, block: Block, group: Group, lanes: Lanes, place: Any) -> list[Any]:
        """The calls for the lanes of a group: compiled where that is wanted and can be."""
        if self._compiles(group):
            return numba_code.Emitter(lanes, place, group.forward).calls
        return Emitter(lanes, place, self._room(block, group.ops[0].out.dtype)).calls

    def _compiles(self, group: Group) -> bool:
        return self.compiled and numba_code.compilable(group.forward) and numba_code.compilable(group.backward)

    # -- backward

    def _back(self, block: Block, item: Any) -> list[Any]:
        if isinstance(item, Group):
            return self._group_back(block, item)
        op: Op = item.op
        calls: list[Any] = []
        totals = {value: self._total(value, terms, calls) for value, terms in item.total.items()}
        if op.kind == "call":
            return [*calls, self._call_back(item, totals)]
        total = totals[op.out]
        if total is not None and op.kind in PRODUCTS:
            self.products.append((op, total, self._indices(op) if op.kind == "gather" else self._source(op)))
        for ref, where in item.into:
            out = Span(where, ref.width)
            if total is None:
                calls += FUNCTIONS["zero"].numpy(out, out, None)
                continue
            if op.kind == "classes":
                y = Span(self.plan.where[op.out], op.out.width)
                calls.append(self._classes(op, "derivative", y, total, out))
                continue
            whole = (
                Span(where, ref.width) if ref.is_whole() else Span(self._room(block, out.dtype)(ref.width), ref.width)
            )
            calls.append((np.dot, (total, Weight(op.module, False), whole)))
            calls += [] if whole == out else [(np.copyto, (out, whole))]
        return calls

    def _total(self, value: Value, terms: list[Gradient], calls: list[Any]) -> Span | None:
        """Where the gradient of a value is as a whole; the calls that sum it up are added to `calls`."""
        if not terms:
            return None
        if len(terms) == 1 and terms[0].stop - terms[0].start == value.width:
            return Span(terms[0].where, value.width)
        total = Span(self.plan.buffer(Kind.STACK, value.width, value.dtype), value.width)
        calls += FUNCTIONS["zero"].numpy(total, total, None)
        for where, start, stop in terms:
            part = Span(total.where.at(start), stop - start)
            calls.append((np.add, (part, Span(where.at(start), stop - start), part)))
        return total

    def _call_back(self, work: Work, totals: dict[Value, Span | None]) -> Invocation:
        op, places = work.op, list(work.into)  # in the order of the inputs, of which some may be the same

        def place(ref: Ref) -> Part | None:
            if not places or places[0][0] != ref:
                return None
            return Part(Span(places.pop(0)[1], ref.width), ref.shape)

        def gradient(value: Value) -> Part:
            span = totals[value] or Span(self.plan.buffer(Kind.STACK, value.width, value.dtype), value.width)
            return Part(span, value.shape)

        inputs = each(lambda ref: self._part(ref.value, ref.offset, ref.shape), op.inputs)
        into = each(place, op.inputs)
        return Invocation(op, True, inputs, each(gradient, op.outputs), into)

    def _group_back(self, block: Block, group: Group) -> list[Any]:
        if not group.backward.stores:
            return []
        kept = self._keep(group)
        self._overwrite(group)

        def place(lanes: Lanes, i: int) -> Where | None:
            if lanes is group.forward:
                return kept.get(i)
            lane = lanes.all[i]
            return kept.get(lane.constant) if lane.function == "kept" else self._leaf(lanes, i)

        return self._emit(block, group, group.backward, place)

    def _overwrite(self, group: Group) -> None:
        """Lets compiled code put the gradient of a linear map's output where the output was: of every element it reads
        all that it needs before it writes. (Then a second backward needs another forward.)"""
        if not (self._compiles(group) and self.plan.unroll) or any(op.kind == "call" for op in self.plan.ops):
            return
        for value in group.loads:
            terms = self.plan.gradients.get(value, [])
            if self._only_here(group, value) and len(terms) == 1 and terms[0].where.buffer.width == value.width:
                gradient, output = terms[0].where.buffer, self.plan.where[value].buffer
                if gradient.home is gradient and gradient.kind is Kind.STACK:
                    gradient.home = output
                    self.overwrites = True

    def _keep(self, group: Group) -> dict[int, Where]:
        """Where backward finds the forward lanes that it needs: those that are nowhere yet get places side by side.
        Compiled code computes again what is cheap to compute from others."""
        forward, lasting = group.forward, (Kind.STACK, Kind.STATE)
        again = self._compiles(group)
        places = {i: where for i, where in reversed(forward.stores) if where.buffer.kind in lasting}
        missing: set[int] = set()

        def find(i: int) -> bool:
            """Whether a lane is somewhere, or can be computed from such."""
            lane = forward.all[i]
            if lane.function == "row" or (lane.function == "load" and lane.constant.buffer.kind in lasting):
                places[i] = self._leaf(forward, i)  # type: ignore[assignment]
            if i in places:
                return True
            return again and lane.function != "load" and FUNCTIONS[lane.function].cheap and all(map(find, lane.args))

        def need(i: int) -> None:
            lane = forward.all[i]
            if find(i):
                return
            if again and lane.function != "load" and FUNCTIONS[lane.function].cheap:
                for arg in lane.args:  # what these come from is likely to be needed anyway
                    need(arg)
            else:
                missing.add(i)

        for i in kept_lanes(group.backward):
            need(i)
        order = sorted(missing, key=lambda i: (forward.all[i].function not in TRANSCENDENTAL, forward.first(i)))
        self._reuse(group, places, order)
        rest = [i for i in order if i not in places]
        if rest:
            at = 0
            where = self.plan.buffer(Kind.STACK, sum(forward.all[i].width for i in rest), group.ops[0].out.dtype)
            for i in rest:
                places[i] = where.at(at)
                at += forward.all[i].width
        forward.stores += [(i, places[i]) for i in order]
        return places

    def _reuse(self, group: Group, places: dict[int, Where], lanes: list[int]) -> None:
        """Keeps lanes where something was that they alone were computed from, and that nobody needs any more."""
        forward = group.forward
        readers: dict[int, int] = defaultdict(int)
        for i in live(forward, lanes):
            for arg in set(forward.all[i].args):
                readers[arg] += 1
        spent = set()
        for value in group.loads:
            if self._only_here(group, value):
                spent |= {i for i in group.loads[value].values() if readers[i] == 1 and i not in places}
        for i in sorted(lanes):  # what is computed first comes from less
            found = next((j for j in sorted(live(forward, [i], stored=False)) if j in spent), None)
            if found is not None and forward.all[found].width == forward.all[i].width:
                spent.remove(found)
                places[i] = forward.all[found].constant

    def _only_here(self, group: Group, value: Value) -> bool:
        """Whether the value is in a place for all time steps that nobody but this group reads."""
        if any(ref.value is value for ref in self.plan.outputs):
            return False
        where = self.plan.where[value]
        made = value.producer is not None and value.producer.kind in PRODUCTS
        return made and where.buffer.kind is Kind.STACK and all(user in group.ops for user in value.users)


def choose(table: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """out[i] = table[rows[i]]."""
    out[...] = table[rows]

"""What runs when, and where everything lies: the plan of a step graph for all time steps.

The step graph is closed over time by an edge from every state output to its state input. What is in no cycle then does
not depend on its own past: it runs once, on the rows of all time steps. Every cycle runs step by step. Within such a
block, matrix products and calls of modules alternate with groups of elementwise operations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from .buffers import Buffer, Kind, Where
from .lanes import ELEMENTWISE, Gradient, Group, Row, cut_points
from .nested import leaves
from .values import Op, Program, Ref, Unsupported, Value

PRODUCTS = ("linear", "gather")


@dataclass(eq=False)
class Work:
    """A product or a call: an op that is no elementwise function."""

    op: Op
    total: dict[Value, list[Gradient]] = field(default_factory=dict)  # the terms of the gradient of each output
    into: list[tuple[Ref, Where]] = field(default_factory=list)  # where the gradients of inputs go


@dataclass(eq=False)
class Block:
    """Ops that run together: once on all rows, or step by step."""

    steps: bool
    ops: list[Op]
    items: list[Work | Group] = field(default_factory=list)


class Plan:
    """The blocks of a program, the buffers, and the places of all values and gradients.

    `states` are pairs of input and output (from 0) of the program, and `outputs` its other outputs. With `learn` there
    is a backward; with `ends` final states are those of other steps than the last. Without `unroll` there is only one
    time step, and no block for all rows.
    """

    def __init__(
        self,
        program: Program,
        states: list[tuple[int, int]],
        outputs: list[int],
        learn: bool = True,
        ends: bool = False,
        unroll: bool = True,
    ):
        self.program, self.learn, self.ends, self.unroll = program, learn, ends, unroll
        self.state_inputs, self.state_outputs, self.shown = [i for i, _ in states], [o for _, o in states], outputs
        self.sequence_inputs = [i for i in range(len(program.inputs)) if i not in self.state_inputs]
        self.ops = list(program.ops)
        self.buffers: list[Buffer] = []
        self.outputs = [ref for i in outputs for ref in leaves(program.outputs[i])]
        self.next: dict[Value, Value] = {}  # state input: state output
        for i, o in states:
            self._close(program.inputs[i], program.outputs[o])
        for op in self.ops:
            states_read = [ref.value for ref in op.reads() if op.kind == "call" and ref.value in self.next]
            if len(set(states_read)) < len(states_read):
                raise Unsupported("a module reads a state twice")
        self._drop_one_hot()
        kinds = {value.dtype for op in self.ops for value in op.makes()}
        if len(kinds) != 1:
            raise Unsupported("there are tensors of several types" if kinds else "nothing is computed")
        (self.dtype,) = kinds
        self.noise = {op: Value(op.out.shape, op.out.dtype) for op in self.ops if op.kind == "mask"}
        if sum(op.draws for op in self.ops) > sum(op.draws for op in self.noise) and sum(o.draws for o in self.ops) > 1:
            raise Unsupported("several modules draw random numbers, in an order of their own")
        self.blocks = self._blocks() if unroll else [Block(True, self.ops)]
        self.block = {op: block for block in self.blocks for op in block.ops}
        self.sequences = [value for i in self.sequence_inputs for value in leaves(program.inputs[i])]
        self.where: dict[Value, Where] = {}
        self.folded: dict[Value, Any] = {}
        self._arrange()
        self.blocked = any(op.kind == "linear" and op.module.gradInput is None for op in self.ops)
        self.gradients: dict[Value, list[Gradient]] = {}
        self.given: list[Where] = []  # the gradients of the outputs
        self.final: dict[Value, Where] = {}  # the gradients of final states
        self.carried: dict[tuple[Any, Value], Where] = {}
        self.delayed: list[Where] = []  # gradients of states, for use in other blocks: the last of them is zero
        self.learned: list[tuple[Row, int, Where]] = []  # parameters of one row, and their gradient at every row
        if learn:
            self._backward()

    # -- reading the program

    def _close(self, inputs: Any, outputs: Any) -> None:
        """Pairs state inputs with what they are at the next step, in values of their own."""
        befores, afters = leaves(inputs), leaves(outputs)
        if len(befores) != len(afters):
            raise Unsupported("a state goes in with another nesting than it comes out")
        for before, after in zip(befores, afters):
            if before.shape != after.shape or before.dtype != after.value.dtype:
                raise Unsupported("a state goes in with another shape or type than it comes out")
            value, op = after.value, after.value.producer
            if op is None or op.kind not in ELEMENTWISE or not after.is_whole() or value in self.next.values():
                op = Op("copy", [after])
                value = op.outputs = Value(after.shape, value.dtype, op)
                after.value.users.append(op)
                self.ops.append(op)
            self.next[before] = value

    def _drop_one_hot(self) -> None:
        """One-hot rows that only linear maps read are not made; others are, by their module."""
        outputs = {ref.value for ref in leaves(self.program.outputs)}
        for op in [op for op in self.ops if op.kind == "onehot"]:
            for user in [user for user in op.out.users if user.kind == "gather"]:
                op.out.users.remove(user)
            if op.out.users or op.out in outputs:
                op.kind = "call"
            else:
                self.ops.remove(op)
                op.inputs.value.users.remove(op)

    def _blocks(self) -> list[Block]:
        """The strongly connected components in an order in which they can run; neighbours without a cycle together."""
        place = {op: i for i, op in enumerate(self.ops)}
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(self.ops)))
        for op in self.ops:
            for ref in op.reads():
                source = self.next.get(ref.value, ref.value).producer
                if source is not None:
                    graph.add_edge(place[source], place[op])
        parts = nx.condensation(graph)
        first = {part: min(parts.nodes[part]["members"]) for part in parts}
        blocks: list[Block] = []
        cyclic = True
        for part in nx.lexicographical_topological_sort(parts, key=first.__getitem__):
            members = sorted(parts.nodes[part]["members"])
            ops = [self.ops[i] for i in members]
            before, cyclic = cyclic, len(members) > 1 or graph.has_edge(members[0], members[0])
            steps = cyclic or not ops[0].rowwise
            last = blocks[-1].ops if blocks else []
            delayed = any(self.next[r.value].producer in last for op in ops for r in op.reads() if r.value in self.next)
            if blocks and not before and not cyclic and not delayed and blocks[-1].steps == steps:
                blocks[-1].ops += ops
            else:
                blocks.append(Block(steps, ops))
        return blocks

    # -- forward

    def buffer(self, kind: Kind, width: int, dtype: Any) -> Where:
        """A new buffer."""
        buffer = Buffer(kind, width, dtype, len(self.buffers))
        self.buffers.append(buffer)
        return Where(buffer)

    def _arrange(self) -> None:
        """Items of all blocks, and the places of all values that are in memory."""
        item: dict[Op, Any] = {}
        arranged = [(block, levels(block.ops)) for block in self.blocks]
        for _, parts in arranged:
            for part in parts:
                item.update(dict.fromkeys(part, part[0]))
        for before, after in self.next.items():
            self.where[before] = self.buffer(Kind.STATE, before.width, before.dtype)
            self.where[after] = self.where[before]._replace(shift=1)
        for value in [*self.sequences, *self.noise.values()]:
            self.where[value] = self.buffer(Kind.STACK, value.width, value.dtype)
        shown = {ref.value for ref in self.outputs}
        for op in self.ops:
            for value in op.makes():
                if value not in self.where:
                    self._place(op, value, value in shown, item)
        cuts = cut_points(self.ops, self._edges(), self.next)
        for block, parts in arranged:
            for part in parts:
                elementwise = part[0].kind in ELEMENTWISE
                block.items += (
                    [Group(part, self.where, self.folded, self.noise, cuts)] if elementwise else map(Work, part)
                )

    def _edges(self) -> dict[Value, set[int]]:
        """The columns at which somebody begins or ends to read a value."""
        edges: dict[Value, set[int]] = defaultdict(set)
        for ref in [*self.outputs, *(ref for op in self.ops for ref in op.reads())]:
            edges[ref.value] |= {ref.offset, ref.offset + ref.width}
        return edges

    def _place(self, op: Op, value: Value, shown: bool, item: dict[Op, Any]) -> None:
        """Finds a place for a value, if others than its own group read it."""
        block = self.block[op]
        elementwise = [user.kind in ELEMENTWISE for user in value.users]
        inside = all(self.block[user] is block for user in value.users) and not shown
        if op.kind in ELEMENTWISE:
            if inside and all(item[user] is item[op] for user in value.users):
                return
            short = inside and not self.learn
        else:
            short = inside and (not self.learn or (op.kind in PRODUCTS and all(elementwise)))
            if op.kind in PRODUCTS and op.module.bias is not None and all(elementwise) and not shown:
                self.folded[value] = op.module
        self.where[value] = self.buffer(Kind.STEP if short and block.steps else Kind.STACK, value.width, value.dtype)

    # -- backward

    def _backward(self) -> None:
        """Gives every gradient its place, from the last block to the first."""
        for ref in self.outputs:
            before = ref.value in self.next  # a state shown as it was before the step
            where = self.buffer(Kind.STATE if before else Kind.STACK, ref.width, ref.value.dtype)
            self.given.append(where)
            self.delayed += [where] if before else []
            value, shift = (self.next[ref.value], 1) if before else (ref.value, 0)
            self._term(value, Where(where.buffer, -ref.offset, shift), ref.offset, ref.width)
        for block in reversed(self.blocks):
            self._carry(block)
            for item in reversed(block.items):
                if isinstance(item, Group):
                    self._through_group(block, item)
                else:
                    self._through_work(block, item)

    def _term(self, value: Value, where: Where, start: int, width: int) -> None:
        self.gradients.setdefault(value, []).append(Gradient(where, start, start + width))

    def _carry(self, block: Block) -> None:
        """The gradients of states that are handed on from step to step; a place for those of the final states."""
        for before, after in self.next.items():
            if after.producer is None or self.block[after.producer] is not block:
                continue
            first = True
            for item in block.items if block.steps else ():
                for start, width in reads(item, before):
                    key = (item, before)
                    if key not in self.carried:
                        self.carried[key] = self.buffer(Kind.CARRY, before.width, before.dtype)
                        if first and not self.ends and (start, width) == (0, before.width):
                            self.final[before] = self.carried[key]
                            first = False
                    self._term(after, self.carried[key]._replace(shift=1), start, width)
            if before not in self.final:
                self.final[before] = self.buffer(Kind.STATE, before.width, before.dtype)
                self._term(after, self.final[before]._replace(shift=1), 0, before.width)

    def _target(self, block: Block, item: Any, value: Value, ranges: Iterable[tuple[int, int]]) -> Where:
        """A place for the gradient that an item gives to columns of a value that it reads."""
        if (item, value) in self.carried:
            return self.carried[item, value]
        source = value.producer
        if value in self.next:
            where = self.buffer(Kind.STATE, value.width, value.dtype)
            self.delayed.append(where)
            for start, width in ranges:
                self._term(self.next[value], where._replace(shift=1), start, width)
            return where
        near = source is not None and self.block[source] is block and source.kind in ELEMENTWISE
        where = self.buffer(Kind.STEP if near and block.steps else Kind.STACK, value.width, value.dtype)
        for start, width in ranges:
            self._term(value, where, start, width)
        return where

    def _through_group(self, block: Block, group: Group) -> None:
        """The backward lanes of a group and where they are stored."""
        totals = group.differentiate(self.gradients)
        stores = group.backward.stores
        made: dict[tuple[tuple[int, int], ...], Where] = {}
        for value, pieces in group.loads.items():
            if value in self.noise.values():
                continue
            found = {piece: totals[lane] for piece, lane in pieces.items() if lane in totals}
            if (group, value) in self.carried:
                for start, width in pieces:
                    found.setdefault((start, width), group.backward.get("zero", (), None, width))
            if not found:
                continue
            key = tuple((start, lane) for (start, _), lane in sorted(found.items()))
            product = value.producer is not None and value.producer.kind in PRODUCTS
            if product and key in made and made[key].buffer.width == value.width:
                for start, width in merged(found):
                    self._term(value, made[key], start, width)
                continue
            where = self._target(block, group, value, merged(found))
            stores += [(lane, where.at(start)) for (start, _), lane in sorted(found.items())]
            if product:
                made[key] = where
        for i, each in enumerate(group.forward.all):
            if each.function == "row" and i in totals:
                self._learn_rows(group, each, totals[i])

    def _learn_rows(self, group: Group, lane: Any, total: int) -> None:
        """Keeps what parameters of one row have as their gradient."""
        rows = [row for row in lane.constant if row.module not in self.folded.values()]
        if rows:
            where = self.buffer(Kind.STACK, lane.width, group.ops[0].out.dtype)
            group.backward.stores.append((total, where))
            self.learned += [(row, lane.width, where) for row in rows]

    def _through_work(self, block: Block, work: Work) -> None:
        """Where a product or a call finds the gradients of its outputs, and puts those of its inputs."""
        op = work.op
        work.total = {value: self.gradients.get(value, []) for value in op.makes()}
        if op.kind == "gather" or (op.kind == "linear" and op.module.gradInput is None):
            return
        for ref in op.reads():
            passes = op.kind == "call" or any(work.total.values()) or (work, ref.value) in self.carried
            if ref.value.dtype.kind == "f" and passes:
                where = self._target(block, work, ref.value, [(ref.offset, ref.width)])
                work.into.append((ref, where.at(ref.offset)))


def levels(ops: list[Op]) -> list[list[Op]]:
    """The ops in an order in which they can run: products and calls one by one, elementwise ones in groups, as few and
    as late as can be."""
    inside = set(ops)
    level: dict[Op, int] = {}
    for op in ops:
        before = max((level[ref.value.producer] for ref in op.reads() if ref.value.producer in inside), default=0)
        level[op] = before + (op.kind not in ELEMENTWISE)
    for op in reversed(ops):
        users = [level[user] - (user.kind not in ELEMENTWISE) for v in op.makes() for user in v.users if user in inside]
        if op.kind in ELEMENTWISE and users:
            level[op] = max(level[op], min(users))
    parts: list[list[Op]] = []
    for number in range(max(level.values()) + 1):
        here = [op for op in ops if level[op] == number]
        parts += [[op] for op in here if op.kind not in ELEMENTWISE]
        group = [op for op in here if op.kind in ELEMENTWISE]
        parts += [group] if group else []
    return parts


def reads(item: Work | Group, value: Value) -> list[tuple[int, int]]:
    """First column and width of the parts of a value that an item reads and gives a gradient to."""
    if isinstance(item, Group):
        return merged(item.loads.get(value, {}))
    op = item.op
    if op.kind == "gather" or (op.kind == "linear" and op.module.gradInput is None):
        return []
    return [(ref.offset, ref.width) for ref in op.reads() if ref.value is value]


def merged(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring pieces (first column, width) put together."""
    result: list[tuple[int, int]] = []
    for start, width in sorted(pieces):
        if result and sum(result[-1]) == start:
            start, width = result[-1][0], result.pop()[1] + width
        result.append((start, width))
    return result

"""nn.gModule: a network made of a graph of modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch7
from nn import Container, Module, utils
from torch7.tables import is_table

from .checks import (
    check_acyclic,
    check_distinct,
    check_form,
    check_function,
    check_inputs,
    check_nodes,
    check_roots,
    check_uses,
    kind,
)
from .graph import DRAWN_UNASKED, Graph
from .node import Node
from .render import mimebundle
from .schedule import Binding, Schedule, Trace

Number = float


class gModule(Container):
    """A network made of a directed graph without cycles, from input nodes to output nodes.

    `gModule([x1, x2], [y])`: forward takes the input of x1 and x2, a list (the bare value when there is one input
    node), and gives the output of y (a list when there are several). Its modules, and so its parameters, come in the
    order in which they run, which is found from the outputs backwards, depth first, and not that of construction.

    `fg` and `bg` are the graphs of the forward and backward run, `forwardnodes` and `backwardnodes` their nodes in
    order; `innode` and `outnode` are added around the given ones.

    Raises ValueError, which names the nodes and the lines that made them, when inputs are missing or unused, parts of a
    split or nodes lead to no output, nodes are in a cycle, are given twice or belong to another gModule; TypeError for
    what is no node. The given nodes can be used again after an error.

    >>> import nn, numpy as np
    >>> x = nn.Identity()()
    >>> g = gModule([x], [nn.Square()(x), nn.MulConstant(3)(x)])
    >>> g.forward(np.array([1.0, 2.0]))
    [array([1., 4.]), array([3., 6.])]
    """

    torch_name = "nn.gModule"
    TRANSIENT = ("_schedule", "_binding")

    nInputs: Any = None
    name: Any = None
    verbose: Any = False
    _watch: Trace | None = None  # of all graphs
    _schedule: Schedule | None = None
    _binding: Binding | None = None

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]):
        super().__init__()
        check_nodes(outputs, "outputs", "nn.gModule")
        check_distinct(outputs, "outputs", "nn.gModule")
        check_nodes(inputs, "inputs", "nn.gModule")
        if not inputs:
            raise ValueError("nn.gModule: no inputs are not supported")
        if not outputs:
            raise ValueError("nn.gModule: expected at least one output, got none (expecting only one start)")
        if len(inputs) > 1:
            check_inputs(inputs)
        undo: list[Callable[[], Any]] = []
        try:
            self._connect(list(inputs), list(outputs), undo)
        except BaseException:
            for step in reversed(undo):
                step()
            raise
        self.output = self.outnode.data.input if len(self.outnode.children) > 1 else None
        self.gradInput = None

    def _connect(self, inputs: list[Node], outputs: list[Node], undo: list[Callable[[], Any]]) -> None:
        """Builds the graphs from the outputs backwards; `undo` takes the given nodes back to what they were."""
        self.outnode = Node({"input": []})
        for node in outputs:
            link(self.outnode, node, undo)
        innode = Node({"input": []})
        sources = innode.split(len(inputs)) if len(inputs) > 1 else [innode]
        for node, source in zip(inputs, sources):
            link(node, source, undo)
        self.bg: Graph = self.outnode.graph()
        self.fg: Graph = self.bg.reverse()[0]
        self.innode: Any = check_roots(self.fg.roots(), innode)  # type: ignore[arg-type]
        nodes: list[Any] = self.bg.nodes
        for node in nodes:
            check_form(node)
        check_acyclic(self.outnode)
        self.forwardnodes: list[Any] = self.fg.topsort()[0]
        place = {id(node.data): i for i, node in enumerate(self.forwardnodes)}
        check_uses(sorted(nodes, key=lambda node: place[id(node.data)]), innode, inputs)
        self.verbose = False
        self.nInputs = len(inputs)
        self.backwardnodes: list[Any] = self.bg.topsort()[0]
        for forward in self.forwardnodes:
            forward.data.forwardNodeId = forward.id
            if forward.data.module is not None:
                self.add(forward.data.module)
        self.schedule()  # now, so that all clones share it

    # -- computing

    def schedule(self) -> Schedule:
        """The plan of the runs."""
        if self._schedule is None:
            self._schedule = Schedule(self.forwardnodes, self.backwardnodes, self.innode, self.outnode, self.nInputs)
        return self._schedule

    def bound(self) -> Binding:
        """The lists that this graph runs on, made at its first run and after clearState()."""
        if self._binding is None or not self._binding.current():
            self._binding = Binding(self.schedule(), self.forwardnodes)
        return self._binding

    def updateOutput(self, input: Any) -> Any:
        return self.runForwardFunction("updateOutput", input)

    def runForwardFunction(self, func: str | Callable[[Any, Any], Any], input: Any) -> Any:
        """Runs func(module, input), or the method of that name, for every module in forward order."""
        if func != "updateOutput":
            check_function(func, self.forwardnodes, str(self))
        inputs: Sequence[Any] = [input]
        if self.nInputs > 1:
            if not is_table(input):
                raise TypeError(
                    f"{self}: expecting table of {self.nInputs} inputs, got a {torch7.type(input)}{self._place()}"
                )
            inputs = input
        if len(inputs) != self.nInputs:
            raise ValueError(f"{self}: Got {len(inputs)} inputs instead of {self.nInputs}{self._place()}")
        call: Any = func
        if isinstance(func, str):
            call = None if func == "updateOutput" else lambda module, x: getattr(module, func)(x)
        output = self.bound().run_forward(call, inputs, self._trace())
        self.output = output[0] if len(output) == 1 else output
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self._check_gradient(gradOutput)
        self.gradInput = self.bound().run_backward(gradOutput, self._trace())
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        self._accumulate("accGradParameters", gradOutput, scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        """A step of -lr along the gradient in every module. (Torch's gModule changes no parameter here.)"""
        self._accumulate("accUpdateGradParameters", gradOutput, lr)

    def _accumulate(self, method: str, gradOutput: Any, scale: Number) -> None:
        self._check_gradient(gradOutput)
        self.bound().run_accumulate(method, scale, self._trace())

    def _check_gradient(self, gradOutput: Any) -> None:
        n = len(self.outnode.children)
        if n > 1 and (not is_table(gradOutput) or len(gradOutput) != n):
            got = len(gradOutput) if is_table(gradOutput) else f"a {torch7.type(gradOutput)} as"
            raise ValueError(f"{self}: Got {got} gradOutputs instead of {n}{self._place()}")

    def _place(self) -> str:
        return f" (it was made at {self.outnode.data.annotations['_debugLabel']})"

    def _trace(self) -> Trace | None:
        """What looks at every node as soon as it ran."""
        watch = self._watch
        if not self.verbose:
            return watch
        nodes = {id(node.data): node for node in self.forwardnodes}

        def trace(data: Any, value: Any, what: str) -> None:
            print(" V : " + nodes[id(data)].label())
            if watch is not None:
                watch(data, value, what)

        return trace

    # -- duties of a container

    def replace(self, callback: Callable[[Any], Any]) -> Any:
        out = callback(self)
        made: dict[int, Any] = {}  # a module of several nodes is replaced once, and stays one
        with self._unchanged_by_errors():
            for node in self.forwardnodes:
                module = node.data.module
                if module is not None and id(module) not in made:
                    made[id(module)] = module.replace(callback)
                    if not isinstance(made[id(module)], Module):
                        raise TypeError(
                            f"{self}.replace: the callback should return a module, got {kind(made[id(module)])} for "
                            f"that of {node.described()}"
                        )
        for node in self.forwardnodes:
            if node.data.module is not None:
                node.data.module = made[id(node.data.module)]
        self.modules = [made.get(id(module), module) for module in self.modules]
        return out

    def _keeper(self) -> Callable[[], None]:
        restore_modules, kept = super()._keeper(), [(node.data, node.data.module) for node in self.forwardnodes]

        def restore() -> None:
            restore_modules()
            for data, module in kept:
                data.module = module

        return restore

    def map(self, gm: gModule, func: Callable[[Any, Any], Any]) -> None:
        """func(module, module of gm) for every module of this graph and its counterpart in `gm`, a graph like it."""
        others = gm.forwardnodes if isinstance(gm, gModule) else []
        pairs = []
        for i, node in enumerate(self.forwardnodes):
            other = others[i].data.module if i < len(others) else None
            if i >= len(others) or (node.data.module is not None and other is None):
                raise ValueError(
                    f"{self}: trying to map another gModule with a different structure: {kind(gm)} has no counterpart "
                    f"of {node.described()}"
                )
            pairs.append((node.data.module, other))
        for mine, other in pairs:
            if mine is not None:
                func(mine, other)

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is None:
            return self._type
        tensorCache = {} if tensorCache is None else tensorCache
        super().type(type, tensorCache)
        for node in self.forwardnodes:
            for field in ("input", "gradOutput", "gradOutputBuffer"):
                if node.data.get(field) is not None:
                    node.data[field] = utils.recursiveType(node.data[field], type, tensorCache)
        return self

    def clearState(self) -> Any:
        super().clearState()
        for node in self.forwardnodes:
            for field in ("input", "gradOutput", "gradOutputBuffer"):
                node.data.pop(field, None)
        self._binding = None
        return self

    def torch_loaded(self, version: int) -> None:
        """Completes a graph read from a file that is older than some of the fields."""
        if not self.modules:
            self.modules = [node.data.module for node in self.forwardnodes if node.data.module is not None]
        if self.nInputs is None:
            self.nInputs = self.innode.children[0].data.nSplitOutputs or len(self.innode.children)
        if "_type" not in vars(self) and self.parameters()[0]:
            self._type = torch7.tensor_type(self.parameters()[0][0].dtype)
        super().torch_loaded(version)

    def __str__(self) -> str:
        return str(self.name or super().__str__())

    def to_networkx(self) -> Any:
        """A networkx.DiGraph of the nodes that compute, for analysis and export.

        A node is the place of one of `forwardnodes`, counted from 1. All attributes are plain values, so that GraphML
        and JSON hold them. Nodes have `place`, `name` and `description` (annotated), `module` (its class), `text`,
        `family`, `line` (where it was made), `inputs` and `output` (shapes, after a run), `parameters` (their number),
        `shared` (a letter if others have the same), `input` (which input of the graph it reads, or 0) and `outputs`
        (which outputs it makes). Edges have `inputs` (which of the reader's inputs), `parts` (of a split output) and
        `shapes`; where a node reads several parts of one other, each of these is a list, such as "1; 3". The module
        itself is `g.forwardnodes[place - 1].data.module`; a graph in it has its own `to_networkx`.

        >>> import nn
        >>> x = nn.Identity()()
        >>> g = gModule([x], [nn.Tanh()(nn.Linear(4, 3)(x))])
        >>> [(a, b) for a, b in g.to_networkx().edges], g.to_networkx().nodes[3]["text"]
        ([(2, 3), (3, 4)], 'nn.Linear(4 -> 3)')
        """
        from .facts import to_networkx

        return to_networkx(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The drawing, for a notebook; large graphs are not laid out only because a cell ends with one."""
        from .drawing import picture

        return mimebundle(picture(self) if len(self.forwardnodes) <= DRAWN_UNASKED else None, str(self))


def link(node: Node, child: Node, undo: list[Callable[[], Any]]) -> None:
    """Makes `child` the next input of `node`, and notes how to take that back."""
    node.add(child, True)

    def unlink() -> None:
        mapindex = node.data.mapindex
        del mapindex[mapindex.pop(child.data)]
        child.data.reverseMap.pop(node, None)
        node.children.pop()

    undo.append(unlink)

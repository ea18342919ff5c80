"""nn.gModule: a network made of a graph of modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch7
from nn import Container, utils
from torch7.tables import is_table

from .graph import DRAWN_UNASKED, Graph
from .node import Node
from .render import mimebundle
from .schedule import Binding, Schedule

Number = float


class gModule(Container):
    """A network made of a directed graph without cycles, from input nodes to output nodes.

    `gModule([x1, x2], [y])`: forward takes the input of x1 and x2, a list (the bare value when there is one input
    node), and gives the output of y (a list when there are several). Its modules, and so its parameters, come in the
    order in which they run, which is found from the outputs backwards, depth first, and not that of construction.

    `fg` and `bg` are the graphs of the forward and backward run, `forwardnodes` and `backwardnodes` their nodes in
    order; `innode` and `outnode` are added around the given ones.

    Raises ValueError when nodes are missing, unused or given twice, TypeError for what is no node.
    """

    torch_name = "nn.gModule"
    TRANSIENT = ("_schedule", "_binding")

    nInputs: Any = None
    name: Any = None
    verbose: Any = False
    _schedule: Schedule | None = None
    _binding: Binding | None = None

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]):
        super().__init__()
        check_nodes(outputs, "outputs")
        check_nodes(inputs, "inputs")
        if not inputs:
            raise ValueError("nn.gModule: no inputs are not supported")
        if len(inputs) > 1 and any(node.children for node in inputs):
            raise ValueError("nn.gModule: an input should have no inputs")
        undo: list[Callable[[], Any]] = []
        try:
            self._connect(inputs, outputs, undo)
        except Exception:
            for step in reversed(undo):
                step()
            raise
        self.output = self.outnode.data.input if len(self.outnode.children) > 1 else None
        self.gradInput = None
        self.schedule()  # now, so that all clones share it

    def _connect(self, inputs: Sequence[Node], outputs: Sequence[Node], undo: list[Callable[[], Any]]) -> None:
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
        self.innode = self._find_innode(innode)
        self.verbose = False
        self.nInputs = len(inputs)
        self.forwardnodes: list[Any] = self.fg.topsort()[0]
        self.backwardnodes: list[Any] = self.bg.topsort()[0]
        self._check_uses()
        for forward in self.forwardnodes:
            forward.data.forwardNodeId = forward.id
            if forward.data.module is not None:
                self.add(forward.data.module)

    def _find_innode(self, innode: Node) -> Node:
        """The input node among the roots of the forward graph; any other root is a node that has no input."""
        found: Any = None
        root: Any
        for root in self.fg.roots():
            if root.data is innode.data:
                found = root
            elif torch7.typename(root.data.module) != "nnop.Parameters":
                raise ValueError(
                    f"nn.gModule: {root.described()} has no input and is not among the inputs; "
                    f"Expected nnop.Parameters node, found : {torch7.typename(root.data.module)}"
                )
        if found is None:
            raise ValueError("nn.gModule: no output depends on the inputs")
        return found

    def _check_uses(self) -> None:
        """Every part of a split and every node that was made from a node of the graph must lead to an output."""
        place = {id(node.data): i for i, node in enumerate(self.forwardnodes)}
        for i, node in enumerate(self.forwardnodes):
            splits = node.data.nSplitOutputs
            if splits is not None and splits != len(node.children):
                raise ValueError(
                    f"nn.gModule: {splits - len(node.children)} of split({splits}) outputs from the node declared at "
                    f"{node.data.annotations['_debugLabel']} are unused"
                )
            for reader in node.data.reverseMap:
                if place.get(id(reader.data), -1) <= i:
                    raise ValueError(
                        f"nn.gModule: node declared on {reader.data.annotations['_debugLabel']} "
                        "does not connect to gmodule output"
                    )

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
        inputs: Sequence[Any] = [input]
        if self.nInputs > 1:
            if not is_table(input):
                raise TypeError(f"{self}: expecting table of {self.nInputs} inputs, got a {torch7.type(input)}")
            inputs = input
        if len(inputs) != self.nInputs:
            raise ValueError(f"{self}: Got {len(inputs)} inputs instead of {self.nInputs}")
        output = self.bound().run_forward(func, inputs, self._trace())
        self.output = output[0] if len(output) == 1 else output
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self._check_gradient(gradOutput)
        self.gradInput = self.bound().run_backward(gradOutput, self._trace())
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        self._check_gradient(gradOutput)
        self.bound().run_accumulate("accGradParameters", scale, self._trace())

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        """A step of -lr along the gradient in every module. (Torch's gModule changes no parameter here.)"""
        self._check_gradient(gradOutput)
        self.bound().run_accumulate("accUpdateGradParameters", lr, self._trace())

    def _check_gradient(self, gradOutput: Any) -> None:
        n = len(self.outnode.children)
        if n > 1 and (not is_table(gradOutput) or len(gradOutput) != n):
            got = len(gradOutput) if is_table(gradOutput) else f"a {torch7.type(gradOutput)} as"
            raise ValueError(f"{self}: Got {got} gradOutputs instead of {n}")

    def _trace(self) -> Callable[[int], None] | None:
        return (lambda i: print(" V : " + self.forwardnodes[i].label())) if self.verbose else None

    # -- duties of a container

    def replace(self, callback: Callable[[Any], Any]) -> Any:
        out = callback(self)
        made: dict[int, Any] = {}  # a module of several nodes is replaced once, and stays one
        for node in self.forwardnodes:
            module = node.data.module
            if module is not None:
                if id(module) not in made:
                    made[id(module)] = module.replace(callback)
                node.data.module = made[id(module)]
        self.modules = [made.get(id(module), module) for module in self.modules]
        return out

    def map(self, gm: gModule, func: Callable[[Any, Any], Any]) -> None:
        """func(module, module of gm) for every module of this graph and its counterpart in `gm`, a graph like it."""
        for i, node in enumerate(self.forwardnodes):
            other = gm.forwardnodes[i] if i < len(gm.forwardnodes) else None
            if node.data.module is not None:
                if other is None or other.data.module is None:
                    raise ValueError(f"{self}: trying to map another gModule with a different structure")
                func(node.data.module, other.data.module)

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
        return self.name or super().__str__()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The drawing, for a notebook; large graphs are not laid out only because a cell ends with one."""
        from .drawing import picture

        return mimebundle(picture(self) if len(self.forwardnodes) <= DRAWN_UNASKED else None, str(self))


def check_nodes(nodes: Any, what: str) -> None:
    """Raises an error that says which of `nodes` is no node, and what it is."""
    if isinstance(nodes, Node) or not is_table(nodes):
        raise TypeError(f"nngraph: {what} should be a list of nodes, got {torch7.type(nodes)}")
    for i, node in enumerate(nodes, 1):
        if isinstance(node, Node):
            continue
        if node is None:
            raise ValueError(f"{what}[{i}] is nil (typo / bad index?)")
        kind = torch7.type(node)
        if torch7.isTypeOf(node, "nn.Module"):
            raise TypeError(
                f"{what}[{i}] is an nn.Module, specifically a {kind}, but the only valid thing to pass is an instance "
                "of nngraph.Node. Did you forget a second set of parens, which convert a nn.Module to a nngraph.Node?"
            )
        raise TypeError(f"{what}[{i}] should be an nngraph.Node but is of type {kind}")


def link(node: Node, child: Node, undo: list[Callable[[], Any]]) -> None:
    """Makes `child` the next input of `node`, and notes how to take that back."""
    node.add(child, True)

    def unlink() -> None:
        mapindex = node.data.mapindex
        del mapindex[mapindex.pop(child.data)]
        child.data.reverseMap.pop(node, None)
        node.children.pop()

    undo.append(unlink)

"""nngraph.Node: a node of a network, with its inputs in order."""

from __future__ import annotations

import contextlib
import itertools
import os
import reprlib
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import numpy as np

import nn
import torch7
from torch7 import Table
from torch7.dims import whole
from torch7.dtypes import tostring
from torch7.tables import is_table

from . import graph

_HERE = tuple(os.path.join(os.path.dirname(str(module.__file__)), "") for module in (graph, nn, torch7))
_CELLS = os.path.join(_HERE[0], "cells.py")


def place() -> str:
    """Where the script is that makes a node: "[file]:line_function". Another runtime may put its own in its place.

    A node of a cell of the library's tells the script's line that asked for the cell, and that of the cell.
    """
    frame: FrameType | None = sys._getframe(1)
    cell = ""
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        if frame.f_code.co_filename == _CELLS and not cell:
            cell = f", pygraphnn/cells.py:{frame.f_lineno} in {_function(frame)}"
        frame = frame.f_back
    if frame is None:
        return "[?]:-1_"
    return f"[{_file(frame.f_code.co_filename)}]:{frame.f_lineno}_{_function(frame)}{cell}"


def _function(frame: FrameType) -> str:
    """The function that runs: the one around a lambda or comprehension, which says more than "<lambda>"."""
    names = [name for name in frame.f_code.co_qualname.split(".") if not name.startswith("<")]
    return names[-1] if names else ""


def _file(name: str) -> str:
    """The name of a source file as a reader knows it: below the working directory, or of a notebook's cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    told = getattr(getattr(shell, "compile", None), "format_code_name", lambda name: None)(name)
    if told:
        return " ".join(told)  # "Cell In[3]"
    with contextlib.suppress(FileNotFoundError):  # the directory may be gone
        name = name.removeprefix(os.getcwd() + os.sep)
    return name.replace("\\", "/")  # a backslash is dot's escape


class Node(graph.Node):
    """A node of a network: `data.module` applied to the outputs of other nodes.

    `module(node)` makes one. Its `data` is a table with `module`, `annotations`, `mapindex` (the inputs' data in order,
    and for each its place, from 1), `reverseMap` (the nodes that read this one), and, once a gModule ran it, `input`
    (the list of inputs) and `gradOutput` (the gradients that are to be summed).
    """

    torch_name = "nngraph.Node"

    def __init__(self, data: Mapping[str, Any] | None = None):
        if data is not None and not isinstance(data, Mapping):
            raise TypeError(f"nngraph.Node: expected a mapping of fields as data, got {reprlib.repr(data)}")
        data = data if isinstance(data, Table) else Table(data or {})
        super().__init__(data)
        self.complete()

    def complete(self) -> None:
        """Gives `data` the fields that every node has."""
        for field in ("annotations", "mapindex", "reverseMap"):
            if not isinstance(self.data.get(field), dict):  # an empty table comes from a file as a list
                self.data[field] = Table()
        if self.data.annotations.get("_debugLabel") is None:
            self.data.annotations["_debugLabel"] = place()

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        if not isinstance(self.data, Table):
            raise ValueError(
                f"nngraph.Node: expected a table with named fields as data, got a {torch7.type(self.data)}"
            )
        annotations = self.data.get("annotations")
        if not isinstance(annotations, dict) or "_debugLabel" not in annotations:
            self.data["annotations"] = Table(annotations or {}, _debugLabel="[file]:-1_")
        self.complete()

    def add(self, child: Any, domap: bool | None = None) -> None:
        """Adds `child` to the children; with `domap` it is the next input of this node."""
        if domap:
            if not isinstance(child, Node):
                raise TypeError(f"nngraph.Node.add: expected an nngraph.Node, got {torch7.type(child)}")
            mapindex = self.data.mapindex
            if child.data in mapindex:
                raise ValueError(f"Don't pass the same input twice. ({child.described()} for {self.described()})")
            if self in child.data.reverseMap:
                raise ValueError(f"this connection has already been made! ({child.described()} to {self.described()})")
            place = len(mapindex) // 2 + 1
            mapindex[place], mapindex[child.data] = child.data, place
            child.data.reverseMap[self] = True
        super().add(child)

    def split(self, noutput: int) -> Any:
        """`noutput` nodes, each one element of this node's output, a table; for 1 the one node, not a list."""
        if isinstance(noutput, bool) or (noutput := whole(noutput, "nngraph.Node.split", "number of parts")) < 1:
            raise ValueError(f"nngraph.Node.split: expected a number of parts from 1 on, got {noutput!r}")
        if noutput == 1:
            from .adapters import JustElement

            return JustElement()(self)
        made = self.data.annotations["_debugLabel"]
        file, _, rest = place().rpartition("]:")
        label = Table(_debugLabel=f"{made} split at {file}]:{rest.partition('_')[0]}-mnode")
        middle = Node({"nSplitOutputs": noutput, "annotations": label})
        middle.add(self, True)
        parts = []
        for i in range(1, noutput + 1):
            label = Table(_debugLabel=f"{made}-{i}")
            parts.append(Node({"selectindex": i, "input": [], "annotations": label}))
            parts[-1].add(middle, True)
        return parts

    def annotate(self, annotations: Mapping[str, Any] | None = None, **named: Any) -> Node:
        """Sets annotations: `name` and `description` are shown, `graphAttributes` are for Graphviz; returns self.

        `node.annotate({"name": "i2h"})` and `node.annotate(name="i2h")` are the same.
        """
        if annotations is not None and not isinstance(annotations, Mapping):
            raise TypeError(
                f"nngraph.Node.annotate: expected a mapping of annotations, got {reprlib.repr(annotations)}"
            )
        self.data.annotations.update(annotations or {}, **named)
        return self

    def described(self) -> str:
        """What the node is and where it was made, for messages."""
        return described(self.data)

    __array_ufunc__ = None  # so that an array leaves `node - array` and `array - node` to the nodes

    def __sub__(self, following: Any) -> Node:
        wrong = isinstance(following, type) or not callable(following)  # a class would take the node as an option
        return NotImplemented if wrong else following(self)

    def __repr__(self) -> str:
        return f"<{self.described()}>"

    # -- what drawings show

    def graphNodeName(self) -> str:
        """The name and id that a drawing shows."""
        name = self.data.annotations.get("name")
        return f"Node{self.id}" if name is None else f"{name} ({self.id})"

    def graphNodeAttributes(self) -> Mapping[str, Any]:
        """The Graphviz attributes of the node; the tooltip tells where it was made."""
        annotations = self.data.annotations
        if annotations.get("graphAttributes") is None:
            annotations["graphAttributes"] = Table()
        annotations["graphAttributes"].setdefault("tooltip", annotations["_debugLabel"])
        return annotations["graphAttributes"]

    def label(self) -> str:
        """The fields of `data` as lines of text: tensors as their sizes, NaN and infinity told."""
        lines = []
        for field in sorted(k for k in self.data if isinstance(k, str)):
            value = self.data[field]
            if field in ("forwardNodeId", "annotations") or value is None:
                continue
            if field == "mapindex":
                if len(value) > 2:
                    names = (f"Node{data.get('forwardNodeId') or ''}" for data in value.list_part())
                    lines.append(f"mapindex = {{{','.join(names)}}}")
                continue
            lines.append(f"{field} = {shown(value)}")
        description = self.data.annotations.get("description")
        return ("" if description is None else f"desc = {description}\\n") + "\\l".join(lines)


def described(data: Any) -> str:
    """What the node with this data is and where it was made, for messages."""
    name = data.annotations.get("name") or data.get("forwardNodeId") or ""
    what = "no module"
    if data.get("module") is not None:
        what = headline(data.module)
    elif data.get("selectindex") is not None:
        what = f"part {data.selectindex} of a split"
    elif data.get("nSplitOutputs") is not None:
        what = f"split({data.nSplitOutputs})"
    return f"{f'node {name}'.strip()} ({what}, declared at {data.annotations.get('_debugLabel')})"


def headline(module: Any) -> str:
    """The first line of a module's text."""
    return str(module).partition("\n")[0].removesuffix(" {")


def shown(value: Any) -> str:
    """A value in a label."""
    if value is None or value is False:
        return ""  # as Torch has it
    if torch7.isTensor(value):
        name = torch7.typename(value)
        kind = "Tensor" if name == torch7.getdefaulttensortype() else name
        return f"{kind}[{'x'.join(map(str, value.shape if value.size else ()))}]{_flag(value)}"
    if isinstance(value, dict):
        value = list(Table(value).list_part())
    if is_table(value):  # up to the first nil
        return "{" + ",".join(map(shown, itertools.takewhile(lambda v: v is not None, value))) + "}"
    return tostring(value).replace("\n", "\\l")


def _flag(a: np.ndarray) -> str:
    if a.size == 0 or a.dtype.kind != "f" or np.isfinite(a).all():
        return ""
    if np.isnan(a).any():
        return "NaN"
    return "inf" if a.max() == np.inf else "-inf"

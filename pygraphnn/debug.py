"""Finding mistakes in graphs: names for nodes, a picture of what failed, a stop at the first NaN."""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import torch7
from nn.checks import named, note
from torch7.dims import whole
from torch7.tables import is_table, pairs
from torch7.tensor_functions import told_nonfinite

from .drawing import draw, picture
from .gmodule import gModule
from .graph import Graph
from .node import Node
from .render import show


def annotateNodes(stackLevel: int | None = 1) -> None:
    """Gives nodes the names of the caller's local variables; nodes that have a name keep it.

    `stackLevel` 1 is the function that calls, 2 the one that called it, and so on. Variables that begin with an
    underscore give no names. Raises ValueError when there are fewer callers. Source: torch/nngraph.

    >>> import nn
    >>> def build():
    ...     hidden = nn.Tanh()()
    ...     annotateNodes()
    ...     return hidden
    >>> build().graphNodeName()
    'hidden (0)'
    """
    level = 1 if stackLevel is None else whole(stackLevel, "nngraph.annotateNodes", "stack level")
    try:
        if level < 1:
            raise ValueError
        variables = sys._getframe(level).f_locals
    except (ValueError, OverflowError):
        raise ValueError(f"nngraph.annotateNodes: there is no caller at stack level {stackLevel}") from None
    for name, value in variables.items():
        if isinstance(value, Node) and not name.startswith("_") and value.data.annotations.get("name") is None:
            value.annotate(name=name)


# -- a picture of what failed

_RUNS = {name: vars(gModule)[name] for name in ("runForwardFunction", "updateGradInput", "_accumulate")}
_running = threading.local()
LONGEST = 60  # letters of a file's name; the most that a file system takes is 255 bytes


def setDebug(enable: bool) -> None:
    """Whether an error in a graph leaves a picture of it, with the node that failed in red.

    The picture is `<name>.svg` in the working directory, where the name is the graph's own (`g.name`) or tells its
    numbers of inputs and outputs, and gets a number when there is such a file. The error, which is raised in any case,
    says where the picture is. Of nested graphs the outermost is drawn, with the node that failed in each.
    Source: torch/nngraph.
    """
    for name, run in _RUNS.items():
        setattr(gModule, name, _checked(run) if enable else run)


def _checked(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def checked(g: gModule, *args: Any, **named: Any) -> Any:
        binding, outermost = g.bound(), not hasattr(_running, "failed")
        if outermost:
            _running.failed = []
        binding.failed = None
        try:
            return run(g, *args, **named)
        except Exception as error:
            _running.failed += [binding.failed] if binding.failed is not None else []
            if outermost:
                note(error, lambda: _drawn(g, _running.failed))
            raise
        finally:
            if outermost:
                del _running.failed

    return checked


def _drawn(g: gModule, failed: list[Any]) -> str:
    """Draws the graph; tells where it is, or why it is not."""
    try:
        path = _new_file(g.name or f"nngraph_{g.nInputs}in_{len(g.outnode.children)}out")
        try:
            draw(g, path, title=path.stem, failed=failed)
        except BaseException:
            path.unlink()
            raise
    except Exception as problem:  # what is wrong with the network matters more
        return f"The graph could not be drawn: {problem}"
    return f"The graph is drawn in {path.resolve()}" + (", with the node that failed in red" if failed else "")


def _new_file(name: Any) -> Path:
    """A new file of this name in the working directory, which no other thread or program gets."""
    stem = re.sub(r"[^\w .-]", "_", str(name))[:LONGEST].strip(" .") or "graph"
    for i in itertools.count(1):
        path = Path(f"{stem}.svg" if i == 1 else f"{stem}_{i}.svg")
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
    return path


# -- NaN and infinity


def watch_nonfinite(enable: bool = True) -> None:
    """Whether graphs stop at the first node that gives NaN or infinity, forward or backward.

    Every output, every gradient and, where a module accumulates them, the gradients of its parameters are looked at as
    soon as they are there, which takes time. FloatingPointError tells the node, the method and how many elements.

    >>> import nn
    >>> x = nn.Identity()()
    >>> g = gModule([x], [nn.Log()(x).annotate(name="log")])
    >>> watch_nonfinite()
    >>> try:
    ...     g.forward(np.array([1.0, 0.0]))
    ... except FloatingPointError as error:
    ...     print(error)
    nn.Log: updateOutput gave 1 infinite of 2 elements
    >>> watch_nonfinite(False)
    """
    gModule._watch = staticmethod(_look) if enable else None


def _look(data: Any, value: Any, method: str) -> None:
    """Raises FloatingPointError if a value, or if None the gradients of the module's parameters, are not finite."""
    module = data.module
    gradients = value is None and module is not None
    problem = _nonfinite((module.parameters() or ([], []))[1] if gradients else value)
    if not problem:
        return
    if module is None:  # the dummy nodes tell of what came from outside
        told = f"nngraph: the {'gradient of the output' if method == 'updateGradInput' else 'input'} has"
    else:
        told = f"{named(module)}: {method} gave" + (" gradients of parameters with" if gradients else "")
    raise FloatingPointError(f"{told} {problem}")


def _nonfinite(x: Any) -> str:
    """What is not finite in a tensor, number or table, in words; nothing if all is."""
    if is_table(x) or isinstance(x, Mapping):
        found = ((i, _nonfinite(entry)) for i, entry in pairs(x))
        return next((f"{problem} in entry {i}" for i, problem in found if problem), "")
    x = np.asarray(x) if isinstance(x, (float, np.floating)) else x
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fc" or np.isfinite(x).all():
        return ""
    return told_nonfinite(x)


# -- on the screen


def display(g: Any) -> None:
    """Shows the drawing of a gModule, or of a graph such as its `fg`: in the notebook or the system's viewer.

    Where there is neither, it says where the picture is. Source: torch/nngraph.
    """
    if isinstance(g, gModule):
        show(picture(g, g.name))
    elif isinstance(g, Graph):
        show(g.todot())
    else:
        raise TypeError(f"nngraph.display: expected a gModule or a graph.Graph, got a {torch7.type(g)}")

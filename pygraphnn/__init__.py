"""What `require 'nngraph'` gave: modules wired into graphs, run and drawn."""

from . import graph, nesting, simple_print, wiring
from .adapters import JustElement, JustTable, ModuleFromCriterion
from .bptt import clone_many_times, combine_all_parameters
from .debug import annotateNodes, display, setDebug, watch_nonfinite
from .drawing import draw, picture
from .gmodule import gModule
from .node import Node
from .summaries import Summary, summary
from .wiring import nest

__all__ = [
    "JustElement",
    "JustTable",
    "ModuleFromCriterion",
    "Node",
    "Summary",
    "annotateNodes",
    "clone_many_times",
    "combine_all_parameters",
    "display",
    "draw",
    "gModule",
    "graph",
    "nest",
    "nesting",
    "picture",
    "setDebug",
    "simple_print",
    "summary",
    "watch_nonfinite",
    "wiring",
]

wiring.install()

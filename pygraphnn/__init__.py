"""What `require 'nngraph'` gave: modules wired into graphs, run and drawn."""

from . import graph, nesting, wiring
from .adapters import JustElement, JustTable, ModuleFromCriterion
from .bptt import clone_many_times, combine_all_parameters
from .drawing import draw, picture
from .gmodule import gModule
from .node import Node
from .wiring import nest

__all__ = [
    "JustElement",
    "JustTable",
    "ModuleFromCriterion",
    "Node",
    "clone_many_times",
    "combine_all_parameters",
    "draw",
    "gModule",
    "graph",
    "nest",
    "nesting",
    "picture",
    "wiring",
]

wiring.install()

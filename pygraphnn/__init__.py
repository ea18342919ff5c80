"""What `require 'nngraph'` gave: modules wired into graphs, run and drawn."""

from . import graph, nesting, simple_print, wiring
from .adapters import JustElement, JustTable, ModuleFromCriterion
from .bptt import clone_many_times, combine_all_parameters
from .cells import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from .debug import annotateNodes, display, setDebug, watch_nonfinite
from .distributed import distributed
from .drawing import draw, picture
from .gmodule import gModule
from .node import Node
from .sampling import BeamSearch, SequenceWriter, beam_search
from .states import initial_states
from .summaries import Summary, summary
from .unroll import Fused, Unroll
from .wiring import nest

__all__ = [
    "BeamSearch",
    "Fused",
    "JustElement",
    "JustTable",
    "ModuleFromCriterion",
    "Node",
    "SequenceWriter",
    "Summary",
    "Unroll",
    "annotateNodes",
    "beam_search",
    "clone_many_times",
    "combine_all_parameters",
    "display",
    "distributed",
    "draw",
    "gModule",
    "graph",
    "gru",
    "gru_cell",
    "initial_states",
    "lstm",
    "lstm_cell",
    "nest",
    "nesting",
    "picture",
    "rnn",
    "rnn_cell",
    "setDebug",
    "simple_print",
    "summary",
    "watch_nonfinite",
    "wiring",
]

wiring.install()

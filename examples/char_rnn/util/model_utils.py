"""One vector of parameters for several networks, and clones for the time steps: the graph package has both."""

from pygraphnn import clone_many_times, combine_all_parameters

__all__ = ["clone_many_times", "combine_all_parameters"]

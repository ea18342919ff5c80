"""What the classes of nn mean for a plan: which are views, elementwise functions or linear maps."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn
from nn.activations.elementwise import Pointwise

from ..gmodule import gModule
from .clones import declared
from .nested import leaves
from .values import Op, Ref

METHODS = frozenset(("updateOutput", "updateGradInput", "accGradParameters", "function", "derivative"))

VIEWS = {
    *(nn.Identity, nn.Reshape, nn.View, nn.Narrow, nn.Select, nn.SplitTable, nn.Squeeze, nn.Unsqueeze),
    *(nn.SelectTable, nn.NarrowTable, nn.FlattenTable, nn.Contiguous),
}
TABLES = {nn.CAddTable: "add", nn.CSubTable: "sub", nn.CMulTable: "mul", nn.CDivTable: "div"}
FUNCTIONS = {nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu", nn.Square: "square"}
CONSTANTS = {nn.MulConstant: ("scale", "constant_scalar"), nn.AddConstant: ("shift", "constant_scalar")}
ROWS = {nn.CMul: ("mulrow", "weight"), nn.CAdd: ("addrow", "bias"), nn.Add: ("addrow", "bias")}
STRUCTURE = {nn.Sequential, nn.ConcatTable, nn.ParallelTable, gModule}
CLASSES = {nn.LogSoftMax, nn.SoftMax}
OTHERS = {nn.Linear, nn.OneHot, nn.Dropout, nn.JoinTable, *CLASSES}


def method(module: Any, name: str) -> Any:
    """The function behind a method, looked up now: users replace methods of classes and of single modules."""
    found = getattr(module, name, None)
    return getattr(found, "__func__", found)


ORIGINALS = {
    cls: {name: vars_of for name in METHODS if (vars_of := getattr(cls, name, None)) is not None}
    for cls in (*VIEWS, *TABLES, *FUNCTIONS, *CONSTANTS, *ROWS, *STRUCTURE, *OTHERS)
}


def known(module: Any) -> Any:
    """The class whose meaning is known and which the module is one of, with all its methods; else None."""
    cls = type(module)
    if cls not in ORIGINALS:
        # an index has no gradient: what a subclass makes of it does not matter
        if isinstance(module, nn.OneHot) and method(module, "updateOutput") is ORIGINALS[nn.OneHot]["updateOutput"]:
            return nn.OneHot
        if isinstance(module, Pointwise) and own_methods(module):
            return Pointwise
        return None
    return cls if all(method(module, name) is f for name, f in ORIGINALS[cls].items()) else None


def own_methods(module: Any) -> bool:
    """Whether all methods are nn's."""
    return all(
        getattr(method(module, name), "__module__", "nn.").split(".")[0] == "nn"
        for name in METHODS
        if hasattr(module, name)
    )


def rowwise(module: Any) -> bool:
    """Whether the module, as it is, treats every row alike and for itself.

    A class that says so is believed as long as its methods are nn's, or as old as what it says.
    """
    if not module.ROWWISE or "forward" in vars(module):
        return False
    if own_methods(module):
        return True
    says = next(cls for cls in type(module).__mro__ if "ROWWISE" in vars(cls))
    for name in METHODS:
        by = next((cls for cls in type(module).__mro__ if name in vars(cls)), None)
        if by is not None and not issubclass(says, by):
            return False
    return True


def fields(module: Any) -> list[str]:
    """The fields that what a module does may rest on."""
    passing = declared(module.__class__, "BUFFERS", "TRANSIENT")
    return [*(name for name in vars(module) if name not in passing and name != "train"), "train"]


def gives_gradient(module: Any) -> bool:
    """Whether a module gives its input a gradient: without the field gradInput it does not."""
    return module.gradInput is not None


def elementwise(module: Any, known: Any, x: Any, y: Any) -> Any:
    """The op for a module of a known class with inputs x (refs) and output y (an array) (None: to be called)."""
    if known is None or known in STRUCTURE or known in VIEWS or isinstance(y, list):
        return None
    refs = leaves(x)
    shape = y.shape[1:]
    if known is nn.OneHot:
        return Op("onehot", x, module)
    if known is nn.Linear:
        fits = isinstance(x, Ref) and len(x.shape) == 1
        return Op("linear", x, module) if fits else None
    if known in CLASSES:
        return Op("classes", x, module) if len(x.shape) == 1 and module.gradInput is not None else None
    if known is nn.JoinTable:
        along = module._axis([y])
        same = all(ref.shape[1:] == shape[1:] and len(ref.shape) == len(shape) for ref in refs)
        return Op("join", refs, module) if along == 1 and same else None
    if module.gradInput is None or any(ref.shape != shape for ref in refs):
        return None
    if known in TABLES:
        return Op(TABLES[known], refs, module, inplace=bool(getattr(module, "inplace", False)))
    return single(module, known, refs[0])


def single(module: Any, known: Any, x: Any) -> Any:
    """The op for an elementwise function of one input."""
    inplace = bool(module.inplace)
    if known is nn.Dropout:
        return dropout(module, x)
    if known is nn.ReLU and inplace:
        return Op("rectified", [x], module, inplace=True)
    if known in FUNCTIONS:
        return Op(FUNCTIONS[known], [x], module, inplace=inplace)
    if known in CONSTANTS:
        kind, name = CONSTANTS[known]
        return Op(kind, [x], module, constant=float(getattr(module, name)), inplace=inplace)
    if known in ROWS:
        kind, name = ROWS[known]
        parameter: np.ndarray = getattr(module, name)
        fits = module.ROWWISE and parameter.size == x.width and not getattr(module, "scalar", False)
        return Op(kind, [x], module, constant=name, inplace=inplace) if fits else None
    return Op("pointwise", [x], module, inplace=inplace) if known is Pointwise and not inplace else None


def dropout(module: Any, x: Any) -> Any:
    """The op for dropout in its present mode."""
    if module.p > 0 and module.stochastic_inference:
        return None
    if module.p > 0 and module.train:
        return Op("mask", [x], module, inplace=bool(module.inplace))
    factor = module._factor()
    return Op("identity", [x]) if factor == 1 else Op("scale", [x], module, constant=float(factor))

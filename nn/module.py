"""nn.Module: the contract that every layer keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.cloning import deep_copy
from torch7.dtypes import DTYPES
from torch7.registry import class_name, register, saves_fields
from torch7.serialization.writer import fields_of

from . import parameters as flat
from . import utils
from .checks import mistyped, named
from .pickling import reduce

# Set by pygraphnn on import: what module(node), module([node, node]) and module() mean.
wire: Callable[..., Any] | None = None

Number = float  # inside the class, float is Torch's method


def torch_class_name(cls: type) -> str:
    """nn.Linear for a class of this package; a user's class has its bare name, as a script's own class has in Lua."""
    return f"nn.{cls.__name__}" if cls.__module__.split(".")[0] == "nn" else cls.__name__


class Module:
    """Base class of all layers: a function with parameters, its output and its gradients.

    A layer writes `updateOutput(input)`, `updateGradInput(input, gradOutput)` and, with parameters,
    `accGradParameters(input, gradOutput, scale=1)`. Class attributes declare the rest: `PARAMETERS`, pairs of names
    of a parameter and its gradient; `BUFFERS`, fields that clearState() empties besides output and gradInput;
    `LEARNED`, tensors that forward changes for good, in place; `TRANSIENT`, attributes that are Python's own and never
    saved; `ROWWISE`, whether row i of the output depends on row i of the input only.

    `output` and `gradInput` are written again by the next call: who keeps a result copies it.
    """

    PARAMETERS: tuple[tuple[str, str], ...] = (("weight", "gradWeight"), ("bias", "gradBias"))
    BUFFERS: tuple[str, ...] = ("output", "gradInput")
    LEARNED: tuple[str, ...] = ()
    TRANSIENT: tuple[str, ...] = ()
    ROWWISE = False

    # A field that is missing is None, as in Torch.
    output: Any = None
    gradInput: Any = None
    weight: Any = None
    bias: Any = None
    gradWeight: Any = None
    gradBias: Any = None
    train: Any = None
    shared: Any = None
    modules: Any = None
    _type: str = "torch.DoubleTensor"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(class_name(cls) or torch_class_name(cls), cls.__dict__.get("torch_version", 1))(cls)

    def __init__(self) -> None:
        self.gradInput = memory.empty()
        self.output = memory.empty()
        self._type = torch7.getdefaulttensortype()

    # -- computing

    def updateOutput(self, input: Any) -> Any:
        """Computes, keeps in `output` and returns the output for `input`."""
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        """Computes, keeps in `gradInput` and returns the gradient with respect to `input`, after a forward of it."""
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        """Adds scale times the gradient with respect to the parameters to their gradients."""

    def forward(self, input: Any) -> Any:
        """The output for `input`: a tensor, or a list for modules that take or give tables."""
        return self.updateOutput(input)

    def backward(self, input: Any, gradOutput: Any, scale: Number = 1) -> Any:
        """The gradient with respect to `input`; the parameters' gradients grow by scale times theirs."""
        self.updateGradInput(input, gradOutput)
        self.accGradParameters(input, gradOutput, 1 if scale is None else scale)  # what a script hands on may be nil
        return self.gradInput

    def backwardUpdate(self, input: Any, gradOutput: Any, lr: Number) -> Any:
        """backward, followed by a step of -lr along the gradient of this input alone."""
        self.updateGradInput(input, gradOutput)
        self.accUpdateGradParameters(input, gradOutput, lr)
        return self.gradInput

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        """Adds -lr times the gradient to the parameters themselves."""
        update = self.sharedAccUpdateGradParameters if self.shared else self.defaultAccUpdateGradParameters
        update(input, gradOutput, lr)

    def defaultAccUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        """Accumulates into the parameters as if they were the gradients."""
        kept = {grad: getattr(self, grad) for name, grad in self.PARAMETERS if getattr(self, name) is not None}
        try:
            for name, grad in self.PARAMETERS:
                if grad in kept:
                    setattr(self, grad, getattr(self, name))
            self.accGradParameters(input, gradOutput, -lr)
        finally:
            for grad, value in kept.items():
                setattr(self, grad, value)

    def sharedAccUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        """The same for shared parameters: the gradient is taken first, then the step is made."""
        if self.parameters()[0]:
            self.zeroGradParameters()
            self.accGradParameters(input, gradOutput, 1)
            self.updateParameters(lr)

    def typed(self, x: Any) -> np.ndarray:
        """x, if it is a tensor of the module's type; raises TypeError, naming both types, if it is not."""
        if isinstance(x, np.ndarray) and x.dtype == DTYPES[self._type]:
            return x
        raise mistyped(self, self._type, x)

    # -- parameters

    def slots(self) -> Iterator[flat.Slot]:
        """(module, parameter name, gradient name) of every parameter, depth first: everything about parameters
        that has to re-point them follows from it."""
        overridden = getattr(self.parameters, "__func__", None) is not Module.parameters
        return self._located_slots() if overridden else self._declared_slots()

    def _declared_slots(self) -> Iterator[flat.Slot]:
        for name, grad in self.PARAMETERS:
            if getattr(self, name) is not None:
                yield self, name, grad

    def _located_slots(self) -> Iterator[flat.Slot]:
        """Finds in which fields the arrays of an overridden parameters() are."""
        fields = {id(value): (m, name) for m in self.listModules() for name, value in vars(m).items()}
        for w, g in zip(*self.parameters()):
            if id(w) not in fields or id(g) not in fields:
                raise ValueError(
                    f"{torch7.typename(self)}: parameters() gives an array that no field of a module holds"
                )
            yield *fields[id(w)], fields[id(g)][1]

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The parameters and their gradients, two lists in one order; empty lists when there are none."""
        # an overridden parameters() may begin with this one, and slots() would call it again
        slots = list(self._declared_slots() if type(self).slots is Module.slots else self.slots())
        return [getattr(m, name) for m, name, _ in slots], [getattr(m, grad) for m, _, grad in slots]

    def getParameters(self) -> tuple[np.ndarray, np.ndarray]:
        """All parameters as one flat vector, and all gradients as another.

        From then on every weight of the module is a view into the first: an optimizer that changes the vector
        changes the module. Arrays taken from the module before are no longer its parameters. What is shared
        is there once. Call it once, before cloning.
        """
        return flat.getParameters(list(self.slots()))

    @staticmethod
    def flatten(parameters: list[np.ndarray] | None) -> np.ndarray:
        """All elements of the tensors in one flat vector; the list has views into it afterwards.

        What they share is there once. A module keeps the tensors that it had: getParameters() gives it the views.
        """
        vector, views = flat.flattened(parameters or [])
        if parameters:
            parameters[:] = views
        return vector

    def zeroGradParameters(self) -> None:
        """Sets the gradients of the parameters to zero."""
        for grad in self.parameters()[1]:
            grad.fill(0)

    def updateParameters(self, learningRate: Number) -> None:
        """parameters -= learningRate * gradients."""
        for w, g in zip(*self.parameters()):
            w -= learningRate * g

    def share(self, mlp: Module, *names: str) -> Module:
        """The named fields (such as "weight") become views of those of `mlp`, a module of the same kind."""
        for name in names:
            if getattr(self, name, None) is not None:
                if getattr(mlp, name, None) is None:
                    raise ValueError(f"{torch7.typename(self)}: cannot share {name}, which {mlp} has not")
                setattr(self, name, memory.alias(getattr(mlp, name)))
                self.shared = mlp.shared = True
        return self

    def clone(self, *names: str) -> Any:
        """A deep copy; the fields `names` (such as "weight", "bias") share their memory with this module's."""
        shared = [vars(m).get(name) for m in self.listModules() for name in names]
        copy = deep_copy(self, [a for a in shared if isinstance(a, np.ndarray)])
        return copy.share(self, *names) if names else copy

    def __deepcopy__(self, memo: Any) -> Any:
        return deep_copy(self, memo=memo)

    def __copy__(self) -> Any:
        copy = type(self).__new__(type(self))
        copy.__dict__.update(vars(self))
        return copy

    def __reduce__(self) -> Any:
        return reduce(self)

    def torch_loaded(self, version: int) -> None:
        """Completes a module read from a file: fields that old or GPU versions of it have otherwise."""
        if "_type" not in vars(self):
            tensors = (a for a in vars(self).values() if isinstance(a, np.ndarray) and a.dtype.kind == "f")
            self._type = next((torch7.tensor_type(a.dtype) for a in tensors), torch7.getdefaulttensortype())
        self._type = torch7.tensor_type(torch7.dtype_of(self._type))
        if isinstance(vars(self).get("accUpdateGradParameters"), torch7.LuaFunction):
            del vars(self)["accUpdateGradParameters"]  # until 2017, share() set this method in place of a mark
            self.shared = True

    def reset(self, stdv: Number | None = None) -> Any:
        """Draws new initial parameters."""

    @saves_fields
    def write(self, file: Any) -> None:
        """Writes the fields to a torch7.File as one table: for the `write` of a class that writes more than that."""
        file.writeObject(dict(fields_of(self)))

    @saves_fields
    def read(self, file: Any, version: Number = 1) -> None:
        """Reads the fields that `write` wrote."""
        vars(self).update(file.readObject())

    # -- type and mode

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts all tensors of the module to `type` ("torch.FloatTensor"); without one, tells the type."""
        if type is None:
            return self._type
        tensorCache = {} if tensorCache is None else tensorCache
        for name, value in list(vars(self).items()):
            self.__dict__[name] = utils.recursiveType(value, type, tensorCache)
        self._type = torch7.tensor_type(torch7.dtype_of(type))
        return self

    def float(self, *tensorCache: Any) -> Any:
        """type("torch.FloatTensor")."""
        return self.type("torch.FloatTensor", *tensorCache)

    def double(self, *tensorCache: Any) -> Any:
        """type("torch.DoubleTensor")."""
        return self.type("torch.DoubleTensor", *tensorCache)

    def cuda(self, *tensorCache: Any) -> Any:
        """float(): there is no GPU here, and CudaTensor has the precision of FloatTensor."""
        return self.type("torch.CudaTensor", *tensorCache)

    def training(self) -> Any:
        """Sets the mode in which dropout drops and batch normalization learns its statistics."""
        self.train = True

    def evaluate(self) -> Any:
        """Sets the mode for using the trained module."""
        self.train = False

    def clearState(self) -> Any:
        """Empties the buffers, to save a small file."""
        for cls in type(self).__mro__:
            utils.clear(self, *cls.__dict__.get("BUFFERS", ()))
        return self

    # -- walking over modules

    def apply(self, callback: Callable[[Any], Any]) -> None:
        """callback(module) for this module and then for all inside it."""
        callback(self)
        for module in self.modules or ():
            module.apply(callback)

    def replace(self, callback: Callable[[Any], Any]) -> Any:
        """Replaces this module and all inside it by what callback(module) returns for them."""
        out = callback(self)
        for i, module in enumerate(self.modules or ()):
            self.modules[i] = module.replace(callback)
        return out

    def findModules(self, typename: str, container: Any = None) -> tuple[list[Any], list[Any]]:
        """The modules of Torch's class `typename` ("nn.Linear") inside this one, and the containers they are in."""
        found = torch7.typename(self) == typename
        nodes, containers = ([self], [self if container is None else container]) if found else ([], [])
        for child in self.modules or ():
            inner, around = child.findModules(typename, self)
            nodes += inner
            containers += around
        return nodes, containers

    def listModules(self) -> list[Any]:
        """This module and all inside it, outer ones first."""
        return [self] + [m for child in self.modules or () for m in child.listModules()]

    # -- wiring and printing

    def __call__(self, *nodes: Any) -> Any:
        """module(node): a node of a graph, once pygraphnn is imported.

        Without it, as in Torch, module(input) is forward(input), and module(input, gradOutput) does backward too: it
        gives output and gradInput.
        """
        if wire is None:
            if nodes and len(nodes) <= 2 and utils.is_nested_tensor(nodes[0]):
                self.forward(nodes[0])
                return (self.output, self.backward(*nodes)) if len(nodes) == 2 else self.output
            raise TypeError(f"{torch7.typename(self)}: import pygraphnn to wire modules into graphs, or call forward")
        return wire(self, *nodes)

    def __neg__(self) -> Any:
        return self()

    def __sub__(self, following: Any) -> Any:
        return following(self)

    def __rsub__(self, nodes: Any) -> Any:
        return self(nodes)

    def __str__(self) -> str:
        return named(self)

    def __repr__(self) -> str:
        return str(self)


register("nn.Module")(Module)

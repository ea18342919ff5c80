"""nn.Container: modules made of modules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import torch7

from .checks import described, note
from .module import Module
from .parameters import Slot


class Container(Module):
    """Base class of modules that hold others in `modules`: every duty of the contract goes to each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.modules = []

    def add(self, module: Module) -> Any:
        """Appends a module; returns the container."""
        if not isinstance(module, Module):
            raise TypeError(f"{torch7.typename(self)}: add expects an nn.Module, got {module!r:.80}")
        self.modules.append(module)
        return self

    def get(self, index: int) -> Any:
        """The module at `index`, counted from 1; None after the last one, as in Torch."""
        if index < 1:
            raise IndexError(f"{torch7.typename(self)}: no module {index}: they are numbered from 1")
        return self.modules[index - 1] if index <= len(self.modules) else None

    def size(self) -> int:
        """The number of modules."""
        return len(self.modules)

    def applyToModules(self, func: Callable[[Any], Any]) -> None:
        """func(module) for each module directly inside."""
        for module in self.modules:
            func(module)

    def within(self, error: BaseException, index: int) -> None:
        """Notes on an error in which module (its index counted from 0) it came up; the error's type stays."""
        note(error, lambda: f"In module {index + 1} of {torch7.typename(self)}: {self.modules[index]}")

    def rethrowErrors(self, module: Module, moduleIndex: int, funcName: str, *args: Any) -> Any:
        """What the method `funcName` of the module at `moduleIndex`, counted from 1, gives; an error gets a note."""
        if not 1 <= moduleIndex <= len(self.modules) or self.modules[moduleIndex - 1] is not module:
            raise ValueError(f"{torch7.typename(self)}: module {moduleIndex} is not the given one, {module}")
        try:
            return getattr(module, funcName)(*args)
        except Exception as error:
            self.within(error, moduleIndex - 1)
            raise

    def slots(self) -> Iterator[Slot]:
        if getattr(self.parameters, "__func__", None) is not Container.parameters:
            return self._located_slots()
        return (slot for module in self.modules for slot in module.slots())

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        pairs = [module.parameters() for module in self.modules]
        return [w for ws, _ in pairs for w in ws], [g for _, gs in pairs for g in gs]

    def zeroGradParameters(self) -> None:
        self.applyToModules(lambda module: module.zeroGradParameters())

    def updateParameters(self, learningRate: float) -> None:
        self.applyToModules(lambda module: module.updateParameters(learningRate))

    def training(self) -> Any:
        self.applyToModules(lambda module: module.training())
        return super().training()

    def evaluate(self) -> Any:
        self.applyToModules(lambda module: module.evaluate())
        return super().evaluate()

    def replace(self, callback: Callable[[Any], Any]) -> Any:
        """Replaces the modules inside by what callback(module) returns for them; returns what it does for this one.

        Raises TypeError when it returns no module; after an error nothing is changed.
        """
        out = callback(self)
        with self._unchanged_by_errors():
            for i, module in enumerate(self.modules):
                new = module.replace(callback)
                if not isinstance(new, Module):
                    raise TypeError(
                        f"{torch7.typename(self)}.replace: the callback should return a module, got {described(new)} "
                        f"for module {i + 1}, {module}"
                    )
                self.modules[i] = new
        return out

    @contextlib.contextmanager
    def _unchanged_by_errors(self) -> Iterator[None]:
        """Takes all modules inside back to where they were when an error comes up."""
        restore = [module._keeper() for module in self.listModules() if isinstance(module, Container)]
        try:
            yield
        except BaseException:
            for each in restore:
                each()
            raise

    def _keeper(self) -> Callable[[], None]:
        """A function that puts the modules directly inside back to where they are now."""
        fields, modules = vars(self), list(self.modules)
        kept = {"module": fields["module"]} if "module" in fields else {}  # of a decorator

        def restore() -> None:
            self.modules[:] = modules
            fields.update(kept)

        return restore

    def share(self, mlp: Any, *names: str) -> Any:
        if not isinstance(mlp, Module):
            raise TypeError(f"{torch7.typename(self)}: can share with a module only, got {described(mlp)}")
        theirs = mlp.modules or []
        if len(theirs) != len(self.modules):
            raise ValueError(
                f"{torch7.typename(self)}: cannot share between {len(self.modules)} modules and {len(theirs)} of {mlp}"
            )
        for mine, other in zip(self.modules, theirs):
            mine.share(other, *names)
        return self

    def reset(self, stdv: float | None = None) -> Any:
        self.applyToModules(lambda module: module.reset(stdv))

    def clearState(self) -> Any:
        super().clearState()
        self.applyToModules(lambda module: module.clearState())
        return self


def indented(text: str) -> str:
    """A module's text inside its container's."""
    return text.replace("\n", "\n  ")

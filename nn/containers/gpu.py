"""nn.GPU without a GPU."""

from __future__ import annotations

from typing import Any

import torch7
from torch7.dtypes import lua_type, tostring
from torch7.tables import is_table

from ..module import Module
from .decorators import Decorator


class GPU(Decorator):
    """A module that Torch runs on GPU number `device`, with its output on `outdevice`; here it runs on the CPU.

    y = module(x). Models that are spread over GPUs load, print and compute as they are. The numbers of the
    devices are kept and saved. Raises TypeError when `device` is no number.

    >>> import numpy as np, nn
    >>> m = GPU(nn.Tanh(), 2)
    >>> m.forward(np.zeros(2)), m.outdevice, m
    (array([0., 0.]), 2, nn.GPU(2) @ nn.Tanh)
    """

    _input: Any = None
    _gradOutput: Any = None

    def __init__(self, module: Module, device: int, outdevice: int | None = None):
        super().__init__(module)
        if lua_type(device) != "number":
            raise TypeError(f"nn.GPU: expected the number of a device, got {device!r:.80}")
        self.device = device
        self.outdevice = device if outdevice is None else outdevice

    def setDevice(self, device: int | None = None) -> GPU:
        """Changes the number of the device; returns the module."""
        self.device = self.device if device is None else device
        return self

    @staticmethod
    def recursiveModuleDevice(obj: Any, device: int) -> Any:
        """obj with its tensors on the device: obj itself, as there is one memory."""
        return obj

    @staticmethod
    def recursiveSetDevice(dst: Any, src: Any, proto: Any) -> Any:
        """src on the device of `proto`: src itself, as there is one memory; its tables become tables of their own."""
        if not is_table(src):
            return src
        old = dst if isinstance(dst, list) else []
        old[:] = [GPU.recursiveSetDevice(old[i] if i < len(old) else None, value, proto) for i, value in enumerate(src)]
        return old

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts the module and drops what it computed; without a type, tells it."""
        if type is not None:
            self.output = self.gradInput = self._input = self._gradOutput = None
        return super().type(type, tensorCache)

    def clearState(self) -> Any:
        self._input = self._gradOutput = None
        return super().clearState()

    def write(self, file: Any) -> None:
        """Saves type and device before the fields, as Torch does."""
        file.writeObject([self._type, self.device])
        super().write(file)

    def read(self, file: Any, version: float = 1) -> None:
        """Reads what `write` wrote, here or on a machine with GPUs."""
        file.readObject()
        super().read(file)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({tostring(self.device)}) @ {self.modules[0]}"

"""Groups of lanes as kernels that numba compiles: one loop over rows and columns instead of a call per operation.

A kernel's text is its name: layers of one form share it. It is written to a file in the user's cache directory, beside
which numba keeps the machine code, so that it is compiled once per machine.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch7.optional import optional
from torch7.replacing import replacing

from . import fastmath
from .buffers import Buffer, Kind, Where
from .functions import FUNCTIONS, Call
from .lanes import Lanes
from .numpy_code import LEAVES, Span, live

HEAD = """from pygraphnn.unroll.fastmath import FASTMATH, functions
import numba
import numpy

tanh, sigmoid, exp = functions("{dtype}")
number = numpy.{dtype}
zero, one = number(0), number(1)
{constants}

@numba.njit(cache={cache}, fastmath=FASTMATH, error_model="numpy", nogil=True)
def kernel({arguments}):
"""


@functools.cache
def works() -> bool:
    """Whether kernels can be compiled: the packages are there, and fit numpy's version."""
    try:
        optional("platformdirs", "numba", "compiled kernels")
        optional("numba", "numba", "compiled kernels")
    except ImportError:
        return False
    return True


def compilable(lanes: Lanes) -> bool:
    """Whether all that the stored lanes need has a text."""
    functions = (lanes.all[i].function for i in live(lanes))
    return all(name in LEAVES or FUNCTIONS[name].text for name in functions)


class Emitter:
    """The call of one kernel for some lanes. `place` tells where a lane lies, None where it has to be computed: what
    backward lanes need of the forward ones, and is kept nowhere, is computed again."""

    def __init__(self, lanes: Lanes, place: Callable[[Lanes, int], Where | None], forward: Lanes):
        self.lanes, self.place, self.forward = lanes, place, forward
        self.arguments: dict[tuple[Buffer, int], str] = {}
        self.constants: dict[float, str] = {}
        self.names: dict[tuple[bool, int], str] = {}
        self.lines: list[str] = []
        body = "".join(self.loop(width, found) for width, found in sorted(self.widths().items()))
        buffers = [buffer for buffer, _ in self.arguments]
        dtype = buffers[0].dtype.name
        first = next(name for (buffer, _), name in self.arguments.items() if buffer.kind is not Kind.ROW)
        text = HEAD.format(
            dtype=dtype,
            cache="{cache}",
            arguments=", ".join(self.arguments.values()),
            constants="\n".join(f"{name} = number({value!r})" for value, name in self.constants.items()),
        )
        text += f"    for row in range({first}.shape[0]):\n{body}"
        spans = [Span(Where(buffer, 0, shift), buffer.width) for buffer, shift in self.arguments]
        self.calls: list[Call] = [(kernel(text), tuple(spans))]

    def widths(self) -> dict[int, list[tuple[int, Where]]]:
        """What is stored, by the width of the lanes."""
        found: dict[int, list[tuple[int, Where]]] = defaultdict(list)
        for i, where in self.lanes.stores:
            found[self.lanes.all[i].width].append((i, where))
        return found

    def loop(self, width: int, stores: list[tuple[int, Where]]) -> str:
        self.lines, self.names = [], {}
        for i in live(self.lanes):
            if self.lanes.all[i].width == width:
                self.value(self.lanes, i)
        for i, where in stores:
            self.lines.append(f"{self.element(where)} = {self.value(self.lanes, i)}")
        return f"        for j in range({width}):\n" + "".join(f"            {line}\n" for line in self.lines)

    def element(self, where: Where) -> str:
        """The text for an element of a buffer."""
        key = (where.buffer.home, where.shift)
        name = self.arguments.setdefault(key, f"a{len(self.arguments)}")
        column = f"j + {where.offset}" if where.offset else "j"
        return f"{name}[0, {column}]" if where.buffer.kind is Kind.ROW else f"{name}[row, {column}]"

    def value(self, lanes: Lanes, i: int) -> str:
        """The variable that has a lane, after the lines that compute it."""
        lane, where = lanes.all[i], self.place(lanes, i)
        if lane.function == "kept" and where is None:
            return self.value(self.forward, lane.constant)
        key = (lanes is self.forward, i)
        if key not in self.names:
            if where is not None:
                text = self.element(where)
            else:
                args = [self.value(lanes, arg) for arg in lane.args]
                text = FUNCTIONS[lane.function].text.format(*args, c=self.constant(lane.constant))
            self.names[key] = f"x{len(self.names)}"
            self.lines.append(f"{self.names[key]} = {text}")
        return self.names[key]

    def constant(self, value: Any) -> str:
        if not isinstance(value, float):
            return ""
        return self.constants.setdefault(value, f"c{len(self.constants)}")


@functools.cache
def kernel(text: str) -> Callable[..., None]:
    """The compiled function of a text, from the cache directory if it was there."""
    nb = optional("numba", "numba", "compiled kernels")
    rules = Path(fastmath.__file__).read_text(encoding="utf-8")
    name = "pygraphnn_kernel_" + hashlib.sha256((text + rules + nb.__version__).encode()).hexdigest()[:24]
    path = cache_directory() / f"{name}.py"
    try:
        content = text.replace("{cache}", "True")
        if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as draft:
                Path(draft).write_text(content, encoding="utf-8")
        return load(name, path)
    except OSError:  # nowhere to write to: compiled anew in every process
        scope: dict[str, Any] = {}
        exec(compile(text.replace("{cache}", "False"), name, "exec"), scope)
        made: Callable[..., None] = scope["kernel"]
        return made


def cache_directory() -> Path:
    """Where kernels are kept."""
    return Path(optional("platformdirs", "numba", "compiled kernels").user_cache_dir("pygraphnn", False))


def load(name: str, path: Path) -> Callable[..., None]:
    """The kernel in a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where numba looks for what it has compiled
    spec.loader.exec_module(module)
    made: Callable[..., None] = module.kernel
    return made

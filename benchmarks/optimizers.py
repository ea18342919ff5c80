"""Times one step of the optimizers on ten million parameters beside PyTorch's, in one process, both in turn.

    python benchmarks/optimizers.py                  (needs PyTorch: pip install torch)
    python benchmarks/optimizers.py momentum adam    only the rows whose names hold one of these words
    python benchmarks/optimizers.py --threads 1 --size 240000 --dtype float64

PyTorch's are its `foreach` ones. Times are the best and the median of the rounds, ratios ours to PyTorch's. Our steps
include the check that the gradient is finite; `unchecked` is without it. Memory is what a contender takes beside the
parameters and the gradient, as numbers for each parameter: at the highest in a step, and what stays afterwards (on
Linux; elsewhere it is not told).
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import re
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

# name: (our function, its config, PyTorch's class, its options)
OPTIMIZERS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "sgd": ("sgd", {"learningRate": 1e-3}, "SGD", {"lr": 1e-3}),
    "sgd, momentum": (
        "sgd",
        {"learningRate": 1e-3, "momentum": 0.9, "dampening": 0},
        "SGD",
        {"lr": 1e-3, "momentum": 0.9},
    ),
    "sgd, nesterov": (
        "sgd",
        {"learningRate": 1e-3, "momentum": 0.9, "dampening": 0, "nesterov": True},
        "SGD",
        {"lr": 1e-3, "momentum": 0.9, "nesterov": True},
    ),
    "nag": ("nag", {}, "SGD", {"lr": 1e-3, "momentum": 0.9, "nesterov": True}),
    "asgd": ("asgd", {}, "ASGD", {"lr": 1e-4}),
    "adagrad": ("adagrad", {}, "Adagrad", {}),
    "adadelta": ("adadelta", {}, "Adadelta", {}),
    "adam": ("adam", {}, "Adam", {}),
    "adamax": ("adamax", {}, "Adamax", {}),
    "rmsprop": ("rmsprop", {"alpha": 0.95, "learningRate": 2e-3}, "RMSprop", {"alpha": 0.95, "lr": 2e-3}),
    "rprop": ("rprop", {}, "Rprop", {}),
}
Step = Callable[[], Any]


def ours(name: str, size: int, dtype: str) -> Step:
    import optim

    function, config = getattr(optim, OPTIMIZERS[name][0]), dict(OPTIMIZERS[name][1])
    x = np.ones(size, dtype)
    gradient = np.random.default_rng(1).normal(size=size).astype(dtype)
    return lambda: function(lambda x: (0.0, gradient), x, config)


def unchecked(name: str, size: int, dtype: str) -> Step:
    import optim

    step = ours(name, size, dtype)

    def call() -> None:
        with optim.nonfinite("ignore"):
            step()

    return call


def theirs(name: str, size: int, dtype: str) -> Step:
    import torch

    p = torch.nn.Parameter(torch.ones(size, dtype=getattr(torch, dtype)))
    p.grad = torch.from_numpy(np.random.default_rng(1).normal(size=size).astype(dtype))
    _, _, cls, options = OPTIMIZERS[name]
    return getattr(torch.optim, cls)([p], foreach=True, **options).step


CONTENDERS = {"ours": ours, "unchecked": unchecked, "PyTorch": theirs}


def clear(field: str) -> float:
    """VmRSS or VmHWM, the present and the highest memory of this process, in bytes."""
    status = Path("/proc/self/status")
    found = re.search(rf"{field}:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else float("nan")


def measured(contender: str, name: str, size: int, dtype: str, pipe: Connection) -> None:
    """Sends the highest memory of three steps and that after them, above that before, in numbers for a parameter."""
    import optim  # noqa: F401

    if contender == "PyTorch":
        import torch

        torch.ones(10).add_(1)
    theirs("sgd", 10, dtype)() if contender == "PyTorch" else ours("sgd", 10, dtype)()
    step = CONTENDERS[contender](name, size, dtype)
    gc.collect()
    peak = Path("/proc/self/clear_refs")
    if peak.exists():
        peak.write_text("5")  # the highest memory is measured from now on
    before = clear("VmRSS")
    for _ in range(3):
        step()
    unit = size * np.dtype(dtype).itemsize
    pipe.send(((clear("VmHWM") - before) / unit, (clear("VmRSS") - before) / unit))


def memory(contender: str, name: str, size: int, dtype: str) -> tuple[float, float]:
    """What a contender takes, measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=measured, args=(contender, name, size, dtype, there))
    process.start()
    there.close()  # so that a process that dies is not waited for
    result = here.recv()
    process.join()
    return result


def milliseconds(name: str, size: int, dtype: str, rounds: int) -> dict[str, list[float]]:
    """Of each contender's step, in turn so that all see the same machine."""
    steps = {contender: make(name, size, dtype) for contender, make in CONTENDERS.items()}
    times: dict[str, list[float]] = {contender: [] for contender in steps}
    for _ in range(rounds + 1):
        for contender, step in steps.items():
            for _ in range(2):  # the first waits for the other's threads, which still spin
                start = time.perf_counter()
                step()
                seconds = time.perf_counter() - start
            times[contender].append(1000 * seconds)
    return {contender: values[1:] for contender, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="parts of the names of rows (default: all rows)")
    parser.add_argument("--size", type=int, default=10_000_000, help="number of parameters (default: 10000000)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    parser.add_argument("--threads", type=int, default=2, help="threads of both (default: 2)")
    parser.add_argument("--rounds", type=int, default=20, help="steps of each (default: 20)")
    options = parser.parse_args()

    import torch

    import torch7

    torch.set_num_threads(options.threads)
    torch7.setnumthreads(options.threads)
    print(f"{options.size} parameters, {options.dtype}, {options.threads} threads; ms a step, best / median")
    print(f"{'':14} {'ours':>15} {'unchecked':>15} {'PyTorch':>15} {'ratio':>11}   memory ours, PyTorch (peak / kept)")
    for name in (n for n in OPTIMIZERS if not options.words or any(word in n for word in options.words)):
        times = milliseconds(name, options.size, options.dtype, options.rounds)
        best, median = ({k: f(v) for k, v in times.items()} for f in (min, statistics.median))
        cells = " ".join(f"{best[k]:7.2f} {median[k]:7.2f}" for k in CONTENDERS)
        ratios = f"{best['ours'] / best['PyTorch']:5.2f} {median['ours'] / median['PyTorch']:5.2f}"
        peaks = [memory(contender, name, options.size, options.dtype) for contender in ("ours", "PyTorch")]
        print(
            f"{name:14} {cells} {ratios}   " + "   ".join(f"{peak:.1f} / {kept:.1f}" for peak, kept in peaks),
            flush=True,
        )


if __name__ == "__main__":
    main()

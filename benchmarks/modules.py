"""Times forward and backward of the most used modules beside PyTorch's, in one process, both in turn.

    python benchmarks/modules.py                       (needs PyTorch: pip install torch)
    python benchmarks/modules.py Convolution Linear    only the rows whose names hold one of these words

Sizes are those that networks of the Torch years used (module_rows.py); float32, two threads. One call is what a
training step does with a module: gradients of the parameters set to zero, forward, backward. Times are the best of the
rounds, ratios ours to PyTorch's. The last lines are the geometric means.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "char_rnn")]

from module_rows import GROUPS, Row  # noqa: E402

import torch7  # noqa: E402

Call = Callable[[], Any]


def drawn(shape: Any, row: Row) -> Any:
    """Numbers in the row's range, nested as the shapes are."""
    if isinstance(shape, list):
        return [drawn(s, row) for s in shape]
    return np.random.default_rng(1).uniform(row.low, row.high, shape).astype(np.float32)


def nested(function: Callable[[Any], Any], x: Any) -> Any:
    """x with function(a) in place of every array a."""
    return [nested(function, a) for a in x] if isinstance(x, (list, tuple)) else function(x)


def our_module(row: Row) -> Call:
    module = row.ours().float()
    x = np.random.default_rng(1).integers(1, row.classes + 1, row.labels) if row.labels else drawn(row.shape, row)
    g = nested(lambda y: np.random.default_rng(2).normal(size=y.shape).astype(y.dtype), module.forward(x))

    def call() -> None:
        module.zeroGradParameters()
        module.forward(x)
        module.backward(x, g)

    return call


def their_module(row: Row) -> Call:
    module = row.theirs()
    if row.labels:
        x = torch.from_numpy(np.random.default_rng(1).integers(0, row.classes, row.labels))
    else:
        x = nested(lambda a: torch.from_numpy(a).requires_grad_(), drawn(row.shape, row))
    inputs = [] if row.labels else x if isinstance(x, list) else [x]
    call = (lambda: module(*x)) if isinstance(x, list) else (lambda: module(x))
    y = call()
    tensors = [y] if isinstance(y, torch.Tensor) else list(y)
    g = [torch.randn_like(t) for t in tensors]
    parameters = list(module.parameters()) if isinstance(module, torch.nn.Module) else []

    def run() -> None:
        for p in [*parameters, *inputs]:
            p.grad = None
        y = call()
        torch.autograd.backward([y] if isinstance(y, torch.Tensor) else list(y), g)

    return run


def our_criterion(row: Row) -> Call:
    criterion = row.ours().float()
    x, target = drawn(row.shape, row), target_of(row)

    def call() -> None:
        criterion.forward(x, target)
        criterion.backward(x, target)

    return call


def their_criterion(row: Row) -> Call:
    loss = row.theirs()
    x = nested(lambda a: torch.from_numpy(a).requires_grad_(), drawn(row.shape, row))
    target = torch.from_numpy(target_of(row) - (1 if row.labels else 0))

    def call() -> None:
        x.grad = None
        loss(x, target).backward()

    return call


def target_of(row: Row) -> np.ndarray:
    """Labels, or numbers from 0 to 1 in the input's shape."""
    rng = np.random.default_rng(3)
    return rng.integers(1, row.classes + 1, row.labels) if row.labels else rng.random(row.shape, np.float32)


def timed(ours: Call, theirs: Call, seconds: float) -> tuple[float, float]:
    """Best milliseconds of both, called in turn for so long."""
    best = [math.inf, math.inf]
    calls = [max(1, int(0.002 / once(call))) for call in (ours, theirs)]
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        for i, call in enumerate((ours, theirs)):
            call()  # brings caches and threads back
            start = time.perf_counter()
            for _ in range(calls[i]):
                call()
            best[i] = min(best[i], (time.perf_counter() - start) / calls[i])
        rounds += 1
    return 1000 * best[0], 1000 * best[1]


def once(call: Call) -> float:
    """Seconds of one call, the second."""
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def timed_group(
    rows: list[Row], ours: Callable[[Row], Call], theirs: Callable[[Row], Call], seconds: float
) -> list[float]:
    """Times and prints the rows of a group; returns their ratios."""
    ratios = []
    for row in rows:
        torch7.manualSeed(1)
        mine, other = timed(ours(row), theirs(row), seconds)
        ratios.append(mine / other)
        print(f"{row.name:30} {row.note:18} {mine:9.3f} {other:11.3f} {ratios[-1]:6.2f}", flush=True)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="time only rows whose names hold one of these words")
    parser.add_argument("--seconds", type=float, default=2, help="how long to time each row (default: 2)")
    options = parser.parse_args()
    words = [word.lower() for word in options.words] or [""]
    chosen = {
        title: [row for row in rows if any(w in row.name.lower() for w in words)] for title, rows in GROUPS.items()
    }
    if not any(chosen.values()):
        parser.error(f"no row has one of {', '.join(options.words)} in its name")
    torch.set_num_threads(2)
    print(f"PyTorch {torch.__version__}, numpy {np.__version__}, float32, forward and backward\n")
    print(f"{'module':30} {'':18} {'ours ms':>9} {'PyTorch ms':>11} {'ratio':>6}")
    ratios = {}
    for title, rows in chosen.items():
        make = (our_criterion, their_criterion) if title == "criterions" else (our_module, their_module)
        ratios[title] = timed_group(rows, *make, options.seconds)
    print("\ngeometric means")
    for title, found in [*ratios.items(), ("all", list(chain(*ratios.values())))]:
        if found:
            print(f"{title:30} {len(found):18} {'':21} {mean(found):6.2f}")


if __name__ == "__main__":
    main()

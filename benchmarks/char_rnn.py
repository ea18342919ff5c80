"""Times char-rnn's networks beside PyTorch's, in one process, contender by contender in turn.

    python benchmarks/char_rnn.py                                  (needs PyTorch: pip install torch)
    python benchmarks/char_rnn.py --parts times --models 2x128 --kinds lstm --dtypes float32 --contenders Unroll module
    python benchmarks/char_rnn.py --plot pictures                  also the growth with T, batch and width (matplotlib)
    python benchmarks/char_rnn.py --page                           everything, into docs/performance.md and the README
    OMP_NUM_THREADS=1 python benchmarks/char_rnn.py                with one thread, numpy's BLAS and PyTorch alike

One minibatch is forward and backward through all time steps, without the optimizer's update. Of two calls in a row the
second counts: the first brings caches back, and waits for the thread pool of the contender before. Times are the best
and the median of the rounds; ratios, of the bests and of the medians, are to PyTorch's module for sequences, to a loop
over its cells, and to the floor: the matrix products of the minibatch alone (char_rnn_contenders.py). Peak memory is
measured in a process of its own, above what that process takes after a minibatch of two steps (on Linux; elsewhere it
is not told).
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import char_rnn_page as page  # noqa: E402
from char_rnn_contenders import CONTENDERS, NUMBA, WRITERS, Run, Work  # noqa: E402

MODELS = {"2x128": Work(), "3x256": Work(layers=3, width=256), "2x512": Work(width=512, batch=100, steps=100)}
PARTS = ("times", "sampling", "segments", "first", "growth")
SEGMENTS = (None, 250, 100, 32, 10)
TOGETHER = (1, 100)  # texts
GROWTH = {"steps": (25, 50, 100, 200, 400), "batch": (1, 10, 25, 50, 100, 200), "width": (32, 64, 128, 256, 512)}
GROWING = ("Unroll, numba", "Unroll, numpy", "PyTorch module", "PyTorch cells", "matrix products alone")
LEAST = 3  # rounds


def timed(runs: dict[Any, Run], rounds: int, seconds: float) -> dict[Any, list[float]]:
    """Milliseconds of the rounds, contenders in turn so that all see the same machine; they end after some seconds."""
    times: dict[Any, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.perf_counter() + seconds
    for i in range(rounds):
        if i >= LEAST and time.perf_counter() > end:
            break
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


# -- what is measured in processes of their own


def resident(field: str) -> float:
    """VmRSS or VmHWM, the present and the highest memory of this process, in MB."""
    status = Path("/proc/self/status")
    found = re.search(rf"{field}:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def peak(name: str, work: Work) -> float:
    """Peak memory in MB of a network and a few minibatches; packages and kernels are in memory before."""
    CONTENDERS[name](replace(work, steps=2, segment=None))()
    gc.collect()
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")  # the highest memory is the present one
    before = resident("VmRSS")
    run = CONTENDERS[name](work)
    for _ in range(3):
        run()
    return resident("VmHWM") - before


def first_calls(name: str, work: Work, cache: str) -> list[float]:
    """Seconds of the first minibatch and of the third, with kernels in this folder."""
    os.environ["XDG_CACHE_HOME"] = cache
    run, seconds = CONTENDERS[name](work), []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return [seconds[0], seconds[2]]


def child(function: Callable[..., Any], args: Any, pipe: Connection) -> None:
    pipe.send(function(*args))


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """What the function gives in a new process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(function, args, there))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


# -- the parts


def summed(ms: list[float]) -> dict[str, float]:
    return {"best": min(ms), "median": statistics.median(ms)}


def times(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A table for every network and type."""
    tables = []
    for kind in options.kinds:
        for model in options.models:
            for dtype in options.dtypes:
                work = replace(MODELS[model], kind=kind, dtype=dtype)
                runs = {name: CONTENDERS[name](work) for name in options.contenders}
                found = {name: summed(ms) for name, ms in timed(runs, options.rounds, options.seconds).items()}
                del runs
                for name in found:
                    if name != "matrix products alone":
                        found[name]["peak"] = apart(peak, name, work)
                table = {"kind": kind, "model": model, "dtype": dtype, "kept": work.kept() / 2**20, "found": found}
                tables.append(table | {"batch": work.batch, "steps": work.steps})
                print(page.text(page.contest(tables[-1])), flush=True)
    return tables


def sampling(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Characters per second."""
    rows = []
    for dtype in options.dtypes:
        for texts in TOGETHER:
            work = replace(MODELS["2x128"], batch=texts, dtype=dtype)
            length = max(options.characters // (1 if texts == 1 else 10), 1)
            ms = timed({name: make(work, length) for name, make in WRITERS.items()}, 5, options.seconds)
            speeds = {name: 1000 * length * texts / min(found) for name, found in ms.items()}
            rows.append({"dtype": dtype, "texts": texts, "speeds": speeds})
    print(page.text(page.writing(rows)), flush=True)
    return rows


def segments(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and memory of long sequences in segments."""
    name = next(iter(CONTENDERS))
    works = {n: replace(MODELS["2x128"], steps=1000, segment=n) for n in SEGMENTS}
    ms = timed({n: CONTENDERS[name](work) for n, work in works.items()}, options.rounds, options.seconds)
    rows = [{"segment": n, "peak": apart(peak, name, works[n]), **summed(found)} for n, found in ms.items()]
    print(page.text(page.lengths(rows)), flush=True)
    return rows


def first(options: argparse.Namespace) -> dict[str, list[float]]:
    """What the first minibatch of a process takes, with and without kernels from earlier ones."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        if NUMBA:
            found["numba, nothing compiled before"] = apart(first_calls, "Unroll, numba", MODELS["2x128"], cache)
            found["numba, from the cache"] = apart(first_calls, "Unroll, numba", MODELS["2x128"], cache)
        found["numpy alone"] = apart(first_calls, "Unroll, numpy", MODELS["2x128"], cache)
    print(page.text(page.beginning(found)), flush=True)
    return found


def growth(options: argparse.Namespace) -> dict[str, dict[str, dict[int, float]]]:
    """Best milliseconds by what grows, contender and size; the other sizes are those of char-rnn's default."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for what, sizes in GROWTH.items():
        lines = found[what] = {name: {} for name in GROWING if name in options.contenders}
        for size in sizes:
            work = replace(MODELS["2x128"], **{what: size})
            for name, ms in timed({n: CONTENDERS[n](work) for n in lines}, options.rounds, options.seconds / 3).items():
                lines[name][size] = min(ms)
        print(page.text(page.growing(what, lines)), flush=True)
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on besides this project."""
    import torch

    info = Path("/proc/cpuinfo")
    words = info.read_text() if info.exists() else ""
    model = re.search(r"model name\s*: (.*)", words)
    build: Any = np.show_config(mode="dicts")
    numba = __import__("numba").__version__ if NUMBA else None
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "vectors": next((v for flag, v in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in words), "no AVX2"),
        "threads": torch.get_num_threads(),
        "versions": {"Python": platform.python_version(), "numpy": np.__version__, "numba": numba}
        | {"PyTorch": torch.__version__},
        "blas": "{name} {version}".format(**build["Build Dependencies"]["blas"]),
    }


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, help="what to measure (default: all but growth)")
    add("--models", nargs="+", choices=MODELS, help="layers and width (default: 2x128 3x256)")
    add("--kinds", nargs="+", choices=("lstm", "gru"), default=("lstm", "gru"), help="kinds of network (default: both)")
    add("--dtypes", nargs="+", choices=("float32", "float64"), default=("float32", "float64"), help="(default: both)")
    add("--contenders", nargs="+", metavar="WORD", default=[""], help="only those whose names hold one of these words")
    add("--rounds", type=int, default=15, help="rounds over all contenders (default: 15)")
    add("--seconds", type=float, default=12, help=f"end a table's rounds then, after {LEAST} (default: 12)")
    add("--characters", type=int, default=2000, help="characters to sample (default: 2000)")
    add("--plot", metavar="FOLDER", type=Path, help="measure growth as well, and draw what was measured there")
    add("--json", metavar="FILE", type=Path, help="keep the figures")
    add("--page", action="store_true", help="measure all, and write the page, its pictures, the README")
    return parser


def main() -> None:
    parser = command_line()
    options = parser.parse_args()
    words = [word.lower() for word in options.contenders]
    options.contenders = [name for name in CONTENDERS if any(word in name.lower() for word in words)]
    if not options.contenders:
        parser.error(f"the contenders are {', '.join(CONTENDERS)}")
    whole = options.contenders == list(CONTENDERS) and len(options.dtypes) == 2 and "lstm" in options.kinds
    if options.page and (options.parts or not whole or "2x128" not in (options.models or MODELS)):
        parser.error("--page needs all parts, contenders and dtypes, and the model 2x128 as an lstm")
    options.models = options.models or (list(MODELS) if options.page else ["2x128", "3x256"])
    parts = options.parts or (PARTS if options.page else PARTS[:-1])
    parts = [*parts, *["growth"] * (options.plot is not None and "growth" not in parts)]
    figures: dict[str, Any] = {"machine": machine()}
    print(page.told(figures["machine"]))
    for part in parts:
        figures[part] = globals()[part](options)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.plot:
        page.plot(figures, options.plot, ("svg", "png"))
    if options.page:
        page.keep(figures)


if __name__ == "__main__":
    main()

"""Times char-rnn's minibatches with one process and with two, and tells what a network of more machines would give.

    python benchmarks/distributed.py                     (needs MPI: pip install ".[mpi]")
    python benchmarks/distributed.py --plot scaling.svg  (and matplotlib)

A minibatch is forward, backward, the allreduce and the optimizer's step of examples/char_rnn/train.py. Every way to
share the cores runs in processes of its own, all ways in turn and that several times; the times are the best of all
rounds, because other programs use the machine too. "Strong" scaling keeps the minibatch of 50 sequences and halves each
process's part; "weak" scaling keeps 50 sequences for each process. The allreduce is timed alone, between processes
that have waited for each other.

The model for N machines, with an allreduce that passes parts around a ring, latency a and bandwidth b:

    t(N) = t(1) + 2 (N - 1) a + 2 (N - 1) / N * bytes / b
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "char_rnn")]

T, V = 50, 65
MODELS = {"2 x 128, float32": (128, 1), "2 x 128, float64": (128, 0), "2 x 512, float32": (512, 1)}
# name: processes, threads of each, sequences of each
WAYS = {
    "1 process, 1 thread": (1, 1, 50),
    "1 process, 2 threads": (1, 2, 50),
    "2 processes, strong": (2, 1, 25),
    "2 processes of 2 threads, strong": (2, 2, 25),
    "1 process, 2 threads, 100 sequences": (1, 2, 100),
    "2 processes, weak": (2, 1, 50),
}
# usual figures, not measured: seconds of latency and bytes per second between two machines
NETWORKS = {"1 Gbit/s Ethernet": (5e-5, 117e6), "10 Gbit/s Ethernet": (2e-5, 1.17e9), "100 Gbit/s": (2e-6, 11.7e9)}
MACHINES = (2, 4, 8, 16, 32, 64)


def trainer(size: int, single: int, batch: int) -> Any:
    """train.py's own, on random text, without what it prints and draws."""
    import train
    from util.ranks import Ranks

    ranks = Ranks(1)
    opt = train.command_line().parse([])
    folder = os.environ["PYGRAPHNN_BENCHMARK"]
    opt.update(data_dir=folder, rnn_size=size, float=single, batch_size=batch, seq_length=T, checkpoint_dir=folder)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return train.Trainer(opt, None, ranks)


def work(size: int, single: int, batch: int, minibatches: int) -> None:
    """In each process: the best time of a minibatch, and of the allreduce alone and of one number; rank 0 prints."""
    import numpy as np

    run = trainer(size, single, batch)
    seconds = []
    for i in range(1, minibatches + 2):
        start = time.perf_counter()
        run.iteration(i, 10**6)
        seconds.append(time.perf_counter() - start)
    comm, sums = run.ranks.comm, []
    for n in (run.params.size, 1):
        mine, total = np.ones(n, run.params.dtype), np.ones(n, run.params.dtype)
        best = float("inf")
        for _ in range(30 if run.ranks.size > 1 else 0):
            comm.Barrier()
            start = time.perf_counter()
            comm.Allreduce(mine, total)
            best = min(best, time.perf_counter() - start)
        sums.append(best)
    if run.ranks.first:
        print(json.dumps([min(seconds[1:]), *sums, run.params.nbytes]))


def timed(model: str, way: str, minibatches: int, folder: str) -> list[float]:
    """What `work` prints, in processes of their own."""
    processes, threads, batch = WAYS[way]
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if mpiexec is None:
        raise SystemExit("needs mpiexec: pip install '.[mpi]'")
    command = [mpiexec, "-n", str(processes), sys.executable, __file__, "--work", *map(str, (*MODELS[model], batch))]
    env = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "PYGRAPHNN_BENCHMARK": folder}
    done = subprocess.run([*command, str(minibatches)], env=env, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return json.loads(done.stdout.splitlines()[-1])


def measure(models: list[str], rounds: int, minibatches: int) -> dict[str, dict[str, list[float]]]:
    """For every model and way the best of each figure, all of them in turn, round by round."""
    import numpy as np

    best: dict[str, dict[str, list[float]]] = {model: {} for model in models}
    with tempfile.TemporaryDirectory() as folder:
        letters = np.random.default_rng(1).integers(33, 33 + V, T * 100 * 40).astype(np.uint8)
        (Path(folder) / "input.txt").write_bytes(letters.tobytes())
        for _ in range(rounds):
            for model in models:
                for way in WAYS:
                    now = timed(model, way, minibatches, folder)
                    best[model][way] = list(map(min, now, best[model].get(way, now)))
    return best


def efficiency(seconds: float, size: float, machines: int, latency: float, bandwidth: float) -> float:
    """The part of N machines' time that is not spent on the allreduce, each with as much to do as one alone."""
    summing = 2 * (machines - 1) * latency + 2 * (machines - 1) / machines * size / bandwidth
    return seconds / (seconds + summing)


def tell(model: str, ways: dict[str, list[float]]) -> None:
    """The table of one model, and what the formula makes of it."""
    one, two = (ways[f"1 process, {n}"][0] for n in ("1 thread", "2 threads"))
    print(f"\n{model}: {ways['2 processes, weak'][3] / 1e6:.2f} MB of gradient")
    print(f"{'':36} {'ms':>8} {'sequences/s':>12} {'speedup':>8} {'allreduce ms':>13}")
    for way, (seconds, summing, _, _) in ways.items():
        processes, _, batch = WAYS[way]
        rate = processes * batch / seconds
        alone = f"{1000 * summing:13.2f}" if processes > 1 else ""
        print(f"{way:36} {1000 * seconds:8.1f} {rate:12.0f} {rate * one / 50:8.2f} {alone}")
    print(f"two processes against two threads, strong: {two / ways['2 processes, strong'][0]:.2f} times as fast")
    for name, (latency, bandwidth) in networks(ways).items():
        parts = [efficiency(one, ways["2 processes, weak"][3], n, latency, bandwidth) for n in MACHINES]
        print(f"{name:36} " + " ".join(f"{n}: {100 * part:.0f} %" for n, part in zip(MACHINES, parts)))


def networks(ways: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Latency and bandwidth of the usual networks, and of this machine's memory as measured with two processes."""
    _, whole, little, size = ways["2 processes, weak"]
    return {"this machine's memory": (little / 2, size / max(whole - little, 1e-9)), **NETWORKS}


def plot(results: dict[str, dict[str, list[float]]], path: str) -> None:
    """The efficiency of weak scaling over machines, a panel for each model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(results), 3.2), layout="constrained")
    for axes, (model, ways) in zip(figure.subplots(1, len(results), sharey=True), results.items()):
        for name, (latency, bandwidth) in networks(ways).items():
            one, size = ways["1 process, 1 thread"][0], ways["2 processes, weak"][3]
            axes.plot(MACHINES, [efficiency(one, size, n, latency, bandwidth) for n in MACHINES], "o-", label=name)
        axes.set(title=model, xscale="log", xlabel="machines", ylim=(0, 1.05))
        axes.set_xticks(MACHINES, [str(n) for n in MACHINES])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("efficiency of weak scaling")
    figure.axes[0].legend(fontsize="small")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all ways (default: 5)")
    parser.add_argument("--minibatches", type=int, default=5, help="minibatches of each process and round (default: 5)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="which models (default: all)")
    parser.add_argument("--plot", metavar="FILE", help="draw the efficiency on more machines")
    parser.add_argument("--work", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    results = measure(options.models, options.rounds, options.minibatches)
    for model, ways in results.items():
        tell(model, ways)
    if options.plot:
        plot(results, options.plot)


if __name__ == "__main__":
    main()

"""Times char-rnn's default model beside PyTorch, in one process, contender by contender in turn.

    python benchmarks/char_rnn.py            (needs PyTorch: pip install torch)

One minibatch is forward and backward through all time steps, without the optimizer's update. Times are the best and
the median of the rounds; ratios are to PyTorch's loop over LSTMCell in the same precision. Peak memory is measured in a
process of its own, above what that process takes before it makes the network (on Linux; elsewhere it is not told).
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "char_rnn")]

V, H, L, B, T = 65, 128, 2, 50, 50
Minibatch = Callable[[], None]


def clones(dtype: str) -> Minibatch:
    """This project: one clone of the step graph per time step."""
    import nn
    import torch7
    from model.lstm import lstm
    from pygraphnn import clone_many_times, combine_all_parameters

    torch7.manualSeed(1)
    step, loss = lstm(V, H, L), nn.ClassNLLCriterion()
    if dtype == "float32":
        step.float(), loss.float()
    params, grads = combine_all_parameters(step)
    torch7.uniform_(params, -0.08, 0.08)
    steps, losses = clone_many_times(step, T), clone_many_times(loss, T)
    x = np.random.default_rng(1).integers(1, V + 1, (T + 1, B))
    zeros = [np.zeros((B, H), dtype) for _ in range(2 * L)]

    def minibatch() -> None:
        grads.fill(0)
        states, outputs = [zeros], []
        for t in range(T):
            *state, y = steps[t].forward([x[t], *states[t]])
            states.append(state)
            outputs.append(y)
            losses[t].forward(y, x[t + 1])
        d = [np.zeros_like(z) for z in zeros]
        for t in reversed(range(T)):
            _, *d = steps[t].backward([x[t], *states[t]], [*d, losses[t].backward(outputs[t], x[t + 1])])

    return minibatch


def pytorch(dtype: str, fused: bool) -> Minibatch:
    """PyTorch: nn.LSTM over the sequence, or a loop over LSTMCell."""
    import torch

    torch.manual_seed(1)
    kind = getattr(torch, dtype)
    x = torch.randint(0, V, (T + 1, B))
    onehot = torch.eye(V, dtype=kind)
    decoder = torch.nn.Linear(H, V).to(kind)
    loss = torch.nn.NLLLoss()
    if fused:
        lstm = torch.nn.LSTM(V, H, L).to(kind)
        modules = [lstm, decoder]
    else:
        cells = [torch.nn.LSTMCell(V if i == 0 else H, H).to(kind) for i in range(L)]
        modules = [*cells, decoder]

    def outputs() -> torch.Tensor:
        if fused:
            return lstm(onehot[x[:T]])[0]
        states = [(torch.zeros(B, H, dtype=kind), torch.zeros(B, H, dtype=kind)) for _ in range(L)]
        top = []
        for t in range(T):
            h = onehot[x[t]]
            for i, cell in enumerate(cells):
                states[i] = cell(h, states[i])
                h = states[i][0]
            top.append(h)
        return torch.stack(top)

    def minibatch() -> None:
        for module in modules:
            module.zero_grad(set_to_none=False)
        y = torch.log_softmax(decoder(outputs()), -1)
        (loss(y.reshape(T * B, V), x[1:].reshape(-1)) * T).backward()

    return minibatch


CONTENDERS: dict[str, Callable[[str], Minibatch]] = {
    "PyTorch LSTMCell loop": lambda dtype: pytorch(dtype, fused=False),
    "PyTorch nn.LSTM": lambda dtype: pytorch(dtype, fused=True),
    "clones of the gModule": clones,
}


def resident(field: str) -> float:
    """VmRSS or VmHWM, the present and the highest memory of this process, in MB."""
    status = Path("/proc/self/status")
    found = re.search(rf"{field}:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def peak(name: str, dtype: str, pipe: Connection) -> None:
    """Sends how much memory, in MB, a network and a few minibatches take above that of the process before them."""
    import nn  # noqa: F401

    if name.startswith("PyTorch"):
        import torch

        torch.randn(500, 500) @ torch.randn(500, 500)  # what the first product takes is not the network's
    before = resident("VmRSS")
    run = CONTENDERS[name](dtype)
    for _ in range(3):
        run()
    pipe.send(resident("VmHWM") - before)


def peak_memory(name: str, dtype: str) -> float:
    """Peak memory of a contender in MB."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=peak, args=(name, dtype, there))
    process.start()
    result = here.recv()
    process.join()
    return result


def time_minibatches(dtype: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds per minibatch, contenders in turn so that all see the same machine."""
    runs = {name: make(dtype) for name, make in CONTENDERS.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            for _ in range(2):  # the first brings caches and thread pools back
                start = time.perf_counter()
                run()
                seconds = time.perf_counter() - start
            times[name].append(1000 * seconds)
    return times


def sampling(dtype: str, n: int) -> dict[str, float]:
    """Characters per second, one at a time: through the step graph, and through PyTorch's cells without gradients."""
    import torch

    import nn
    import torch7
    from model.lstm import lstm
    from util.sampling import Sampler

    step: nn.Module = lstm(V, H, L)
    if dtype == "float32":
        step.float()
    opt = torch7.Table(model="lstm", rnn_size=H, num_layers=L)
    ours = Sampler(step, opt, {chr(32 + i): i + 1 for i in range(V)})
    kind = getattr(torch, dtype)
    cells = [torch.nn.LSTMCell(V if i == 0 else H, H).to(kind) for i in range(L)]
    decoder, onehot = torch.nn.Linear(H, V).to(kind), torch.eye(V, dtype=kind)

    @torch.no_grad()
    def theirs() -> None:
        states = [(torch.zeros(1, H, dtype=kind), torch.zeros(1, H, dtype=kind)) for _ in range(L)]
        index = torch.zeros(1, dtype=torch.long)
        for _ in range(n):
            h = onehot[index]
            for i, cell in enumerate(cells):
                states[i] = cell(h, states[i])
                h = states[i][0]
            index = torch.multinomial(torch.softmax(decoder(h), -1), 1)[0]

    best = {}
    for name, run in (("this project", lambda: list(ours.generate(n))), ("PyTorch LSTMCell", theirs)):
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        best[name] = n / min(seconds)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds over all contenders (default: 15)")
    parser.add_argument("--characters", type=int, default=2000, help="characters to sample (default: 2000)")
    options = parser.parse_args()
    import torch

    print(f"{L} x {H} LSTM, {T} steps, batch {B}, vocabulary {V}; PyTorch {torch.__version__}, numpy {np.__version__}")
    for dtype in ("float32", "float64"):
        times = time_minibatches(dtype, options.rounds)
        reference = times["PyTorch LSTMCell loop"]
        print(f"\n{dtype:24} {'best ms':>9} {'median ms':>9} {'ratio best':>10} {'median':>7} {'peak MB':>8}")
        for name, ms in times.items():
            best, median = min(ms), statistics.median(ms)
            ratios = f"{best / min(reference):10.2f} {median / statistics.median(reference):7.2f}"
            print(f"{name:24} {best:9.1f} {median:9.1f} {ratios} {peak_memory(name, dtype):8.0f}")
        speeds = sampling(dtype, options.characters)
        print("sampling, characters/s: " + ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items()))


if __name__ == "__main__":
    main()

"""The options: char-rnn's own, with their defaults."""

from __future__ import annotations

import pytest

from .programs import EXAMPLE, call

TRAIN = {
    "data_dir": "",
    "rnn_size": "128",
    "num_layers": "2",
    "model": "lstm",
    "learning_rate": "0.002",
    "learning_rate_decay": "0.97",
    "learning_rate_decay_after": "10",
    "decay_rate": "0.95",
    "dropout": "0",
    "seq_length": "50",
    "batch_size": "50",
    "max_epochs": "50",
    "grad_clip": "5",
    "train_frac": "0.95",
    "val_frac": "0.05",
    "init_from": "",
    "seed": "123",
    "print_every": "1",
    "eval_val_every": "1000",
    "checkpoint_dir": "cv",
    "savefile": "lstm",
    "accurate_gpu_timing": "0",
    "gpuid": "0",
    "opencl": "0",
}
OWN = {"resume": "", "float": "0", "encoding": "bytes", "sample_length": "300", "log": "", "engine": "unroll"}
OWN["distributed"] = "0"
SAMPLE = {
    "seed": "123",
    "sample": "1",
    "primetext": "",
    "length": "2000",
    "temperature": "1",
    "gpuid": "0",
    "opencl": "0",
    "verbose": "1",
}
SAMPLE_OWN = {"samples": "1", "top_k": "inf", "top_p": "1", "beam": "0"}
INSPECT = {"gpuid": "0", "opencl": "0"}


@pytest.mark.parametrize("word", ["-help", "--help", "-h"])
@pytest.mark.parametrize(
    ("program", "argument", "options"),
    [
        ("train", "", TRAIN | OWN),
        ("sample", " <model>", SAMPLE | SAMPLE_OWN),
        ("inspect_checkpoint", " <model>", INSPECT),
    ],
)
def test_lists_the_options(program: str, argument: str, options: dict[str, str], word: str) -> None:
    result = call(program, word)
    assert (result.status, result.err) == (0, "")
    assert result.lines[0] == f"Usage: {EXAMPLE / program}.py [options]{argument}"
    told = [line.split(maxsplit=1) for line in result.lines if line.startswith("  -")]
    assert [name.removeprefix("-") for name, _ in told] == list(options)
    assert all(text.endswith(f"[{default}]") for (_, text), default in zip(told, options.values()))

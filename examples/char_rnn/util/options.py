"""What the options of train.py may be."""

from __future__ import annotations

from typing import Any

import torch7

from .engines import ENGINES
from .misc import UsageError, expect
from .run_log import ENDINGS

# what a resumed run may do otherwise than before
CHANGEABLE = {
    *("data_dir", "max_epochs", "print_every", "eval_val_every", "checkpoint_dir", "savefile", "sample_length"),
    *("resume", "log", "distributed", "gpuid", "opencl", "accurate_gpu_timing"),
}


def check_options(opt: Any) -> None:
    """Raises an error for values that make no sense."""
    for name in ("rnn_size", "num_layers", "seq_length", "batch_size", "max_epochs", "print_every", "eval_val_every"):
        expect(opt, name, isinstance(opt[name], int) and opt[name] >= 1, "a whole number from 1 on")
    for name in ("learning_rate", "grad_clip", "learning_rate_decay"):
        expect(opt, name, 0 < opt[name] < float("inf"), "finite and greater than 0")
    for name in ("dropout", "decay_rate"):
        expect(opt, name, 0 <= opt[name] < 1, "at least 0 and less than 1")
    for name in ("train_frac", "val_frac"):
        expect(opt, name, 0 <= opt[name] <= 1, "between 0 and 1")
    choices: dict[str, tuple[Any, ...]] = {
        "model": ("lstm", "gru", "rnn"),
        "encoding": ("bytes", "utf8"),
        "float": (0, 1),
        "engine": tuple(ENGINES),
        "distributed": (0, 1),
        "log": ("", *ENDINGS),
    }
    for name, values in choices.items():
        expect(opt, name, opt[name] in values, f"one of {', '.join(str(value) for value in values if value != '')}")
    expect(opt, "learning_rate_decay_after", opt.learning_rate_decay_after >= 0, "at least 0")
    expect(
        opt, "sample_length", isinstance(opt.sample_length, int) and opt.sample_length >= 0, "a whole number from 0 on"
    )
    expect(opt, "seed", -(2**63) <= opt.seed < 2**63, "a whole number of 64 bits")
    if opt.resume and opt.init_from:
        raise UsageError("-resume and -init_from exclude each other")


def resumed_options(cmd: torch7.CmdLine, checkpoint: Any, path: str) -> Any:
    """The options of the run that saved the checkpoint, but for those that the command line changes and may change."""
    saved = checkpoint.opt
    if checkpoint.resume is None:
        raise UsageError(f"{path} was not saved by this program and has nothing to resume from: use -init_from {path}")
    for key, option in cmd.options.items():
        option.default = saved.get(torch7.cmdline.strip(key), option.default)
    if "engine" not in saved:  # a run of before there was a choice
        cmd.options["-engine"].default = "clones"
    opt = cmd.parse()
    for name in sorted(set(opt) - CHANGEABLE):
        before = saved.get(name, opt[name])
        expect(opt, name, opt[name] == before, f"{before} as in the run that -resume continues")
    return opt

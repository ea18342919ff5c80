"""Loads a checkpoint and prints its options and validation losses.

python inspect_checkpoint.py cv/lm_lstm_epoch1.00_1.7000.t7
"""

from __future__ import annotations

from typing import Any

import torch7
from torch7.dtypes import tostring
from torch7.tables import pairs
from util.checkpoint import load_checkpoint
from util.misc import only_cpu, run


def command_line() -> torch7.CmdLine:
    """char-rnn's options."""
    cmd = torch7.CmdLine()
    cmd.text()
    cmd.text("Load a checkpoint and print its options and validation losses.")
    cmd.text()
    cmd.text("Options")
    cmd.argument("-model", "model to load")
    cmd.option("-gpuid", 0, "gpu to use")
    cmd.option("-opencl", 0, "use OpenCL (instead of CUDA)")
    cmd.text()
    return cmd


def shown(table: Any) -> str:
    """A table as Torch's interpreter prints one, a line per entry, and in order."""
    entries = sorted(pairs(table), key=lambda entry: (isinstance(entry[0], str), entry[0]))
    lines = [f"  {tostring(key)} : {quoted(value)}" for key, value in entries]
    return "\n".join(["{", *lines, "}"]) if lines else "{}"


def quoted(value: Any) -> str:
    """A value as Torch's interpreter prints it inside of a table."""
    return f'"{value}"' if isinstance(value, str) else tostring(value)


def main() -> None:
    """Inspects the checkpoint that the command line names."""
    opt = command_line().parse()
    only_cpu(opt, print)
    model = load_checkpoint(opt.model)
    print("opt:")
    print(shown(model.opt))
    print("val losses:")
    print(shown(model.val_losses or []))


if __name__ == "__main__":
    run(main)

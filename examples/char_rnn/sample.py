"""Samples characters from a trained model.

    python sample.py cv/lm_lstm_epoch1.00_1.7000.t7 -primetext "def " -temperature 0.7

The options, the printed lines and, for a seed, the text are those of Torch's char-rnn.
"""

from __future__ import annotations

import sys
from typing import Any

import torch7
from util.checkpoint import load_checkpoint, network_of
from util.misc import expect, only_cpu, run
from util.sampling import Sampler


def command_line() -> torch7.CmdLine:
    """char-rnn's options."""
    cmd = torch7.CmdLine()
    cmd.text()
    cmd.text("Sample from a character-level language model")
    cmd.text()
    cmd.text("Options")
    cmd.argument("-model", "model checkpoint to use for sampling")
    cmd.option("-seed", 123, "random number generator's seed")
    cmd.option("-sample", 1, " 0 to use max at each timestep, 1 to sample at each timestep")
    cmd.option(
        "-primetext",
        "",
        'used as a prompt to "seed" the state of the LSTM using a given sequence, before we sample.',
    )
    cmd.option("-length", 2000, "number of characters to sample")
    cmd.option("-temperature", 1, "temperature of sampling")
    cmd.option("-gpuid", 0, "which gpu to use. -1 = use CPU")
    cmd.option("-opencl", 0, "use OpenCL (instead of CUDA)")
    cmd.option("-verbose", 1, "set to 0 to ONLY print the sampled text, no diagnostics")
    cmd.text()
    return cmd


def main() -> None:
    """Samples as the command line says."""
    opt = command_line().parse()
    expect(opt, "temperature", opt.temperature > 0, "greater than 0")
    expect(opt, "length", isinstance(opt.length, int) and opt.length >= 0, "a whole number from 0 on")
    expect(opt, "seed", -(2**63) <= opt.seed < 2**63, "a whole number of 64 bits")

    def gprint(text: str) -> None:
        if opt.verbose == 1:
            print(text, flush=True)

    only_cpu(opt, gprint)
    torch7.manualSeed(opt.seed)
    checkpoint = load_checkpoint(opt.model)
    sampler = Sampler(network_of(checkpoint, opt.model), checkpoint.opt, checkpoint.vocab)
    gprint(f"creating an {checkpoint.opt.model}...")
    if opt.primetext:
        sampler.letters(opt.primetext)
        gprint(f"seeding with {opt.primetext}")
    else:
        gprint("missing seed text, using uniform probability over first character")
    gprint("--------------------------")
    write(sampler, opt)


def write(sampler: Sampler, opt: Any) -> None:
    """Writes the text as it is made."""
    out = sys.stdout.buffer
    for letter in sampler.prime(opt.primetext):
        out.write(letter)
    out.flush()
    for letter in sampler.generate(opt.length, opt.temperature, opt.sample != 0):
        out.write(letter)
        if sys.stdout.isatty():
            out.flush()
    out.write(b"\n")
    out.flush()


if __name__ == "__main__":
    run(main)

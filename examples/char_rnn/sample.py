"""Samples characters from a trained model.

    python sample.py cv/lm_lstm_epoch1.00_1.7000.t7 -primetext "def " -temperature 0.7

The options, the printed lines and, for a seed, the text are those of Torch's char-rnn; -samples, -top_k, -top_p, -beam
and -verbose 2 are new.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import torch7
from pygraphnn import BeamSearch
from util.checkpoint import load_checkpoint, network_of
from util.misc import UsageError, expect, only_cpu, run
from util.sampling import Sampler, divergence_told


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
    cmd.option("-verbose", 1, "set to 0 to ONLY print the sampled text, no diagnostics, to 2 for its probability")
    cmd.text()
    cmd.text("Not in Torch's char-rnn")
    cmd.option("-samples", 1, "number of texts, each after a line that tells its number i. Its seed is seed + i - 1")
    cmd.option("-top_k", math.inf, "draw only from the k most likely characters")
    cmd.option("-top_p", 1, "draw only from the most likely characters that have together this probability")
    cmd.option("-beam", 0, "search for the -samples most likely texts, keeping this many, instead of drawing. 0 = draw")
    cmd.text()
    return cmd


def main() -> None:
    """Samples as the command line says."""
    opt = command_line().parse()
    check_options(opt)

    def gprint(text: str) -> None:
        if opt.verbose >= 1:
            print(text, flush=True)

    only_cpu(opt, gprint)
    checkpoint = load_checkpoint(opt.model)
    generators = [seeded(int(opt.seed) + i) for i in range(1 if opt.beam else opt.samples)]
    sampler = Sampler(network_of(checkpoint, opt.model), checkpoint.opt, checkpoint.vocab, generators)
    gprint(f"creating an {checkpoint.opt.model}...")
    if opt.primetext:
        sampler.letters(opt.primetext)
        gprint(f"seeding with {opt.primetext}")
    else:
        gprint("missing seed text, using uniform probability over first character")
    gprint("--------------------------")
    if opt.beam:
        search(sampler, opt)
    elif opt.samples > 1:
        write_several(sampler, opt)
    else:
        write(sampler, opt)


def check_options(opt: Any) -> None:
    """Raises an error for values that make no sense, alone or together."""

    def count(name: str, least: int) -> None:
        expect(opt, name, isinstance(opt[name], int) and opt[name] >= least, f"a whole number from {least} on")

    expect(opt, "temperature", opt.temperature > 0, "greater than 0")
    count("length", 0)
    expect(opt, "seed", -(2**63) <= opt.seed < 2**63, "a whole number of 64 bits")
    count("samples", 1)
    if opt.samples > 1:
        expect(
            opt, "seed", abs(opt.seed) + opt.samples <= 2**53, "less than 2^53 for several -samples, to be counted on"
        )
    if opt.top_k != math.inf:
        count("top_k", 1)
    expect(opt, "top_p", 0 < opt.top_p <= 1, "greater than 0 and at most 1")
    count("beam", 0)
    if opt.beam:
        expect(opt, "samples", opt.samples <= opt.beam, f"at most {opt.beam}, the width of -beam")
        if opt.temperature != 1:
            raise UsageError("-temperature is for drawing: it cannot be used with -beam")
    elif opt.sample == 0:
        expect(opt, "samples", opt.samples == 1, "1 with -sample 0, which always gives the same text")
    for name, default in (("top_k", math.inf), ("top_p", 1)):
        if opt[name] != default and (opt.beam or opt.sample == 0):
            raise UsageError(f"-{name} is for drawing: it cannot be used with {'-beam' if opt.beam else '-sample 0'}")


def seeded(seed: int) -> torch7.Generator:
    """A new generator that begins the stream of a seed."""
    generator = torch7.Generator()
    torch7.manualSeed(generator, seed)
    return generator


# What is written when Ctrl-C comes, or when the network turns out to predict NaN, stays: it is written in `finally`.


def write(sampler: Sampler, opt: Any) -> None:
    """Writes one text as it is made."""
    out, live = sys.stdout.buffer, sys.stdout.isatty()
    out.write(sampler.prime(opt.primetext))
    out.flush()
    try:
        for letter in sampler.generate(opt.length, *how(opt)):
            out.write(letter)
            if live:
                out.flush()
    finally:
        out.write(b"\n")
        out.flush()
    tell(opt, sampler.log_probability[0], opt.length)


def write_several(sampler: Sampler, opt: Any) -> None:
    """Makes the texts side by side, and writes them one after the other."""
    prime, letters = sampler.prime(opt.primetext), list[bytes]()
    try:
        for letter in sampler.generate(opt.length, *how(opt)):
            letters.append(letter)
    finally:
        for i, log_probability in enumerate(sampler.log_probability):
            show(f"sample {i + 1}, seed {int(opt.seed) + i}", prime + b"".join(letters[i :: opt.samples]))
            if len(letters) == opt.length * opt.samples:
                tell(opt, log_probability, opt.length)


def search(sampler: Sampler, opt: Any) -> None:
    """Searches for the most likely text, and writes as many of the best ones as wanted."""
    prime, beam = sampler.prime(opt.primetext), BeamSearch(sampler.writer, opt.beam)
    try:
        with divergence_told():
            for _ in range(opt.length):
                beam.advance()
    finally:
        for i, (indices, log_probability) in enumerate(beam.found()[: opt.samples], 1):
            show(f"sample {i}" if opt.samples > 1 else "", prime + sampler.text(indices))
            tell(opt, log_probability, len(indices))


def how(opt: Any) -> tuple[float, float, float]:
    """The arguments of Sampler.generate."""
    return opt.temperature if opt.sample != 0 else 0, opt.top_k, opt.top_p


def show(title: str, text: bytes) -> None:
    """Writes a whole text."""
    head = f"---- {title}\n".encode() if title else b""
    sys.stdout.buffer.write(head + text + b"\n")
    sys.stdout.buffer.flush()


def tell(opt: Any, log_probability: float, length: int) -> None:
    """How likely a text is for the network, without the one that it was seeded with."""
    if opt.verbose >= 2:
        perplexity = math.exp(min(-log_probability / max(length, 1), 700))
        print(f"log-probability {log_probability:.4f}, perplexity {perplexity:.4f}", flush=True)


if __name__ == "__main__":
    run(main)

"""Learning to execute: a network reads a small program, character by character, and writes what it prints.

    python examples/course/execute.py                      trains with and without a curriculum, tells and draws
    python examples/course/execute.py --strategy mix       with another curriculum
    python examples/course/execute.py --operations add loop    with other operations in the programs
    python examples/course/execute.py --help               tells all options

W. Zaremba and I. Sutskever, Learning to execute (2014). An LSTM reads a program and then its result as one sequence,

    b=18
    print(((b+73) if 25<61 else 42))
    91.

and learns what comes next in the result, which ends with a dot. A program has a length, the number of digits of its
numbers, and a nesting, the number of operations of which each uses what the one before made. A curriculum says what to
show while the network learns programs up to some length and nesting:

    none       programs as long and as nested as in the end, all the time
    naive      one digit more at a time, then one operation more and one digit again
    mix        each program of a random length and nesting
    combined   each program by naive or by mix, at random

Two things are measured. Characters: how many the network gives rightly when it reads the true ones before (teacher
forcing; this is what the paper reports). Whole results: it reads what it wrote itself, and all has to be right. In the
end it is also tried on programs with a digit and an operation more than it ever saw.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7

STRATEGIES = ("none", "naive", "mix", "combined")
OPERATIONS = ("add", "subtract", "multiply", "choose", "assign", "loop")
SOME = ("add", "subtract", "choose", "assign")  # what can be learned in a minute
VARIABLES = "abcdgh"
ALPHABET = "".join(sorted(set("0123456789.-+*()=<: \nprint" + "for x in range" + "if else" + VARIABLES)))


class Example(NamedTuple):
    """A program and what it prints, with a dot."""

    program: str
    result: str


Tests = dict[tuple[int, int], list[Example]]  # by length and nesting

# -- programs


def levels(length: int, nesting: int) -> list[tuple[int, int]]:
    """All lengths and nestings up to these."""
    return [(a, b) for b in range(1, nesting + 1) for a in range(1, length + 1)]


def number(length: int) -> str:
    """A random number of so many digits."""
    return str(torch7.random(10 ** (length - 1), 10**length - 1))


def operation(kind: str, value: str, length: int, free: str) -> tuple[str, str, str]:
    """An operation on an expression: statements before it, the new expression, variables still free."""
    other, name = number(length), free[0]
    if kind == "multiply":
        return "", f"({value}*{torch7.random(2, 4)})", free
    if kind == "choose":
        return "", f"({value} if {number(length)}<{number(length)} else {other})", free
    if kind == "assign":
        return f"{name}={value}\n", f"({name}{lecture.choose('+-')}{other})", free[1:]
    if kind == "loop":
        return f"{name}={value}\nfor x in range({torch7.random(2, 4)}):{name}+={other}\n", name, free[1:]
    first, second = (value, other) if lecture.choose("lr") == "l" else (other, value)
    return "", f"({first}{'+' if kind == 'add' else '-'}{second})", free


def example(length: int, nesting: int, operations: Sequence[str] = OPERATIONS) -> Example:
    """A random program with numbers of so many digits, and so many operations, each on what the one before made."""
    order = torch7.randperm(len(VARIABLES)).astype(int) - 1
    before, value, free = "", number(length), "".join(VARIABLES[i] for i in order)
    for _ in range(nesting):
        statements, value, free = operation(lecture.choose(operations), value, length, free)
        before += statements
    program = f"{before}print({value})\n"
    return Example(program, f"{run(program)}.")


def run(program: str) -> str:
    """What Python prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    return printed.getvalue().strip()


def difficulty(strategy: str, progress: float, length: int, nesting: int) -> tuple[int, int]:
    """Length and nesting of the next program, after a share `progress` of the training, for the hardest given."""
    if strategy == "combined":
        strategy = lecture.choose(("naive", "mix"))
    if strategy == "mix":
        return torch7.random(1, length), torch7.random(1, nesting)
    if strategy == "naive":
        stage = min(int(progress * length * nesting), length * nesting - 1)
        return 1 + stage % length, 1 + stage // length
    return length, nesting


# -- the network


def minibatch(examples: list[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Characters to read (T, B), and those that should follow, or -100 where it does not matter.

    All results begin at the same step; before a shorter program are line feeds, after a shorter result dots.
    """
    before, after = (max(map(len, texts)) for texts in zip(*examples))
    texts = [e.program.rjust(before, "\n") + e.result.ljust(after, ".") for e in examples]
    indices = np.array([[1 + ALPHABET.index(letter) for letter in text] for text in texts]).T
    target = indices[1:].copy()
    target[: before - 1] = -100
    for b, e in enumerate(examples):
        target[before - 1 + len(e.result) :, b] = -100
    return indices[:-1], target


def network(size: int) -> nn.Sequential:
    """An LSTM over minibatches of characters; gives the logarithms of probabilities (T B, characters)."""
    step = pygraphnn.lstm(len(ALPHABET), size, forget_bias=1)
    return nn.Sequential().add(pygraphnn.Unroll(step)).add(nn.SelectTable(3)).add(nn.View(len(ALPHABET))).float()


def zeros(count: int, size: int) -> list[np.ndarray]:
    """The states c and h before the first character."""
    return [np.zeros((count, size), np.float32) for _ in range(2)]


def minibatches(strategy: str, options: argparse.Namespace) -> Iterator[list[Example]]:
    """New programs for as many minibatches as wanted, those of about the same length together."""
    size, batches = options.batch_size, 8
    for start in range(0, options.steps, batches):
        progress = start / options.steps
        levels = [difficulty(strategy, progress, options.length, options.nesting) for _ in range(size * batches)]
        pool = sorted((example(*level, options.operations) for level in levels), key=lambda e: len(e.program))
        for i in torch7.randperm(batches).astype(int)[: options.steps - start] - 1:
            yield pool[i * size : (i + 1) * size]


def train(net: nn.Sequential, strategy: str, options: argparse.Namespace) -> Iterator[float]:
    """Adam on new programs in every step; gives the losses of a character of the results."""
    training = lecture.Training(net, nn.ClassNLLCriterion().float(), options.rate, clip=1)
    for step, examples in enumerate(minibatches(strategy, options)):
        training.rate = optim.exponential_decay(options.rate, 10 * step // options.steps, 0.5, after=5)
        net.training()
        x, target = minibatch(examples)
        yield training([x, *zeros(len(examples), options.size)], target.ravel())


# -- what it can do


def characters(net: nn.Sequential, examples: list[Example], size: int) -> float:
    """The share of the results' characters, dots too, that the network gives when it reads the true ones before."""
    net.evaluate()
    x, target = minibatch(examples)
    given = 1 + net.forward([x, *zeros(len(examples), size)]).argmax(1).reshape(target.shape)
    return float((given == target)[target > 0].mean())


def answers(net: nn.Sequential, examples: list[Example], size: int) -> list[str]:
    """What the network writes when it reads what it wrote: the likeliest character each time, up to the dot, or until
    it is longer than the longest result."""
    net.evaluate()
    unrolled, states = net.get(1), zeros(len(examples), size)
    x, _ = minibatch([Example(e.program, ".") for e in examples])
    written = [""] * len(examples)
    for _ in range(1 + max(len(e.result) for e in examples)):
        *states, y = unrolled.forward([x, *states])
        x = 1 + y[-1:].argmax(2)
        written = [text if text.endswith(".") else text + ALPHABET[i - 1] for text, i in zip(written, x[0])]
    return written


def most_frequent(examples: list[Example]) -> float:
    """The share of the most frequent character: what is right if one always answers with it."""
    letters = "".join(e.result for e in examples)
    return max(letters.count(letter) for letter in set(letters)) / len(letters)


def measure(net: nn.Sequential, tests: Tests, harder: Tests, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of right characters and of right results, by nesting (rows) and length (columns).

    Prints them, and of the tests that are not harder than the training two programs with what the network writes.
    """
    found = np.zeros((2, *max((nesting, length) for length, nesting in harder)))
    for (length, nesting), examples in (tests | harder).items():
        right, written = characters(net, examples, size), answers(net, examples, size)
        whole = float(np.mean([text == e.result for text, e in zip(written, examples)]))
        found[:, nesting - 1, length - 1] = right, whole
        print(f"length {length}, nesting {nesting}: {right:.1%} of characters, {whole:.1%} of whole results")
        for e, text in zip(examples[:2], written if (length, nesting) in tests else []):
            lines = e.program.rstrip().replace("\n", "\n    ")
            print(f"    {lines}\n        {e.result} the network: {text}{' (wrong)' if text != e.result else ''}")
    return found[0], found[1]


def course_of(strategy: str, tests: Tests, options: argparse.Namespace) -> tuple[nn.Sequential, list[list[float]]]:
    """A network trained by a strategy, and rows of steps done, and shares of right characters in all tests and in the
    hardest."""
    torch7.manualSeed(options.seed)
    net, rows, every = network(options.size), [], max(50, math.ceil(options.steps / 12))
    for step, _ in enumerate(lecture.track(train(net, strategy, options), strategy, options.steps), 1):
        if step % every == 0 or step == options.steps:
            shares = [characters(net, examples, options.size) for examples in tests.values()]
            rows.append([step, float(np.mean(shares)), shares[-1]])
    print(f"{strategy:10} {rows[-1][1]:.1%} of characters, {rows[-1][2]:.1%} of those of the hardest programs")
    return net, rows


# -- pictures


def picture(shares: tuple[np.ndarray, np.ndarray], curves: dict[str, np.ndarray], chance: float, path: Path) -> None:
    """What can be executed, by length and nesting, and how it came about."""
    figure = lecture.figure(13, 3.8)
    *maps, axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.6))
    for axis, table, title in zip(maps, shares, ("right characters", "right whole results")):
        axis.imshow(table, "viridis", vmin=0, vmax=1)
        for (i, j), share in np.ndenumerate(table):
            axis.text(j, i, f"{share:.0%}", ha="center", va="center", color="white" if share < 0.6 else "black")
        axis.set_xticks(range(table.shape[1]), range(1, table.shape[1] + 1))
        axis.set_yticks(range(table.shape[0]), range(1, table.shape[0] + 1))
        axis.axvline(table.shape[1] - 1.5, color="white")  # beyond it is what was never learned
        axis.axhline(table.shape[0] - 1.5, color="white")
        axis.set(xlabel="length: digits of the numbers", ylabel="nesting: operations", title=title)
    for i, (strategy, rows) in enumerate(curves.items()):
        axes.plot(rows[:, 0], rows[:, 1], color=f"C{i}", label=f"{strategy}: all programs")
        axes.plot(rows[:, 0], rows[:, 2], "--", color=f"C{i}", label=f"{strategy}: the hardest")
    axes.axhline(chance, color="gray", ls=":", label="always the most frequent")
    axes.set(xlabel="minibatches", ylabel="right characters", title="with a curriculum, and without")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3)
    lecture.save(figure, path)


# -- the program


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--strategy", choices=STRATEGIES, default="combined", help="the curriculum")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(SOME), help="that programs have")
    parser.add_argument("--length", type=lecture.whole(1), default=2, help="digits of the hardest programs' numbers")
    parser.add_argument("--nesting", type=lecture.whole(1), default=2, help="operations of the hardest programs")
    parser.add_argument("--steps", type=lecture.whole(1), default=6000, help="minibatches to learn from")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="programs in a minibatch")
    parser.add_argument("--size", type=lecture.whole(1), default=64, help="of the LSTM")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.01, help="Adam's learning rate, at first")
    options = lecture.parse(parser, words, steps=60, nesting=1)
    if options.nesting >= len(VARIABLES):  # tests have one operation more, and each may need a variable
        parser.error(f"--nesting: expected at most {len(VARIABLES) - 1} operations, got {options.nesting}")
    if options.length > 8:
        parser.error(f"--length: expected at most 8 digits, got {options.length}")
    return options


def main(words: list[str] | None = None) -> tuple[np.ndarray, np.ndarray, Tests]:
    """Trains, tells and draws; returns the shares of right characters and results, and the programs of the test."""
    options = arguments(words)
    torch7.manualSeed(options.seed + 1)  # other programs than in training
    known = levels(options.length, options.nesting)
    unknown = [level for level in levels(options.length + 1, options.nesting + 1) if level not in known]
    tests, harder = (
        {level: [example(*level, options.operations) for _ in range(200)] for level in each}
        for each in (known, unknown)
    )
    net, rows = course_of(options.strategy, tests, options)
    curves = {options.strategy: np.array(rows)}
    if options.strategy != "none":
        curves["none"] = np.array(course_of("none", tests, options)[1])
    chance = most_frequent([e for examples in tests.values() for e in examples])
    print(f"always the most frequent character: {chance:.1%} of characters")
    shares = measure(net, tests, harder, options.size)
    step = net.get(1).step
    step.forward([np.ones(1, np.float32), *zeros(1, options.size)])
    lecture.draw(step, options.output / "execute-graph.svg", title="One character", states=net.get(1).states)
    picture(shares, curves, chance, options.output / "execute.png")
    return *shares, tests


if __name__ == "__main__":
    lecture.run(main)

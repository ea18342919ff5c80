"""What the programs of this folder have in common: options, progress, pictures, and a step of training.

It holds nothing of what they teach; read it when you want to write a program of your own.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import optim
import pygraphnn
import torch7
from optim.pictures import fonts, quietly
from pygraphnn.render import RendererMissing
from torch7.optional import optional
from torch7.replacing import replace, replacing

T = TypeVar("T")


# -- options


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Descriptions as they are written, defaults after the help of every option."""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser of options with those that all programs have: --seed, --output and --short."""
    made = argparse.ArgumentParser(description=doc, formatter_class=_Help)
    made.add_argument("--seed", type=whole(0), default=1, help="of Torch's random numbers")
    made.add_argument("--output", type=folder, default=Path(), help="folder of the pictures")
    made.add_argument("--short", action="store_true", help="as much as can be seen in a few seconds")
    return made


def parse(parser: argparse.ArgumentParser, words: list[str] | None, **short: Any) -> argparse.Namespace:
    """The options; with --short, those that the words do not give are the ones in `short`."""
    options = parser.parse_args(words)
    if options.short:
        parser.set_defaults(**short)
        options = parser.parse_args(words)
    return options


def whole(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
        if value < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {value}")
        return value

    return read


def real(above: float = -np.inf, below: float = np.inf, least: float = -np.inf) -> Callable[[str], float]:
    """The type of an option that is a number: finite, above one bound or at least at it, and below another."""
    bounds = [("above", above), ("below", below), ("at least", least)]
    wanted = " and ".join([f"{name} {bound:g}" for name, bound in bounds if np.isfinite(bound)] or ["finite"])

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
        if not (np.isfinite(value) and above < value < below and value >= least):
            raise argparse.ArgumentTypeError(f"expected a number {wanted}, got {text}")
        return value

    return read


def folder(text: str) -> Path:
    """The type of an option that is a folder, which must be there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return Path(text)


# -- running


def run(main: Callable[[], Any]) -> None:
    """Calls main; Ctrl-C ends the program quietly, what is missing or cannot be written, or diverges, with one line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # there may be characters that the terminal cannot show
    name = Path(sys.argv[0]).name
    try:
        torch7.setnumthreads(1)  # two gain nothing here, and wait for each other when anything else is running
        with np.errstate(over="ignore", invalid="ignore"):  # optim tells what is not finite
            main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # such as `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python will flush what nobody reads
        sys.exit(1)
    except FloatingPointError as error:
        sys.exit(f"{name}: training went astray, try a smaller --rate ({error})")
    except (ImportError, OSError) as error:
        sys.exit(f"{name}: {error}")


def track(what: Iterable[T], name: str, total: int | None = None) -> Iterator[T]:
    """The elements of an iterable, with a progress bar on the terminal."""
    progress = optional("rich.progress", "course", "the progress bar")
    console = optional("rich.console", "course", "the progress bar").Console(stderr=True)
    hidden = not console.is_terminal
    shown: Iterator[T] = iter(progress.track(what, name, total, console=console, transient=True, disable=hidden))
    return shown


# -- pictures


def figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, in inches, with the system's fonts for letters that matplotlib's own lacks."""
    matplotlib = optional("matplotlib", "course", "the picture")
    matplotlib.rcParams["font.family"] = list(dict.fromkeys(fonts()))
    return optional("matplotlib.figure", "course", "the picture").Figure((width, height), layout="constrained")


def save(figure: Any, path: Path) -> None:
    """Writes a figure, and says so."""
    with replacing(path) as draft, quietly():
        figure.savefig(draft, dpi=100)
    print(f"wrote {path}")


def draw(net: Any, path: Path, **options: Any) -> None:
    """Writes the drawing of a graph (options as those of pygraphnn.draw), and says so; or that there is no Graphviz."""
    try:
        pygraphnn.draw(net, path, **options)
        print(f"wrote {path}")
    except RendererMissing as error:
        print(error)


def write(text: str, path: Path) -> None:
    """Writes a text, such as a page of HTML, and says so."""
    replace(path, text.encode())
    print(f"wrote {path}")


# -- training


def choose(choices: Sequence[T]) -> T:
    """One of them, at random."""
    return choices[torch7.random(len(choices)) - 1]


def minibatches(count: int, size: int) -> list[np.ndarray]:
    """The indices of so many examples, from 0, in random order, `size` at a time and at last what is left."""
    return np.split(torch7.randperm(count).astype(int) - 1, range(size, count, size))


class Training:
    """Steps of Adam on a network: `training(x, target)` makes one and returns the loss.

    `rate` is the learning rate, which may be changed from step to step. `clip` is the largest norm that a gradient may
    have (Algorithm 1 of Pascanu, Mikolov and Bengio, 2013). `parameters` and `gradients` are the network's, flat.
    """

    def __init__(self, net: Any, criterion: Any, rate: float, clip: float = np.inf):
        self.net, self.criterion, self.rate, self.clip = net, criterion, rate, clip
        self.parameters, self.gradients = net.getParameters()
        self.state: dict[str, Any] = {}

    def __call__(self, x: Any, target: Any) -> float:
        self.state["learningRate"] = self.rate
        _, (loss,) = optim.adam(lambda _: self.derivative(x, target), self.parameters, self.state)
        return float(loss)

    def derivative(self, x: Any, target: Any) -> tuple[float, np.ndarray]:
        """The loss and the gradient with respect to all parameters."""
        self.gradients.fill(0)
        loss = self.criterion.forward(self.net.forward(x), target)
        self.net.backward(x, self.criterion.backward(self.net.output, target))
        if self.clip < np.inf:
            optim.clip_by_norm(self.gradients, self.clip)
        return loss, self.gradients

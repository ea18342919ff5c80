"""What the programs on characters have in common: a text as indices, training on it in pieces, and writing.

lyrics.py, painting.py and interpret.py are char-rnn (Karpathy, 2015) on three kinds of text. A character is an index
from 1. A network for one time step, [x, s_1, ..., s_k] to [s_1', ..., s_k', log y], such as pygraphnn.lstm makes,
predicts the next one. The loss is -log y of the character that does come, in nats: the mean over characters.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import lecture
import nn
import pygraphnn


class Alphabet:
    """The characters of a text, in order, and their indices from 1."""

    def __init__(self, text: str):
        self.characters = "".join(sorted(set(text)))
        self.index = {character: i for i, character in enumerate(self.characters, 1)}

    def __len__(self) -> int:
        return len(self.characters)

    def unknown(self, text: str) -> str:
        """The characters that the alphabet has not, each once."""
        return "".join(dict.fromkeys(character for character in text if character not in self.index))

    def indices(self, text: str) -> np.ndarray:
        """The indices of a text."""
        return np.array([self.index[character] for character in text])

    def text(self, indices: Sequence[int] | np.ndarray) -> str:
        """The text of indices."""
        return "".join(self.characters[i - 1] for i in indices)


def file(text: str) -> str:
    """The type of an option that is a file: what is written in it, in UTF-8."""
    try:
        return Path(text).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text} is no text in UTF-8: byte {error.start + 1} fits in no character")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}")


def strands(indices: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """A text cut into `batch` strands of equal length, side by side (T, B), and the characters that follow each."""
    n = (len(indices) - 1) // batch
    x, target = (indices[first : first + n * batch].reshape(batch, n).T for first in (0, 1))
    return np.ascontiguousarray(x), np.ascontiguousarray(target)


def pieces(text: str, options: argparse.Namespace) -> int:
    """How many steps `train` makes."""
    strand = (len(text) - 1) // options.batch
    return options.epochs * -(-strand // options.piece)


def train(
    step: pygraphnn.gModule, start: list[np.ndarray], alphabet: Alphabet, text: str, options: argparse.Namespace
) -> Iterator[float]:
    """Trains by truncated back-propagation through time, with Adam; gives the loss of each piece.

    The text is read options.epochs times, in as many strands as the states `start` have rows, in pieces of
    options.piece characters. A piece begins with the states in which the one before ended; gradients end where it
    begins. Adam's steps are of options.rate at first; in the second half of all pieces they shrink to nothing.
    """
    x, target = strands(alphabet.indices(text), len(start[0]))
    unrolled = pygraphnn.Unroll(step)
    predict = nn.Sequential().add(unrolled).add(nn.SelectTable(-1)).add(nn.View(-1, len(alphabet))).float()
    training = lecture.Training(predict, nn.ClassNLLCriterion().float(), options.rate, clip=5)
    predict.training()
    starts = range(0, len(x), options.piece)
    for epoch in range(options.epochs):
        state = start
        for i, t in enumerate(starts):
            done = (epoch + i / len(starts)) / options.epochs
            training.rate = options.rate * min(1, 2 * (1 - done))
            yield training([x[t : t + options.piece], *state], target[t : t + options.piece].ravel())
            state = unrolled.output[:-1]


def write(
    step: pygraphnn.gModule,
    start: list[np.ndarray],
    alphabet: Alphabet,
    first: str,
    length: int,
    temperature: float,
) -> list[str]:
    """Texts that begin with `first` and go on for `length` characters that the network draws, one for each row of the
    states `start`."""
    writer = pygraphnn.SequenceWriter(step, start, len(alphabet))
    for index in alphabet.indices(first):
        writer.read(index)
    return [first + alphabet.text(indices) for indices in zip(*writer.generate(length, temperature))]


def options(parser: argparse.ArgumentParser, size: int, epochs: int, rate: float, batch: int, piece: int) -> None:
    """Adds the options of the network and its training, with these defaults."""
    parser.add_argument("--size", type=lecture.whole(1), default=size, help="of the states c and h")
    parser.add_argument("--epochs", type=lecture.whole(1), default=epochs, help="how often to read the text")
    parser.add_argument("--rate", type=lecture.real(above=0), default=rate, help="Adam's learning rate, at first")
    parser.add_argument("--batch", type=lecture.whole(1), default=batch, help="strands of the text, read side by side")
    parser.add_argument("--piece", type=lecture.whole(1), default=piece, help="characters to propagate back through")


def check(parser: argparse.ArgumentParser, option: str, text: str, batch: int) -> None:
    """Ends the program if the text that an option tells is too short to train on."""
    if len(text) < 20 * batch + 1:
        parser.error(
            f"{option}: expected {20 * batch + 1} characters or more for --batch {batch} (20 in a strand, and one that "
            f"follows), got {len(text)}"
        )
    if len(set(text)) < 2:
        parser.error(f"{option}: expected two different characters or more, got {text[0]!r} only")


def told(losses: list[float], epochs: int) -> str:
    """The loss of the first piece, and the mean over the last epoch."""
    return f"loss {losses[0]:.3f} at first, {np.mean(losses[-(len(losses) // epochs) :]):.3f} in the last epoch"


def draw_losses(losses: list[float], epochs: int, letters: int, path: Path) -> None:
    """The picture of the loss: of every piece, meaned over each epoch, and of knowing nothing."""
    figure = lecture.figure(7, 3.5)
    axes = figure.subplots()
    pieces = len(losses) // epochs
    axes.plot(np.arange(len(losses)) / pieces, losses, color="tab:blue", alpha=0.3, label="of a piece")
    means = np.reshape(losses, (epochs, pieces)).mean(1)
    axes.plot(np.arange(epochs) + 0.5, means, "o-", color="tab:blue", ms=3, label="mean of an epoch")
    axes.axhline(np.log(letters), color="gray", ls="--", label=f"all {letters} characters are as likely")
    axes.set(xlabel="epoch", ylabel="loss per character (nats)", ylim=(0, None))
    axes.legend()
    axes.grid(alpha=0.3)
    lecture.save(figure, path)

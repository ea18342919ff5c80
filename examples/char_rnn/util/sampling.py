"""Writes texts with a trained network."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

import pygraphnn
import torch7
from torch7.tables import pairs

from .char_split_lm_minibatch_loader import letter
from .misc import UsageError, initial_state


class Sampler:
    """A network that reads and writes characters, in one text or, with a list of generators, in as many as it has.

    `log_probability` has for each text the logarithm of the probability, under the network, of what `generate` wrote.
    """

    def __init__(self, rnn: Any, opt: Any, vocab: Any, generator: Any = None):
        self.vocab = dict(pairs(vocab))
        self.bytes = {index: encoded(key) for key, index in self.vocab.items()}
        # the vocabulary tells: of bytes, those above 127 are no text of their own
        self.encoding = "utf8" if any(isinstance(key, str) and not key.isascii() for key in self.vocab) else "bytes"
        texts = len(generator) if isinstance(generator, list) else 1
        states = initial_state(opt, texts, torch7.dtype_of(rnn.type()))
        self.writer = pygraphnn.SequenceWriter(rnn, states, len(self.vocab), generator)
        self.primed = [0.0] * texts

    @property
    def log_probability(self) -> list[float]:
        return [after - before for after, before in zip(self.writer.log_probability, self.primed)]

    def letters(self, text: str) -> list[Any]:
        """The characters of a text as the vocabulary has them."""
        codes: Iterable[int] = os.fsencode(text) if self.encoding == "bytes" else map(ord, text)
        keys = [letter(code, self.encoding) for code in codes]
        for key in keys:
            if key not in self.vocab:
                raise UsageError(f"the character {key!r} of the text is not in the vocabulary of the checkpoint")
        return keys

    def prime(self, text: str) -> bytes:
        """Feeds every text with this one, and gives it back."""
        keys = self.letters(text)
        for key in keys:
            self.writer.read(self.vocab[key])
        self.primed = self.writer.log_probability.copy()
        return b"".join(map(encoded, keys))

    def generate(
        self, length: int, temperature: float = 1, top_k: float = math.inf, top_p: float = 1
    ) -> Iterator[bytes]:
        """Writes `length` characters, drawn as SequenceWriter.generate does, and gives them one by one.

        Of several texts it gives their first characters one after the other, then their second ones and so on.
        """
        with divergence_told():
            for indices in self.writer.generate(length, temperature, top_k, top_p):
                for index in indices:
                    yield self.bytes[index]

    def text(self, indices: list[int]) -> bytes:
        """The characters of these indices."""
        return b"".join(self.bytes[index] for index in indices)


@contextlib.contextmanager
def divergence_told() -> Iterator[None]:
    """Turns the error of a network that predicts NaN into one for the user."""
    try:
        yield
    except FloatingPointError:
        raise UsageError("the network predicts no numbers: its run diverged before the checkpoint was saved") from None


def encoded(key: str | bytes) -> bytes:
    """A character of the vocabulary as bytes."""
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")

"""Draws characters from a trained network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import torch7
from torch7.tables import pairs

from .char_split_lm_minibatch_loader import letter
from .misc import UsageError, initial_state


class Sampler:
    """A network that reads and writes one character at a time, with its state."""

    def __init__(self, rnn: Any, opt: Any, vocab: Any, generator: torch7.Generator | None = None):
        self.rnn, self.vocab = rnn, dict(pairs(vocab))
        self.ivocab = {index: key for key, index in self.vocab.items()}
        # the vocabulary tells: of bytes, those above 127 are no text of their own
        self.encoding = "utf8" if any(isinstance(key, str) and not key.isascii() for key in self.vocab) else "bytes"
        self.generator = () if generator is None else (generator,)
        self.dtype = torch7.dtype_of(rnn.type())
        self.state = initial_state(opt, 1, self.dtype)
        # before any text, as in char-rnn: a constant, and not the logarithm of one
        self.prediction = np.full((1, len(self.vocab)), 1 / len(self.vocab), self.dtype)
        rnn.evaluate()

    def read(self, index: int) -> None:
        """Feeds one character to the network."""
        *self.state, self.prediction = self.rnn.forward([np.array([index]), *self.state])

    def letters(self, text: str) -> list[Any]:
        """The characters of a text as the vocabulary has them."""
        codes: Iterable[int] = os.fsencode(text) if self.encoding == "bytes" else map(ord, text)
        keys = [letter(code, self.encoding) for code in codes]
        for key in keys:
            if key not in self.vocab:
                raise UsageError(f"the character {key!r} of the text is not in the vocabulary of the checkpoint")
        return keys

    def prime(self, text: str) -> Iterator[bytes]:
        """Feeds a text, character by character, and gives it back."""
        for key in self.letters(text):
            self.read(self.vocab[key])
            yield encoded(key)

    def generate(self, length: int, temperature: float = 1, draw: bool = True) -> Iterator[bytes]:
        """Writes `length` characters, each drawn from the predicted distribution, or else the most likely one."""
        for _ in range(length):
            if draw:
                probs = self.probabilities(temperature)
                index = int(torch7.multinomial(*self.generator, probs.astype(np.float32), 1)[0])
            else:
                index = int(self.prediction.argmax()) + 1
            self.read(index)
            yield encoded(self.ivocab[index])

    def probabilities(self, temperature: float) -> np.ndarray:
        """The predicted distribution; temperatures below 1 sharpen it, greater ones flatten it."""
        prediction = self.prediction[0]
        with np.errstate(all="ignore"):
            probs = np.exp(prediction / self.dtype.type(temperature))
            total = float(probs.sum(dtype=np.float64))
            if not 0 < total < np.inf:  # char-rnn fails here, its exponentials all 0 or infinite
                probs = np.exp((prediction - prediction.max()).astype(np.float64) / temperature)
                total = float(probs.sum())
        if np.isnan(total):
            raise UsageError("the network predicts no numbers: its run diverged before the checkpoint was saved")
        return probs / total


def encoded(key: str | bytes) -> bytes:
    """A character of the vocabulary as bytes."""
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")

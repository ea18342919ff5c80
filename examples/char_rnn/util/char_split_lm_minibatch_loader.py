"""Text as minibatches of character indices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import torch7

from .misc import UsageError

SPLITS = ("train", "val", "test")


class CharSplitLMMinibatchLoader:
    """The text `input.txt` of a directory, cut into batches for training, validation and test.

    The text is a row of indices into its sorted vocabulary, laid out as `batch_size` long rows; a batch is a window of
    `seq_length` columns. The target y of a character is the one that follows it, and the last one's is the first.
    With encoding "bytes" a character is a byte, as in Lua; with "utf8" it is a character of the text.

    The indices and the vocabulary are kept beside the text as data.t7 and vocab.t7 (data_utf8.t7 and vocab_utf8.t7 for
    utf8) until the text is newer.
    """

    def __init__(
        self,
        data_dir: str | Path,
        batch_size: int,
        seq_length: int,
        split_fractions: tuple[float, float, float],
        encoding: str = "bytes",
    ):
        for name, fraction in zip(SPLITS, split_fractions):
            if not 0 <= fraction <= 1:
                raise UsageError(f"bad split fraction {fraction} for {name}, not between 0 and 1")
        self.batch_size, self.seq_length = batch_size, seq_length
        data, self.vocab_mapping = load(Path(data_dir), encoding)
        self.vocab_size = len(self.vocab_mapping)
        unit = batch_size * seq_length
        if len(data) < unit:
            raise UsageError(
                f"{Path(data_dir) / 'input.txt'} has {len(data)} characters, too few for one batch of {batch_size} "
                f"sequences of {seq_length}: use a smaller -batch_size or -seq_length"
            )
        self._arrange(data, unit)
        self._split(split_fractions)

    def _arrange(self, data: np.ndarray, unit: int) -> None:
        """Lays the text out in rows and cuts it into batches of `unit` characters."""
        if len(data) % unit:
            print("cutting off end of data so that the batches/sequences divide evenly")
            data = data[: len(data) // unit * unit]
        print("reshaping tensor...")
        following = np.roll(data, -1)
        self.nbatches = len(data) // unit
        self.x_batches = np.split(data.reshape(self.batch_size, -1), self.nbatches, axis=1)
        self.y_batches = np.split(following.reshape(self.batch_size, -1), self.nbatches, axis=1)
        if self.nbatches < 50:
            print(
                "WARNING: less than 50 batches in the data in total? Looks like very small dataset. "
                "You probably want to use smaller batch_size and/or seq_length."
            )

    def _split(self, fractions: tuple[float, float, float]) -> None:
        """Gives the batches to training, validation and test."""
        self.ntrain = int(self.nbatches * fractions[0])
        # without a test fraction the rest is for validation, else for the test
        self.nval = self.nbatches - self.ntrain if fractions[2] == 0 else int(self.nbatches * fractions[1])
        self.ntest = self.nbatches - self.ntrain - self.nval
        self.split_sizes = [self.ntrain, self.nval, self.ntest]
        self.batch_ix = [0, 0, 0]
        print(f"data load done. Number of data batches in train: {self.ntrain}, val: {self.nval}, test: {self.ntest}")
        for name, size, fraction in zip(SPLITS[:2], self.split_sizes, fractions):
            if size == 0 and (fraction > 0 or name == "train"):
                raise UsageError(
                    f"the {name} split gets none of the {self.nbatches} batches: use more text, a smaller -batch_size "
                    "or -seq_length, or other -train_frac and -val_frac"
                )

    def take_rows(self, rows: slice) -> None:
        """Keeps these rows only of every batch."""
        self.x_batches, self.y_batches = ([batch[rows] for batch in kept] for kept in (self.x_batches, self.y_batches))

    def reset_batch_pointer(self, split_index: int, batch_index: int = 0) -> None:
        """The next batch of a split (1 train, 2 val, 3 test) is the one after `batch_index`."""
        self.batch_ix[split_index - 1] = batch_index

    def next_batch(self, split_index: int) -> tuple[np.ndarray, np.ndarray]:
        """The next x and y of a split (1 train, 2 val, 3 test), each (batch_size, seq_length), over and over."""
        k = split_index - 1
        if self.split_sizes[k] == 0:
            raise UsageError(f"a batch of the {SPLITS[k]} split was asked for, but this split has no data")
        self.batch_ix[k] = self.batch_ix[k] % self.split_sizes[k] + 1
        at = self.batch_ix[k] - 1 + sum(self.split_sizes[:k])
        return self.x_batches[at], self.y_batches[at]


def load(data_dir: Path, encoding: str) -> tuple[np.ndarray, dict[Any, int]]:
    """The indices of the text and its vocabulary, from the files kept beside it or, if it is newer, from the text."""
    suffix = "" if encoding == "bytes" else f"_{encoding}"
    text, vocab, tensor = data_dir / "input.txt", data_dir / f"vocab{suffix}.t7", data_dir / f"data{suffix}.t7"
    if not text.is_file() and not (vocab.is_file() and tensor.is_file()):
        raise UsageError(f"no file {text}: -data_dir names the directory that holds input.txt")
    if not (vocab.exists() and tensor.exists()):
        print(f"{vocab.name} and {tensor.name} do not exist. Running preprocessing...")
        text_to_tensor(text, vocab, tensor, encoding)
    elif text.is_file() and text.stat().st_mtime > min(vocab.stat().st_mtime, tensor.stat().st_mtime):
        print(f"{vocab.name} or {tensor.name} detected as stale. Re-running preprocessing...")
        text_to_tensor(text, vocab, tensor, encoding)
    print("loading data files...")
    data, mapping = torch7.load(tensor), torch7.load(vocab)
    if not torch7.isTensor(data) or data.ndim != 1 or data.size == 0 or not isinstance(mapping, torch7.Table):
        raise UsageError(f"{tensor} and {vocab} do not hold a text: remove them to have them made anew")
    if data.min() < 1 or data.max() > len(mapping):
        raise UsageError(f"{tensor} has characters that {vocab} has not: remove both to have them made anew")
    return data, dict(mapping)


def text_to_tensor(in_textfile: Path, out_vocabfile: Path, out_tensorfile: Path, encoding: str = "bytes") -> None:
    """Writes the vocabulary (character to index, from 1) and the text as indices."""
    print(f"one-time setup: preprocessing input text file {in_textfile}...")
    print("loading text file...")
    raw = in_textfile.read_bytes()
    if not raw:
        raise UsageError(f"{in_textfile} is empty")
    print("creating vocabulary mapping...")
    codes = np.frombuffer(raw, np.uint8) if encoding == "bytes" else utf8_codes(raw, in_textfile)
    letters, data = np.unique(codes, return_inverse=True)
    mapping = {letter(int(code), encoding): i for i, code in enumerate(letters, 1)}
    print("putting data into tensor...")
    small = np.uint8 if len(letters) < 256 else np.int32
    for path, value in ((out_vocabfile, torch7.Table(mapping)), (out_tensorfile, (data + 1).astype(small))):
        print(f"saving {path}")
        torch7.save(path, value)


def utf8_codes(raw: bytes, path: Path) -> np.ndarray:
    """The characters of a UTF-8 text as numbers."""
    try:
        return np.frombuffer(raw.decode("utf-8").encode("utf-32-le"), np.uint32)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is no UTF-8 text: {error.reason} at byte {error.start}. Use -encoding bytes"
        ) from None


def letter(code: int, encoding: str) -> str | bytes:
    """The key of a character in the vocabulary: text where it is one, else the byte, as files give it back."""
    if encoding == "utf8" or code < 128:
        return chr(code)
    return bytes([code])

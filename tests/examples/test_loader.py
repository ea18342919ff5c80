"""From a text to minibatches."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import torch7
from util.char_split_lm_minibatch_loader import CharSplitLMMinibatchLoader
from util.misc import UsageError

from ..support.golden import cases, decode
from .programs import CHECKPOINTS, place, text

RECORDED = cases("charrnn/preprocessing.json")
NAMES = [f"{c['data']}-{c['batch_size']}x{c['seq_length']}-{c['train_frac']}" for c in RECORDED]


def recorded_loader(texts: Path, case: dict[str, Any]) -> CharSplitLMMinibatchLoader:
    fractions = case["train_frac"], case["val_frac"], case["test_frac"]
    return CharSplitLMMinibatchLoader(texts / "data" / case["data"], case["batch_size"], case["seq_length"], fractions)


@pytest.mark.parametrize("case", RECORDED, ids=NAMES)
class TestRecorded:
    def test_vocabulary_and_data(self, texts: Path, case: dict[str, Any]) -> None:
        loader = recorded_loader(texts, case)
        data = torch7.load(texts / "data" / case["data"] / "data.t7")
        assert loader.vocab_mapping == {decode(key): i for i, key in enumerate(case["vocab"], 1)}
        assert loader.vocab_size == case["vocab_size"]
        assert torch7.typename(data) == case["data_type"]
        assert data[:60].tolist() == case["data_head"][:60]
        assert data[-20:].tolist() == case["data_tail"]
        assert (len(data), data.sum()) == (case["data_len"], case["data_sum"])

    def test_batches(self, texts: Path, case: dict[str, Any]) -> None:
        loader = recorded_loader(texts, case)
        assert loader.nbatches == case["nbatches"]
        assert loader.split_sizes == [case["ntrain"], case["nval"], case["ntest"]]
        for draw in case["draws"]:
            split, k = draw["split"], draw["split"] - 1
            if draw["batch_ix"] != loader.batch_ix[k] % loader.split_sizes[k] + 1:
                loader.reset_batch_pointer(split, draw["batch_ix"] - 1)
            x, y = loader.next_batch(split)
            assert loader.batch_ix[k] == draw["batch_ix"]
            assert list(x.shape) == draw["x_size"]
            assert (x.sum(), y.sum(), y[-1, -1]) == (draw["x_sum"], draw["y_sum"], draw["y_last"])
            assert torch7.typename(x) == draw["x_type"]
            for array, recorded in ((x, decode(draw["x"])), (y, decode(draw["y"]))):
                np.testing.assert_array_equal(array[:, : recorded.shape[1]], recorded)


def make(folder: Path, encoding: str = "bytes", batch_size: int = 2, seq_length: int = 3) -> CharSplitLMMinibatchLoader:
    return CharSplitLMMinibatchLoader(folder, batch_size, seq_length, (0.5, 0.5, 0), encoding)


class TestEncodings:
    def test_characters(self, tmp_path: Path) -> None:
        loader = make(place("chinese", tmp_path), "utf8")
        letters = text("chinese").decode()
        assert loader.vocab_mapping == {key: i for i, key in enumerate(sorted(set(letters)), 1)}
        data = torch7.load(tmp_path / "data/chinese/data_utf8.t7")
        assert "".join(sorted(set(letters))[i - 1] for i in data) == letters

    def test_both_encodings_side_by_side(self, tmp_path: Path) -> None:
        folder = place("chinese", tmp_path)
        sizes = [make(folder, encoding).vocab_size for encoding in ("bytes", "utf8", "bytes", "utf8")]
        assert sizes == [70, 78, 70, 78]

    def test_many_characters(self, tmp_path: Path) -> None:
        letters = [chr(0x4E00 + i) for i in range(300)]
        loader = make(place("many", tmp_path, "".join(letters).encode()), "utf8")
        assert loader.vocab_mapping[letters[-1]] == 300
        assert max(x.max() for x in loader.x_batches) == 300

    def test_all_bytes(self, tmp_path: Path) -> None:
        loader = make(place("all", tmp_path, bytes(range(256)) * 3))
        assert loader.vocab_mapping == {chr(i) if i < 128 else bytes([i]): i + 1 for i in range(256)}
        assert max(x.max() for x in loader.x_batches) == 256

    def test_bytes_that_are_no_utf8(self, tmp_path: Path) -> None:
        with pytest.raises(
            UsageError, match=r"input.txt is no UTF-8 text: invalid continuation byte at byte 3. Use -encoding"
        ):
            make(place("latin", tmp_path, b"abc\xe9" * 20), "utf8")


class TestCachedFiles:
    def test_are_used(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = place("small", tmp_path)
        make(folder)
        made = {name: (folder / name).stat().st_mtime_ns for name in ("vocab.t7", "data.t7")}
        assert "vocab.t7 and data.t7 do not exist. Running preprocessing..." in capsys.readouterr().out
        make(folder)
        assert capsys.readouterr().out.startswith("loading data files...\n")
        assert {name: (folder / name).stat().st_mtime_ns for name in made} == made

    def test_are_used_without_the_text(self, tmp_path: Path) -> None:
        folder = place("small", tmp_path)
        expected = make(folder).vocab_mapping
        (folder / "input.txt").unlink()
        assert make(folder).vocab_mapping == expected

    @pytest.mark.parametrize("old", ["vocab.t7", "data.t7"])
    def test_older_than_the_text_are_made_anew(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str
    ) -> None:
        folder = place("small", tmp_path)
        make(folder)
        (folder / "input.txt").write_bytes(b"xyz" * 20)
        os.utime(folder / "input.txt", (1e9, 1e9))
        assert make(folder).vocab_size == 40
        os.utime(folder / old, (5e8, 5e8))
        capsys.readouterr()
        assert make(folder).vocab_mapping == {"x": 1, "y": 2, "z": 3}
        assert "vocab.t7 or data.t7 detected as stale. Re-running preprocessing...\n" in capsys.readouterr().out

    def test_one_of_two_is_none(self, tmp_path: Path) -> None:
        folder = place("small", tmp_path)
        make(folder)
        (folder / "data.t7").unlink()
        assert make(folder).vocab_size == 40

    def test_of_torch(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The vocabulary that Torch saved in a checkpoint, which is the table that it saves as vocab.t7."""
        vocab = torch7.load(CHECKPOINTS / "lstm_small.t7").vocab
        folder = place("small", tmp_path)
        data = np.array([vocab[chr(code)] for code in text("small")], np.uint8)
        torch7.save(folder / "vocab.t7", vocab)
        torch7.save(folder / "data.t7", data)
        loader = make(folder)
        assert capsys.readouterr().out.startswith("loading data files...\n")
        assert loader.vocab_mapping == dict(vocab)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("data.t7", [1, 2], "do not hold a text: remove them"),
            ("data.t7", np.zeros((2, 2)), "do not hold a text: remove them"),
            ("vocab.t7", "abc", "do not hold a text: remove them"),
            ("vocab.t7", {"a": 1}, "has characters that .* has not: remove both"),
            ("data.t7", np.zeros(99, np.uint8), "has characters that .* has not: remove both"),
        ],
    )
    def test_that_hold_something_else(self, tmp_path: Path, name: str, value: Any, message: str) -> None:
        folder = place("small", tmp_path)
        make(folder)
        torch7.save(folder / name, value)
        with pytest.raises(UsageError, match=message):
            make(folder)


class TestSplits:
    def test_goes_around(self, tmp_path: Path) -> None:
        loader = make(place("small", tmp_path), batch_size=10, seq_length=90)
        assert loader.split_sizes == [5, 5, 0]
        first = [loader.next_batch(1)[0] for _ in range(5)]
        assert all((loader.next_batch(1)[0] == x).all() for x in first)
        loader.reset_batch_pointer(1)
        assert (loader.next_batch(1)[0] == first[0]).all()
        loader.reset_batch_pointer(1, 3)
        assert (loader.next_batch(1)[0] == first[3]).all()
        with pytest.raises(UsageError, match="a batch of the test split was asked for, but this split has no data"):
            loader.next_batch(3)

    @pytest.mark.parametrize("fractions", [(0.0, 1.0, 0.0), (1.0, 0.05, 0.0), (0.9, 0.01, 0.09)])
    def test_without_batches(self, tmp_path: Path, fractions: Any) -> None:
        name = "train" if fractions[0] == 0 else "val"
        with pytest.raises(UsageError, match=f"the {name} split gets none of the 10 batches: use more text"):
            CharSplitLMMinibatchLoader(place("small", tmp_path), 10, 90, fractions)

    def test_of_fractions_that_fail_to_add_up_by_rounding(self, tmp_path: Path) -> None:
        loader = CharSplitLMMinibatchLoader(place("small", tmp_path), 10, 90, (0.7, 0.3, 1e-16))
        assert loader.split_sizes == [7, 3, 0]

    def test_without_validation_if_asked_for(self, tmp_path: Path) -> None:
        assert CharSplitLMMinibatchLoader(place("small", tmp_path), 10, 90, (1, 0, 0)).split_sizes == [10, 0, 0]

    @pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
    def test_that_are_no_fractions(self, tmp_path: Path, fraction: float) -> None:
        with pytest.raises(UsageError, match=r"bad split fraction .* for val, not between 0 and 1"):
            CharSplitLMMinibatchLoader(place("small", tmp_path), 10, 90, (0.5, fraction, 0))

    @given(st.binary(min_size=2, max_size=300), st.integers(1, 5), st.integers(1, 7))
    def test_the_batches_are_the_text(self, content: bytes, batch_size: int, seq_length: int) -> None:
        """Batches lie side by side, rows follow each other, and every target is the next character."""
        rows = len(content) // (batch_size * seq_length)
        assume(rows >= 2)
        with tempfile.TemporaryDirectory() as directory:
            loader = make(place("any", Path(directory), content), "bytes", batch_size, seq_length)
        used = content[: rows * batch_size * seq_length]
        indices = [sorted(set(content)).index(code) + 1 for code in used]
        assert np.hstack(loader.x_batches).reshape(-1).tolist() == indices
        assert np.hstack(loader.y_batches).reshape(-1).tolist() == [*indices[1:], indices[0]]
        assert {x.shape for x in loader.x_batches} == {(batch_size, seq_length)}

"""caption.py: an LSTM says what a convolutional network sees."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

caption = program("caption")

THINGS = list(itertools.product(caption.SIZES, caption.COLOURS, caption.SHAPES))


def test_it_says_what_it_sees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--short", "--pictures", "1024", "--epochs", "3", "--output", str(tmp_path)]
    shares, parts = caption.main(words)
    seen, never = parts["captions seen in training"], parts["things never seen"]
    assert seen["colour"] > 0.6  # one in five by chance
    assert seen["size"] > 0.65
    assert seen["caption"] > 0.12  # one in sixty, whichever caption one repeats
    assert never["shape"] < seen["shape"]
    assert never["caption"] < seen["caption"] - 0.1
    assert [len(each) for each in shares.values()] == [3, 3, 3]
    assert shares["captions seen in training"][-1] == seen["caption"]
    told = capsys.readouterr().out
    assert "1024 pictures to learn from" in told
    assert f"things never seen: right are {never['caption']:.1%} of the captions" in told
    assert wrote(told, tmp_path) == {"caption-graph.svg", "caption.png", "caption-pictures.png"}


def colours(picture: np.ndarray) -> np.ndarray:
    """Which colour each pixel (SIDE, SIDE) has, counted from 1; 0 where it is dark."""
    seen = picture / 4 + 0.25
    distances = [np.square(seen - np.array(colour)[:, None, None]).sum(0) for colour in caption.COLOURS.values()]
    return np.where(seen.max(0) > 0.35, 1 + np.argmin(distances, 0), 0)


def test_captions_are_true() -> None:
    torch7.manualSeed(4)
    names, kinds = ["dark", *caption.COLOURS], set()
    for picture, words in zip(*caption.scenes(150, THINGS)):
        found, half = colours(picture), caption.SIDE // 2
        kinds.add(tuple(word for word in words if word in ("above", "left")))
        if "above" in words:
            parts = [(found[:half], words[1:4]), (found[half:], words[-3:])]
        elif "left" in words:
            parts = [(found[:, :half], words[1:4]), (found[:, half:], words[-3:])]
        else:
            parts = [(found, words[-3:])]
        for part, (size, colour, shape) in parts:
            counts = np.bincount(part[part > 0], minlength=len(names))
            assert names[counts.argmax()] == colour
            assert counts.max() > 0.8 * counts.sum()
            least = {"circle": 58, "square": 72, "triangle": 34, "cross": 40}[shape]  # of pixels between the sizes
            assert (counts.max() > least) == (size == "large")
    assert kinds == {(), ("above",), ("left",)}


def test_shapes_are_what_they_are_called() -> None:
    y, x = np.mgrid[-1:1:201j, -1:1:201j]
    shares = {shape: caption.inside(shape, x, y).mean() for shape in caption.SHAPES}
    assert abs(shares["circle"] - np.pi / 4) < 0.01
    assert shares["square"] == 1
    triangle, cross = (caption.inside(shape, x, y).astype(int) for shape in ("triangle", "cross"))
    assert (np.diff(triangle.sum(1)[:180]) >= 0).all()  # wider and wider
    assert (triangle.sum(1)[0], triangle.sum(1)[179]) == (1, pytest.approx(200, abs=2))
    assert cross[100].all()
    assert cross[:, 100].all()
    assert not cross[[0, 0, -1, -1], [0, -1, 0, -1]].any()


@pytest.mark.parametrize(("words", "count"), [("", 8), ("--hold-out large", 4)])
def test_what_is_held_out_is_never_shown(words: str, count: int) -> None:
    torch7.manualSeed(1)
    learned, tests = caption.data(caption.arguments(["--pictures", "400", *words.split()]))

    def things(captions: list[list[str]]) -> set[tuple[str, ...]]:
        starts = ((text, i) for text in captions for i, word in enumerate(text) if word in caption.SIZES)
        return {tuple(text[i : i + 3]) for text, i in starts}

    known, new, never = (captions for _, captions in tests.values())
    assert len(things(never)) == count
    assert not things(never) & things(learned[1] + known + new)
    assert {thing[1:] for thing in things(never)} == caption.NEVER
    assert things(known + new) <= things(learned[1])
    assert all(text in learned[1] for text in known)
    assert not any(text in learned[1] for text in new)
    assert (len(learned[1]), len(known) + len(new), len(never)) == (400, 50, 25)


def test_the_decoder_reads_what_it_should_have_written() -> None:
    before, labels = caption.table([["a", "small"], ["a"]])
    assert before.shape == labels.shape == (caption.LIMIT, 2)
    assert labels[:4].T.tolist() == [[2, 3, 1, 0], [2, 1, 0, 0]]
    assert before[:3].T.tolist() == [[1, 2, 3], [1, 2, 1]]


def log_p(model: caption.Captioner, picture: np.ndarray, text: list[str]) -> float:
    """The logarithm of a caption's probability, by the network for training."""
    before, labels = caption.table([text])
    y = model.net.forward([picture[None], before])
    return float(sum(y[t, labels[t, 0] - 1] for t in range(min(len(text) + 1, caption.LIMIT))))


@pytest.fixture
def untrained() -> tuple[caption.Captioner, np.ndarray]:
    """A network whose words are not all alike in probability, and pictures."""
    torch7.manualSeed(6)
    model = caption.Captioner(128)
    model.net.parameters()[0][-2][...] *= 10  # the weight of the scores
    return model, caption.scenes(6, THINGS)[0]


def test_greedy_captions_are_the_likeliest_words(untrained: tuple[caption.Captioner, np.ndarray]) -> None:
    model, pictures = untrained
    texts = model.greedy(pictures)
    before, _ = caption.table([text[: caption.LIMIT - 1] for text in texts])
    likely = 1 + model.net.forward([pictures, before]).argmax(1).reshape(caption.LIMIT, -1)
    for text, column in zip(texts, likely.T):
        assert [caption.WORDS[i - 1] for i in column][: len(text)] == text
        assert len(text) == caption.LIMIT or column[len(text)] == 1
    assert [model.greedy(pictures[i : i + 1])[0] for i in range(6)] == texts


def test_a_wide_beam_finds_the_likeliest_caption(
    untrained: tuple[caption.Captioner, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, pictures = untrained
    monkeypatch.setattr(caption, "LIMIT", 3)
    every = [list(text) for n in range(3) for text in itertools.product(caption.WORDS[1:], repeat=n)]
    for picture in pictures[:2]:
        before, labels = caption.table(every)
        y = model.net.forward([np.repeat(picture[None], len(every), 0), before]).reshape(3, len(every), -1)
        sums = sum(
            np.where(labels[t] > 0, y[t, np.arange(len(every)), np.maximum(labels[t], 1) - 1], 0) for t in range(3)
        )
        text, score = model.beam(picture, 1000)
        assert text == every[int(np.argmax(sums))]
        np.testing.assert_allclose(score, sums.max(), rtol=1e-4)


@pytest.mark.parametrize("width", [1, 4])
def test_a_beam_tells_the_probability_of_its_caption(
    width: int, untrained: tuple[caption.Captioner, np.ndarray]
) -> None:
    model, pictures = untrained
    for picture in pictures:
        text, score = model.beam(picture, width)
        assert len(text) < caption.LIMIT
        assert caption.END not in text
        np.testing.assert_allclose(score, log_p(model, picture, text), rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--pictures 31", "expected 32 or more, got 31"),
        ("--hold-out small", "invalid choice: 'small'"),
        ("--beam 0", "expected 1 or more, got 0"),
        ("--size 1.5", "expected a whole number, got '1.5'"),
        ("--rate -1", "expected a number above 0, got -1"),
    ],
)
def test_options_that_make_no_sense(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("caption", words, complaint, capsys)

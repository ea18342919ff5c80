"""classify.py: a digit as a sequence of rows or of pixels, and what the last state knows of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

classify = program("classify")


def test_rows_are_read_well_soon_and_pixels_are_harder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shares = classify.main(["--short", "--epochs", "3", "--output", str(tmp_path)])
    assert shares["rows"] > 0.7
    assert 0.3 < shares["pixels"] < shares["rows"]
    told = capsys.readouterr().out
    assert f"{shares['pixels']:.2%} of the held-out digits are right" in told
    assert wrote(told, tmp_path) == {
        "classify-graph.svg",
        "classify-curves.png",
        "classify-reading.png",
        "classify-confusion.png",
    }


def test_the_steps_are_rows_and_pixels() -> None:
    pictures = np.arange(128.0).reshape(2, 1, 8, 8)
    rows, pixels = classify.sequences(pictures, 8), classify.sequences(pictures, 1)
    assert (rows.shape, pixels.shape) == ((8, 2, 8), (64, 2, 1))
    for t in range(8):
        assert np.array_equal(rows[t], pictures[:, 0, t])
    for t in range(64):
        assert np.array_equal(pixels[t], pictures[:, 0, t // 8, t % 8, None])


def test_scrambled_pixels_are_the_same_numbers_and_rows_of_them_are_learned_as_well() -> None:
    options = classify.arguments(["--short", "--network", "gru"])
    data, held_out = classify.digits(1)
    order = torch7.randperm(64).astype(int) - 1
    mixed, mixed_out = ((classify.scrambled(pictures, order), labels) for pictures, labels in (data, held_out))
    assert not np.array_equal(mixed[0], data[0])
    assert np.array_equal(classify.scrambled(mixed[0], np.argsort(order)), data[0])
    assert np.array_equal(mixed[0][5, 0, 2, 3], data[0][5].flat[order[19]])
    curves = classify.learn("rows", classify.Reader("gru", 8, options.size), mixed, mixed_out, options)
    assert curves.shares[-1] > 0.75


@pytest.mark.parametrize("kind", sorted(classify.STEPS))
def test_the_answer_is_made_of_the_last_state(kind: str) -> None:
    torch7.manualSeed(1)
    reader = classify.Reader(kind, 8, 5)
    pictures = torch7.rand(3, 1, 8, 8).astype(np.float32)
    answers = reader.answers(pictures)
    np.testing.assert_allclose(np.exp(answers).sum(1), 1, rtol=1e-5)
    for picture, answer in zip(pictures, answers):
        on_the_way = reader.answers_on_the_way(picture)
        assert on_the_way.shape == (8, 10)
        np.testing.assert_allclose(on_the_way[-1], np.exp(answer), rtol=1e-4)
        changed = picture.copy()
        changed[0, 5:] = 0
        np.testing.assert_allclose(reader.answers_on_the_way(changed)[:5], on_the_way[:5], rtol=1e-4)
        assert abs(reader.answers_on_the_way(changed)[-1] - on_the_way[-1]).max() > 1e-4


def test_no_step_of_training_looks_at_held_out_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    data, held_out = classify.digits(1)
    seen: list[np.ndarray] = []
    reader = classify.Reader("rnn", 8, 2)

    class Watched:
        def __init__(self, *_: object, **__: object) -> None:
            self.rate = 0.0

        def __call__(self, inputs: list[np.ndarray], labels: np.ndarray) -> float:
            seen.extend(inputs[0].swapaxes(0, 1))
            return 1.0

    monkeypatch.setattr(classify.lecture, "Training", Watched)
    classify.learn("rows", reader, data, held_out, classify.arguments(["--epochs", "1"]))
    assert sorted(x.tobytes() for x in seen) == sorted(x.tobytes() for x in data[0])
    assert len(seen) + len(held_out[0]) == 1797


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("classify", "--network cnn", "invalid choice: 'cnn'", capsys)
    refuses("classify", "--show 3 10", "invalid choice: 10", capsys)
    refuses("classify", "--size 0", "expected 1 or more, got 0", capsys)

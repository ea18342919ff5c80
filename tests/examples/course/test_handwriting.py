"""handwriting.py: the density and its gradient, the window, and that knowing the text helps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

handwriting = program("handwriting")


@pytest.fixture
def options() -> argparse.Namespace:
    torch7.manualSeed(1)
    given: argparse.Namespace = handwriting.arguments(
        ["--letters", "elo", "--text", "lo", "--size", "20", "--gaussians", "3"]
    )
    return given


def test_one_gaussian_is_the_normal_distribution() -> None:
    x = np.array([[0.3, -0.4, 1.0]])
    y = np.array([[0.0, 0.1, -0.2, np.log(0.5), np.log(2), np.arctanh(0.7), np.log(3)]])  # e = 1/4
    covariance, away = np.array([[0.25, 0.7], [0.7, 4.0]]), x[0, :2] - [0.1, -0.2]
    square = away @ np.linalg.solve(covariance, away)
    expected = (square + np.log(np.linalg.det(2 * np.pi * covariance))) / 2 - np.log(0.25)
    assert abs(handwriting.DensityCriterion().forward(y, x) - expected) < 1e-12
    x[0, 2] = 0
    expected += np.log(0.25) - np.log(0.75)
    assert abs(handwriting.DensityCriterion().forward(y, x) - expected) < 1e-12


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    torch7.manualSeed(2)
    y, x = torch7.randn(3, 2, 6 * 4 + 1), torch7.randn(3, 2, 3)
    x[..., 2] = x[..., 2] > 0
    x[1, 0] = np.nan
    criterion = handwriting.DensityCriterion()
    criterion.forward(y, x)
    gradient, step = criterion.backward(y, x).copy(), 1e-5
    for i in np.ndindex(y.shape):
        here = y[i]
        losses = []
        for y[i] in (here + step, here - step):
            losses.append(criterion.forward(y, x))
        y[i] = here
        assert abs((losses[0] - losses[1]) / (2 * step) - gradient[i]) < 1e-8
    assert not gradient[1, 0].any()
    assert abs(gradient[0, 0]).min() > 1e-6


def test_extreme_outputs_do_no_harm() -> None:
    y = np.array([[300.0, -300, 5, 80, 0, 0, -5, 8, -5, 8, 12, -12, 200]], np.float32)
    criterion, x = handwriting.DensityCriterion(), np.array([[5, 0, 0]], np.float32)
    assert np.isfinite(criterion.forward(y, x))
    assert np.isfinite(criterion.backward(y, x)).all()


def test_draws_have_the_moments_of_the_density() -> None:
    torch7.manualSeed(3)
    two = [np.log(1 / 3), np.log(2 / 3), -3, 3, 0, 1, *np.log([0.5, 0.5, 2, 1]), 0, np.arctanh(0.8), np.log(9)]
    points = handwriting.Density(np.tile(two, (20000, 1))).draw()
    right = points[points[:, 0] > 0]
    assert abs(len(right) / len(points) - 2 / 3) < 0.02
    assert abs(np.corrcoef(*right[:, :2].T)[0, 1] - 0.8) < 0.03
    np.testing.assert_allclose(right[:, :2].mean(0), [3, 1], atol=0.05)
    np.testing.assert_allclose(right[:, :2].std(0), [0.5, 1], rtol=0.05)
    assert abs(points[:, 2].mean() - 0.1) < 0.02
    neat = handwriting.Density(np.tile(two, (2000, 1)), 2.0).draw()
    assert (neat[:, 0] > 0).mean() > 0.8  # 8 / 9 after the bias
    np.testing.assert_allclose(neat[neat[:, 0] > 0, 1].std(), np.exp(-2), rtol=0.1)


def test_offsets_and_strokes_are_the_same_writing() -> None:
    torch7.manualSeed(1)
    strokes = handwriting.written("tie")
    again = handwriting.to_strokes(handwriting.to_offsets(strokes))
    assert len(again) == len(strokes) > 3
    for one, other in zip(strokes, again):
        np.testing.assert_allclose(one - strokes[0][0], other, atol=1e-12)
    assert len(handwriting.to_strokes(np.array([[0, 0, 0], [1, 0, 1], [1, 1, 0.0]]))) == 2


def test_letters_join_and_points_are_evenly_spaced() -> None:
    assert [len(handwriting.printed(text)) for text in ("c", "l", "cl", "t")] == [1, 1, 1, 3]
    for stroke in handwriting.printed("one"):
        way = np.hypot(*np.diff(handwriting.paced(stroke), axis=0).T)
        assert (way < 1.3 * handwriting.SPACING).all()
        assert np.median(way) > 0.8 * handwriting.SPACING


def test_the_window_is_the_formula_and_moves_forward_only(options: argparse.Namespace) -> None:
    writer = handwriting.Writer(options, options.letters)
    linear = next(m for m in writer.net.double().listModules() if str(m) == "nn.Linear(20 -> 9)")
    states: list[Any] = [s.astype(float) for s in writer.start(["lo", "eel"])]
    torch7.manualSeed(4)
    for x in torch7.randn(10, 2, 3):
        *new, _, phi = writer.unrolled.step.forward([x, *states])
        a, b, d = np.split(np.exp(new[1] @ linear.weight.T + linear.bias), 3, axis=1)
        assert (new[2] > states[2]).all()
        np.testing.assert_allclose(new[2], states[2] + d, rtol=1e-12)
        u = np.arange(1, writer.positions + 1)
        expected = (a[..., None] * np.exp(-b[..., None] * (new[2][..., None] - u) ** 2)).sum(1)
        np.testing.assert_allclose(phi, expected, rtol=1e-10)
        np.testing.assert_allclose(new[3], np.einsum("bu,bul->bl", expected, states[4]), rtol=1e-10)
        assert np.array_equal(new[4], states[4])
        states = [s.copy() for s in new]


def test_texts_are_one_hot_and_minibatches_end_in_nan(options: argparse.Namespace) -> None:
    writer = handwriting.Writer(options, options.letters)
    text = writer.start(["lo", "eel"])[-1]
    assert [["elo"[j] for j in row.argmax(1)[row.any(1)]] for row in text] == [["l", "o"], ["e", "e", "l"]]
    short, long = np.full((3, 3), 1.0), np.full((5, 3), 2.0)
    (x, *_), target = writer.inputs(["lo", "eel"], [short, long])
    assert x[:, 0, 0].tolist() == [1, 1, 1, 0]
    assert x[:, 1, 0].tolist() == [2] * 4
    assert np.isnan(target[:, 0, 0]).tolist() == [False, False, True, True]
    assert (target[:, 1] == 2).all()


def test_both_networks_know_more_than_one_gaussian(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--letters elo --text lo --lines 96 --epochs 6 --size 40 --gaussians 4 --rate 0.01"
    losses, lines, phi = handwriting.main([*words.split(), "--output", str(tmp_path)])
    assert losses["one Gaussian"] > 2.5
    assert losses["prediction"] < losses["one Gaussian"] - 0.5
    assert losses["synthesis"] < losses["one Gaussian"] - 1
    assert len(lines) == 4
    assert len(phi) == len(lines[-1]) - 1
    told = capsys.readouterr().out
    pictures = {"handwriting-graph.svg", "handwriting.png", "handwriting-window.png", "handwriting.svg"}
    assert wrote(told, tmp_path) == pictures
    page = ElementTree.parse(tmp_path / "handwriting.svg").getroot()
    paths = page.findall("{http://www.w3.org/2000/svg}path")
    assert len(paths) == sum(len(handwriting.to_strokes(line)) for line in lines)
    assert sum(path.get("d", "").count(",") for path in paths) == sum(map(len, lines))
    page = ElementTree.fromstring(handwriting.page({"a < b & c": handwriting.to_strokes(lines[0])}).encode())
    assert page[0].text == "a < b & c"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--text zoo", "--text: expected letters of --letters, 'aehilnorstu', got 'z'"),
        ("--letters aßb --text a", "--letters: expected letters of the font, each once, got 'ß' in 'aßb'"),
        ("--letters noon --text n", "--letters: expected letters of the font, each once, got 'n' in 'noon'"),
        ("--text=", "--text: expected one letter or more, got none"),
        ("--bias -1", "expected a number at least 0, got -1"),
    ],
)
def test_options_that_make_no_sense(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("handwriting", words, complaint, capsys)

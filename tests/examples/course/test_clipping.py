"""clipping.py: a clipped gradient stays near the cliff, and a network learns that explodes without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import optim

from ...support.course import program, refuses, wrote

clipping = program("clipping")


def test_clip_keeps_the_direction_and_limits_the_length() -> None:
    gradient = np.array([30.0, -40.0])
    assert clipping.clip(gradient, 5) == 50
    np.testing.assert_allclose(gradient, [3, -4], rtol=1e-15)
    assert clipping.clip(gradient, 5.1) == pytest.approx(5)
    np.testing.assert_allclose(gradient, [3, -4], rtol=1e-15)
    mine, other = (np.random.default_rng(1).normal(size=1000) for _ in range(2))
    assert clipping.clip(mine, 0.3) == pytest.approx(optim.clip_by_norm(other, 0.3))
    np.testing.assert_allclose(mine, other, rtol=1e-13)


def test_the_surface_is_the_error_of_the_unit() -> None:
    one = clipping.Unit()
    w, b = np.array([3.0, 5.0, 6.0]), np.array([-2.0, -2.6, 1.0])
    errors = [one.derivative(*place)[0] for place in zip(w, b)]
    np.testing.assert_allclose(errors, clipping.surface(w, b), rtol=1e-9)
    _, gradient = one.derivative(3.0, -2.0)
    ends = [clipping.surface(np.array(3 + dw), np.array(-2 + db)) for dw, db in ((1e-6, 0), (0, 1e-6))]
    np.testing.assert_allclose(gradient, (np.array(ends) - errors[0]) / 1e-6, rtol=1e-4)


def test_there_is_a_cliff() -> None:
    low, high = clipping.surface(np.array([6.0, 6.0]), np.array([-3.1, -3.3]))
    assert high - low > 0.3


def test_a_long_gradient_throws_the_unit_far_away() -> None:
    free, clipped = clipping.descend(np.inf, 200), clipping.descend(0.2, 200)
    assert clipped[:, 3].max() > 5  # it meets the cliff, too
    assert np.linalg.norm(np.diff(clipped[:, :2], axis=0), axis=1).max() < 0.1001
    assert np.linalg.norm(np.diff(free[:, :2], axis=0), axis=1).max() > 1
    assert clipped[-20:, 2].mean() < 0.02 < free[-20:, 2].mean()


def test_only_the_clipped_network_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    free, clipped = clipping.main(["--short", "--output", str(tmp_path)]).values()
    assert len(free) < 10
    assert len(clipped) == 600
    assert np.mean(clipped[-50:]) < 0.14
    told = capsys.readouterr().out
    assert "optim.sgd: in step 2 the loss is" in told
    assert wrote(told, tmp_path) == {"clipping.png", "clipping-graph.svg"}


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("clipping", "--limit 0", "expected a number above 0, got 0", capsys)
    refuses("clipping", "--length 1", "expected 2 or more, got 1", capsys)

"""lstm.py: the wiring is the library's, and the gates of the unit that remembers open and close in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn
import pygraphnn
import torch7

from ...support.course import program, refuses, wrote

lstm = program("lstm")


def test_gates_write_at_the_mark_keep_and_show_at_the_cue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory, correlation, means = lstm.main(["--short", "--seed", "2", "--stack-steps", "2", "--output", str(tmp_path)])
    torch7.manualSeed(9)
    assert memory.test(8) > 0.9
    assert memory.reach(16) > 0.5 > 100 * lstm.Memory(8, 1, lstm.arguments([])).reach(16)
    unit = correlation.argmax()
    assert correlation[unit] > 0.85
    (i, i_between, _), (f, f_between, _), (o, o_between, o_cue) = (means[name][:, unit] for name in ("i", "f", "o"))
    assert i > i_between + 0.4
    assert f_between > 0.9
    assert f_between > f + 0.3
    assert o_cue > max(o, o_between) + 0.5
    told = capsys.readouterr().out
    assert f"unit {unit + 1:2}   i {i:.2f} {i_between:.2f}" in told
    assert wrote(told, tmp_path) == {"lstm.png", "lstm-stacks.png", "lstm-graph.svg"}


@pytest.mark.parametrize("size", [1, 7])
def test_the_cell_is_the_librarys(size: int) -> None:
    torch7.manualSeed(1)
    assert lstm.compare(size) < 1e-12


def test_the_cell_is_the_formulas() -> None:
    torch7.manualSeed(1)
    x, c, h = (nn.Identity()() for _ in range(3))
    made = lstm.cell(x, c, h, 3, 4)
    net = pygraphnn.gModule([x, c, h], list(made.values()))
    m = lstm.modules(net)
    x, c, h = torch7.randn(2, 3), torch7.randn(2, 4), torch7.randn(2, 4)

    def sums(gate: str) -> np.ndarray:
        W, U = m[f"W_{gate} x"], m[f"U_{gate} h"]
        total: np.ndarray = x @ W.weight.T + W.bias + h @ U.weight.T
        return total

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    i, f, z = sigmoid(sums("i")), sigmoid(sums("f")), np.tanh(sums("z"))
    new_c = f * c + i * z
    o = sigmoid(sums("o") + new_c @ m["V_o c'"].weight.T)
    expected = {"c": new_c, "h": o * np.tanh(new_c), "i": i, "f": f, "o": o}
    for name, y in zip(made, net.forward([x, c, h])):
        np.testing.assert_allclose(y, expected[name], rtol=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_stacks_have_the_parameters_that_are_told_and_can_be_watched(layers: int) -> None:
    torch7.manualSeed(1)
    options = lstm.arguments(["--units", "5"])
    memory = lstm.Memory(5, layers, options)
    assert memory.training.parameters.size == lstm.parameters(5, layers)
    x, _ = lstm.problem(3, 4)
    seen = memory.watch(x)
    assert {name: array.shape[2] for name, array in seen.items()} == {"y": 1, "i": 5, "f": 5, "o": 5, "c": 5}
    states = memory.inputs(x)[1:]
    for t, row in enumerate(x):
        outputs = [a.copy() for a in memory.step.forward([row, *states])]
        states = outputs[: 2 * layers]
        for name, output in zip(seen, outputs[2 * layers :]):
            np.testing.assert_allclose(seen[name][t], output, atol=1e-5)


@pytest.mark.parametrize(("delay", "least"), [(1, None), (6, None), (6, 2)])
def test_the_number_at_the_mark_is_wanted_at_the_cue(delay: int, least: int | None) -> None:
    torch7.manualSeed(1)
    x, wanted = lstm.problem(delay, 300, least=least)
    waits = set()
    for b in range(300):
        marks, cues = (np.flatnonzero(x[:, b, k]) for k in (1, 2))
        assert len(marks) == len(cues) == 2
        assert marks[0] < cues[0] < marks[1] < cues[1]
        waits |= {*(cues - marks)}
        expected = np.zeros(len(x), np.float32)
        expected[cues] = x[marks, b, 0]
        np.testing.assert_array_equal(wanted[:, b, 0], expected)
    assert waits == set(range(delay if least is None else least, delay + 1))
    assert -1 <= x[:, :, 0].min() < -0.9
    assert 0.9 < x[:, :, 0].max() <= 1


def test_reach_is_what_a_change_of_the_number_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch7.manualSeed(1)
    memory, (x, wanted) = lstm.Memory(5, 1, lstm.arguments([])), lstm.problem(4, 20, rounds=1)
    y, changed = memory.net.forward(memory.inputs(x)).copy(), x.copy()
    changed[:, :, 0] += 0.01 * x[:, :, 1]
    change = (memory.net.forward(memory.inputs(changed)) - y)[x[:, :, 2] > 0]
    monkeypatch.setattr(lstm, "problem", lambda *_, **__: (x, wanted))
    assert memory.reach(4) == pytest.approx(abs(change).mean() / 0.01, rel=0.02)


def test_a_second_layer_learns_what_one_as_wide_does_not() -> None:
    options = lstm.arguments(["--stack-steps", "700", "--stack-rate", "0.03"])
    one, two = (lstm.train_stack(4, layers, 0, options)[-50:].mean() for layers in (1, 2))
    assert two < one / 5


def test_waves_are_those_of_the_number_two_steps_before() -> None:
    torch7.manualSeed(1)
    x, wanted = lstm.waves(5)
    assert x.shape == (12, 5, 3)
    assert not x[:, :, 1:].any()
    assert not wanted[:2].any()
    np.testing.assert_allclose(wanted[2:, :, 0], np.cos(2 * np.pi * x[:10, :, 0]), atol=1e-6)


def test_only_answers_at_cues_count() -> None:
    x, wanted = np.zeros((4, 1, 3)), np.array([0.0, 0.5, 0, -0.5]).reshape(4, 1, 1)
    x[[1, 3], 0, 2] = 1
    assert lstm.near(x, np.array([9.0, 0.4, 9, -0.8]).reshape(4, 1, 1), wanted) == 0.5


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("lstm", "--delay 5 --first-delay 6", "--first-delay: expected at most the 5 of --delay, got 6", capsys)
    refuses("lstm", "--units 0", "expected 1 or more, got 0", capsys)
    refuses("lstm", "--forget-bias inf", "expected a number finite, got inf", capsys)

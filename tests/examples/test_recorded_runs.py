"""Runs of char-rnn's train.lua on the real Torch7, repeated: numbers, printed lines, checkpoints."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torchfile

import torch7

from ..support.golden import load
from .programs import CHECKPOINTS, ROOT, Run

SHORT = ["lstm_default", "lstm_dropout25", "lstm_tiny_val", "gru", "rnn"]
WHOLE = ["ckpt_lstm_small", "ckpt_gru_small", "ckpt_rnn_small_dropout", "ckpt_lstm_chinese", "ckpt_lstm_shakespeare"]
LINE = re.compile(r"(\d+/\d+ \(epoch [\d.]+\), train_loss) = +([\d.]+), grad/param norm = ([\d.e+-]+)")


def golden(name: str) -> Any:
    return load(f"charrnn/run_{name}.json")


def head(values: np.ndarray, recorded: list[float]) -> None:
    np.testing.assert_allclose(values[: len(recorded)], recorded, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("name", [*SHORT, *WHOLE])
class TestNumbers:
    def test_initial_parameters(self, runs: Any, name: str) -> None:
        first, recorded = runs(name).first["init_params"], golden(name)
        assert first.size == recorded["num_params"]
        assert first[: len(recorded["init_params_head"])].tolist() == recorded["init_params_head"]
        assert first[-len(recorded["init_params_tail"]) :].tolist() == recorded["init_params_tail"]
        assert first.sum() == pytest.approx(recorded["init_params_sum"], rel=1e-12)
        assert np.linalg.norm(first) == pytest.approx(recorded["init_params_norm"], rel=1e-12)

    def test_first_minibatch(self, runs: Any, name: str) -> None:
        first, recorded = runs(name).first, golden(name)
        head(first["grad_head"], recorded["grad_head_iter1"])
        head(first["params_head"], recorded["params_head_iter1"])

    @pytest.mark.parametrize("what", ["loss", "grad_norm", "param_norm", "ratio", "param_sum", "learning_rate"])
    def test_curve(self, runs: Any, name: str, what: str) -> None:
        """Multiplying the initial parameters by 1 + 3e-15 changes the losses of lstm_small by 4e-12 in 200 minibatches
        and by 2e-10 in 432, and its gradients by 20 times as much: so much do numbers feel the order of a sum."""
        curve, recorded = runs(name).series[what], golden(name)[what]
        assert len(curve) == golden(name)["iterations"]
        np.testing.assert_allclose(curve[:200], recorded[:200], rtol=1e-9)
        np.testing.assert_allclose(curve[200:], recorded[200:], rtol=1e-7 if what in ("grad_norm", "ratio") else 1e-8)

    def test_final_parameters(self, runs: Any, name: str) -> None:
        recorded = golden(name)["final_params_head"]
        np.testing.assert_allclose(runs(name).trainer.params[: len(recorded)], recorded, rtol=1e-7)


def test_the_loss_over_some_batches_of_a_split(runs: Any) -> None:
    recorded = golden("lstm_tiny_val")["eval"]
    loss = runs("lstm_tiny_val").trainer.eval_split(recorded["split"], recorded["max_batches"])
    assert loss == pytest.approx(recorded["loss"], rel=1e-9)


def lines_of_char_rnn(run: Run) -> list[str]:
    """What the run printed, without what train.lua does not print, and without the time."""
    text = re.sub(r"sample of \d+ characters:\n.*?\n-{26}\n", "", run.out, flags=re.DOTALL)
    text = re.sub(r", time/batch = \d+\.\d{4}s$", "", text, flags=re.MULTILINE)
    return [line for line in text.splitlines() if not line.startswith("drew the graph")]


def like(line: str, recorded: str) -> bool:
    """Whether two lines are the same, or their last digits differ by rounding."""
    mine, other = LINE.fullmatch(line), LINE.fullmatch(recorded)
    if mine is None or other is None:
        return line == recorded
    loss, ratio = abs(float(mine[2]) - float(other[2])), abs(float(mine[3]) / float(other[3]) - 1)
    return mine[1] == other[1] and loss < 1.5e-8 and ratio < 1.5e-4


@pytest.mark.parametrize("name", WHOLE)
class TestWholeRuns:
    def test_prints_the_lines_of_char_rnn(self, runs: Any, name: str) -> None:
        lines = lines_of_char_rnn(runs(name))
        recorded = (ROOT / "charrnn" / f"stdout_{name}.txt").read_text().splitlines()
        if not recorded[0].startswith("vocab.t7"):  # recorded where a run before had left these files
            del lines[: lines.index(recorded[0])]
        assert len(lines) == len(recorded)
        assert [pair for pair in zip(lines, recorded) if not like(*pair)] == []

    def test_names_the_checkpoints(self, runs: Any, name: str) -> None:
        folder = runs(name).directory / ("cv_" + name.removeprefix("ckpt_"))
        recorded = (ROOT / "charrnn" / f"files_{name}.txt").read_text().split()
        assert sorted(path.name for path in folder.glob("*.t7")) == recorded
        assert all((folder / file).with_suffix(".png").read_bytes().startswith(b"\x89PNG") for file in recorded)
        assert "</svg>" in (folder / f"lm_{name.removeprefix('ckpt_')}_step.svg").read_text()

    def test_evaluates(self, runs: Any, name: str) -> None:
        losses = runs(name).trainer.val_losses
        assert {str(i): loss for i, loss in losses.items()} == pytest.approx(golden(name)["val_losses"], rel=1e-8)

    def test_saves_what_char_rnn_saves(self, runs: Any, name: str) -> None:
        mine, recorded = last_checkpoint(runs(name)), torch7.load(CHECKPOINTS / f"{name.removeprefix('ckpt_')}.t7")
        assert set(mine) == {*recorded, "resume"}
        assert {**mine.opt, **recorded.opt} == mine.opt
        assert dict(mine.vocab) == dict(recorded.vocab)
        assert (mine.i, mine.epoch) == (recorded.i, recorded.epoch)
        assert mine.val_loss == pytest.approx(recorded.val_loss, rel=1e-8)
        np.testing.assert_allclose(mine.train_losses, recorded.train_losses, rtol=1e-8)
        assert dict(torch7.pairs(mine.val_losses)) == pytest.approx(dict(recorded.val_losses), rel=1e-8)

    def test_saves_the_network(self, runs: Any, name: str) -> None:
        mine = last_checkpoint(runs(name)).protos.rnn
        recorded = torch7.load(CHECKPOINTS / f"{name.removeprefix('ckpt_')}.t7").protos.rnn
        assert [str(module) for module in mine.modules] == [str(module) for module in recorded.modules]
        for a, b in zip(mine.parameters()[0], recorded.parameters()[0]):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
            assert torch7.memory.owner(a) is torch7.memory.owner(mine.parameters()[0][0])

    def test_saves_what_another_reader_reads(self, runs: Any, name: str) -> None:
        run = runs(name)
        seen = torchfile.load(checkpoint_files(run)[-1])
        weight = next(m.weight for m in seen.protos.rnn.modules if m.torch_typename() == b"nn.Linear")
        assert seen.protos.criterion.torch_typename() == b"nn.ClassNLLCriterion"
        assert weight.dtype == np.float64
        assert (weight == last_checkpoint(run).protos.rnn.parameters()[0][0]).all()
        assert seen.train_losses == run.trainer.train_losses[: len(seen.train_losses)]


def checkpoint_files(run: Run) -> list[str]:
    """The checkpoints of a run, in the order in which it wrote them."""
    return [str(run.directory / path) for path in re.findall("^saving checkpoint to (.*)$", run.out, re.MULTILINE)]


def last_checkpoint(run: Run) -> Any:
    return torch7.load(checkpoint_files(run)[-1])

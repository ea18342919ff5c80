"""Runs of char-rnn's train.lua on the real Torch7, repeated: numbers, printed lines, checkpoints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchfile

import torch7

from ..support.golden import load
from .programs import CHECKPOINTS, ROOT, Run, place, repeat

PARTS = ["lstm_default", "lstm_dropout25", "lstm_tiny_val", "gru", "rnn"]
WHOLE = ["lstm_small", "gru_small", "rnn_small_dropout", "lstm_chinese", "lstm_shakespeare"]
LINE = re.compile(r"(\d+/\d+ \(epoch [\d.]+\), train_loss) = +([\d.]+), grad/param norm = ([\d.e+-]+)")


@pytest.mark.parametrize("name", PARTS)
def test_repeats_the_first_minibatches(tmp_path: Path, name: str) -> None:
    recorded = load(f"charrnn/run_{name}.json")
    place("tinyshakespeare", tmp_path)
    run = repeat(recorded, tmp_path)
    check_beginning(run, recorded)
    check_curves(run, recorded)
    if "eval" in recorded:
        loss = run.trainer.eval_split(recorded["eval"]["split"], recorded["eval"]["max_batches"])
        assert loss == pytest.approx(recorded["eval"]["loss"], rel=1e-9)


@pytest.mark.parametrize("name", WHOLE)
def test_repeats_the_run(tmp_path: Path, name: str) -> None:
    recorded = load(f"charrnn/run_ckpt_{name}.json")
    place(recorded["args"][recorded["args"].index("-data_dir") + 1].removeprefix("data/"), tmp_path)
    run = repeat(recorded, tmp_path)
    check_beginning(run, recorded)
    check_curves(run, recorded)
    check_lines(run, (ROOT / "charrnn" / f"stdout_ckpt_{name}.txt").read_text().splitlines())
    check_files(run, name)
    mine = torch7.load(checkpoint_files(run)[-1])
    check_checkpoint(mine, torch7.load(CHECKPOINTS / f"{name}.t7"))
    check_other_reader(torchfile.load(checkpoint_files(run)[-1]), mine)


def check_beginning(run: Run, recorded: Any) -> None:
    """The parameters that a run begins with, bit by bit, and its first minibatch."""
    first = run.first["init_params"]
    assert first.size == recorded["num_params"]
    assert first[: len(recorded["init_params_head"])].tolist() == recorded["init_params_head"]
    assert first[-len(recorded["init_params_tail"]) :].tolist() == recorded["init_params_tail"]
    assert first.sum() == pytest.approx(recorded["init_params_sum"], rel=1e-12)
    assert np.linalg.norm(first) == pytest.approx(recorded["init_params_norm"], rel=1e-12)
    for mine, head in (
        (run.first["grad_head"], recorded["grad_head_iter1"]),
        (run.first["params_head"], recorded["params_head_iter1"]),
    ):
        np.testing.assert_allclose(mine[: len(head)], head, rtol=1e-9, atol=1e-18)


def check_curves(run: Run, recorded: Any) -> None:
    """A number of every minibatch.

    Multiplying the initial parameters by 1 + 3e-15 changes the losses of lstm_small by 4e-12 in 200 minibatches and by
    2e-10 in 432, and its gradients 20 times as much: so far do numbers feel the order of a sum.
    """
    for name in ("loss", "grad_norm", "param_norm", "ratio", "param_sum", "learning_rate"):
        curve, other = run.series[name], recorded[name]
        assert len(curve) == recorded["iterations"]
        np.testing.assert_allclose(curve[:200], other[:200], rtol=1e-9, err_msg=name)
        late = 1e-7 if name in ("grad_norm", "ratio") else 1e-8
        np.testing.assert_allclose(curve[200:], other[200:], rtol=late, err_msg=name)
    head = recorded["final_params_head"]
    np.testing.assert_allclose(run.trainer.params[: len(head)], head, rtol=1e-7)
    losses = {str(i): loss for i, loss in run.trainer.val_losses.items()}
    assert losses == pytest.approx(recorded["val_losses"], rel=1e-8)


def check_lines(run: Run, recorded: list[str]) -> None:
    """What is printed, without the time and without what train.lua does not print."""
    text = re.sub(r"sample of \d+ characters:\n.*?\n-{26}\n", "", run.out, flags=re.DOTALL)
    text = re.sub(r", time/batch = \d+\.\d{4}s$", "", text, flags=re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.startswith("drew the graph")]
    if not recorded[0].startswith("vocab.t7"):  # recorded where a run before had left these files
        del lines[: lines.index(recorded[0])]
    assert len(lines) == len(recorded)
    assert [pair for pair in zip(lines, recorded) if not like(*pair)] == []


def like(line: str, recorded: str) -> bool:
    """Whether two lines are the same, or their last digits differ by rounding."""
    mine, other = LINE.fullmatch(line), LINE.fullmatch(recorded)
    if mine is None or other is None:
        return line == recorded
    loss, ratio = abs(float(mine[2]) - float(other[2])), abs(float(mine[3]) / float(other[3]) - 1)
    return mine[1] == other[1] and loss < 1.5e-8 and ratio < 1.5e-4


def check_files(run: Run, name: str) -> None:
    """The checkpoints under their recorded names, each with a picture of the losses, and a picture of the network."""
    folder = run.directory / f"cv_{name}"
    recorded = (ROOT / "charrnn" / f"files_ckpt_{name}.txt").read_text().split()
    assert sorted(path.name for path in folder.glob("*.t7")) == recorded
    pictures = sorted(path.name for path in folder.iterdir() if path.suffix != ".t7")
    assert pictures == sorted([f"lm_{name}_step.svg", *(file.replace(".t7", ".png") for file in recorded)])
    assert (folder / f"lm_{name}_step.svg").read_text().rstrip().endswith("</svg>")
    assert (folder / recorded[0].replace(".t7", ".png")).read_bytes().startswith(b"\x89PNG")


def check_checkpoint(mine: Any, recorded: Any) -> None:
    """The content of a checkpoint."""
    assert set(mine) == {*recorded, "resume"}
    assert {**mine.opt, **recorded.opt} == mine.opt
    assert dict(mine.vocab) == dict(recorded.vocab)
    assert (mine.i, mine.epoch) == (recorded.i, recorded.epoch)
    assert mine.val_loss == pytest.approx(recorded.val_loss, rel=1e-8)
    np.testing.assert_allclose(mine.train_losses, recorded.train_losses, rtol=1e-8)
    assert dict(torch7.pairs(mine.val_losses)) == pytest.approx(dict(recorded.val_losses), rel=1e-8)
    rnn, other = mine.protos.rnn, recorded.protos.rnn
    assert list(map(str, rnn.modules)) == list(map(str, other.modules))
    flat = torch7.memory.owner(rnn.parameters()[0][0])
    for a, b in zip(rnn.parameters()[0], other.parameters()[0]):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
        assert torch7.memory.owner(a) is flat


def check_other_reader(seen: Any, mine: Any) -> None:
    """What torchfile reads in the same file."""
    weight = next(module.weight for module in seen.protos.rnn.modules if module.torch_typename() == b"nn.Linear")
    assert weight.dtype == np.float64
    assert (weight == mine.protos.rnn.parameters()[0][0]).all()
    assert seen.protos.criterion.torch_typename() == b"nn.ClassNLLCriterion"
    assert seen.train_losses == mine.train_losses
    assert {key.decode(): value for key, value in seen.opt.items() if isinstance(value, (int, float))} == {
        key: value for key, value in mine.opt.items() if isinstance(value, (int, float))
    }


def checkpoint_files(run: Run) -> list[str]:
    """The checkpoints of a run, in the order in which it wrote them."""
    return [str(run.directory / path) for path in re.findall("^saving checkpoint to (.*)$", run.out, re.MULTILINE)]

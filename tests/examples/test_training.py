"""What train.py does beyond char-rnn, and how it begins from checkpoints."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

import torch7
import train
from pygraphnn.unroll import numba_code
from util import checkpoint as checkpoint_module
from util import corpus
from util.misc import UsageError
from util.report import Report

from ..support.golden import load
from .programs import CHECKPOINTS, TINY, Result, call, place, process
from .test_sampling import on_gpu

INFO = {info["file"]: info for info in load("t7/checkpoints/info.json")["checkpoints"]}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new directory with data/small in it, as the current one, and a cache of its own, but for fonts and kernels."""
    kernels = numba_code.cache_directory()
    monkeypatch.setattr(numba_code, "cache_directory", lambda: kernels)
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_cachedir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    place("small")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of losses, which take time."""
    monkeypatch.setattr(train, "save_loss_curve", lambda *_: None)


def losses(result: Result) -> list[float]:
    return [float(found[1]) for line in result.lines if (found := re.search("train_loss = +([^,]+)", line))]


def saved(result: Result) -> Any:
    """The last checkpoint of a run."""
    assert result.status == 0, result.err
    return torch7.load([line.split(" to ")[1] for line in result.lines if line.startswith("saving checkpoint")][-1])


class TestSinglePrecision:
    @pytest.mark.parametrize("model", ["lstm -num_layers 2", "rnn -dropout 0.2"])
    def test_stays_near_and_is_saved_as_such(self, plain: None, model: str) -> None:
        double, single = (call("train", f"{TINY} -model {model} -float {n}") for n in (0, 1))
        np.testing.assert_allclose(losses(single), losses(double), rtol=1e-4)
        assert losses(single) != losses(double)
        kept = saved(single)
        for module in kept.protos.rnn.modules:
            assert module.type() == "torch.FloatTensor"
            arrays = [a for a in vars(module).values() if isinstance(a, np.ndarray)]
            assert {a.dtype for a in arrays} <= {np.dtype(np.float32), np.dtype(np.int64)}
        assert {kept.resume.optim_state.m.dtype, kept.resume.init_state_global.dtype} == {np.dtype(np.float32)}

    def test_can_be_sampled_from(self, plain: None) -> None:
        call("train", f"{TINY} -float 1")
        file = next(Path("cv").glob("*.t7"))
        result = call("sample", f"{file} -verbose 0 -length 50 -primetext The")
        assert (result.status, len(result.out)) == (0, 54)


class TestInitFrom:
    """From checkpoints of the real char-rnn."""

    options = "-batch_size 12 -seq_length 20 -train_frac 0.8 -val_frac 0.1 -data_dir data/small -sample_length 0"

    def begun(self, file: str, monkeypatch: pytest.MonkeyPatch, more: str = "") -> train.Trainer:
        """What train.py makes of a checkpoint, before it trains."""
        made = []
        monkeypatch.setattr(train.Trainer, "train", lambda trainer: made.append(trainer))
        result = call("train", f"{self.options} -init_from {file} {more}")
        assert (result.status, result.err) == (0, "")
        assert f"loading a model from checkpoint {file}" in result.lines
        trainer = made[0]
        size, layers, model = trainer.opt.rnn_size, trainer.opt.num_layers, trainer.opt.model
        overwriting = f"overwriting rnn_size={size}, num_layers={layers}, model={model} based on the checkpoint."
        assert overwriting in result.lines
        return trainer

    def test_evaluates_as_recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        info = INFO["gru_small.t7"]
        trainer = self.begun(f"{CHECKPOINTS}/gru_small.t7", monkeypatch, "-rnn_size 99 -num_layers 9 -model rnn")
        assert (trainer.opt.rnn_size, trainer.opt.num_layers, trainer.opt.model) == (16, 1, "gru")
        assert trainer.eval_split(2) == pytest.approx(info["val_loss"], rel=1e-12)
        assert trainer.params.size == info["storage_size"]

    def test_from_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("gpu.t7").write_bytes(on_gpu(CHECKPOINTS / "gru_small.t7"))
        for number, dtype in ((0, np.float64), (1, np.float32)):
            trainer = self.begun("gpu.t7", monkeypatch, f"-float {number}")
            assert trainer.params.dtype == dtype
            assert trainer.eval_split(2) == pytest.approx(INFO["gru_small.t7"]["val_loss"], rel=1e-5)

    def test_remembers_at_first_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trainer = self.begun(f"{CHECKPOINTS}/lstm_small.t7", monkeypatch)
        biases = [m.bias for m in trainer.protos.rnn.modules if getattr(m, "weight", None) is not None]
        assert [(b[16:32] == 1).all() for b in biases if b.size == 64] == [True, False, True, False]

    def test_trains_on(self, plain: None) -> None:
        result = call("train", f"{self.options} -init_from {CHECKPOINTS}/gru_small.t7 -max_epochs 1 -dropout 0.9")
        assert losses(result)[0] < 1
        assert saved(result).val_loss < 1
        assert saved(result).i == 29
        assert "resume" in saved(result)


class TestSamples:
    def test_are_printed_at_each_evaluation(self, plain: None) -> None:
        silent = call("train", f"{TINY} -eval_val_every 8 -dropout 0.5 -num_layers 2")
        result = call("train", f"{TINY} -eval_val_every 8 -dropout 0.5 -num_layers 2 -sample_length 40")
        samples = re.findall("sample of 40 characters:\n(.{40})\n-{26}\n", result.out.decode(), re.DOTALL)
        assert len(samples) == 3
        assert set("".join(samples)) <= set(saved(result).vocab)
        assert losses(result) == losses(silent)

    def test_are_what_sample_py_writes(self, plain: None) -> None:
        result = call("train", f"{TINY} -sample_length 40 -seed 5")
        file = [line.split(" to ")[1] for line in result.lines if line.startswith("saving checkpoint")][-1]
        assert call("sample", f"{file} -verbose 0 -seed 5 -length 40").out in result.out


class TestCharacters:
    def test_of_utf8(self, plain: None) -> None:
        place("chinese")
        options = "-data_dir data/chinese -batch_size 4 -seq_length 5 -rnn_size 12 -num_layers 1 -max_epochs 20"
        result = call("train", f"{options} -encoding utf8 -learning_rate 0.02 -sample_length 10")
        vocab = saved(result).vocab
        assert "天" in vocab
        assert len(vocab) == 78
        assert losses(result)[-1] < losses(result)[0] - 1
        sample = re.findall("sample of 10 characters:\n(.{10})\n-{26}\n", result.out.decode(), re.DOTALL)[-1]
        assert set(sample) <= set(vocab)
        file = next(Path("cv").glob("*.t7"))
        text = call("sample", f"{file} -verbose 0 -length 5 -primetext 今天").out.decode()
        assert text.startswith("今天")
        assert len(text) == 8

    def test_that_the_terminal_cannot_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sample of bytes is seldom UTF-8, and output seldom shows all of it."""
        monkeypatch.delenv("XDG_CACHE_HOME")  # or kernels would be compiled anew
        place("chinese")
        options = "-data_dir data/chinese -batch_size 4 -seq_length 10 -rnn_size 8 -num_layers 1 -max_epochs 1"
        for encoding in ("bytes", "utf8"):
            result = process("train", f"{options} -encoding {encoding} -sample_length 50", PYTHONIOENCODING="ascii")
            assert (result.status, result.err) == (0, "")
            assert b"sample of 50 characters:\n" in result.out
            assert b"??" in result.out


class TestBuiltinCorpus:
    def test_is_the_same_always(self) -> None:
        text = corpus.source()
        assert corpus.source() == text
        assert len(text) == corpus.SIZE
        assert text.isascii()
        assert text.startswith(b'"""Record of phased-in incompatible language changes.')
        assert b"_sysconfigdata" not in text[:1000]

    def test_is_made_once(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        directory = corpus.builtin_corpus()
        file = directory / "input.txt"
        assert capsys.readouterr().out == f"making a text of Python's standard library: {file}\n"
        assert directory.is_relative_to(tmp_path / "cache" / "pygraphnn")
        assert [path.name for path in directory.iterdir()] == ["input.txt"]
        file.write_bytes(b"kept")
        assert corpus.builtin_corpus() == directory
        assert file.read_bytes() == b"kept"
        assert capsys.readouterr().out == ""

    def test_lies_in_the_home_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert corpus.builtin_corpus().is_relative_to(tmp_path / "home" / ".cache" / "pygraphnn")

    def test_is_trained_on_by_default(self, plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(corpus, "SIZE", 9000)
        options = TINY.replace("-data_dir data/small", "")
        first, second = call("train", options), call("train", options)
        assert first.lines[0].startswith("making a text of Python's standard library: ")
        assert second.lines[0] == "loading data files..."
        assert losses(first) == losses(second)
        assert len(losses(first)) == 24

    def test_without_a_standard_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(corpus.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
        (tmp_path / "sitecustomize.py").write_text("added by an installation")
        with pytest.raises(UsageError, match="Python's standard library has no source here"):
            corpus.builtin_corpus()


class TestEndings:
    def test_of_a_run_that_explodes(self) -> None:
        result = call("train", f"{TINY} -learning_rate 1e6 -eval_val_every 1 -sample_length 5")
        assert (result.status, result.err) == (0, "")
        assert result.lines[-1] == "loss is exploding, aborting."
        assert len(losses(result)) == 2

    @pytest.mark.parametrize("single", [0, 1])
    def test_of_a_run_that_leaves_the_numbers(self, single: int) -> None:
        result = call("train", f"{TINY} -learning_rate 1e308 -sample_length 5 -float {single}")
        assert (result.status, result.err) == (0, "")
        assert result.lines[-1].startswith("loss is NaN.  Checkpoints from before have good parameters.")
        assert re.match(
            r"iteration 2: optim\.rmsprop: in step 2 the loss is nan and the gradient has ", result.lines[-2]
        )
        assert len(losses(result)) == 1

    def test_of_a_sample_of_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        options = TINY.replace("-sample_length 0", "-sample_length 5")
        result = call("train", f"{options} -learning_rate 1e308 -eval_val_every 1")
        assert (result.status, result.err) == (0, "")
        assert "the network predicts no numbers: its run diverged before the checkpoint was saved" in result.lines
        assert [path.name for path in Path("cv").glob("*.t7")] == ["lm_lstm_epoch0.04_nan.t7"]

    def test_without_validation(self) -> None:
        result = call("train", f"{TINY} -train_frac 1 -val_frac 0")
        assert np.isnan(saved(result).val_loss)
        assert Path("cv/lm_lstm_epoch1.00_nan.png").exists()


def test_prints_now_and_then(plain: None) -> None:
    result = call("train", f"{TINY} -print_every 10")
    assert [line.split()[0] for line in result.lines if "train_loss" in line] == ["10/24", "20/24"]


def test_makes_directories_for_its_files(plain: None) -> None:
    assert call("train", f"{TINY} -checkpoint_dir new/er -savefile of/mine").status == 0
    assert sorted(path.suffix for path in Path("new/er/lm_of").iterdir()) == [".svg", ".t7"]


def test_the_gates_that_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[train.Trainer] = []
    monkeypatch.setattr(train.Trainer, "train", lambda trainer: made.append(trainer))
    call("train", f"{TINY} -num_layers 2")
    biases = [m.bias for m in made[0].protos.rnn.modules if getattr(m, "bias", None) is not None and m.bias.size == 32]
    assert [(b[8:16] == 1).all() for b in biases] == [True, False, True, False]
    assert [(b == 1).sum() for b in biases] == [8, 0, 8, 0]


class TestWithoutOptionalPackages:
    def test_matplotlib(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        checkpoint_module.say_once.cache_clear()
        result = call("train", f"{TINY} -eval_val_every 2")
        assert result.status == 0
        assert result.err.count("the loss curve needs the package matplotlib: pip install 'pygraphnn[plot]'") == 1
        assert len(list(Path("cv").glob("*.t7"))) > 1
        assert {path.suffix for path in Path("cv").iterdir()} == {".svg", ".t7"}

    def test_graphviz(self, plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
        monkeypatch.setenv("PATH", "")
        result = call("train", TINY)
        assert result.status == 0
        assert "pip install" in result.err
        assert sorted(path.suffix for path in Path("cv").iterdir()) == [".dot", ".t7"]

    def test_rich(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "rich.progress", None)
        out, err = Terminal(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        report(Report())
        assert out.getvalue() == "first\nline 1\nlast\n"
        assert "the progress bar needs the package rich" in err.getvalue()


class Terminal(io.StringIO):
    """What looks like a terminal."""

    def isatty(self) -> bool:
        return True


def report(bar: Report) -> None:
    """A short run, told of."""
    bar.start(2, 0)
    bar.say("first")
    bar.step(1, "line 1", "brief 1", True)
    bar.step(2, "line 2", "brief 2", False)
    bar.stop()
    bar.say("last")


class TestReport:
    def written(self, monkeypatch: pytest.MonkeyPatch, file: io.StringIO, terminal: str = "xterm") -> str:
        for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", terminal)
        monkeypatch.setattr(sys, "stdout", file)
        report(Report())
        return file.getvalue()

    def test_to_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.written(monkeypatch, io.StringIO()) == "first\nline 1\nlast\n"

    def test_to_a_terminal_that_cannot_move_its_cursor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.written(monkeypatch, Terminal(), "dumb") == "first\nline 1\nlast\n"

    def test_to_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        written = self.written(monkeypatch, Terminal())
        assert "line 1" not in written
        assert "2/2" in written
        assert "brief 2" in written
        assert written.endswith("last\n")

    def test_shows_text_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out, bar = Terminal(), Report()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("TERM", "xterm")
        bar.start(2, 0)
        bar.say("[bold]x[/bold] :smile: " + "long " * 50 + "\n  'end'")
        bar.stop()
        assert "[bold]x[/bold] :smile: " + "long " * 50 + "\n  'end'" in out.getvalue()


def test_the_picture_of_losses(tmp_path: Path) -> None:
    path = tmp_path / "lm_x_epoch1.00_2.5.png"
    checkpoint_module.save_loss_curve(path, [3.0, 2.5, float("nan")], {2: 2.4})
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".png"] == [path.name]

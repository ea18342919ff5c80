"""sample.py and inspect_checkpoint.py on checkpoints that the real char-rnn saved, and on others."""

from __future__ import annotations

import itertools
import re
import shlex
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import pygraphnn
import torch7
from util.checkpoint import load_checkpoint
from util.sampling import Sampler

from ..support.golden import load
from .programs import CHECKPOINTS, Result, call, process, start

SAMPLES = load("t7/checkpoints/samples.json")["samples"]
INFO = {info["file"]: info for info in load("t7/checkpoints/info.json")["checkpoints"]}
SMALL = CHECKPOINTS / "lstm_small.t7"


@pytest.mark.parametrize("sample", SAMPLES, ids=[s["output_file"].removesuffix(".txt") for s in SAMPLES])
def test_samples_the_recorded_text(sample: dict[str, Any]) -> None:
    result = call("sample", f"{shlex.join(sample['args'])} -gpuid -1 {CHECKPOINTS / sample['checkpoint']}")
    assert (result.status, result.err) == (0, "")
    assert result.out == (CHECKPOINTS / sample["output_file"]).read_bytes()


def test_tells_what_it_does() -> None:
    assert call("sample", f"{SMALL} -length 5 -seed 123").lines == [
        "creating an lstm...",
        "missing seed text, using uniform probability over first character",
        "--------------------------",
        "keen ",
    ]


def test_as_a_process() -> None:
    result = process("sample", f"{SMALL} -verbose 0 -seed 123 -length 200")
    assert (result.status, result.err) == (0, "")
    assert result.out == (CHECKPOINTS / "lstm_small.sample_a.txt").read_bytes()


@pytest.mark.parametrize(("program", "options"), [("sample", f"{SMALL} -length 100"), ("train", "-help")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_reader_may_stop_reading(program: str, options: str, unbuffered: str) -> None:
    """As in `sample.py ... | head -c 10`."""
    with start(program, options, PYTHONUNBUFFERED=unbuffered) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 1


class TestTemperature:
    @pytest.mark.parametrize("temperature", ["1e-5", "1e-30", "1e-320"])
    def test_near_zero_takes_the_most_likely(self, temperature: str) -> None:
        """Where char-rnn's exponentials are all 0 or infinite."""
        primed = f"{SMALL} -verbose 0 -length 60 -primetext The"
        cold, most = call("sample", f"{primed} -temperature {temperature}"), call("sample", f"{primed} -sample 0")
        assert (cold.status, cold.out) == (0, most.out)

    @pytest.mark.parametrize("temperature", [1e-5, 1e-30, 1e-60])
    def test_near_zero_without_a_beginning(self, temperature: float) -> None:
        for checkpoint in (load_checkpoint(str(SMALL)), halved(SMALL)):
            sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
            np.testing.assert_allclose(sampler.writer.probabilities(temperature), np.full((1, 40), 1 / 40))

    def test_infinite_is_uniform(self) -> None:
        checkpoint = load_checkpoint(str(SMALL))
        sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
        sampler.prime("The")
        np.testing.assert_allclose(sampler.writer.probabilities(float("inf")), np.full((1, 40), 1 / 40))


def halved(path: Path) -> Any:
    """A checkpoint as float32."""
    checkpoint = load_checkpoint(str(path))
    checkpoint.protos.rnn.float()
    checkpoint.protos.criterion.float()
    return checkpoint


def on_gpu(path: Path) -> bytes:
    """The bytes of a checkpoint as if its network had been trained on a GPU."""
    data = torch7.serialize(halved(path))
    for kind in ("Tensor", "Storage"):
        old, new = f"torch.Float{kind}".encode(), f"torch.Cuda{kind}".encode()
        data = data.replace(len(old).to_bytes(4, "little") + old, len(new).to_bytes(4, "little") + new)
    assert b"torch.CudaTensor" in data
    assert b"torch.Float" not in data
    return data


@pytest.mark.parametrize("name", ["lstm_small", "gru_small", "rnn_small_dropout"])
class TestSinglePrecision:
    def test_from_a_gpu(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "gpu.t7").write_bytes(on_gpu(CHECKPOINTS / f"{name}.t7"))
        options = "-verbose 0 -seed 1 -length 100 -sample 0 -primetext 'The q'"
        result = call("sample", f"{tmp_path}/gpu.t7 {options}")
        assert (result.status, result.err) == (0, "")
        assert result.out == (CHECKPOINTS / f"{name}.sample_c.txt").read_bytes()

    def test_computes_in_single_precision(self, name: str) -> None:
        checkpoint = halved(CHECKPOINTS / f"{name}.t7")
        sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
        text = sampler.prime("The q") + b"".join(sampler.generate(20))
        assert len(text) == 25
        assert {a.dtype for a in (*sampler.writer.states, sampler.writer.prediction)} == {np.dtype(np.float32)}


class TestPrimetext:
    def test_of_bytes(self) -> None:
        result = call("sample", f"{CHECKPOINTS}/lstm_chinese.t7 -verbose 0 -length 0 -primetext 今天")
        assert result.out.decode() == "今天\n"

    def test_of_characters(self, tmp_path: Path) -> None:
        """A vocabulary of characters, as forks of char-rnn have it too, tells itself from one of bytes."""
        checkpoint = load_checkpoint(str(SMALL))
        letters = sorted(checkpoint.vocab, key=checkpoint.vocab.get)
        checkpoint.vocab = torch7.Table({{"a": "今", "b": "é"}.get(x, x): i for i, x in enumerate(letters, 1)})
        torch7.save(tmp_path / "new.t7", checkpoint)
        options = "-verbose 0 -length 100 -seed 3 -temperature 2 -primetext"
        old, new = call("sample", f"{SMALL} {options} 'a b'"), call("sample", f"{tmp_path}/new.t7 {options} '今 é'")
        assert new.out.decode() == old.out.decode().replace("a", "今").replace("b", "é")

    @pytest.mark.parametrize(("prime", "shown"), [("Them X", "'X'"), ("é", r"b'\xc3'")])
    def test_with_a_character_that_is_not_known(self, prime: str, shown: str) -> None:
        result = call("sample", f"{SMALL} -primetext '{prime}'")
        assert (result.status, result.out) == (2, b"creating an lstm...\n")
        assert result.err == (
            f"sample.py: the character {shown} of the text is not in the vocabulary of the checkpoint\n"
        )


class TestSeveral:
    """Texts side by side, each that of its own seed."""

    @pytest.mark.parametrize("how", ["", "-temperature 0.5", "-top_k 3", "-top_p 0.8 -temperature 2"])
    @pytest.mark.parametrize("name", ["lstm_small", "gru_small", "rnn_small_dropout", "lstm_chinese"])
    def test_each_is_the_one_of_its_seed(self, name: str, how: str) -> None:
        options = f"{CHECKPOINTS}/{name}.t7 -verbose 0 -length 80 {how}"
        result = call("sample", f"{options} -seed 123 -samples 3")
        assert (result.status, result.err) == (0, "")
        alone = [call("sample", f"{options} -seed {seed}").out for seed in (123, 124, 125)]
        heads = [f"---- sample {i}, seed {122 + i}\n".encode() for i in (1, 2, 3)]
        assert result.out == b"".join(head + text for head, text in zip(heads, alone))
        assert len(set(alone)) == 3

    def test_each_begins_with_the_primetext(self) -> None:
        lines = call("sample", f"{SMALL} -verbose 0 -length 0 -samples 2 -primetext 'The q'").lines
        assert lines == ["---- sample 1, seed 123", "The q", "---- sample 2, seed 124", "The q"]


class TestTop:
    def test_1_is_the_most_likely(self) -> None:
        options = f"{SMALL} -verbose 0 -length 60 -primetext The"
        most = call("sample", f"{options} -sample 0").out
        assert call("sample", f"{options} -top_k 1").out == call("sample", f"{options} -top_p 1e-9").out == most

    def test_all_is_as_without(self) -> None:
        options = f"{SMALL} -verbose 0 -length 60"
        assert call("sample", f"{options} -top_k inf -top_p 1").out == call("sample", options).out

    def test_draws_from_the_most_likely_alone(self) -> None:
        checkpoint = load_checkpoint(str(SMALL))
        sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
        drawn = []
        before = sampler.writer.prediction.copy()
        for letter in sampler.generate(100, temperature=3, top_k=4):
            drawn.append(int((before[0] > before[0, checkpoint.vocab[letter.decode()] - 1]).sum()))
            before = sampler.writer.prediction.copy()
        assert set(drawn[1:]) == {0, 1, 2, 3}


class TestBeam:
    def test_of_width_1_is_the_most_likely(self) -> None:
        options = f"{SMALL} -verbose 2 -length 60 -primetext The"
        assert call("sample", f"{options} -beam 1").out == call("sample", f"{options} -sample 0").out

    @pytest.mark.parametrize("name", ["lstm_small", "gru_small", "lstm_chinese"])
    def test_finds_texts_in_their_order(self, name: str) -> None:
        options = f"{CHECKPOINTS}/{name}.t7 -verbose 2 -length 40"
        pattern = r"log-probability (\S+), perplexity (\S+)"
        result = call("sample", f"{options} -beam 6 -samples 3")
        assert (result.status, result.err) == (0, "")
        found = [(float(a), float(b)) for a, b in re.findall(pattern, result.out.decode("utf-8", "replace"))]
        assert len(found) == 3
        assert found == sorted(found, key=lambda pair: -pair[0])
        for log_probability, perplexity in found:
            assert perplexity == pytest.approx(np.exp(-log_probability / 40), rel=1e-3)
        assert [line for line in result.lines if line.startswith("---- ")] == [f"---- sample {i}" for i in (1, 2, 3)]
        again = call("sample", f"{options} -beam 6 -seed 5")
        assert again.out.split(b"\n---", 1)[0] == call("sample", f"{options} -beam 6").out.split(b"\n---", 1)[0]

    def test_fewer_than_wanted_where_there_are_no_more(self) -> None:
        assert call("sample", f"{SMALL} -verbose 0 -length 0 -beam 5 -samples 3").lines == ["---- sample 1", ""]


class TestProbability:
    def test_is_that_of_the_text_without_the_primetext(self) -> None:
        checkpoint = load_checkpoint(str(SMALL))
        result = call("sample", f"{SMALL} -verbose 2 -length 50 -seed 9 -primetext 'The q' -temperature 0.7")
        text, told = result.out.decode().split("--------------------------\n")[1].rsplit("\n", 2)[:2]
        sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
        assert sampler.prime("The q") == b"The q"
        assert sampler.log_probability == [0.0]
        before = sampler.writer.log_probability[0]
        for letter in text[5:]:
            sampler.writer.read(checkpoint.vocab[letter])
        log_probability = sampler.writer.log_probability[0] - before
        assert told == f"log-probability {log_probability:.4f}, perplexity {np.exp(-log_probability / 50):.4f}"

    def test_of_several(self) -> None:
        lines = call("sample", f"{SMALL} -verbose 2 -length 20 -samples 2").lines
        alone = [call("sample", f"{SMALL} -verbose 2 -length 20 -seed {seed}").lines[-1] for seed in (123, 124)]
        assert [line for line in lines if line.startswith("log-probability")] == alone

    def test_of_nothing(self) -> None:
        assert call("sample", f"{SMALL} -verbose 2 -length 0").lines[-1] == "log-probability 0.0000, perplexity 1.0000"


class TestCtrlC:
    """What was written until then is shown."""

    def interrupted(self, options: str, after: int) -> Result:
        forward, steps = pygraphnn.Fused.forward, itertools.count(1)

        def watched(*args: Any) -> Any:
            if next(steps) > after:
                raise KeyboardInterrupt
            return forward(*args)

        with mock.patch.object(pygraphnn.Fused, "forward", watched):
            result = call("sample", f"{SMALL} -verbose 0 -length 100 {options}")
        assert (result.status, result.err) == (130, "")
        return result

    def test_one_text(self) -> None:
        whole = call("sample", f"{SMALL} -verbose 0 -length 100 -primetext The").out
        assert self.interrupted("-primetext The", 10).out == whole[:10] + b"\n"

    def test_several(self) -> None:
        whole = call("sample", f"{SMALL} -verbose 0 -length 10 -samples 2").out
        assert self.interrupted("-samples 2", 10).out == whole

    def test_beam(self) -> None:
        whole = call("sample", f"{SMALL} -verbose 0 -length 11 -beam 4 -samples 2").out
        assert self.interrupted("-beam 4 -samples 2", 10).out == whole

    def test_of_a_process(self) -> None:
        with start("sample", f"{SMALL} -verbose 1 -length 100000000") as running:
            seen = b""
            while len(seen) < 5000:
                seen += running.stdout.read(5000)
            running.send_signal(signal.SIGINT)
            rest, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (130, b"")
        assert (seen + rest).endswith(b"\n")


@pytest.mark.parametrize("options", ["", "-samples 2", "-beam 2", "-sample 0"])
def test_a_diverged_network(tmp_path: Path, options: str) -> None:
    checkpoint = load_checkpoint(str(SMALL))
    checkpoint.protos.rnn.parameters()[0][0].fill(np.nan)
    torch7.save(tmp_path / "nan.t7", checkpoint)
    result = call("sample", f"{tmp_path}/nan.t7 -primetext T {options}")
    assert result.status == 2
    assert result.err == (
        "sample.py: the network predicts no numbers: its run diverged before the checkpoint was saved\n"
    )


@pytest.mark.parametrize("file", list(INFO))
def test_inspects(file: str) -> None:
    info = INFO[file]
    result = call("inspect_checkpoint", f"{CHECKPOINTS}/{file}")
    assert (result.status, result.err) == (0, "")
    opt, losses = re.fullmatch(r"opt:\n\{\n(.*)\}\nval losses:\n\{\n(.*)\}\n", result.out.decode(), re.S).groups()  # type: ignore[union-attr]
    shown = dict(line.strip().split(" : ") for line in opt.splitlines())
    expected = {k: f'"{v}"' if isinstance(v, str) else f"{v:.14g}" for k, v in info["opt"].items()}
    assert shown == expected
    assert list(shown) == sorted(shown)
    assert losses.splitlines() == [
        f"  {i} : {v:.14g}" for i, v in sorted(info["val_losses"].items(), key=lambda x: int(x[0]))
    ]


def test_inspects_a_checkpoint_without_an_evaluation(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(str(SMALL))
    checkpoint.val_losses = torch7.Table()
    torch7.save(tmp_path / "new.t7", checkpoint)
    assert call("inspect_checkpoint", f"{tmp_path}/new.t7").lines[-2:] == ["val losses:", "{}"]


@pytest.mark.parametrize(
    ("options", "says"),
    [("", False), ("-gpuid -1", False), ("-gpuid 1", True), ("-opencl 1", True), ("-opencl 1 -gpuid -1", False)],
)
def test_there_is_no_gpu(options: str, says: bool) -> None:
    for program, others in (("sample", "-length 1"), ("inspect_checkpoint", "")):
        lines = call(program, f"{options} {others} {SMALL}").lines
        assert ("this port uses no GPU. Falling back on CPU mode" in lines) == says

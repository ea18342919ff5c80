"""sample.py and inspect_checkpoint.py on checkpoints that the real char-rnn saved, and on others."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch7
from util.checkpoint import load_checkpoint
from util.sampling import Sampler

from ..support.golden import load
from .programs import CHECKPOINTS, call, process, start

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
            np.testing.assert_allclose(sampler.probabilities(temperature), np.full(40, 1 / 40))

    def test_infinite_is_uniform(self) -> None:
        checkpoint = load_checkpoint(str(SMALL))
        sampler = Sampler(checkpoint.protos.rnn, checkpoint.opt, checkpoint.vocab)
        list(sampler.prime("The"))
        np.testing.assert_allclose(sampler.probabilities(float("inf")), np.full(40, 1 / 40))


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
        text = b"".join([*sampler.prime("The q"), *sampler.generate(20)])
        assert len(text) == 25
        assert {a.dtype for a in (*sampler.state, sampler.prediction)} == {np.dtype(np.float32)}


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


def test_a_diverged_network(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(str(SMALL))
    checkpoint.protos.rnn.parameters()[0][0].fill(np.nan)
    torch7.save(tmp_path / "nan.t7", checkpoint)
    result = call("sample", f"{tmp_path}/nan.t7 -primetext T")
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

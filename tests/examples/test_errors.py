"""What the programs say to wrong input: one line on stderr, exit status 2, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch7

from .programs import CHECKPOINTS, TINY, call, place, process

GOOD = f"{CHECKPOINTS}/lstm_small.t7"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new directory as the current one, with texts and files that are no checkpoints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place("small")
    place("chinese")
    place("empty", content=b"")
    place("short", content=b"hello\n")
    data = Path(GOOD).read_bytes()
    Path("folder/input.txt").mkdir(parents=True)
    Path("file").touch()
    Path("garbage.t7").write_bytes(b"garbage, and more of it")
    Path("cut.t7").write_bytes(data[: len(data) // 2])
    Path("longer.t7").write_bytes(data.replace(b"nn.CAddTable", b"nn.CAddTabl\n"))
    torch7.save("tensor.t7", np.arange(3.0))
    torch7.save("number.t7", 3)
    torch7.save("table.t7", {"opt": 1})


def refuse(program: str, options: str, message: str) -> None:
    result = call(program, options)
    assert (result.status, result.err) == (2, f"{program}.py: {message}\n")


COUNT = "should be a whole number from 1 on"
FRACTION = "should be at least 0 and less than 1"
MISSING = "file no.t7 does not exist. Are you sure you didn't forget to prepend cv/ ?"
NONE = " (-help lists the options)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-data_dir no", "no file no/input.txt: -data_dir names the directory that holds input.txt"),
        ("-data_dir folder", "no file folder/input.txt: -data_dir names the directory that holds input.txt"),
        ("-data_dir data/empty", "data/empty/input.txt is empty"),
        (
            "-data_dir data/short",
            "data/short/input.txt has 6 characters, too few for one batch of 50 sequences of 50: "
            "use a smaller -batch_size or -seq_length",
        ),
        (
            "-data_dir data/small -batch_size 100 -seq_length 90",
            "the train split gets none of the 1 batches: use more text, a smaller -batch_size or -seq_length, "
            "or other -train_frac and -val_frac",
        ),
        (
            "-data_dir data/chinese -encoding utf8 -batch_size 30 -seq_length 10",
            "data/chinese/input.txt has 122 characters, too few for one batch of 30 sequences of 10: "
            "use a smaller -batch_size or -seq_length",
        ),
        ("-rnn_size x", "option -rnn_size should be a number, got x" + NONE),
        ("-rnn_size", "missing value for option -rnn_size (a number)" + NONE),
        ("-rnn_size 0", f"-rnn_size {COUNT}, got 0"),
        ("-rnn_size 1.5", f"-rnn_size {COUNT}, got 1.5"),
        ("-num_layers -1", f"-num_layers {COUNT}, got -1"),
        ("-seq_length 0", f"-seq_length {COUNT}, got 0"),
        ("-batch_size 1e400", f"-batch_size {COUNT}, got inf"),
        ("-max_epochs nan", f"-max_epochs {COUNT}, got nan"),
        ("-print_every 0", f"-print_every {COUNT}, got 0"),
        ("-eval_val_every 0", f"-eval_val_every {COUNT}, got 0"),
        ("-dropout 2", f"-dropout {FRACTION}, got 2"),
        ("-dropout 1", f"-dropout {FRACTION}, got 1"),
        ("-dropout -0.5", f"-dropout {FRACTION}, got -0.5"),
        ("-decay_rate 1", f"-decay_rate {FRACTION}, got 1"),
        ("-learning_rate 0", "-learning_rate should be finite and greater than 0, got 0"),
        ("-learning_rate inf", "-learning_rate should be finite and greater than 0, got inf"),
        ("-grad_clip -5", "-grad_clip should be finite and greater than 0, got -5"),
        ("-learning_rate_decay nan", "-learning_rate_decay should be finite and greater than 0, got nan"),
        ("-learning_rate_decay_after -1", "-learning_rate_decay_after should be at least 0, got -1"),
        ("-train_frac 1.5", "-train_frac should be between 0 and 1, got 1.5"),
        ("-val_frac -0.5", "-val_frac should be between 0 and 1, got -0.5"),
        ("-model transformer", "-model should be one of lstm, gru, rnn, got transformer"),
        ("-encoding latin1", "-encoding should be one of bytes, utf8, got latin1"),
        ("-log tsv", "-log should be one of torch, csv, jsonl, tensorboard, got tsv"),
        ("-float 2", "-float should be one of 0, 1, got 2"),
        ("-sample_length 0.5", "-sample_length should be a whole number from 0 on, got 0.5"),
        ("-seed nan", "-seed should be a whole number of 64 bits, got nan"),
        ("-seed 1e30", "-seed should be a whole number of 64 bits, got 1e+30"),
        ("-max_epoch 3", "unknown option -max_epoch, did you mean -max_epochs?" + NONE),
        ("data/small", "unexpected argument data/small" + NONE),
        (f"{TINY} -checkpoint_dir file", "cannot write checkpoints to file: File exists"),
        (f"{TINY} -checkpoint_dir file/cv", "cannot write checkpoints to file/cv: Not a directory"),
        (f"{TINY} -checkpoint_dir /proc/cv", "cannot write checkpoints to /proc/cv: No such file or directory"),
        (f"{TINY} -init_from no.t7", MISSING),
        (f"{TINY} -resume no.t7", MISSING),
        (
            f"{TINY} -init_from {CHECKPOINTS}/lstm_chinese.t7",
            "the character vocabulary of the text (40) and that of "
            f"{CHECKPOINTS}/lstm_chinese.t7 (70) are not the same: "
            "only the text has ' ', '!', ',', '.', '0', '1', '2', '3', ..., "
            r"only the checkpoint b'\x80', b'\x81', b'\x82', b'\x84', b'\x85', b'\x86', b'\x87', b'\x88', ...",
        ),
    ],
)
def test_train(options: str, message: str) -> None:
    refuse("train", options, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "missing argument <model>" + NONE),
        ("a.t7 b.t7", "unexpected argument b.t7" + NONE),
        (f"{GOOD} -temperature 0", "-temperature should be greater than 0, got 0"),
        (f"{GOOD} -temperature nan", "-temperature should be greater than 0, got nan"),
        (f"{GOOD} -length -1", "-length should be a whole number from 0 on, got -1"),
        (f"{GOOD} -length 0.5", "-length should be a whole number from 0 on, got 0.5"),
        (f"{GOOD} -samples 0", f"-samples {COUNT}, got 0"),
        (f"{GOOD} -samples 1.5", f"-samples {COUNT}, got 1.5"),
        (
            f"{GOOD} -samples 2 -seed {2**53}",
            "-seed should be less than 2^53 for several -samples, to be counted on, got 9.007199254741e+15",
        ),
        (
            f"{GOOD} -samples 2 -sample 0",
            "-samples should be 1 with -sample 0, which always gives the same text, got 2",
        ),
        (f"{GOOD} -samples 4 -beam 3", "-samples should be at most 3, the width of -beam, got 4"),
        (f"{GOOD} -top_k 0", f"-top_k {COUNT}, got 0"),
        (f"{GOOD} -top_k 2.5", f"-top_k {COUNT}, got 2.5"),
        (f"{GOOD} -top_k nan", f"-top_k {COUNT}, got nan"),
        (f"{GOOD} -top_k 3 -sample 0", "-top_k is for drawing: it cannot be used with -sample 0"),
        (f"{GOOD} -top_k 3 -beam 2", "-top_k is for drawing: it cannot be used with -beam"),
        (f"{GOOD} -top_p 0", "-top_p should be greater than 0 and at most 1, got 0"),
        (f"{GOOD} -top_p 1.5", "-top_p should be greater than 0 and at most 1, got 1.5"),
        (f"{GOOD} -top_p nan", "-top_p should be greater than 0 and at most 1, got nan"),
        (f"{GOOD} -top_p 0.5 -sample 0", "-top_p is for drawing: it cannot be used with -sample 0"),
        (f"{GOOD} -top_p 0.5 -beam 2", "-top_p is for drawing: it cannot be used with -beam"),
        (f"{GOOD} -beam -1", "-beam should be a whole number from 0 on, got -1"),
        (f"{GOOD} -beam 0.5", "-beam should be a whole number from 0 on, got 0.5"),
        (f"{GOOD} -beam 2 -temperature 0.5", "-temperature is for drawing: it cannot be used with -beam"),
        (f"{GOOD} -seed inf", "-seed should be a whole number of 64 bits, got inf"),
        (f"-model {GOOD}", "unknown option -model, give the argument <model> without a name before it" + NONE),
    ],
)
def test_sample(options: str, message: str) -> None:
    refuse("sample", options, message)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("no.t7", MISSING),
        ("folder", "folder: Is a directory"),
        (
            "file",
            "not a file of Torch's, or a damaged one: file: expected an int of 4 bytes, found only 0 "
            "before the end of the file (at byte 0)",
        ),
        (
            "garbage.t7",
            "not a file of Torch's, or a damaged one: garbage.t7: expected the type of an object, "
            "a number from 0 to 8, found 1651663207 (at byte 4)",
        ),
        ("number.t7", "number.t7 is not a checkpoint of char-rnn: it holds a number"),
        ("tensor.t7", "tensor.t7 is not a checkpoint of char-rnn: it holds a torch.DoubleTensor"),
        ("table.t7", "table.t7 is not a checkpoint of char-rnn: it holds no table protos"),
    ],
)
def test_checkpoints(file: str, message: str) -> None:
    for program, options in (("sample", file), ("inspect_checkpoint", file), ("train", f"{TINY} -init_from {file}")):
        refuse(program, options, message)


def test_a_damaged_checkpoint() -> None:
    for program, options in (("sample", "cut.t7"), ("inspect_checkpoint", "cut.t7")):
        result = call(program, options)
        assert result.status == 2
        assert result.err.startswith(f"{program}.py: not a file of Torch's, or a damaged one: cut.t7: expected ")
        assert result.err.count("\n") == 1


def test_a_network_that_is_too_large() -> None:
    result = call("train", f"{TINY} -rnn_size 10000000000000")
    assert result.status == 2
    assert result.err.startswith("train.py: Unable to allocate ")
    assert result.err.count("\n") == 1


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "opt": (lambda c: c.opt.pop("rnn_size"), "its opt does not tell rnn_size, num_layers and model"),
    "vocab": (lambda c: c.vocab.update(a=99), "its vocab does not count characters from 1"),
    "no rnn": (lambda c: c.protos.pop("rnn"), "its protos.rnn is a nil, not a network"),
    "number": (lambda c: c.protos.update(rnn=3), "its protos.rnn is a number, not a network"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_that_lacks_something(name: str) -> None:
    change, message = CHANGES[name]
    checkpoint = torch7.load(GOOD)
    change(checkpoint)
    torch7.save("changed.t7", checkpoint)
    refuse("sample", "changed.t7", f"changed.t7 is not a checkpoint of char-rnn: {message}")


def test_a_vocabulary_in_another_order() -> None:
    checkpoint = torch7.load(GOOD)
    checkpoint.vocab.a, checkpoint.vocab.b = checkpoint.vocab.b, checkpoint.vocab.a
    torch7.save("other.t7", checkpoint)
    refuse(
        "train",
        f"{TINY} -init_from other.t7",
        "the character vocabulary of the text (40) and that of other.t7 (40) are not the same: "
        "they count the same characters in another order",
    )


def test_a_network_of_unknown_modules() -> None:
    checkpoint = torch7.load(GOOD)
    rnn = checkpoint.protos.rnn
    strange = torch7.TorchObject("nn.Strange", weight=np.zeros(3))
    for node in rnn.forwardnodes:
        if node.data.annotations.name == "decoder":
            rnn.modules[rnn.modules.index(node.data.module)] = node.data.module = strange
    torch7.save("strange.t7", checkpoint)
    for program, options in (("sample", "strange.t7"), ("train", f"{TINY} -init_from strange.t7")):
        refuse(program, options, "the network of strange.t7 has modules unknown here: nn.Strange")
    assert call("inspect_checkpoint", "strange.t7").status == 0


def test_files_beside_the_text_that_are_damaged() -> None:
    Path("data/small/data.t7").write_bytes(b"garbage")
    Path("data/small/vocab.t7").write_bytes(b"garbage")
    result = call("train", TINY)
    assert result.status == 2
    assert result.err.startswith("train.py: not a file of Torch's, or a damaged one: data/small/data.t7: expected ")


def test_nothing_is_left_of_a_failed_start() -> None:
    assert call("train", "-data_dir data/empty").status == 2
    assert call("train", "-data_dir data/short -dropout 3").status == 2
    assert [path.name for path in Path("data/empty").iterdir()] == ["input.txt"]
    assert not Path("cv").exists()


@pytest.mark.parametrize(
    ("program", "options"), [("train", "-data_dir no"), ("sample", "garbage.t7"), ("inspect_checkpoint", "no.t7")]
)
def test_as_a_process(program: str, options: str) -> None:
    result = process(program, options)
    assert result.status == 2
    assert result.err == call(program, options).err
    assert result.err.count("\n") == 1

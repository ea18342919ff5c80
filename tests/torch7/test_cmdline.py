from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import CmdLine


@pytest.fixture(autouse=True)
def program(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["code/train.py"])


@pytest.fixture
def train():
    """Options of every kind, as a training script declares them."""
    cmd = CmdLine()
    cmd.text()
    cmd.text("Train a language model")
    cmd.text()
    cmd.text("Options")
    cmd.option("-data_dir", "data/tiny", "data directory")
    cmd.option("-rnn_size", 128, "size of LSTM internal state")
    cmd.option("-learning_rate", 2e-3, "learning rate")
    cmd.option("-learning_rate_decay_after", 10.0, "when to start decaying")
    cmd.option("-weight", 1 / 3, "fourteen digits")
    cmd.option("-tiny", 1e-5)
    cmd.option("-huge", 10**15, "")
    cmd.option("-init_from", "", "checkpoint to start from")
    cmd.option("-gpuid", -1, "which gpu to use. -1 = use CPU")
    cmd.option("-verbose", False, "tell more")
    cmd.option("-shuffle", True, "mix lines")
    cmd.text()
    return cmd


TRAIN_HELP = """
Train a language model

Options
  -data_dir                  data directory [data/tiny]
  -rnn_size                  size of LSTM internal state [128]
  -learning_rate             learning rate [0.002]
  -learning_rate_decay_after when to start decaying [10]
  -weight                    fourteen digits [0.33333333333333]
  -tiny                      [1e-05]
  -huge                       [1e+15]
  -init_from                 checkpoint to start from []
  -gpuid                     which gpu to use. -1 = use CPU [-1]
  -verbose                   tell more [false]
  -shuffle                   mix lines [true]

"""


@pytest.fixture
def sample():
    cmd = CmdLine()
    cmd.text("Sample from a model")
    cmd.argument("-model", "checkpoint to sample from")
    cmd.argument("out")
    cmd.option("-seed", 123, "seed")
    cmd.option("-primetext", "", "start of the text")
    return cmd


SAMPLE_HELP = (
    "Sample from a model\n"
    "  <model>    checkpoint to sample from\n"
    "  <out>     \n"
    "  -seed      seed [123]\n"
    "  -primetext start of the text []\n"
)


def fails(capsys, cmd, *words):
    """The line on stderr with which `words` end the program."""
    with pytest.raises(SystemExit) as stopped:
        cmd.parse(words)
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    assert err.startswith("train.py: ")
    assert err.endswith(" (-help lists the options)\n")
    assert err.count("\n") == 1
    return err.removeprefix("train.py: ").removesuffix(" (-help lists the options)\n")


# --- help


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help_text_of_options(capsys, train, word):
    with pytest.raises(SystemExit) as stopped:
        train.parse(["-rnn_size", "5", word, "-nonsense"])
    assert stopped.value.code == 0
    assert capsys.readouterr() == ("Usage: code/train.py [options]\n" + TRAIN_HELP, "")


def test_help_text_of_arguments(capsys, sample):
    with pytest.raises(SystemExit):
        sample.parse(["-help"])  # asking for help needs no arguments
    assert capsys.readouterr().out == "Usage: code/train.py [options] <model> <out>\n" + SAMPLE_HELP


def test_help_without_a_program_name(capsys, sample):
    for arg in (None, [], [""]):
        sample.help(arg)
        assert capsys.readouterr().out == "Usage: [options] <model> <out>\n" + SAMPLE_HELP


def test_help_of_nothing(capsys):
    CmdLine().help(["x"])
    assert capsys.readouterr().out == "Usage: x [options]\n"


def test_a_help_word_can_be_a_value(train):
    assert train.parse(["-init_from", "-help"]).init_from == "-help"


# --- parse


def test_defaults(train):
    opt = train.parse([])
    assert isinstance(opt, torch7.Table)
    assert opt == train.default()
    assert opt.data_dir == "data/tiny"
    assert (opt.rnn_size, opt.learning_rate, opt.gpuid) == (128, 2e-3, -1)
    assert (opt.init_from, opt.verbose, opt.shuffle) == ("", False, True)
    assert len(opt) == 11


def test_values(train):
    line = "-data_dir 5 -rnn_size 0x10 -learning_rate 1e-3 -gpuid -1 -verbose -shuffle -weight 5.0 -tiny .5"
    opt = train.parse(line.split())
    assert opt.data_dir == "5"
    assert (opt.rnn_size, opt.learning_rate, opt.gpuid) == (16, 1e-3, -1)
    assert (opt.verbose, opt.shuffle) == (True, False)
    assert (opt.weight, opt.tiny) == (5, 0.5)
    assert isinstance(opt.weight, int)
    assert isinstance(opt.rnn_size, int)


@pytest.mark.parametrize("words", [["-rnn_size", "7"], ["--rnn_size", "7"], ["-rnn_size=7"], ["--rnn_size=7"]])
def test_spellings_of_an_option(train, words):
    assert train.parse(words).rnn_size == 7


def test_value_after_an_equals_sign(train):
    assert train.parse(["-data_dir=a=b"]).data_dir == "a=b"
    assert train.parse(["-data_dir="]).data_dir == ""
    assert train.parse(["--gpuid=-1"]).gpuid == -1


def test_last_value_counts_and_flags_do_not_flip_back(train):
    assert train.parse(["-rnn_size", "7", "-rnn_size", "8"]).rnn_size == 8
    assert train.parse(["-verbose", "-verbose"]).verbose is True


def test_the_exact_key_comes_first():
    cmd = CmdLine()
    cmd.option("-v", 1)
    cmd.option("--v=w", 2)
    cmd.option("plain", 3)
    assert cmd.parse(["--v=w", "5", "plain", "6", "--v", "7"]) == {"v": 7, "v=w": 5, "plain": 6}


def test_reads_the_programs_own_command_line(monkeypatch, sample):
    monkeypatch.setattr(sys, "argv", ["sample.py", "a.t7", "-seed", "3", "b.txt"])
    assert sample.parse() == {"model": "a.t7", "out": "b.txt", "seed": 3, "primetext": ""}


def test_words_need_not_be_strings():
    cmd = CmdLine()
    cmd.argument("n", "a number", "number")
    cmd.option("-seed", 123)
    opt = cmd.parse([7, "-seed", 5.5])
    assert (opt.n, opt.seed) == (7, 5.5)


def test_arguments_of_a_type():
    cmd = CmdLine()
    cmd.argument("n", None, "number")
    cmd.argument("s", None, "string")
    assert cmd.parse(["-5.0", "5"]) == {"n": -5, "s": "5"}


def test_an_argument_may_be_a_dash(sample):
    assert sample.parse(["-", "-.5"]).out == "-.5"


def char_rnn_train():
    """The options of char-rnn's training script."""
    cmd = CmdLine()
    numbers = {
        "rnn_size": 128, "num_layers": 2, "learning_rate": 2e-3, "learning_rate_decay": 0.97,
        "learning_rate_decay_after": 10, "decay_rate": 0.95, "dropout": 0, "seq_length": 50, "batch_size": 50,
        "max_epochs": 50, "grad_clip": 5, "train_frac": 0.95, "val_frac": 0.05, "seed": 123, "print_every": 1,
        "eval_val_every": 1000, "accurate_gpu_timing": 0, "gpuid": 0, "opencl": 0,
    }  # fmt: skip
    texts = {"data_dir": "data/tinyshakespeare", "model": "lstm", "init_from": "", "checkpoint_dir": "cv"}
    for name, default in {**numbers, **texts, "savefile": "lstm"}.items():
        cmd.option(f"-{name}", default, name)
    return cmd


def test_char_rnn_training():
    line = "-data_dir data/x -rnn_size 512 -num_layers 3 -dropout 0.5 -gpuid -1 -learning_rate 2e-3 -savefile 3"
    opt = char_rnn_train().parse(line.split())
    changed = {"data_dir": "data/x", "rnn_size": 512, "num_layers": 3, "dropout": 0.5, "gpuid": -1, "savefile": "3"}
    assert opt == char_rnn_train().default() | changed


# --- mistakes


def test_unknown_options(capsys, train, sample):
    assert fails(capsys, train, "-rnnsize", "5") == "unknown option -rnnsize, did you mean -rnn_size?"
    assert fails(capsys, train, "--Verbos") == "unknown option --Verbos, did you mean -verbose?"
    assert fails(capsys, train, "-learning_rat=3") == "unknown option -learning_rat, did you mean -learning_rate?"
    assert fails(capsys, train, "-qqq") == "unknown option -qqq"
    expected = "unknown option -model, give the argument <model> without a name before it"
    assert fails(capsys, sample, "-model", "x.t7") == expected


def test_missing_values(capsys, train):
    assert fails(capsys, train, "-gpuid") == "missing value for option -gpuid (a number)"
    assert fails(capsys, train, "-verbose", "-data_dir") == "missing value for option -data_dir (a string)"


@pytest.mark.parametrize("value", ["many", "", "5 apples", "1_000", "-rnn_size", "１２"])
def test_no_number(capsys, train, value):
    assert fails(capsys, train, "-gpuid", value) == f"option -gpuid should be a number, got {value}"


def test_value_of_a_boolean(capsys, train):
    assert fails(capsys, train, "-verbose=true") == "option -verbose takes no value, got true"
    assert fails(capsys, train, "-verbose", "true") == "unexpected argument true"


def test_argument_mistakes(capsys, sample):
    assert fails(capsys, sample) == "missing argument <model>"
    assert fails(capsys, sample, "a", "-seed", "1") == "missing argument <out>"
    assert fails(capsys, sample, "a", "b", "-5") == "unexpected argument -5"


def test_arguments_of_another_type(capsys):
    cmd = CmdLine()
    cmd.argument("-n", "how many", "number")
    assert fails(capsys, cmd, "x") == "argument <n> should be a number, got x"
    cmd = CmdLine()
    cmd.argument("flag", None, "boolean")
    assert fails(capsys, cmd, "true") == "argument <flag> should be a boolean, got true"


def test_an_option_that_no_word_can_set(capsys):
    cmd = CmdLine()
    cmd.option("-sizes", [1, 2], "sizes")
    assert cmd.parse([]).sizes == [1, 2]
    assert fails(capsys, cmd, "-sizes", "3") == "option -sizes is a table and cannot be set from the command line"


def test_wrong_declarations():
    cmd = CmdLine()
    with pytest.raises(ValueError, match="option -x has no default value"):
        cmd.option("-x", None)
    with pytest.raises(ValueError, match="option -x has a number as default, expected a string"):
        cmd.option("-x", 5, "five", "string")
    with pytest.raises(TypeError, match=re.escape("CmdLine.text: expected a string, got a number")):
        cmd.text(5)
    with pytest.raises(TypeError, match="expected a list of words, got a string"):
        cmd.parse("-x 5")
    with pytest.raises(TypeError, match=re.escape("CmdLine.addTime: expected a string as format, got a number")):
        cmd.addTime("x", 5)
    assert cmd.helplines == []


def test_error_is_for_scripts_too(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    with pytest.raises(SystemExit):
        CmdLine().error("no data")
    assert capsys.readouterr().err == ": no data (-help lists the options)\n"


# --- string


def test_string_names_what_changed(capsys, train):
    opt = train.parse(["-verbose", "-rnn_size", "5", "-learning_rate", "0.1", "-gpuid", "-1", "-shuffle"])
    opt.rundir = "x"
    expected = "cv,learning_rate=0.1,rnn_size=5,shuffle=f,verbose=t"
    assert train.string("cv", opt, {}) == expected
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "WARNING: unknown option/argument: rundir IGNORING for DIRECTORY NAME",
        "learning_rate\t0.1\t0.002",
        "rnn_size\t5\t128",
        "shuffle\tf\ttrue",
        "verbose\tt\tfalse",
    ]


def test_string_ignores_and_insists(capsys, train):
    opt = train.parse(["-rnn_size", "5", "-verbose"])
    ignore = {"rnn_size": True, "gpuid": False, "verbose": False}
    assert train.string("cv", opt, ignore) == "cv,gpuid=-1,verbose=t"
    assert "-- ignore option rnn_size\n" in capsys.readouterr().out


def test_string_with_arguments(sample):
    opt = sample.parse(["a.t7", "b.txt"])
    assert sample.string("s", opt) == "s,model=a.t7,out=b.txt,"  # Torch's separator after the last argument
    opt.seed = 5
    assert sample.string("s", opt) == "s,model=a.t7,out=b.txt,seed=5"
    assert sample.string("s", {"out": "o"}, {}) == "s,out=o,"


def test_string_of_little(train):
    assert train.string("cv", train.default()) == "cv"
    assert train.string(None, {}) == ""
    assert train.string("", {"gpuid": 0}) == ",gpuid=0"
    assert train.string("cv", {"gpuid": None}) == "cv"
    assert train.string("cv", {"gpuid": True}) == "cv,gpuid=t"  # in Lua no boolean equals a number


def test_string_with_other_separators():
    cmd = CmdLine("_", ":")
    cmd.option("-a", 1)
    cmd.option("-b", "x")
    assert cmd.string("run", {"a": 2, "b": "y"}) == "run_a:2_b:y"
    assert CmdLine(None, None).argseparator == ","
    assert CmdLine("", "").argseparator == ""


def test_string_wants_one_dash(capsys):
    cmd = CmdLine()
    cmd.option("--a", 1)
    assert cmd.string("run", {"a": 2}) == "run"  # Torch looks for -a
    assert capsys.readouterr().out.startswith("WARNING")


def test_string_refuses_tables():
    cmd = CmdLine()
    cmd.option("-a", [1])
    assert cmd.string("run", cmd.default()) == "run"
    with pytest.raises(TypeError, match="the value of a is a table"):
        cmd.string("run", {"a": [1]})


NAMES = st.text(alphabet="abc_", min_size=1, max_size=3)
VALUES = st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 1e-7, "x", "", "5"])


@given(st.dictionaries(NAMES, st.tuples(VALUES, VALUES)), st.dictionaries(NAMES, st.booleans()))
def test_string_of_any_options(table, ignore):
    cmd = CmdLine()
    expected = []
    for name, (default, value) in table.items():
        cmd.option(f"-{name}", default)
        same = value == default and isinstance(value, bool) == isinstance(default, bool)
        if ignore.get(name) is False or (name not in ignore and not same):
            shown = {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)
            expected.append(f"{name}={shown}")
    params = {name: value for name, (_, value) in table.items()}
    assert cmd.string("p", params, ignore) == ",".join(["p", *sorted(expected)])


def test_it_is_torchs_class():
    assert torch7.typename(CmdLine()) == "torch.CmdLine"

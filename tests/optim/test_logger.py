"""optim.Logger against what Torch7's wrote, its rows, its errors, and what becomes of its file."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from optim import log_files
from tests.support import golden

NAN, INF = float("nan"), float("inf")
CASES = golden.cases("optim/logger.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text(path: str = "a.log") -> str:
    return Path(path).read_bytes().decode()


def number(value: Any) -> Any:
    return golden.SPECIAL.get(value, value) if isinstance(value, str) else value


# -- Torch's files


@pytest.mark.parametrize("case", [case for case in CASES if "rows" in case], ids=golden.case_id)
def test_recorded(case: dict[str, Any]) -> None:
    with optim.Logger("a.log") as logger:
        if "names" in case:
            logger.setNames(case["names"])
        for row in case["rows"]:
            isMapping = isinstance(row, dict)
            logger.add({k: number(row[k]) for k in sorted(row)} if isMapping else [number(v) for v in row])
    assert text() == case["text"]


def test_recorded_error() -> None:
    (case,) = [case for case in CASES if case.get("raises")]
    message = case["message"].partition("<Logger> ")[2]
    with pytest.raises(TypeError, match=f"{message}, got a list of length 1 for 1"):
        optim.Logger("a.log").add([[1]])


def test_numbers_of_all_kinds() -> None:
    with optim.Logger("a.log") as logger:
        logger.add([np.float32(0.5), np.int64(3), np.array(2.5), Fraction(1, 4), np.str_("x"), 10**300, NAN, -0.0])
    assert text().splitlines()[1].split("\t") == [
        *(" 5.0000e-01", " 3.0000e+00", " 2.5000e+00", " 2.5000e-01", "x", "1.0000e+300", "        nan"),
        *("-0.0000e+00", ""),
    ]
    values = [column[0] for column in logger.symbols]
    assert [type(value) for value in values] == [float, int, float, float, str, int, float, float]


def test_halves_are_rounded_as_torch_does() -> None:
    """Percents of batches of 64 are often halfway between two numbers of five digits."""
    logger = optim.Logger("a.log")
    logger.add([100 * 9 / 64, 100 * 11 / 64, -1 / 256])
    assert text() == "1\t2\t3\t\n 1.4063e+01\t 1.7188e+01\t-3.9063e-03\t\n"


def test_each_row_is_in_the_file_at_once() -> None:
    logger = optim.Logger("a.log")
    logger.setNames(["x"])
    assert text() == "x\t\n"
    logger.add([1])
    assert text() == "x\t\n 1.0000e+00\t\n"


def test_an_old_file_is_emptied() -> None:
    Path("a.log").write_text("old")
    optim.Logger("a.log")
    assert text() == ""


def test_folders_are_made() -> None:
    optim.Logger("runs/1/a.log").add([1])
    assert text("runs/1/a.log").startswith("1\t\n")


def test_path_like(folder: Path) -> None:
    logger = optim.Logger(folder / "a.log")
    assert logger.name == str(folder / "a.log")
    assert logger.epsfile == logger.name + ".eps"


def test_timestamp(folder: Path) -> None:
    logger = optim.Logger("a.log", True)
    (path,) = folder.iterdir()
    assert re.fullmatch(r"a\.log-\d{4}_\d\d_\d\d_\d\d:\d\d:\d\d", path.name)
    assert (logger.name, logger.epsfile) == ("a.log", "a.log.eps")


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    logger = optim.Logger()
    assert capsys.readouterr().out == "<Logger> warning: no path provided, logging to std out\n"
    logger.setNames(["x"]).add([1])
    assert capsys.readouterr().out == "x\t\n 1.0000e+00\t\n"
    assert (logger.name, logger.epsfile) == ("stdout", None)
    logger.truncate(0)
    assert logger.symbols == [[]]
    logger.close()
    with pytest.raises(ValueError, match="does not write"):
        logger.add([1])


# -- fields and what methods return


def test_fields_at_first() -> None:
    logger = optim.Logger("a.log")
    fields = (logger.showPlot, logger.symbols, logger.styles, logger.names, logger.idx, logger.defaultStyle)
    assert fields == (True, [], [], [], [], "+")
    assert (logger.logscale, logger.plotRawCmd, logger.nsymbols, logger.empty, logger.figure) == (
        *(False, None, None, True, None),
    )


def test_fields_of_named_symbols() -> None:
    logger = optim.Logger("a.log").setNames(["a", "b"])
    assert (logger.empty, logger.nsymbols, logger.names, logger.idx) == (False, 2, ["a", "b"], {"a": 1, "b": 2})
    assert (logger.symbols, logger.styles) == ([[], []], [["+"], ["+"]])


def test_fields_of_a_list() -> None:
    logger = optim.Logger("a.log")
    logger.add([1, 2])
    assert (logger.names, logger.idx, logger.symbols, logger.nsymbols) == ([1, 2], [1, 2], [[1], [2]], 2)


def test_fields_of_a_mapping() -> None:
    logger = optim.Logger("a.log")
    logger.add({"a": 1, "b": "x"})
    assert (logger.empty, logger.nsymbols) == (False, 2)
    assert logger.symbols == {"a": [1], "b": ["x"]}
    assert logger.names == logger.idx == {"a": "a", "b": "b"}
    assert logger.styles == {"a": ["+"], "b": ["+"]}
    assert logger.symbols.a == [1]


def test_what_methods_return() -> None:
    logger = optim.Logger("a.log")
    assert logger.setNames(["a"]) is logger
    assert logger.style(["-"]) is logger
    assert [logger.add([1]), logger.setlogscale(True), logger.display(False), logger.plot()] == [None] * 4  # type: ignore[func-returns-value]


def test_switches() -> None:
    logger = optim.Logger("a.log")
    logger.setlogscale(1)
    logger.display(None)
    assert (logger.logscale, logger.showPlot) == (True, False)
    logger.setlogscale(None)
    logger.display(True)
    assert (logger.logscale, logger.showPlot) == (False, True)
    logger.setlogscale(True)
    logger.setlogscale()
    logger.display()
    assert (logger.logscale, logger.showPlot) == (False, False)


def test_it_is_torchs_class() -> None:
    assert torch7.typename(optim.Logger("a.log")) == "optim.Logger"


def test_repr() -> None:
    logger = optim.Logger("a.log").setNames(["x"])
    logger.add([1])
    assert repr(logger) == "<optim.Logger a.log: 1 rows of ['x']>"


# -- rows


def test_a_mapping_finds_its_columns_by_name() -> None:
    logger = optim.Logger("a.log").setNames(["a", "b"])
    logger.add({"b": 2, "a": 1})
    logger.add([3, 4])
    assert text() == "a\tb\t\n 1.0000e+00\t 2.0000e+00\t\n 3.0000e+00\t 4.0000e+00\t\n"


def test_a_list_after_a_mapping_is_in_its_order() -> None:
    logger = optim.Logger("a.log")
    logger.add({"b": 1, "a": 2})
    logger.add((3, 4))
    assert logger.symbols == {"b": [1, 3], "a": [2, 4]}


def test_positions_are_names_of_unnamed_symbols() -> None:
    logger = optim.Logger("a.log")
    logger.add([1, 2])
    logger.add({2: 4, 1: 3})
    assert logger.symbols == [[1, 3], [2, 4]]


def test_the_same_names_again_change_nothing() -> None:
    logger = optim.Logger("a.log").setNames(["a"])
    logger.add([1])
    assert logger.setNames(["a"]).symbols == [[1]]
    assert text() == "a\t\n 1.0000e+00\t\n"


TWO = "expected 2 values, for ['a', 'b'], got "


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ([1], ValueError, TWO + "1 values"),
        ([1, 2, 3], ValueError, TWO + "3 values"),
        ({"a": 1}, ValueError, TWO + "['a']"),
        ({"a": 1, 1: 2}, ValueError, TWO + "['a', 1]"),
        ({"a": 1, "c": 2}, ValueError, "optim.Logger.add: unknown symbol 'c'; expected one of ['a', 'b']"),
        ({"a": 1, "b": 2, "c": 3}, ValueError, "unknown symbol 'c'"),
        ([], TypeError, "optim.Logger.add: expected a list or mapping of values, got a list of length 0"),
        ({}, TypeError, "expected a list or mapping of values, got a dict of length 0"),
        ("ab", TypeError, "expected a list or mapping of values, got 'ab'"),
        (None, TypeError, "expected a list or mapping of values, got None"),
        (np.ones(2), TypeError, "expected a list or mapping of values, got float64 of shape (2,)"),
        ([1, None], TypeError, "can only log numbers and strings, got None for 'b'"),
        ([True, 1], TypeError, "can only log numbers and strings, got True for 'a'"),
        ([np.True_, 1], TypeError, "can only log numbers and strings"),
        ([1j, 1], TypeError, "can only log numbers and strings, got 1j for 'a'"),
        ([1, np.zeros(3)], TypeError, "got float64 of shape (3,) for 'b'"),
        ([b"x", 1], TypeError, "can only log numbers and strings, got a bytes of length 1 for 'a'"),
        ([10**400, 1], ValueError, "the number for 'a' is too large for a double"),
        (["a\tb", 1], ValueError, "expected texts without tabs and line breaks, got 'a\\tb'; csv and jsonl hold it"),
        (["\n", 1], ValueError, "expected texts without tabs"),
        (["\ud800", 1], UnicodeEncodeError, "surrogates not allowed"),
    ],
)
def test_a_refused_row_changes_nothing(row: Any, error: type[Exception], message: str) -> None:
    logger = optim.Logger("a.log").setNames(["a", "b"])
    logger.add([1, 2])
    before = text()
    with pytest.raises(error, match=re.escape(message)):
        logger.add(row)
    assert (text(), logger.symbols) == (before, [[1], [2]])
    logger.add([3, 4])
    assert text() == before + " 3.0000e+00\t 4.0000e+00\t\n"


@pytest.mark.parametrize("row", [[1, None], {"a": "\t"}, {"a\t": 1}, {None: 1}, {1.5: 1}, {"1": 1, 1: 2}])
def test_a_refused_first_row_names_nothing(row: Any) -> None:
    logger = optim.Logger("a.log")
    with pytest.raises((TypeError, ValueError)):
        logger.add(row)
    assert (text(), logger.empty, logger.names, logger.symbols) == ("", True, [], [])
    logger.add({"other": 1})
    assert text() == "other\t\n 1.0000e+00\t\n"


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], TypeError, "optim.Logger.setNames: expected a list of names, got a list of length 0"),
        ("ab", TypeError, "expected a list of names, got 'ab'"),
        (["a", None], TypeError, "optim.Logger: expected names to be strings, got None"),
        (["a", True], TypeError, "expected names to be strings, got True"),
        (["a", "a"], ValueError, "optim.Logger: expected names that differ, got ['a', 'a']"),
        (["a\tb"], ValueError, "expected texts without tabs"),
    ],
)
def test_refused_names(names: Any, error: type[Exception], message: str) -> None:
    logger = optim.Logger("a.log")
    with pytest.raises(error, match=re.escape(message)):
        logger.setNames(names)
    assert (text(), logger.empty) == ("", True)


def test_other_names_are_refused() -> None:
    logger = optim.Logger("a.log").setNames(["a"])
    with pytest.raises(ValueError, match=re.escape("setNames: the symbols are already named ['a'], got ['b']")):
        logger.setNames(["b"])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("a.log",), {"format": "xml"}, ValueError, "expected format to be one of torch, csv, jsonl, tensorboard"),
        ((3,), {}, TypeError, "optim.Logger: expected filename to be a string, got 3"),
        ((b"a.log",), {}, TypeError, "expected filename to be a string"),
        ((), {"resume": True}, ValueError, "resume needs the name of the file to continue, got no filename"),
        (("a.log", True), {"resume": True}, ValueError, "got a timestamp, which makes a new file"),
        ((), {"format": "tensorboard"}, ValueError, "tensorboard needs a filename: the folder for its files"),
    ],
)
def test_refused_loggers(folder: Path, arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        optim.Logger(*arguments, **options)
    assert not list(folder.iterdir())


# -- interrupts and full disks


def interrupted(monkeypatch: pytest.MonkeyPatch, error: BaseException, written: int) -> None:
    """Lets writing fail when the next `written` bytes are in the file."""
    write = os.write

    def fail(descriptor: int, data: Any) -> int:
        write(descriptor, bytes(data)[:written])
        raise error

    monkeypatch.setattr(log_files.os, "write", fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("written", [0, 5, 100])
def test_an_interrupted_row_is_not_there(monkeypatch: pytest.MonkeyPatch, error: BaseException, written: int) -> None:
    logger = optim.Logger("a.log").setNames(["a", "b"])
    logger.add([1, 2])
    before = text()
    with monkeypatch.context() as patch:
        interrupted(patch, error, written)
        with pytest.raises(type(error)):
            logger.add([3, 4])
    assert (text(), logger.symbols) == (before, [[1], [2]])
    logger.add([5, 6])
    assert (text(), logger.symbols) == (before + " 5.0000e+00\t 6.0000e+00\t\n", [[1, 5], [2, 6]])


@pytest.mark.parametrize("written", [0, 1, 100])
def test_an_interrupted_first_row_names_nothing(monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    logger = optim.Logger("a.log")
    with monkeypatch.context() as patch:
        interrupted(patch, KeyboardInterrupt(), written)
        with pytest.raises(KeyboardInterrupt):
            logger.add({"a": 1})
    assert (text(), logger.empty, logger.symbols) == ("", True, [])
    logger.add([1])
    assert text() == "1\t\n 1.0000e+00\t\n"


def test_an_interrupt_between_the_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(list):
        def append(self, value: Any) -> None:
            raise KeyboardInterrupt

    logger = optim.Logger("a.log").setNames(["a", "b"])
    logger.symbols[1] = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        logger.add([1, 2])
    assert (text(), logger.symbols) == ("a\tb\t\n", [[], []])


def test_a_system_that_writes_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(log_files.os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:3]))
    optim.Logger("a.log").add({"a": 1})
    assert text() == "a\t\n 1.0000e+00\t\n"


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs a device that takes nothing back")
def test_a_device() -> None:
    logger = optim.Logger("/dev/null")
    logger.add([1])
    logger.truncate(0)
    assert logger.symbols == [[]]


# -- the end of a logger


def test_close() -> None:
    logger = optim.Logger("a.log")
    logger.add([1])
    logger.close()
    logger.close()
    assert logger.file is None
    for call in (lambda: logger.add([2]), lambda: logger.setNames(["a"]), lambda: logger.truncate(0)):
        with pytest.raises(ValueError, match=r"was closed, read or copied, and does not write; .*resume=True"):
            call()
    assert (text(), logger.symbols) == ("1\t\n 1.0000e+00\t\n", [[1]])


def test_closing_torchs_way() -> None:
    logger = optim.Logger("a.log")
    logger.file.close()
    with pytest.raises(ValueError, match="does not write"):
        logger.add([2])


def test_a_block_closes_also_after_an_error() -> None:
    with pytest.raises(RuntimeError), optim.Logger("a.log") as logger:
        raise RuntimeError
    assert logger.file is None


def is_open(path: Path) -> bool:
    links = Path("/proc/self/fd").iterdir()
    return str(path) in [os.readlink(link) for link in links if link.is_symlink() and os.path.lexists(link)]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs Linux to see open files")
@pytest.mark.parametrize("isInCycle", [False, True])
def test_loggers_that_nobody_closes_leave_no_file_open(folder: Path, isInCycle: bool) -> None:
    logger = optim.Logger("a.log")
    if isInCycle:
        logger.itself = logger  # type: ignore[attr-defined]
    assert is_open(folder / "a.log")
    del logger
    gc.collect()
    assert not is_open(folder / "a.log")


def test_the_end_of_a_program_warns_of_nothing() -> None:
    code = "import optim; logger = optim.Logger('a.log'); logger.add({'a': 1})"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    assert (found.stdout, found.stderr, text()) == ("", "", "a\t\n 1.0000e+00\t\n")


def test_matplotlib_is_not_imported() -> None:
    code = "import optim, sys; optim.Logger('a.log').plot(); print({'matplotlib', 'tensorboardX'} & set(sys.modules))"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    assert found.stdout == "set()\n"


# -- copies


def saved_and_loaded(logger: optim.Logger) -> optim.Logger:
    torch7.save("logger.t7", logger)
    return torch7.load("logger.t7")


COPIES = [copy.deepcopy, lambda logger: pickle.loads(pickle.dumps(logger)), saved_and_loaded]


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "t7"])
@pytest.mark.parametrize("row", [{"a": 1.5, "b": "x"}, [1.5, "x"]])
def test_a_copy_has_all_but_the_file(copied: Any, row: Any) -> None:
    logger = optim.Logger("a.log")
    logger.style({"a": ["+", "-"]} if isinstance(row, dict) else [["+", "-"]])
    logger.add(row)
    logger.setlogscale(True)
    logger.plotRawCmd = "set grid"
    new = copied(logger)
    expected = {name: value for name, value in vars(logger).items() if name not in ("file", "figure")}
    assert {name: getattr(new, name) for name in expected} == expected
    assert (type(new), new.file, new.figure) == (optim.Logger, None, None)
    with pytest.raises(ValueError, match="does not write"):
        new.add(row)
    logger.add(row)
    assert repr(new).startswith("<optim.Logger a.log: 1 rows")
    new.style({1: "-"})


@pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "t7"])
def test_a_copy_of_an_empty_logger(copied: Any) -> None:
    new = copied(optim.Logger("a.log"))
    new.plot()
    assert (new.empty, new.names, new.plotRawCmd, new.nsymbols) == (True, [], None, None)


def test_a_logger_in_a_network_is_copied_with_it() -> None:
    import nn

    module = nn.Identity()
    module.logger = optim.Logger("a.log")
    module.logger.add([1])
    assert module.clone().logger.symbols == [[1]]
    assert copy.deepcopy(module).logger.file is None


# -- going on


def run(rows: list[Any], **options: Any) -> optim.Logger:
    with optim.Logger("a.log", **options) as logger:
        logger.setNames(["a", "b"])
        for row in rows:
            logger.add(row)
    return logger


FORMATS = ["torch", "csv", "jsonl"]
all_formats = pytest.mark.parametrize("format", FORMATS)


@all_formats
def test_resume(format: str) -> None:
    run([[1, "x"], [2, "y"]], format=format)
    logger = run([[3, "z"]], format=format, resume=True)
    assert logger.symbols == [[1, 2, 3], ["x", "y", "z"]]
    resumed = text()
    run([[1, "x"], [2, "y"], [3, "z"]], format=format)
    assert resumed == text()


@all_formats
@pytest.mark.parametrize("old", [None, b"", b"a", b'{"a'])
def test_resume_without_anything_to_continue(format: str, old: bytes | None) -> None:
    if old is not None:
        Path("a.log").write_bytes(old)
    run([[1, 2]], format=format, resume=True)
    resumed = text()
    run([[1, 2]], format=format)
    assert resumed == text()


@all_formats
def test_resume_after_every_possible_crash(format: str) -> None:
    run([[1.5, "x"], [2.5, "y"]], format=format)
    whole = Path("a.log").read_bytes()
    for size in range(len(whole)):
        Path("a.log").write_bytes(whole[:size])
        with optim.Logger("a.log", format=format, resume=True) as logger:
            logger.setNames(["a", "b"])
            done = len(logger.symbols[0])
            for row in [[1.5, "x"], [2.5, "y"]][done:]:
                logger.add(row)
        assert Path("a.log").read_bytes() == whole
        assert done == max(0, whole[:size].count(b"\n") - (format != "jsonl"))


def test_resume_by_mappings() -> None:
    for _ in range(2):
        with optim.Logger("a.log", resume=True) as logger:
            logger.add({"a": 1, "b": 2})
    assert text() == "a\tb\t\n" + 2 * " 1.0000e+00\t 2.0000e+00\t\n"


def test_resume_with_other_names() -> None:
    run([[1, 2]])
    with pytest.raises(ValueError, match="already named"):
        optim.Logger("a.log", resume=True).setNames(["a", "c"])


def test_resume_in_another_format() -> None:
    run([[1, 2]])
    with pytest.raises(ValueError, match=r"optim.Logger: a.log is in the format torch, expected csv to resume it"):
        optim.Logger("a.log", format="csv", resume=True)
    assert text() == "a\tb\t\n 1.0000e+00\t 2.0000e+00\t\n"


@all_formats
def test_truncate(format: str) -> None:
    rows = [[i, f"line\u2028{i}"] for i in range(5)]
    run(rows, format=format)
    with optim.Logger("a.log", format=format, resume=True) as logger:
        logger.truncate(4)
        logger.truncate(4)
        logger.truncate(2)
        assert logger.symbols == [[0, 1], ["line\u20280", "line\u20281"]]
        logger.add([9, "z"])
    truncated = text()
    run([*rows[:2], [9, "z"]], format=format)
    assert truncated == text()


@pytest.mark.parametrize("rows", [-1, 3, 1.0, "1", True, None])
def test_truncate_refuses(rows: Any) -> None:
    logger = optim.Logger("a.log")
    logger.add([1])
    logger.add([1])
    with pytest.raises(ValueError, match=re.escape(f"optim.Logger.truncate: expected 0 to 2 rows, got {rows!r}")):
        logger.truncate(rows)

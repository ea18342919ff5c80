"""The files of optim.Logger read back, and the formats that Torch does not have."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim
from tests.support import golden

from .test_logger import CASES, folder, number, text  # noqa: F401  (a fixture for all tests here)

NAN, INF = float("nan"), float("inf")


def read(content: str | bytes, **options: Any) -> optim.Logger:
    Path("a.log").write_bytes(content if isinstance(content, bytes) else content.encode())
    return optim.Logger.from_file("a.log", **options)


def rows(logger: optim.Logger) -> list[tuple[Any, ...]]:
    return list(zip(*logger.symbols))


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (a != a and b != b))


# -- Torch's columns


@pytest.mark.parametrize("case", [case for case in CASES if "rows" in case], ids=golden.case_id)
def test_recorded_files_are_read(case: dict[str, Any]) -> None:
    logger = read(case["text"])
    names = case["text"].partition("\n")[0].split("\t")[:-1]
    assert (logger.format, [str(name) for name in logger.names], logger.empty) == ("torch", names, False)
    values = [row[name] if isinstance(row, dict) else row[i] for row in case["rows"] for i, name in enumerate(names)]
    values = [number(value) for value in values]
    expected = [value if isinstance(value, str) else float(f"{value:.4e}") for value in values]
    assert [value for row in rows(logger) for value in row] == expected


def test_what_is_read_is_like_what_was_logged() -> None:
    logger = read("a\tb\t\n 1.0000e+00\tx\t\n")
    assert (logger.name, logger.epsfile, logger.file) == ("a.log", "a.log.eps", None)
    assert (logger.names, logger.idx, logger.nsymbols) == (["a", "b"], {"a": 1, "b": 2}, 2)
    assert (logger.styles, logger.symbols) == ([["+"], ["+"]], [[1.0], ["x"]])


def test_unnamed_symbols_are_unnamed_again() -> None:
    assert read("1\t2\t\n 1.0000e+00\t 2.0000e+00\t\n").names == [1, 2]


@pytest.mark.parametrize("cut", ["", " 3.0000e+00", " 3.0000e+00\t", " 3.0000e+00\t 4.0000e+00\t", "\0\0\0"])
def test_a_last_line_that_was_cut_off_is_left_out(cut: str) -> None:
    assert read("a\tb\t\n 1.0000e+00\t 2.0000e+00\t\n" + cut).symbols == [[1.0], [2.0]]


@pytest.mark.parametrize("content", ["", "a\tb", "a", "{", '{"a": 1'])
def test_a_file_without_a_whole_line(content: str) -> None:
    logger = read(content)
    assert (logger.empty, logger.symbols, logger.format) == (True, [], "torch")
    logger.plot()


def test_names_alone() -> None:
    assert read("a\tb\t\n").symbols == [[], []]


def test_a_file_from_windows() -> None:
    assert read("a\tb\t\r\n 1.0000e+00\tx\t\r\n").symbols == [[1.0], ["x"]]


def test_bytes_that_are_no_utf_8() -> None:
    assert read(b"\xe9\t\n\xe9\t\n").symbols == [["\ufffd"]]


def test_what_is_no_number_has_a_sign_where_lua_is_not_luajit() -> None:
    ((first, second),) = read("a\t\n       -nan\t\n        nan\t\n").symbols
    assert math.isnan(first)
    assert math.isnan(second)


def test_texts_among_numbers_stay_texts() -> None:
    assert read("a\t\n-\t\n 1.0000e+00\t\n\t\n").symbols == [["-", 1.0, ""]]


@pytest.mark.parametrize(("line", "count"), [(" 1.0000e+00\t", 1), ("1\t2\t3\t", 3)])
def test_lines_that_do_not_fit(line: str, count: int) -> None:
    with pytest.raises(ValueError, match=rf"optim.Logger: a.log: line 3 has {count} values, expected 2"):
        read(f"a\tb\t\n1\t2\t\n{line}\n1\t2\t\n")


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.log"):
        optim.Logger.from_file("no.log")


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="expected format to be one of torch"):
        read("a\t\n", format="xml")


def test_the_format_may_be_told() -> None:
    assert read("a\tb\t\n1\t2\t\n", format="csv").names == ["a\tb\t"]


# -- csv and JSON lines


def log(format: str, names: list[str], values: list[list[Any]]) -> str:
    with optim.Logger("a.log", format=format) as logger:
        logger.setNames(names)
        for row in values:
            logger.add(row)
    return text()


def test_csv() -> None:
    content = log("csv", ["a", "b,c"], [[0.1, 'say "x"'], [3, "two\nlines"], [NAN, ""], [-INF, "\t"]])
    assert content == 'a,"b,c"\n0.1,"say ""x"""\n3,"two\nlines"\nnan,\n-inf,\t\n'


def test_json_lines() -> None:
    content = log("jsonl", ["a", 'b"c'], [[0.1, "é\n"], [3, "x"], [NAN, ""], [-INF, "\t"], [INF, "\u2028"]])
    expected = ['{"a": 0.1, "b\\"c": "é\\n"}', '{"a": 3, "b\\"c": "x"}', '{"a": null, "b\\"c": ""}']
    assert content == "\n".join([*expected, '{"a": -1e999, "b\\"c": "\\t"}', '{"a": 1e999, "b\\"c": "\u2028"}', ""])
    values = [json.loads(line, parse_constant=pytest.fail)["a"] for line in content.splitlines()[:4]]
    assert values == [0.1, 3, None, -INF]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_numbers_keep_all_digits(format: str) -> None:
    values = [[math.pi], [float(np.nextafter(1, 2))], [5e-324], [-1.7976931348623157e308], [2**53 + 1], [-0.0]]
    log(format, ["x"], values)
    (column,) = optim.Logger.from_file("a.log").symbols
    assert all(map(same, column, [value for (value,) in values]))
    assert math.copysign(1, column[-1]) == -1


NUMBERS = st.floats() | st.integers(-(10**300), 10**300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
UNLIKE_NUMBERS = TEXTS.map(lambda text: f"t{text}")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@hypothesis.given(data=st.data())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None)
def test_anything_comes_back(format: str, data: st.DataObject) -> None:
    names = data.draw(st.lists(UNLIKE_NUMBERS, min_size=1, max_size=3, unique=True))
    hypothesis.assume(format == "jsonl" or "\t" not in "".join(names))  # a first line that ends in a tab is Torch's
    value = NUMBERS | (TEXTS if format == "jsonl" else UNLIKE_NUMBERS)
    values = data.draw(st.lists(st.lists(value, min_size=len(names), max_size=len(names)), min_size=1, max_size=3))
    log(format, names, values)
    logger = optim.Logger.from_file("a.log")
    assert (logger.format, logger.names) == (format, names)
    assert all(same(a, b) for row, original in zip(rows(logger), values, strict=True) for a, b in zip(row, original))


def test_csv_of_others() -> None:
    logger = read('\ufeffname,"loss, all"\r\nrun 1,.5\r\nrun 2,"3."\r\n')
    assert logger.names == ["name", "loss, all"]
    assert logger.symbols == [["run 1", "run 2"], [0.5, 3.0]]


def test_texts_that_only_seem_to_be_something_else() -> None:
    """A byte order mark is one at the start of a file alone, digits are 0 to 9, and JSON begins a name with a quote."""
    content = log("csv", ["{x}", "y"], [["\ufeffa", "\u0663\x1c"], [1, "\u0663"]])
    logger = read(content)
    assert (logger.format, logger.names) == ("csv", ["{x}", "y"])
    assert rows(logger) == [("\ufeffa", "\u0663\x1c"), (1, "\u0663")]
    assert optim.Logger("a.log", format="csv", resume=True).symbols == logger.symbols


def test_csv_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"optim.Logger: a.log: line 2: new-line character seen in unquoted field"):
        read("a,b\n1\r2,3\n")


def test_csv_is_what_pythons_module_reads() -> None:
    content = log("csv", ["a", "b"], [["two\nlines", 1], ['"', 2.5]])
    assert list(csv.reader(io.StringIO(content))) == [["a", "b"], ["two\nlines", "1"], ['"', "2.5"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1, "c": 2}', "line 2 has the names ['a', 'c'], expected ['a', 'b']"),
        ('{"a": 1}', "line 2 has the names ['a']"),
        ("{", "line 2 is no JSON: "),
        ("", "line 2 is no JSON: "),
        ("[1, 2]", "line 2: expected an object of numbers and strings, got [1, 2]"),
        ("{}", "line 2: expected an object"),
        ('{"a": 1, "b": true}', "line 2: expected an object"),
        ('{"a": 1, "b": [1]}', "line 2: expected an object"),
    ],
)
def test_lines_that_are_no_rows(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"optim.Logger: a.log: {message}")):
        read('{"a": 1, "b": 2}\n' + line + "\n")


def test_json_lines_find_their_columns_by_name() -> None:
    assert read('{"a": 1, "b": 2}\n{"b": 4, "a": 3}\n').symbols == [[1, 3], [2, 4]]


@pytest.mark.parametrize(("format", "line"), [("csv", "a\n1\n"), ("jsonl", '{"a": 1}\n')])
def test_standard_output(capsys: pytest.CaptureFixture[str], format: str, line: str) -> None:
    optim.Logger(format=format).add({"a": 1})
    assert capsys.readouterr().out == "<Logger> warning: no path provided, logging to std out\n" + line


# -- TensorBoard


@pytest.fixture
def tensorboardX() -> Any:
    return pytest.importorskip("tensorboardX")


def events() -> list[Any]:
    """What a program that knows the files alone finds in the last one: records framed by length and checksums."""
    from tensorboardX.proto.event_pb2 import Event

    data = sorted(Path("run").iterdir())[-1].read_bytes()
    found = []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def test_tensorboard(tensorboardX: Any) -> None:
    logger = optim.Logger("run", format="tensorboard")
    logger.add({"% loss": 0.5, "what": "é"})
    logger.add({"% loss": NAN, "what": "b"})
    head, start, *steps = events()
    assert (head.file_version, start.session_log.status, start.step) == ("brain.Event:2", 1, 1)
    assert [event.step for event in steps] == [1, 2]
    assert all(event.wall_time > 1.6e9 for event in [head, *steps])
    scalar, what = steps[0].summary.value
    assert (scalar.tag, scalar.simple_value) == ("% loss", 0.5)
    assert (what.tag, what.metadata.plugin_data.plugin_name) == ("what/text_summary", "text")
    assert what.tensor.string_val[0].decode() == "é"
    assert math.isnan(steps[1].summary.value[0].simple_value)


def test_tensorboard_read_back(tensorboardX: Any) -> None:
    with optim.Logger("runs/run", format="tensorboard") as logger:
        for row in [[0.1, "x", 1], [1e300, "y", -INF]]:
            logger.add(row)
    again = optim.Logger.from_file("runs/run")
    assert (again.format, again.names, again.epsfile) == ("tensorboard", [1, 2, 3], "runs/run.eps")
    assert again.symbols == [[float(np.float32(0.1)), INF], ["x", "y"], [1.0, -INF]]


def test_tensorboard_goes_on(tensorboardX: Any) -> None:
    with optim.Logger("run", format="tensorboard") as logger:
        logger.setNames(["a"])
        for value in range(4):
            logger.add([value])
    with optim.Logger("run", format="tensorboard", resume=True) as logger:
        logger.setNames(["a"])
        assert logger.symbols == [[0, 1, 2, 3]]
        logger.truncate(2)
        assert events()[1].step == 3
        logger.add([9])
    assert events()[2].step == 3
    assert optim.Logger.from_file("run").symbols == [[0, 1, 9]]
    optim.Logger("run", format="tensorboard").add([7])
    assert optim.Logger.from_file("run").symbols == [[7]]


def test_tensorboard_interrupted(tensorboardX: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = optim.Logger("run", format="tensorboard")
    logger.add([1])
    writer = logger.file._writer._writer
    with monkeypatch.context() as patch:

        def fail() -> None:
            raise KeyboardInterrupt

        patch.setattr(logger.file._writer, "flush", fail)
        with pytest.raises(KeyboardInterrupt):
            logger.add([2])
    assert writer.closed
    assert logger.symbols == [[1]]
    logger.add([3])
    assert optim.Logger.from_file("run").symbols == [[1, 3]]


def test_tensorboards_file_cut_off(tensorboardX: Any) -> None:
    with optim.Logger("run", format="tensorboard") as logger:
        logger.add([1])
        logger.add([2])
    (path,) = Path("run").iterdir()
    whole = path.read_bytes()
    record = len(events()[-1].SerializeToString()) + 16
    for cut in range(1, record + 1):
        path.write_bytes(whole[:-cut])
        assert optim.Logger.from_file("run").symbols == [[1]]


def test_tensorboard_files_of_others(tensorboardX: Any) -> None:
    writer = tensorboardX.SummaryWriter("run")
    writer.add_scalar("a", 1.5, 10)
    writer.add_histogram("h", np.zeros(3), 10)
    writer.add_scalar("a", 2.5, 20)
    writer.close()
    assert optim.Logger.from_file("run").symbols == [[1.5, 2.5]]
    writer = tensorboardX.SummaryWriter("run", filename_suffix="b")
    writer.add_scalar("b", 1.5, 10)
    writer.close()
    with pytest.raises(ValueError, match=re.escape("optim.Logger: run: step 20 has ['a'], expected ['a', 'b']")):
        optim.Logger.from_file("run")


def test_a_folder_without_events() -> None:
    Path("run").mkdir()
    with pytest.raises(IsADirectoryError):
        optim.Logger.from_file("run")


def test_without_tensorboardX(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"optim.Logger's format tensorboard needs .*'pygraphnn\[tensorboard\]'"):
        optim.Logger("run", format="tensorboard")
    assert not Path("run").exists()

from __future__ import annotations

import builtins
import re
import sys

import pytest

from torch7 import CmdLine


@pytest.fixture(autouse=True)
def print_comes_back(monkeypatch):
    monkeypatch.setattr(builtins, "print", builtins.print)


def test_log_of_parameters_and_prints(tmp_path, capsys):
    file = tmp_path / "log"
    with CmdLine().log(file, {"seed": 5.0, "verbose": True, "dir": "x"}):
        print("a", 1, sep="\t")
        print()
        print("b", end="")
        print("c", "d", sep=",", end="!\n")
        print("to another file", file=sys.stderr)
        sys.stdout.write("not through print\n")
    print("after")
    started, *screen = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[program started on \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\]", started)
    assert screen[:5] == ["[command line arguments]", "seed\t5", "verbose\ttrue", "dir\tx", "[----------------------]"]
    assert screen[5:] == ["a\t1", "", "bc,d!", "not through print", "after"]
    assert file.read_text() == (
        f"{started} \n[command line arguments] \nseed 5 \nverbose true \ndir x \n[----------------------] \n"
        "a 1 \n\nbc,d!\n"
    )


def test_log_to_an_open_file(tmp_path):
    with (tmp_path / "log").open("w+") as file:
        with CmdLine().log(file):
            print("one")
        assert not file.closed
        file.seek(0)
        assert file.read().endswith("\n[command line arguments] \n[----------------------] \none \n")


def test_silent_prints_to_the_log_alone(tmp_path, capsys):
    cmd = CmdLine()
    cmd.silent()
    with cmd.log(tmp_path / "log"):
        print("hush")
        print("loud", file=sys.stderr)
    assert capsys.readouterr() == ("", "loud\n")
    assert (tmp_path / "log").read_text().endswith("hush \n")


def test_addTime(tmp_path, monkeypatch):
    monkeypatch.setattr("torch7.cmdline.time.strftime", lambda form: form)
    cmd = CmdLine()
    with cmd.log(tmp_path / "log"):
        print("plain")
        cmd.addTime()
        print("dated")
        cmd.addTime("50%", "%F %T")
        print("named", "twice")
        print()
    lines = (tmp_path / "log").read_text().splitlines()[-4:]
    assert lines == ["plain ", "%Y-%m-%d %H:%M:%S dated ", "%F %T[50%%]:  named twice ", "%F %T[50%%]:  "]


def test_a_second_log_takes_the_first_ones_place(tmp_path):
    screen = builtins.print
    first = CmdLine().log(tmp_path / "first")
    second = CmdLine().log(tmp_path / "second")
    print("x")
    assert "x" not in (tmp_path / "first").read_text().splitlines()[-1]
    assert (tmp_path / "second").read_text().endswith("\nx \n")
    first.close()
    assert builtins.print is second
    second.close()
    assert builtins.print is screen

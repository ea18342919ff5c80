"""What the documentation shows works."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import nn
import optim
import pygraphnn
import torch7

from .support.mpi import mpirun, needs_mpi

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_examples_of_the_readme_run(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert {path.name for path in tmp_path.iterdir()} == {"xor.t7", "xor.svg"}


def test_programs_of_the_readme_exist_and_take_the_options_shown():
    sys.path.insert(0, str(ROOT / "examples" / "char_rnn"))
    import train

    shown = [line for block in blocks("sh") for line in block.splitlines() if "train.py" in line]
    known = set(train.command_line().default())
    for line in shown:
        words = line.split("#")[0].split("train.py")[1].split()
        assert {word[1:] for word in words if re.match(r"-[a-z]", word)} <= known
    for program in re.findall(r"[\w/]+\.py", " ".join(blocks("sh"))):
        assert (ROOT / program).is_file()


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def run_page(page: str, file: str) -> str:
    """Runs the examples of a page one after the other, as lines of a script of this name; returns the page's text."""
    text = (ROOT / "docs" / page).read_text()
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, file, "exec"), names)
    return text


def test_examples_of_the_page_on_drawing_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = run_page("drawing.md", "drawing.py")
    assert {path.name for path in tmp_path.iterdir()} == set(re.findall(r'"(\w+\.(?:svg|pdf|graphml))"', page))
    tables = re.findall(r"```\n(module.*?)```", page, re.DOTALL)
    assert capsys.readouterr().out == "".join(tables)


def test_examples_of_the_page_on_debugging_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = run_page("debugging.md", "net.py")
    (told,) = re.findall(r"```\n(nn.Linear.*?)```", page, re.DOTALL)
    told += f"The graph is drawn in {tmp_path / 'my_net.svg'}, with the node that failed in red\n"
    told += "nn.Log: updateOutput gave 1 infinite of 2 elements\n"
    out = capsys.readouterr().out
    for line in told.splitlines():
        assert f"{line}\n" in out
    assert out.count(" V : ") == 6
    assert out.endswith("(2, 3)\n")
    assert [path.name for path in tmp_path.iterdir()] == ["my_net.svg"]


def test_examples_of_the_page_on_optimizers_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = run_page("optim.md", "optim.py")
    told = re.findall(r"(?:print\(.*\)  # |```\n(?=optim))(.*)$", page, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == told
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"train.log", "train.png", "validation.svg", "confusion.png"}


def test_examples_of_the_page_on_recurrent_networks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = run_page("cells.md", "cells.py")
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)$", page, re.MULTILINE)
    assert [path.name for path in tmp_path.iterdir()] == ["lstm_peepholes.svg"]


def test_examples_of_the_page_on_sequences_run(capsys):
    page = run_page("unroll.md", "unroll.py")
    told = re.findall(r"print\(.*\)  # (.*)$", page, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == told


@needs_mpi
@pytest.mark.parametrize("processes", [1, 2])
def test_the_script_of_the_page_on_processes_runs(processes, tmp_path):
    page = (ROOT / "docs" / "distributed.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (told,) = re.findall(r"```\n(loss.*?)```", page, re.DOTALL)
    (tmp_path / "script.py").write_text(code)
    assert mpirun(processes, tmp_path / "script.py") == (0, told, "")


def test_pictures_are_what_the_examples_draw(tmp_path):
    subprocess.run([sys.executable, "docs/pictures.py", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)

    def words(path: Path) -> list[str]:
        tree = ElementTree.parse(path)
        tips = [a.get("{http://www.w3.org/1999/xlink}title", "") for a in tree.iter("{http://www.w3.org/2000/svg}a")]
        return sorted(tips + [e.text or "" for e in tree.iter("{http://www.w3.org/2000/svg}text")])

    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (ROOT / "docs").glob("*.svg"))
    for name in drawn:
        assert words(ROOT / "docs" / name) == words(tmp_path / name), f"run: python docs/pictures.py ({name})"
        assert str(ROOT) not in (tmp_path / name).read_text()
    assert "forget gate" in words(tmp_path / "lstm.svg")


def test_the_encoder_and_decoder_draws_what_is_asked_for(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "encoder_decoder.py"), "e.dot", "--read", "1", "--fold"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    assert done.stdout.startswith(b"read (4, 10) and wrote (4, 12), (4, 12)")
    assert "subgraph" not in (tmp_path / "e.dot").read_text()
    failed = subprocess.run([*command, "--write", "1"], env={"PYTHONPATH": str(ROOT)}, check=False, capture_output=True)
    assert failed.returncode == 2
    assert b"two or more to write" in failed.stderr


@pytest.mark.parametrize("package", [torch7, nn, optim, pygraphnn])
def test_public_names_are_documented(package):
    names = getattr(package, "__all__", None) or [name for name in vars(package) if not name.startswith("_")]
    for name in names:
        value = getattr(package, name)
        if isinstance(value, type) or callable(value):
            assert (value.__doc__ or "").strip(), f"{package.__name__}.{name} has no docstring"


def test_page_of_classes_is_drawn_from_the_code():
    reference = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    assert (ROOT / "docs" / "nn.md").read_text() == reference["page"](), "run: python docs/reference.py"


def test_architecture_names_files_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    known = {path.name for path in ROOT.rglob("*.py")}
    for name in re.findall(r"`(\w+\.py)`", text):
        assert name in known, name

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
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_picture_of_the_readme_is_what_the_example_draws(tmp_path):
    subprocess.run(
        [sys.executable, "examples/lstm_cell.py", str(tmp_path / "lstm.svg")],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )

    def titles(path: Path) -> list[str]:
        return [e.text or "" for e in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]

    assert titles(ROOT / "docs" / "lstm.svg") == titles(tmp_path / "lstm.svg")
    assert "forget gate" in titles(tmp_path / "lstm.svg")


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

"""What the programs of the course share: the list, the page of pictures, options, pages of documentation."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import render

from ...support.course import COURSE, program, refuses

ROOT = COURSE.parent.parent
PAGES = ROOT / "docs" / "course"
course, lecture = program("course"), program("lecture")
NAMES = course.COURSE


def test_every_program_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    helpers = {"__main__", "characters", "course", "lecture"}
    assert {path.stem for path in COURSE.glob("*.py")} - helpers == set(NAMES)
    course.main([])
    assert capsys.readouterr().out.split("\n") == [*(f"{name:15}{course.title(name)}" for name in NAMES), ""]


def test_the_course_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "examples.course", "rnn"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == f"{'rnn':15}{course.title('rnn')}\n"


def test_a_run_gathers_pictures_and_what_programs_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "course"
    course.main(["--run", "--short", "neuron", "--output", str(folder)])
    page = (folder / "index.html").read_text(encoding="utf-8")
    seen: list[str] = []
    parser = HTMLParser()
    monkeypatch.setattr(parser, "handle_starttag", lambda tag, attributes: seen.append(dict(attributes).get("src", "")))
    parser.feed(page)
    assert [name for name in seen if name] == ["neuron-graph.svg", "neuron.png"]
    assert {path.name for path in folder.iterdir()} == {"index.html", "neuron-graph.svg", "neuron.png"}
    assert re.search(r"\n1 and 1: 0\.[5-9]", page)
    assert re.fullmatch(rf"neuron: \d+ s\nwrote {folder}/index.html\n", capsys.readouterr().out)


def test_what_fails_is_told_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "run", lambda name, output, short: ("some <words>\n", name != "rnn"))
    with pytest.raises(SystemExit, match="failed: rnn"):
        course.main(["--run", "neuron", "rnn", "--output", str(tmp_path)])
    assert "some &lt;words&gt;" in (tmp_path / "index.html").read_text()


def test_an_interrupted_run_leaves_the_page_of_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, output: Path, short: bool) -> tuple[str, bool]:
        if name == "rnn":
            raise KeyboardInterrupt
        return "so far\n", True

    monkeypatch.setattr(course, "run", run)
    with pytest.raises(KeyboardInterrupt):
        course.main(["--run", "neuron", "rnn", "--output", str(tmp_path)])
    page = (tmp_path / "index.html").read_text()
    assert "so far" in page
    assert "rnn.py" not in page


def test_unknown_programs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("course", "perceptron", "there is no 'perceptron', expected some of neuron, ", capsys)


@pytest.mark.parametrize("name", NAMES)
def test_every_program_has_a_page_with_its_pictures(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert f"]({name}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")
    assert f"python examples/course/{name}.py" in page
    wrote = set(re.findall(r"^wrote (.*)$", page, re.MULTILINE))
    assert wrote
    assert wrote == {link for link in re.findall(r"\]\(([\w.-]+)\)", page) if not link.endswith(".md")}
    for file in wrote:
        assert (PAGES / file).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_pages_and_descriptions_show_options_that_there_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(name)
    with pytest.raises(SystemExit):
        module.main(["--help"])
    told = capsys.readouterr().out
    known = set(re.findall(r"^ +(?:-h, )?(--[\w-]+)", told, re.MULTILINE))
    shown = (PAGES / f"{name}.md").read_text(encoding="utf-8") + (module.__doc__ or "")
    assert {"--seed", "--output", "--short"} <= known
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", shown)) <= known


def test_options_on_the_command_line_outdo_the_short_ones() -> None:
    parser = lecture.parser("Doc.")
    parser.add_argument("--epochs", type=lecture.whole(1), default=20)
    parser.add_argument("--size", type=lecture.whole(1), default=100)
    assert lecture.parse(parser, ["--epochs", "7"], epochs=2).epochs == 7
    options = lecture.parse(parser, ["--short", "--epochs", "7"], epochs=2, size=3)
    assert (options.epochs, options.size) == (7, 3)


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        (lecture.whole(2), "1", "expected 2 or more, got 1"),
        (lecture.whole(0), "1.0", "expected a whole number, got '1.0'"),
        (lecture.real(), "inf", "expected a number finite, got inf"),
        (lecture.real(above=0, below=1), "1", "expected a number above 0 and below 1, got 1"),
        (lecture.real(least=0), "-0.1", "expected a number at least 0, got -0.1"),
        (lecture.real(), "x", "expected a number, got 'x'"),
    ],
)
def test_numbers_out_of_range_are_refused(kind, text, complaint):
    with pytest.raises(lecture.argparse.ArgumentTypeError) as error:
        kind(text)
    assert str(error.value) == complaint


def test_numbers_in_range_are_read() -> None:
    assert (lecture.whole(2)("2"), lecture.real(least=0)("0"), lecture.real()("-1e-3")) == (2, 0.0, -1e-3)


def test_minibatches_have_every_example_once() -> None:
    torch7.manualSeed(1)
    first, again = lecture.minibatches(10, 4), lecture.minibatches(10, 4)
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(np.concatenate(first)) == [*range(10)]
    assert [*np.concatenate(first)] != [*np.concatenate(again)]
    assert [len(batch) for batch in lecture.minibatches(3, 5)] == [3]


def test_training_is_adam_on_a_clipped_gradient() -> None:
    torch7.manualSeed(1)
    net, x, target = nn.Linear(3, 2), np.eye(3), np.full((3, 2), 100.0)
    training = lecture.Training(net, nn.MSECriterion(), rate=0.5, clip=1e-3)
    assert np.shares_memory(training.parameters, net.weight)
    before = training.parameters.copy()
    losses = [training(x, target) for _ in range(2)]
    assert losses[1] < losses[0]
    assert abs(np.linalg.norm(training.gradients) - 1e-3) < 1e-15
    np.testing.assert_allclose(training.parameters - before, 1.0, rtol=1e-2)  # two steps of the rate
    training.rate = 1e-9
    training(x, target)
    np.testing.assert_allclose(training.parameters - before, 1.0, rtol=1e-2)


def test_without_graphviz_all_but_the_drawing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render, "_commands", lambda *_: iter(()))
    program("neuron").main(["--short", "--output", str(tmp_path)])
    told = capsys.readouterr().out
    assert "svg needs Graphviz, and there is none: pip install" in told
    assert {path.name for path in tmp_path.iterdir()} == {"neuron-graph.dot", "neuron.png"}


def test_ctrl_c_and_missing_packages_end_a_program_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def incomplete() -> None:
        raise ImportError("the progress bar needs the package rich")

    with pytest.raises(SystemExit) as error:
        lecture.run(interrupted)
    assert error.value.code == 130
    monkeypatch.setattr(sys, "argv", ["examples/course/rnn.py"])
    with pytest.raises(SystemExit, match=r"^rnn\.py: the progress bar needs the package rich$"):
        lecture.run(incomplete)

"""execute.py: programs and what they print, curricula, and that a network learns to execute."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

execute = program("execute")
OPERATIONS = (ast.BinOp, ast.IfExp, ast.For)


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("nesting", [1, 2, 3])
def test_programs_have_the_length_and_nesting_asked_for(length: int, nesting: int) -> None:
    torch7.manualSeed(length)
    for _ in range(40):
        tree = ast.parse(execute.example(length, nesting).program)
        nodes = list(ast.walk(tree))
        assert sum(isinstance(node, OPERATIONS) for node in nodes) == nesting
        short = [
            node.right if isinstance(node, ast.BinOp) else node.iter.args[0]
            for node in nodes
            if isinstance(node, ast.For) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult))
        ]
        for node in nodes:
            if isinstance(node, ast.Constant):
                assert node.value in (2, 3, 4) if node in short else len(str(node.value)) == length
        stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id != "x"]
        assert len(set(stored)) == len({n.targets[0].id for n in nodes if isinstance(n, ast.Assign)})


def test_an_operation_uses_what_the_one_before_made() -> None:
    torch7.manualSeed(5)
    for _ in range(50):
        two = execute.example(2, 2, ("add", "subtract")).program
        outer = ast.parse(two).body[0].value.args[0]
        assert sorted(type(side).__name__ for side in (outer.left, outer.right)) == ["BinOp", "Constant"]


def test_results_are_what_python_prints() -> None:
    torch7.manualSeed(6)
    examples = [execute.example(2, 3) for _ in range(60)]
    shown = subprocess.run(
        [sys.executable, "-c", "".join(e.program for e in examples)], capture_output=True, check=True
    )
    assert [f"{line}." for line in shown.stdout.decode().split()] == [e.result for e in examples]


def test_all_operations_come_about_and_only_those_asked_for() -> None:
    torch7.manualSeed(7)
    text = "".join(execute.example(1, 1).program for _ in range(200))
    for piece in ("+", "-", "*", " if ", " else ", "<", "for x in range(", "+=", "=", "print("):
        assert piece in text
    text = "".join(execute.example(1, 2, ("add", "choose")).program for _ in range(100))
    assert "+" in text
    assert not set("-*=") & set(text)


def test_curricula() -> None:
    torch7.manualSeed(8)
    assert [execute.difficulty("none", p, 3, 2) for p in (0, 0.99)] == [(3, 2)] * 2
    stages = [execute.difficulty("naive", p, 3, 2) for p in (0, 0.2, 0.4, 0.51, 0.7, 0.9, 1)]
    assert stages == [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (3, 2)]
    cells = [execute.difficulty("mix", 0, 3, 2) for _ in range(300)]
    assert {cells.count(cell) > 20 for cell in {(a, b) for a in (1, 2, 3) for b in (1, 2)}} == {True}
    easy = [execute.difficulty("combined", 0, 3, 2) == (1, 1) for _ in range(600)]
    assert abs(np.mean(easy) - (1 / 2 + 1 / 2 / 6)) < 0.1


def test_a_minibatch_asks_for_results_only() -> None:
    x, target = execute.minibatch([execute.Example("print(7)\n", "7."), execute.Example("a=1\nprint(a)\n", "-31.")])
    texts = ["".join(execute.ALPHABET[i - 1] for i in column) for column in x.T]
    assert texts == ["\n\n\n\nprint(7)\n7..", "a=1\nprint(a)\n-31"]
    wanted = ["".join(execute.ALPHABET[i - 1] if i > 0 else "_" for i in column) for column in target.T]
    assert wanted == ["____________7.__", "____________-31."]


def test_greedy_answers_are_those_of_the_whole_text_read_again() -> None:
    torch7.manualSeed(9)
    net = execute.network(8)
    examples = [execute.Example(f"print({i})\n", f"{i}00.") for i in (1, 5, 8)]
    for e, answer in zip(examples, execute.answers(net, examples, 8)):
        text = e.program
        while len(text) < len(e.program) + 5 and not text.endswith("."):
            x = np.array([[1 + execute.ALPHABET.index(letter)] for letter in text])
            text += execute.ALPHABET[net.forward([x, *execute.zeros(1, 8)])[-1].argmax()]
        assert text == e.program + answer


def test_the_most_frequent_character() -> None:
    assert execute.most_frequent([execute.Example("", "11."), execute.Example("", "1.")]) == 3 / 5


def test_a_short_training_beats_the_most_frequent_character(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--strategy none --length 1 --nesting 1 --steps 150 --operations add choose --output"
    characters, whole, tests = execute.main([*words.split(), str(tmp_path)])
    assert characters.shape == whole.shape == (2, 2)
    chance = execute.most_frequent(tests[1, 1])
    assert characters[0, 0] > chance + 0.08
    told = capsys.readouterr().out
    for (i, j), share in np.ndenumerate(characters):
        assert f"length {j + 1}, nesting {i + 1}: {share:.1%} of characters, {whole[i, j]:.1%} of whole results" in told
    assert told.count("the network:") == 2
    assert wrote(told, tmp_path) == {"execute.png", "execute-graph.svg"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--strategy hard", "invalid choice: 'hard'"),
        ("--operations divide", "invalid choice: 'divide'"),
        ("--nesting 6", "--nesting: expected at most 5 operations, got 6"),
        ("--length 9", "--length: expected at most 8 digits, got 9"),
        ("--steps 0", "expected 1 or more, got 0"),
    ],
)
def test_options_that_make_no_sense(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("execute", words, complaint, capsys)

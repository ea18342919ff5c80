"""interpret.py: properties of programs, cells that tell them after training, and text in colours."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

interpret = program("interpret")


def test_cells_of_a_trained_network_tell_more_than_chance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance, found = interpret.main(["--short", "--output", str(tmp_path)])
    assert abs(found["open brackets"].r) > abs(chance["open brackets"].r) + 0.15
    assert found["open brackets"].together > chance["open brackets"].together + 0.03
    assert found["in a string"].together > chance["in a string"].together + 0.03
    told = capsys.readouterr().out
    files = {"interpret.html", "interpret.png", "interpret-cells.png", "interpret-graph.svg"}
    assert wrote(told, tmp_path) == files
    assert re.search(rf"open brackets .*{found['open brackets'].cell + 1}, r = ", told)
    shown = read((tmp_path / "interpret.html").read_text(encoding="utf-8"))
    assert len(shown) == len(found) == 5
    assert len(set(shown)) == 1
    assert 12 <= shown[0].count("\n") <= 36


def read(page: str) -> list[str]:
    """The texts of a page's <pre>; fails where tags do not close."""
    texts: list[str] = []
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            if tag != "meta":
                opened.append(tag)
            if tag == "pre":
                texts.append("")

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

        def handle_data(self, data: str) -> None:
            if "pre" in opened:
                texts[-1] += data

    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not opened
    return texts


SNIPPET = '''if a["x"]:  # no (
    b = """(
'm' """ + f'{c}'
'''


def test_properties() -> None:
    found = interpret.properties(SNIPPET)
    assert {len(values) for values in found.values()} == {len(SNIPPET)}
    marked = {name: "".join(c for c, v in zip(SNIPPET, values) if v) for name, values in found.items()}
    assert marked["in a string"] == '"x""""(\n\'m\' """f\'{c}\''
    assert marked["in a comment"] == "# no ("
    assert marked["open brackets"] == '["x"'
    first, second, third = (SNIPPET.index(part) for part in ("if", "    b", "'m'"))
    assert found["indentation"][second : second + 6].tolist() == [1, 2, 3, 4, 4, 4]
    assert not found["indentation"][third:].any()
    assert found["position in the line"][[first, second, second + 3, third]].tolist() == [0, 0, 3, 0]
    assert interpret.properties("f(g(), [1])\n")["open brackets"].tolist() == [0, 1, 1, 2, 1, 1, 1, 2, 2, 1, 0, 0]


def test_what_is_no_program() -> None:
    with pytest.raises(ValueError, match="expected a program in Python, got: "):
        interpret.properties("f((\n")


def test_programs_are_python() -> None:
    torch7.manualSeed(1)
    text = interpret.programs(3000)
    compile(text, "program", "exec")
    assert all(values.any() for values in interpret.properties(text).values())


def test_correlations() -> None:
    truth = np.array([0.0, 1, 1, 0])
    cells = np.stack([truth, -3 * truth + 5, [1.0, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 0]], 1)
    expected = [1, -1, 0, 0, np.corrcoef(truth, cells[:, 4])[0, 1]]
    np.testing.assert_allclose(interpret.correlations(cells, truth), expected, atol=1e-12)
    assert not interpret.correlations(cells, np.ones(4)).any()


def test_the_best_cell_is_chosen_in_one_half_and_judged_in_the_other() -> None:
    torch7.manualSeed(1)
    cells, truth = np.tanh(torch7.randn(400, 6)), np.tile([0.0, 0, 1, 1], 100)
    cells[:200, 2] = truth[:200]  # by chance
    found = interpret.best(cells, {"it": truth})["it"]
    assert found.cell == 2
    assert abs(found.r) < 0.3
    cells[:, 4] = 1 - 2 * truth
    cells[:, 2] = 0
    found = interpret.best(cells, {"it": truth})["it"]
    assert (found.cell, round(found.r, 6), round(found.together, 6)) == (4, -1, 1)


def test_text_in_colours() -> None:
    text, values = '<a href="x">&amp;\n\n b', np.linspace(-1, 1, 21)
    colours = interpret.coloured(text, values)
    assert html.unescape(re.sub(r"<[^>]*>", "", colours)) == text
    page = interpret.page(text, values[:, None], {"it <b>": interpret.Found(0, 0.5, 0.7)})
    assert read(page) == [text]
    assert interpret.coloured("ab", np.array([1.0, 1.0])) == f'<i class="c{2 * interpret.LEVELS}">ab</i>'
    assert [interpret.colour(v)[i] for v, i in ((-1, 0), (1, 2))] == [1, 1]
    assert interpret.colour(0) == (1, 1, 1)
    for level in re.findall(r'class="(c\d+)"', page):
        assert f".{level} {{ background: rgb(" in page


def test_programs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SNIPPET * 20)
    words = f"--file {path} --epochs 1 --size 6 --batch 2 --output {tmp_path}"
    interpret.main(words.split())
    path.write_text("f(\n" * 200)
    capsys.readouterr()
    refuses("interpret", f"--file {path}", "--file: expected a program in Python, got: ", capsys)
    path.write_text("f()\n")
    refuses("interpret", f"--file {path}", "--file: expected 201 characters or more for --batch 10", capsys)
    refuses("interpret", "--size 0", "expected 1 or more, got 0", capsys)

"""tagging.py: the right tags, two directions against one, and the page of coloured source."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

tagging = program("tagging")
LETTERS = dict(zip("_kfn9s#o", range(1, 9)))  # space, keyword, function, name, number, string, comment, operator


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("for format in format(1):", "kkk_nnnnnn_kk_ffffffo9oo"),
        ("if x: # if x\n\tpass", "kk_no_######__kkkk"),
        ("@a.b(c)\nclass D(E): 0x1f", "onofono_kkkkk_fonoo_9999"),
        ("x='#'+\"if\"", "nosssossss"),
        ('x = """a\n# b\nif""" + rb\'c\'', "n_o_" + 14 * "s" + "_o_" + 5 * "s"),
        ('f"{x}" f(1e5)', "ssssss_fo999o"),
        ('f"{f(1):>{w}}{{"+f"a{f\'{y}\'}"(z)', 16 * "s" + "o" + 12 * "s" + "ono"),
        ("f'''{\n  x}'''\n", 13 * "s" + "_"),
        ("größe = λ(ñ)", "nnnnn_o_fono"),
        ("é = 'é'; ü", "n_o_ssso_n"),
        ("print (x)\nmatch = None", "fffff_ono_nnnnn_o_kkkk"),
        ("x = 1 + \\\n  2\n\n", "n_o_9_o" + 5 * "_" + "9__"),
        ("lambda a:\f a", "kkkkkk_no__n"),
        ("", ""),
    ],
)
def test_every_character_has_the_tag_of_its_token(source: str, expected: str) -> None:
    assert [*tagging.tags(source)] == [LETTERS[letter] for letter in expected]


def test_parts_of_an_f_string_are_one_string() -> None:
    """The tokens of f"a{f'{b}'}"(c), as Python 3.12 and later make them."""
    kinds = "FSTRING_START FSTRING_MIDDLE OP FSTRING_START OP NAME OP FSTRING_END OP FSTRING_END OP NAME OP NEWLINE"
    texts = ['f"', "a", "{", "f'", "{", "b", "}", "'", "}", '"', "(", "c", ")", ""]
    ends = np.cumsum([len(text) for text in texts])
    parts = [(kind, t, (1, e - len(t)), (1, e)) for kind, t, e in zip(kinds.split(), texts, ends)]
    assert list(tagging.whole_strings(iter(parts))) == [("STRING", "", (1, 0), (1, 12)), *parts[10:]]


@pytest.mark.parametrize("source", ["'abc", "(", "x = $", "a ? b", '"""abc', "if x:\n        a\n    b\n"])
def test_what_is_no_python_is_refused(source: str) -> None:
    with pytest.raises(tagging.UNREADABLE):
        tagging.tags(source)


def test_characters_have_numbers_and_there_is_one_for_all_others() -> None:
    numbers = tagging.encoded("".join(tagging.NUMBERS) + "éλ")
    assert [*numbers] == [*range(1, 101), 101, 101]


def test_files_are_read_in_their_order_and_those_that_do_not_tokenize_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(14):
        (tmp_path / f"{i:02}.py").write_text(f"x = {i}\n")
    (tmp_path / "03.py").write_text("'not closed")
    (tmp_path / "04.py").write_bytes(b"# coding: latin-1\ny = '\xe9'\n")
    (tmp_path / "05.py").write_bytes(b"y = '\xe9'\n")
    (tmp_path / "06.py").write_text("#" * (tagging.LARGEST + 1))
    monkeypatch.setattr(tagging, "LIBRARY", tmp_path)
    kept, held_out = tagging.corpus(10)
    assert [source for source, _ in held_out] == ["x = 12\n"]
    first = ["x = 0\n", "x = 1\n", "x = 2\n", "# coding: latin-1\ny = 'é'\n"]
    assert [source for source, _ in kept] == [*first, *(f"x = {i}\n" for i in range(7, 12))]
    assert all(np.array_equal(classes, tagging.tags(source)) for source, classes in kept)
    (tmp_path / "00.py").unlink()
    (tmp_path / "01.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected 10 Python files or more in .*, found 9"):
        tagging.corpus(10)


def test_only_both_directions_see_what_stands_to_the_right() -> None:
    torch7.manualSeed(1)
    for both in (False, True):
        tagger = tagging.Tagger(4, both)
        y, other = (tagger.probabilities(source).copy() for source in ("name x", "name("))
        np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)
        assert (y.shape, other.shape) == ((6, 8), (5, 8))
        assert np.allclose(y[:4], other[:4], rtol=1e-6) != both
        assert abs(tagger.probabilities("game x")[1:4] - y[1:4]).max() > 1e-5


def test_one_lstm_has_as_many_parameters_as_two() -> None:
    for size in (8, 64):
        one, two = tagging.Tagger(tagging.size_of_one(size), False), tagging.Tagger(size, True)
        counts = [sum(p.size for p in tagger.net.parameters()[0]) for tagger in (one, two)]
        assert abs(counts[0] / counts[1] - 1) < 0.03


class Text(HTMLParser):
    """What stands in code elements, and that all elements are closed in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.codes: list[str] = []
        self.wrong = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(f"{tag} {dict(attributes).get('class', '')}")
        if tag == "code":
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        if any(element.startswith("code") for element in self.open):
            self.codes[-1] += data
            self.wrong += data * ("wrong" in self.open[-1])


def test_the_page_is_the_source_and_what_is_wrong_is_underlined() -> None:
    source = "\nif a<b & '</code>\"': # <é>\n\tf(1)"
    right = tagging.tags(source)
    given = right.copy()
    given[[0, 4, 9]] = [2, 8, 4]
    text = Text()
    text.feed(f"<code>{tagging.coloured(source, right, given)}</code>")
    assert (text.codes, text.wrong, text.open) == ([source], source[0] + source[4] + source[9], [])
    assert '<span class="c2">if</span> ' in tagging.coloured(source, right, right)


def test_both_directions_know_functions_and_one_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine <1>.py"
    file.write_text('def f(x):\n    return "<é>" % x', encoding="utf-8")
    folder = tmp_path / "out"
    folder.mkdir()
    matrices = tagging.main(["--file", str(file), "--short", "--output", str(folder)])
    one, two = (matrices[name] for name in ("forwards only", "both directions"))
    function = tagging.CLASSES.index("function")
    assert two.valids[function] > 0.4
    assert two.valids[function] > one.valids[function] + 0.3
    assert two.totalValid > one.totalValid
    assert two.mat.sum() == one.mat.sum() > 10000
    text = Text()
    text.feed((folder / "tagging.html").read_text(encoding="utf-8"))
    assert text.codes == [file.read_text(encoding="utf-8")] * 2
    assert text.open == []
    told = capsys.readouterr().out
    assert f"{two.valids[function]:.2%}" in told
    assert "mine <1>.py, both directions: " in told
    assert wrote(told, folder) == {"tagging.png", "tagging-line.png", "tagging-graph.svg", "tagging.html"}


def test_options_and_files_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def file(content: bytes) -> str:
        (tmp_path / "bad.py").write_bytes(content)
        return f"--file {tmp_path / 'bad.py'}"

    refuses("tagging", "--file nowhere.py", "--file: cannot read 'nowhere.py': No such file", capsys)
    refuses("tagging", f"--file {tmp_path}", "Is a directory", capsys)
    refuses("tagging", file(b""), "bad.py': it is empty", capsys)
    refuses("tagging", file(b"x = '''"), "--file: expected Python source, got", capsys)
    refuses("tagging", file(b"x = '\xff'"), "--file: expected Python source, got", capsys)
    refuses("tagging", file(b"# coding: klingon\n"), "unknown encoding", capsys)
    refuses("tagging", "--files 9", "expected 10 or more, got 9", capsys)
    refuses("tagging", "--rate 0", "expected a number above 0, got 0", capsys)

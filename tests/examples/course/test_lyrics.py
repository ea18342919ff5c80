"""lyrics.py and characters.py: characters are symbols, and what a network writes after training keeps to the rules."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

import pygraphnn
import torch7

from ...support.course import program, refuses, wrote

lyrics, characters = program("lyrics"), program("characters")


def test_it_learns_words_and_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = "雪花落在山岗"
    before, after = lyrics.main(["--short", "--first", first, "--output", str(tmp_path)])
    pairs, lines = list(before)[:2]
    assert before[pairs] < 0.2
    assert after[pairs] > 0.8
    assert before[lines] < 0.1
    assert after[lines] > 0.5
    told = capsys.readouterr().out
    for when in ("before", "after"):
        assert f"a song {when} training:\n\n{first}\n" in told
    assert wrote(told, tmp_path) == {"lyrics-graph.svg", "lyrics.png"}


def test_verse_keeps_to_its_rules() -> None:
    torch7.manualSeed(1)
    songs = lyrics.verse(30).split("\n\n")[:-1]
    kinds = [[lyrics.kind(line) for line in song.split("\n")] for song in songs]
    for song, kind in zip(songs, kinds):
        lines = song.split("\n")
        assert kind[4] == kind[9] == "refrain"
        assert lines[4] == lines[9]
        assert len(set(kind) - {"refrain"}) == 1
    assert {kind[0] for kind in kinds} == set(lyrics.RHYMES)
    text = "\n\n".join(songs)
    judged = lyrics.judge(songs, text, ruled=True)
    assert list(judged.values()) == [1, 1, 0, 1, 1]


def test_judge_counts() -> None:
    assert lyrics.kind("微风吹过村庄") == "ang"
    assert lyrics.kind("微风吹过村") is None
    assert lyrics.kind("微风吹过村庄微风") is None
    song = "微风吹过村庄\n微风吹过星星\n啊，微风，细雨\n庄村\n啊，细雨，微风"
    judged = lyrics.judge([song], "微风吹过村庄\n", ruled=True)
    assert list(judged.values())[1:] == [4 / 5, 3 / 4, 0, 0]
    assert lyrics.judge(["abx"], "abc", ruled=False) == {"pairs of characters that the text has": 0.5}


def test_characters_are_symbols_not_bytes() -> None:
    alphabet = characters.Alphabet("微风吹过，\n风é")
    assert len(alphabet) == 7
    assert alphabet.indices("微é").shape == (2,)
    assert sorted(alphabet.index.values()) == list(range(1, 8))
    assert alphabet.text(alphabet.indices("风过é\n")) == "风过é\n"
    assert alphabet.unknown("风雨雨,") == "雨,"


def test_strands_go_on_where_pieces_end() -> None:
    x, target = characters.strands(np.arange(1, 24), 3)
    assert x.T.tolist() == [[*range(1, 8)], [*range(8, 15)], [*range(15, 22)]]
    np.testing.assert_array_equal(target, x + 1)


def test_training_carries_states_from_piece_to_piece() -> None:
    """What follows an a or b tells the character six before it: a piece of two characters does not show it."""
    torch7.manualSeed(1)
    text = "".join(f"{letter}.....{letter}\n" for letter in np.array(list("ab"))[torch7.randperm(400).astype(int) % 2])
    alphabet = characters.Alphabet(text)
    options = argparse.Namespace(epochs=1, piece=2, rate=1e-12)
    step = pygraphnn.lstm(len(alphabet), 8, forget_bias=3).float()
    losses = list(characters.train(step, pygraphnn.initial_states(step, 4), alphabet, text, options))
    assert len(losses) == characters.pieces(text, argparse.Namespace(epochs=1, piece=2, batch=4))
    x, target = characters.strands(alphabet.indices(text), 4)
    *_, y = pygraphnn.Unroll(step).forward([x, *pygraphnn.initial_states(step, 4)])
    expected = -np.take_along_axis(y, target[..., None] - 1, 2)[..., 0]
    np.testing.assert_allclose(losses, [expected[t : t + 2].mean() for t in range(0, len(x), 2)], rtol=1e-5)


def test_a_text_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "songs.txt"
    path.write_text("一二三四五六七\n" * 40, encoding="utf-8-sig")
    words = f"--file {path} --epochs 2 --size 8 --samples 2 --length 20 --output {tmp_path}"
    judged = lyrics.main(words.split())
    assert [len(found) for found in judged] == [1, 1]
    assert "320 characters, 880 bytes; 8 different characters" in capsys.readouterr().out


def test_what_cannot_be_learned_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "songs.txt"
    refuses("lyrics", f"--file {path}", f"argument --file: cannot read {path}: No such file", capsys)
    path.write_bytes("微风，".encode() + b"\xff")
    refuses("lyrics", f"--file {path}", f"{path} is no text in UTF-8: byte 10 fits in no character", capsys)
    for text in ("", "微风\n" * 20):
        path.write_text(text, encoding="utf-8")
        refuses("lyrics", f"--file {path}", "--file: expected 201 characters or more for --batch 10 (20 in", capsys)
    path.write_text("啊" * 500, encoding="utf-8")
    refuses("lyrics", f"--file {path}", "--file: expected two different characters or more, got '啊' only", capsys)
    refuses(
        "lyrics", "--first 微风Xé --songs 30", "--first: expected characters that the text has, got 'X', 'é'", capsys
    )
    refuses("lyrics", "--temperature -1", "expected a number at least 0, got -1", capsys)

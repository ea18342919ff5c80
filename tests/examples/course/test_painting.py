"""painting.py: pictures are texts and back, and the network's are like those it learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import torch7

from ...support.course import program, refuses, wrote

painting, characters = program("painting"), program("characters")


def test_it_paints_what_is_like_the_paintings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paintings, before, after = painting.main(["--short", "--output", str(tmp_path)])
    for name in list(paintings)[:2]:
        assert abs(after[name] - paintings[name]) < 0.5 * abs(before[name] - paintings[name])
    assert after["a row has other colours"] < 0.6 * before["a row has other colours"]
    told = capsys.readouterr().out
    assert wrote(told, tmp_path) == {"painting-graph.svg", "painting.png", "painting-loss.png"}
    assert f"{after['neighbours side by side are alike']:.1%}" in told


def test_a_palette_of_the_colours_that_there_are_changes_nothing() -> None:
    torch7.manualSeed(1)
    colours = np.array([[0, 0, 0], [250, 10, 10], [20, 200, 30], [255, 255, 255]], np.uint8)
    pictures = colours[torch7.randperm(4 * 36).astype(int).reshape(4, 6, 6) % 4]
    palette = painting.Palette(pictures, 4)
    assert palette.colours.tolist() == sorted(colours.tolist(), key=sum)
    np.testing.assert_array_equal(palette.colours[palette.pictures], pictures)


def test_a_palette_is_near_the_colours() -> None:
    torch7.manualSeed(2)
    pictures = np.stack([painting.landscape(16) for _ in range(5)])
    few, many = (painting.Palette(pictures, n) for n in (4, 16))
    errors = [abs(p.colours[p.pictures].astype(float) - pictures).mean() for p in (few, many)]
    assert errors[1] < errors[0] < 30
    assert 0 < few.pictures.max() < 4


def test_pictures_and_texts() -> None:
    picture = np.array([[0, 1, 2], [2, 1, 0], [25, 25, 25]])
    text = painting.as_text(picture)
    assert text == "   \nabc\ncba\nzzz\n"
    np.testing.assert_array_equal(painting.as_picture(text), picture)


def test_the_memory_of_a_row_shows_what_is_above() -> None:
    letters, width = 7, 4
    step = painting.seeing_step(letters, 5, width)
    seen = next(n.data.module for n in step.forwardnodes if n.data.annotations.name == "three above")
    text = np.arange(20) % letters + 1
    c, h, m = np.zeros((1, 5)), np.zeros((1, 5)), np.zeros((1, (width + 2) * letters))
    for t, x in enumerate(text):
        c, h, m, _ = (out.copy() for out in step.forward([np.array([x]), c, h, m]))
        above = t + 1 - (width + 1)  # of the character that comes next
        if above >= 1:
            np.testing.assert_array_equal(seen.output.reshape(3, letters).argmax(1) + 1, text[above - 1 : above + 2])


def test_pictures_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, suffix in enumerate(("png", "jpg", "JPEG")):
        Image.new("RGB", (40, 20 + i), (200, 30, 60 * i)).save(folder / f"{i}.{suffix}")
    (folder / "notes.txt").write_text("no picture")
    read = painting.paintings(folder, 6)
    assert read.shape == (3, 6, 6, 3)
    assert abs(read[0].astype(int) - (200, 30, 0)).max() == 0
    words = f"--short --pictures {folder} --width 8 --batch 2 --epochs 1 --size 8 --blind --samples 2"
    painting.main([*words.split(), "--output", str(tmp_path)])
    assert "3 pictures of 3 colours, 243 characters" in capsys.readouterr().out


def test_options_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("painting", f"--pictures {tmp_path}", "pictures that end in .png, .jpg, .jpeg, got none in", capsys)
    refuses("painting", f"--pictures {tmp_path}/no", f"there is no folder '{tmp_path}/no'", capsys)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    refuses("painting", f"--pictures {tmp_path}", f"cannot read {tmp_path}/broken.png as a picture", capsys)
    refuses("painting", "--colours 27", "expected 26 or less, got 27", capsys)
    refuses("painting", "--temperature 0", "expected a number above 0, got 0", capsys)
    refuses("painting", "--count 1 --width 8", "--count: expected 201 characters or more for --batch 10", capsys)

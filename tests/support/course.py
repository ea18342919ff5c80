"""The programs of examples/course, as modules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

COURSE = Path(__file__).parents[2] / "examples" / "course"
if str(COURSE) not in sys.path:
    sys.path.append(str(COURSE))


def program(name: str) -> Any:
    """The program of this name."""
    return importlib.import_module(name)


def refuses(name: str, words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks that a program ends with argparse's status and this complaint, and runs nothing."""
    with pytest.raises(SystemExit) as error:
        program(name).main(words.split())
    assert error.value.code == 2
    told = capsys.readouterr()
    assert complaint in told.err
    assert not told.out


def wrote(told: str, folder: Path) -> set[str]:
    """The names of the files in a folder, of which a program said that it wrote them, and all of which are there."""
    names = {path.name for path in folder.iterdir()}
    assert names == {line.removeprefix(f"wrote {folder}/") for line in told.splitlines() if line.startswith("wrote ")}
    for name in names:
        start = (folder / name).read_bytes()[:5]
        assert start == {".png": b"\x89PNG\r", ".svg": b"<?xml", ".html": b"<!doc"}[Path(name).suffix]
    return names

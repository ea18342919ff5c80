from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .programs import Run, place, repeat


@pytest.fixture(scope="session")
def home(tmp_path_factory: Any) -> Path:
    """A directory with the recorded texts under data/, where programs may be run."""
    directory = tmp_path_factory.mktemp("char_rnn")
    for name in ("small", "chinese", "tinyshakespeare"):
        place(name, directory)
    return directory


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same directory, as the current one."""
    monkeypatch.chdir(home)
    return home


@pytest.fixture(scope="session")
def runs(tmp_path_factory: Any) -> Any:
    """runs(name) is the recorded run of that name, repeated once in a directory of its own."""
    known: dict[str, Run] = {}

    def run(name: str) -> Run:
        if name not in known:
            directory = tmp_path_factory.mktemp(name)
            for data in ("small", "chinese", "tinyshakespeare"):
                place(data, directory)
            known[name] = repeat(name, directory)
        return known[name]

    return run

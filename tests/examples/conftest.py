from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .programs import place


@pytest.fixture(scope="session")
def texts(tmp_path_factory: Any) -> Path:
    """A directory with the recorded texts under data/."""
    directory = tmp_path_factory.mktemp("char_rnn")
    for name in ("small", "chinese", "tinyshakespeare"):
        place(name, directory)
    return directory

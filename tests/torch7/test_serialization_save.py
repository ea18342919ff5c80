"""torch7.save and torch7.load: files appear whole or not at all."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import torch7
from torch7 import DiskFile


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path: Any) -> None:
    path = tmp_path / "model.t7"
    torch7.save(path, "old")
    with pytest.raises(TypeError, match=r"torch7.save: cannot write <set> at \[1\]"):
        torch7.save(path, [1, {2}])
    assert [p.name for p in tmp_path.iterdir()] == ["model.t7"]
    assert torch7.load(path) == "old"


def test_an_interrupted_save_leaves_the_old_file_and_no_other(tmp_path: Any) -> None:
    path = tmp_path / "model.t7"
    torch7.save(path, "old")

    def interrupt(value: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        torch7.save(path, "new", hook=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["model.t7"]
    assert torch7.load(path) == "old"


def test_save_keeps_permissions_and_follows_links(tmp_path: Any) -> None:
    path, link = tmp_path / "model.t7", tmp_path / "link.t7"
    torch7.save(path, 1)
    path.chmod(0o640)
    link.symlink_to(path)
    torch7.save(link, 2)
    assert link.is_symlink()
    assert torch7.load(path) == 2
    assert path.stat().st_mode & 0o777 == 0o640


def test_save_writes_to_devices_and_pipes(tmp_path: Any) -> None:
    import os
    import threading

    torch7.save("/dev/null", 1)
    assert not os.path.isfile("/dev/null")
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.append(torch7.load(pipe)))
    reader.start()
    torch7.save(pipe, [1, "two", np.arange(1000.0)])
    reader.join(10)
    assert got[0][:2] == [1, "two"]
    assert got[0][2].sum() == 499500


def test_save_and_load_refuse_other_modes_and_missing_folders(tmp_path: Any) -> None:
    for call in (lambda: torch7.save(tmp_path / "x", 1, "b32"), lambda: torch7.load(tmp_path / "x", "text")):
        with pytest.raises(ValueError, match="expected mode 'binary' or 'ascii'"):
            call()
    with pytest.raises(ValueError, match=r"torch7.serialize: expected mode .*, got 'b64'"):
        torch7.serialize(1, "b64")
    with pytest.raises(ValueError, match=r"torch7.deserialize: expected mode"):
        torch7.deserialize(b"", "b64")
    with pytest.raises(TypeError, match=r"torch7.deserialize: expected bytes, got str"):
        torch7.deserialize("1\n5\n", "ascii")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        torch7.save(tmp_path / "no" / "x.t7", 1)
    with pytest.raises(FileNotFoundError):
        torch7.load(tmp_path / "x.t7")


def test_load_modes(tmp_path: Any) -> None:
    for size in (4, 8):
        with DiskFile(tmp_path / "x.t7", "w") as file:
            file.binary().longSize(size).writeObject(np.arange(3))
        assert torch7.load(tmp_path / "x.t7", f"b{8 * size}").tolist() == [0, 1, 2]


def test_large_files_are_fast(tmp_path: Any) -> None:
    tensor = np.zeros(5_000_000)
    numbers = [i / 2 for i in range(200_000)]
    start = time.process_time()
    for value in (tensor, numbers):
        torch7.save(tmp_path / "x.t7", value)
        torch7.load(tmp_path / "x.t7")
    assert time.process_time() - start < 2

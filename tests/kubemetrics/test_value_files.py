"""Value files of the agent's own metrics on file systems that are full."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from pathlib import Path

import pytest

from telegen.kubemetrics import value_files
from telegen.kubemetrics.telemetry import Telemetry, reading_registry
from telegen.kubemetrics.value_files import ValueFile, make_folder
from telegen.shm.heartbeats import Heartbeats

ALLOCATE = os.posix_fallocate


def full(descriptor: int, offset: int, length: int, limit: int = 0) -> None:
    """posix_fallocate of a file system without room for files larger than `limit` bytes."""
    if offset + length > limit:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    ALLOCATE(descriptor, offset, length)


def test_files_are_allocated(tmp_path: Path) -> None:
    """A new file and one that grows have all their pages, so that no later write fails; the values survive."""
    path = tmp_path / "counter_web-0.db"
    file = ValueFile(str(path))
    assert path.stat().st_blocks * 512 >= path.stat().st_size == 1 << 14
    for number in range(2000):
        file.write_value(f"{number:0100}", number, 0)  # type: ignore[no-untyped-call]
    assert path.stat().st_blocks * 512 >= path.stat().st_size == 1 << 18
    file.close()  # type: ignore[no-untyped-call]
    again = ValueFile(str(path))
    assert again.read_value(f"{1999:0100}") == (1999.0, 0.0)  # type: ignore[no-untyped-call]
    again.close()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("limit", [0, 1 << 14])
def test_no_room_for_a_file(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without room for a file, or for its growth, the process keeps its values in memory and logs the reason once."""
    monkeypatch.setattr(os, "posix_fallocate", lambda *arguments: full(*arguments, limit=limit))
    file = ValueFile(str(tmp_path / "counter_web-0.db"))
    for number in range(2000):
        file.write_value(f"{number:0100}", number, 0)  # type: ignore[no-untyped-call]
    assert [file.read_value(f"{number:0100}")[0] for number in (0, 500, 1999)] == [0, 500, 1999]  # type: ignore[no-untyped-call]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"{tmp_path}/counter_web-0.db: No space left on device: ")


def test_other_processes_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values of processes that have files are served."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    Telemetry("watch").note_size("pods", 3, 1, 9)
    monkeypatch.setattr(os, "posix_fallocate", full)
    Telemetry("web-0").note_size("nodes", 3, 1, 9)
    registry = reading_registry(Heartbeats(1), {})
    assert registry.get_sample_value("telegen_store_objects", {"store": "pods"}) == 3
    assert registry.get_sample_value("telegen_store_objects", {"store": "nodes"}) is None


def test_folder_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """If /dev/shm has no room, the folder is in the temporary directory, and the log has the reason. Without room there
    it is an error."""
    shm, temporary = tmp_path / "shm", tmp_path / "tmp"
    shm.mkdir(), temporary.mkdir()
    monkeypatch.setattr(value_files, "_SHM", shm)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    assert make_folder().startswith(str(shm)) and not caplog.records
    (made,) = shm.iterdir()
    assert [path.name for path in made.iterdir()] == ["lock"]
    # Only the first file system is full.
    monkeypatch.setattr(os, "posix_fallocate", lambda *arguments: full(*arguments) if not caplog.records else None)
    assert make_folder().startswith(str(temporary)) and os.environ["PROMETHEUS_MULTIPROC_DIR"].startswith(str(temporary))
    assert [record.getMessage() for record in caplog.records] == [
        f"{shm}: No space left on device: the agent's own metrics are stored in {temporary}"
    ]
    assert list(shm.iterdir()) == [made]
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        make_folder()

"""Complete reads: files that the kernel returns in pieces, files longer than a read, and the bound on their length."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups import control_files, reading
from telegen.cadvisor.cgroups.control_files import ControlFiles
from telegen.cadvisor.cgroups.reading import SIZE, read_file
from telegen.cadvisor.node import Node, Roots
from tests.cadvisor.page import Pages, v2_tree, write
from tests.cadvisor.test_collectors import samples

ID = "ab" * 32
PIDS = "".join(f"{pid}\n" for pid in range(1_000_000, 1_001_500))


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A kernel that returns a list of lines in pieces of a page at most; the number of bytes of each read."""
    pread, sizes = os.pread, list[int]()

    def whole_lines(fd: int, size: int, offset: int) -> bytes:
        page = pread(fd, min(size, 4096), offset)
        piece = page[: page.rfind(b"\n") + 1] or page
        sizes.append(len(piece))
        return piece

    monkeypatch.setattr(os, "pread", whole_lines)
    return sizes


def test_list_in_pieces(tmp_path: Path, pieces: list[int]) -> None:
    """A list is read until a read is empty, when it is opened and when it is open; the last piece may be short or full."""
    path = tmp_path / "cgroup.procs"
    files = ControlFiles()
    for content in (PIDS, PIDS[:8], "", PIDS[: 8 * 512], PIDS[: 8 * 513]):
        path.write_text(content)
        assert files.read_list(str(path)) == content.encode()
        assert read_file(str(path)) == content.encode()
        assert pieces[-1] == 0
    files.close()


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE])
def test_file_of_any_length(tmp_path: Path, length: int) -> None:
    """A file with one record is whole, shorter than the first read, as long, and longer; kept open or not."""
    path = tmp_path / "io.stat"
    path.write_bytes(b"x" * length)
    files = ControlFiles()
    assert [len(content or b"") for content in (files.read(str(path)), files.read(str(path)))] == [length, length]
    assert len(files.folder(str(tmp_path)).read_once("io.stat") or b"") == length
    files.close()


def test_one_read_for_a_short_file(tmp_path: Path, pieces: list[int]) -> None:
    """A file with one record that is shorter than the first read needs no second one."""
    (tmp_path / "cpu.stat").write_text("usage_usec 1\n")
    files = ControlFiles()
    for _ in range(3):
        files.read(str(tmp_path / "cpu.stat"))
    assert len(pieces) == 3
    files.close()


def test_file_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A file longer than the bound has no samples: it is counted in each pass and logged once, never read in part."""
    monkeypatch.setattr(reading.read_rest, "__defaults__", (SIZE,))  # in place of MAX_BYTES
    lines = "".join(f"8:{number} rbytes=12345670167 wbytes=1 rios=1 wios=1\n" for number in range(1000))
    write(v2_tree(tmp_path) / "docker" / ID, io_stat=lines, cpu_stat="usage_usec 1000000\n")
    pages = Pages(Node(Roots(str(tmp_path), str(tmp_path / "proc"), str(tmp_path / "sys"), str(tmp_path / "host"))))
    for _ in range(2):
        found = samples(pages.page(), f"/docker/{ID}")
        assert found['container_cpu_usage_seconds_total{cpu="total"}'] == "1"
        assert not [name for name in found if name.startswith(("container_fs", "container_blkio"))]
    assert pages.sampler.errors["EFBIG"] >= 2
    assert len([message for message in caplog.messages if "io.stat" in message and '{reason="EFBIG"}' in message]) == 1
    pages.sampler.close()


def test_descriptor_of_a_read_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cgroup that ends between opening and reading leaves no descriptor open."""
    (tmp_path / "cpu.stat").write_text("usage_usec 1\n")

    def removed(fd: int, size: int, offset: int) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(control_files.os, "pread", removed)
    before = len(os.listdir("/proc/self/fd"))
    files = ControlFiles()
    assert files.read(str(tmp_path / "cpu.stat")) is None
    assert files.folder(str(tmp_path)).read_once("cpu.stat") is None
    assert len(os.listdir("/proc/self/fd")) == before and files.count == 0


def test_open_files_end_with_their_folder(tmp_path: Path) -> None:
    """A folder in which nothing was read in a pass is closed; one that is read again is open again."""
    files, folders = ControlFiles(), [tmp_path / name for name in "ab"]
    for folder in folders:
        write(folder, cpu_stat="usage_usec 1\n")
        files.read(str(folder / "cpu.stat"))
    files.sweep()
    kept = files.folder(str(folders[0]))
    assert kept.read("cpu.stat") and files.count == 2
    files.sweep()
    assert files.count == 1
    files.sweep()
    assert files.count == 0
    assert kept.read("cpu.stat") and files.count == 1
    files.close()
    assert files.count == 0

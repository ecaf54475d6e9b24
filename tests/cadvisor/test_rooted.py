"""Paths of the host stay below its root, whatever links say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from telegen.cadvisor.identity.host_files import HostFiles
from telegen.cadvisor.rooted import open_below, resolve_below


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("a", "/etc/name"),
        ("a", "etc/name"),
        ("a", "../../../../etc/name"),
        ("deep/a", "../etc/name"),
        ("deep/a", "/deep/../deep/b"),
        ("a", "//etc/./name"),
    ],
)
def test_links_of_the_host(tmp_path: Path, link: str, target: str) -> None:
    """Absolute links, and links upwards beyond the root, lead to the host's file."""
    root = tmp_path / "host"
    (root / "etc").mkdir(parents=True)
    (root / "deep").mkdir()
    (root / "etc/name").write_text("host")
    (root / "deep/b").symlink_to("../etc/name")
    (root / link).symlink_to(target)
    descriptor, real = open_below(str(root), f"/{link}")
    with open(descriptor, "rb") as file:
        assert (file.read(), real) == (b"host", "/etc/name")
    assert resolve_below(str(root), f"/{link}") == str(root / "etc/name")


def test_link_to_a_file_outside(tmp_path: Path) -> None:
    """A link to a file that only this process's own `/` has finds nothing, and no descriptor stays open."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        open_below(str(tmp_path / "host"), "/link")
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_in_a_circle(tmp_path: Path) -> None:
    """A circle of links is an error, as in the kernel."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/a")
    with pytest.raises(OSError) as refused:
        resolve_below(str(tmp_path), "/a")
    assert refused.value.errno == errno.ELOOP


def test_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    """A pipe in place of a file does not block the sampler."""
    os.mkfifo(tmp_path / "config.json")
    files = HostFiles(str(tmp_path))
    assert files.read("/config.json") is None and files.errors == {"EISDIR": 1}


def test_device_in_place_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a regular file is opened: a link to a device does not start it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    opened, real_open = [], os.open

    def recorded(path: str, flags: int, **options: int) -> int:
        if not flags & os.O_PATH:
            opened.append(path)
        return real_open(path, flags, **options)

    monkeypatch.setattr("telegen.cadvisor.rooted.os.open", recorded)
    for name in ("pipe", "folder", "link"):
        with pytest.raises(IsADirectoryError):
            open_below(str(tmp_path), f"/{name}")
    assert not opened

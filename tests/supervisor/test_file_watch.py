"""Detection of changed files."""

from __future__ import annotations

from pathlib import Path

from telegen.supervisor.file_watch import WatchedFile


def test_change_is_reported_once(tmp_path: Path) -> None:
    """New content is a change, whether written in place or by a rename."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("a")
    file = WatchedFile(str(path))
    assert not file.changed()
    path.write_text("bb")
    assert file.changed() and not file.changed()
    other.write_text("ccc")
    other.replace(path)
    assert file.changed() and not file.changed()


def test_equal_content_is_no_change(tmp_path: Path) -> None:
    """A file that is rewritten with the same content has not changed."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("a")
    file = WatchedFile(str(path))
    other.write_text("a")
    other.replace(path)
    assert not file.changed()


def test_missing_file_is_no_change(tmp_path: Path) -> None:
    """A file may be missing for a moment; it counts when it is there with other content."""
    path = tmp_path / "file"
    path.write_text("a")
    file = WatchedFile(str(path))
    path.unlink()
    assert not file.changed()
    path.write_text("b")
    assert file.changed()


def test_file_that_appears(tmp_path: Path) -> None:
    """A file that did not exist at the start is a change when it is created."""
    file = WatchedFile(str(tmp_path / "file"))
    assert not file.changed()
    (tmp_path / "file").write_text("a")
    assert file.changed()


def test_volume_of_a_configmap(tmp_path: Path) -> None:
    """A kubelet replaces the symbolic link `..data` to a new folder."""
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "file").symlink_to("..data/file")
    file = WatchedFile(str(tmp_path / "file"))
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert file.changed() and not file.changed()


def test_no_file() -> None:
    """Without a path there are no changes."""
    assert not WatchedFile(None).changed()

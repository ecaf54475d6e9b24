"""Files that no agent can use: each is an error in lines that can be printed, never another exception."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telegen.config import ConfigError, ConfigSource
from telegen.supervisor.configuration import load_checked

FILES = sorted(Path(__file__).parent.glob("invalid/*.yaml"))


def refuse(path: Path | str) -> str:
    """Load a file; return the error."""
    with pytest.raises(ConfigError) as raised:
        load_checked(ConfigSource(str(path), {}))
    return str(raised.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_invalid_file(path: Path) -> None:
    """The error has the text of the first line of the file, fits a log, and comes within seconds."""
    error = refuse(path)
    assert path.read_text().splitlines()[0].removeprefix("# error: ") in error
    assert str(path) in error
    lines = error.splitlines()
    assert len(lines) <= 101 and max(map(len, lines)) < 2500
    assert all(line.isprintable() for line in lines)


def test_pipe_device_and_folder(tmp_path: Path) -> None:
    """A pipe without a writer does not block, and a device is not read."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        assert refuse(path) == f"{path}: not a regular file"
    # The wording differs between versions of Python.
    assert re.search("embedded null (byte|character)", refuse("/tmp/a\0b"))


@pytest.mark.parametrize("name", ["template-value", "nul-in-a-path", "alias-bomb"])
def test_start_with_an_invalid_file(name: str) -> None:
    """The agent exits with status 2 and one line."""
    path = Path(__file__).parent / "invalid" / f"{name}.yaml"
    command = [sys.executable, "-m", "telegen.supervisor", "--config", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("telegen: ")

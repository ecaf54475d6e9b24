"""Values in shared memory."""

from __future__ import annotations

import os

import pytest

from telegen.shm.shared_value import MOST, SharedShard, SharedText


@pytest.mark.parametrize("shard", [(0, 1), (0, 0), (2, 3), (MOST, MOST)])
def test_shard_written_by_a_child(shard: tuple[int, int]) -> None:
    """One process reads what another has written; before that, and after clear, it reads None."""
    cell = SharedShard()
    assert cell.read() is None
    pid = os.fork()
    if pid == 0:
        cell.write(shard)
        os._exit(0)
    os.waitpid(pid, 0)
    assert cell.read() == shard
    cell.clear()
    assert cell.read() is None


@pytest.mark.parametrize("text", ["5", "6e1b3f0c-0000-4000-8000-000000000000", "\u00fc" * 127])
def test_text_written_by_a_child(text: str) -> None:
    """A text is read as written; the end of a longer text before it is not."""
    cell = SharedText()
    assert cell.read() == ""
    pid = os.fork()
    if pid == 0:
        cell.write("x" * 255)
        cell.clear()
        cell.write(text)
        os._exit(0)
    os.waitpid(pid, 0)
    assert cell.read() == text
    cell.clear()
    assert cell.read() == ""


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_text_that_does_not_fit(text: str) -> None:
    """An empty text and one that is too long are errors."""
    with pytest.raises(ValueError, match="a shared text has"):
        SharedText().write(text)

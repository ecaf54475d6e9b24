"""Values in shared memory."""

from __future__ import annotations

import mmap
import os
from typing import Any, cast

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


@pytest.mark.parametrize(("before", "after"), [("error text", "warning json"), ("warning json", "error text")])
def test_text_is_never_mixed(before: str, after: str) -> None:
    """While a text replaces another, a reader finds one of the two or none."""
    cell, seen = SharedText(), set()

    class Memory(bytearray):
        """Memory that is read after each assignment."""

        def __setitem__(self, place: Any, value: Any) -> None:
            super().__setitem__(place, value)
            seen.add(cell.read())

    cell.write(before)
    cell._memory = cast(mmap.mmap, Memory(cell._memory[:]))
    cell.write(after)
    assert seen == {"", after} and cell.read() == after


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_text_that_does_not_fit(text: str) -> None:
    """An empty text and one that is too long are errors."""
    with pytest.raises(ValueError, match="a shared text has"):
        SharedText().write(text)

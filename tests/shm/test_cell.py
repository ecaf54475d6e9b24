"""The memory through which a shard becomes known."""

from __future__ import annotations

import os

import pytest

from telegen.shm.cell import MOST, ShardCell


@pytest.mark.parametrize("shard", [(0, 1), (0, 0), (2, 3), (MOST, MOST)])
def test_shard_written_by_a_child(shard: tuple[int, int]) -> None:
    """What one process writes the other reads; before that, and after it is forgotten, nothing is known."""
    cell = ShardCell()
    assert cell.read() is None
    pid = os.fork()
    if pid == 0:
        cell.write(shard)
        os._exit(0)
    os.waitpid(pid, 0)
    assert cell.read() == shard
    cell.clear()
    assert cell.read() is None

"""The tests of real cgroups, real runtimes and confined processes, on kernels that this machine does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests.cadvisor.vm.machine import run

# One core emulates another at a tenth of its speed, and shares it with other tests: the inner limit is wider, too.
LIMIT = 900
INNER = "python3 -m pytest -p no:cacheprovider --basetemp=/disk/tmp --timeout=300"


@pytest.mark.timeout(LIMIT + 60)
@pytest.mark.parametrize("version", [2, 1])
def test_real_cgroups_in_a_virtual_machine(version: Literal[1, 2], tmp_path: Path) -> None:
    """A pure v2 kernel and a plain v1 kernel: every test of `real` and `runtime` passes there."""
    result = run(f"{INNER} tests/cadvisor/real tests/cadvisor/runtime", tmp_path, version, LIMIT)
    assert result.status == 0, f"{result.output}\n--- console ---\n{result.console[-3000:]}"
    assert " passed" in result.output and "skipped" not in result.output


@pytest.mark.timeout(LIMIT + 60)
def test_confined_web_processes_on_an_older_kernel(tmp_path: Path) -> None:
    """The attempts from inside a web process fail on Debian's kernel, too; those that need a newer Landlock are skipped there."""
    result = run(f"{INNER} tests/workers/test_confinement.py", tmp_path, 2, LIMIT)
    assert result.status == 0, f"{result.output}\n--- console ---\n{result.console[-3000:]}"
    assert " passed" in result.output

"""Modules in the memory of every process: only those that the plan needs."""

from __future__ import annotations

import subprocess
import sys

from workers import KINDS, worker_class

UNUSED = (
    *("telegen.kubestate.custom", "telegen.kubestate.health", "telegen.kubestate.packs.pack"),
    *("telegen.otlp.http", "telegen.adapter", "telegen.demo", "grpc", "re2"),
)
"""Packages that a plan without custom resources and pushes does not need."""
PROGRAM = """
import sys
from telegen.config import ConfigSource
from telegen.supervisor.__main__ import main
from telegen.supervisor.configuration import load_all
from telegen.supervisor.preload import preload
load_all(ConfigSource(None, {}))
preload({"watch", "sample", "elect", "web"})
print(*sys.modules, sep="\\n")
"""


def test_a_usual_plan_imports_no_optional_parts() -> None:
    """With the defaults no process has the code of custom resources, packs, pushes or the demo in its memory."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=True)
    imported = ended.stdout.split()
    assert [name for name in imported if name.startswith(UNUSED)] == []
    assert "workers.watch" in imported


def test_every_kind_of_process_has_a_class() -> None:
    """Modules and classes of all kinds exist."""
    for kind in KINDS:
        assert worker_class(kind).__module__ == KINDS[kind][0]

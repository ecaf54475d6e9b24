"""`telegen sample`: print the metrics of one pass over the cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from telegen.cli.main import main
from tests.cadvisor.page import v2_tree, write

ID = "ab" * 32


def test_page_of_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--*-root options set the roots; both formats can be parsed; --groups adds groups by name."""
    write(v2_tree(tmp_path / "cgroup") / "docker" / ID, cpu_stat="usage_usec 2000000\n", memory_numa_stat="x\n")
    (tmp_path / "cgroup" / "docker" / ID / "memory.numa_stat").write_text("anon N0=4096\n")
    roots = [f"--{name}-root={tmp_path / name}" for name in ("cgroup", "proc", "sys")]
    assert main(["sample", *roots]) == 0
    text = capsys.readouterr().out
    families = {family.name: family for family in text_string_to_metric_families(text)}
    usage = {sample.labels["id"]: sample.value for sample in families["container_cpu_usage_seconds"].samples}
    assert usage == {"/": 5, f"/docker/{ID}": 2}
    assert "container_memory_numa_pages" not in families
    assert main(["sample", *roots, "--groups", "all", "--openmetrics"]) == 0
    assert "container_memory_numa_pages" in {family.name for family in parse_openmetrics(capsys.readouterr().out)}


def test_malformed_files_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Malformed files are counted on standard error; an unknown group is an error."""
    write(v2_tree(tmp_path) / "docker" / ID, memory_current="many\n")
    assert main(["sample", f"--cgroup-root={tmp_path}", f"--proc-root={tmp_path}"]) == 0
    assert "skipped 1 readings: malformed" in capsys.readouterr().err
    assert main(["sample", "--groups", "disks"]) == 2
    assert "unknown group of metrics: disks" in capsys.readouterr().err

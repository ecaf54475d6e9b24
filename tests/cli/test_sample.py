"""`telegen sample`: print the metrics of one pass over the cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from telegen.cli.main import main
from tests.cadvisor.page import v2_tree, write

ID = "ab" * 32


def other_roots(root: Path) -> list[str]:
    """Options with a /proc and a /sys that have the least files."""
    (root / "sys" / "devices").mkdir(parents=True)
    write(root / "proc", stat="btime 1\n")
    return [f"--{name}-root={root / name}" for name in ("proc", "sys")]


def test_page_of_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--*-root options set the roots; both formats can be parsed; --groups adds groups by name."""
    write(v2_tree(tmp_path / "cgroup") / "docker" / ID, cpu_stat="usage_usec 2000000\n", memory_numa_stat="x\n")
    (tmp_path / "cgroup" / "docker" / ID / "memory.numa_stat").write_text("anon N0=4096\n")
    roots = [f"--cgroup-root={tmp_path / 'cgroup'}", *other_roots(tmp_path)]
    assert main(["sample", *roots]) == 0
    text = capsys.readouterr().out
    families = {family.name: family for family in text_string_to_metric_families(text)}
    usage = {sample.labels["id"]: sample.value for sample in families["container_cpu_usage_seconds"].samples}
    assert usage == {"/": 5, f"/docker/{ID}": 2}
    assert "container_memory_numa_pages" not in families
    assert main(["sample", *roots, "--groups", "all", "--openmetrics"]) == 0
    assert "container_memory_numa_pages" in {family.name for family in parse_openmetrics(capsys.readouterr().out)}


def test_all_cgroups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The setting raw_cgroups adds every other cgroup, with the label id alone."""
    write(v2_tree(tmp_path / "cgroup") / "system.slice" / "ssh.service", cpu_stat="usage_usec 2000000\n")
    (tmp_path / "telegen.yaml").write_text("kube_metrics: {cadvisor: {raw_cgroups: true}}\n")
    roots = [f"--cgroup-root={tmp_path / 'cgroup'}", *other_roots(tmp_path)]
    labels = 'container="",id="/system.slice/ssh.service",image="",name="",namespace="",pod="",cpu="total"'
    row = f"container_cpu_usage_seconds_total{{{labels}}} 2"
    assert main(["sample", *roots]) == 0
    assert row not in capsys.readouterr().out.split("\n")
    assert main(["sample", *roots, "--config", str(tmp_path / "telegen.yaml")]) == 0
    assert row in capsys.readouterr().out.split("\n")


def test_malformed_files_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Malformed files are counted on standard error; an unknown group is an error."""
    write(v2_tree(tmp_path / "cgroup") / "docker" / ID, memory_current="many\n")
    assert main(["sample", f"--cgroup-root={tmp_path / 'cgroup'}", *other_roots(tmp_path)]) == 0
    assert "skipped 1 readings: malformed" in capsys.readouterr().err
    assert main(["sample", "--groups", "disks"]) == 2
    assert "unknown group of metrics: disks" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["cgroup_root", "proc_root", "sys_root", "root"])
@pytest.mark.parametrize("exists", [True, False])
def test_wrong_path(tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, exists: bool) -> None:
    """A path that is missing, or is not what its setting says, is an error with the path, the setting and the remedy; what the
    other paths have is printed all the same."""
    wrong = tmp_path / "wrong"
    if exists:
        wrong.mkdir()
    (tmp_path / "telegen.yaml").write_text(f"kube_metrics: {{cadvisor: {{{setting}: {wrong}}}}}\n")
    assert main(["sample", "--config", str(tmp_path / "telegen.yaml")]) == 1
    printed = capsys.readouterr()
    assert ("container_memory_usage_bytes{" in printed.out) is (setting != "cgroup_root")
    assert printed.err.startswith(f"telegen: kube_metrics.cadvisor.{setting}: {wrong}: ")
    assert ("no such file" in printed.err) is not exists and "; set it to the mount of the host's /" in printed.err
    assert [line for line in printed.err.split("\n") if "skipped" not in line] == [printed.err.split("\n")[0], ""]

"""cAdvisor's metrics of the sampler itself."""

from __future__ import annotations

from typing import NamedTuple

from telegen.cadvisor.cgroups.context import Context, PerCgroup
from telegen.cadvisor.collector import ROOT, Collector, Families, already_parsed


class SelfReading(NamedTuple):
    """State of the pass; kernel release and name of the operating system."""

    failed: bool
    kernel: str
    system: str


def _read_versions(context: Context) -> tuple[str, str]:
    kernel = context.read_path(f"{context.node.roots.proc}/sys/kernel/osrelease") or b""
    return kernel.decode("utf-8", "replace").strip(), _system(context)


_versions = PerCgroup(_read_versions)

family = Families(SelfReading)

FAMILIES = (
    family.gauge(
        "container_scrape_error",
        "1 if the last pass had a read error, else 0. All other samples are served.",
        lambda reading: int(reading.failed),
    ),
    family.gauge(
        "cadvisor_version_info",
        "Kernel release and operating system (/etc/os-release); always 1. Labels of cAdvisor's own version are empty.",
        lambda reading: [(reading.kernel, reading.system, "", "", "", 1)],
        "kernelVersion",
        "osVersion",
        "dockerVersion",
        "cadvisorVersion",
        "cadvisorRevision",
    ),
)


def read(context: Context) -> SelfReading:
    # The versions first: an error in reading them counts for this pass.
    kernel, system = _versions(context)
    return SelfReading(context.node.failed, kernel, system)


COLLECTOR = Collector("own", "", FAMILIES, read, already_parsed, ROOT, labelled=False)


def _system(context: Context) -> str:
    """PRETTY_NAME of the host's os-release (os-release(5)), "" if it has none."""
    content = context.read_path(context.node.roots.resolved_path("/etc/os-release")) or b""
    for line in content.decode("utf-8", "replace").split("\n"):
        key, _, name = line.partition("=")
        if key == "PRETTY_NAME":
            return name.strip().strip("\"'")
    return ""

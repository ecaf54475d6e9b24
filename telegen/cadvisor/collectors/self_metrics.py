"""What the sampler says of itself, by cAdvisor's names."""

from __future__ import annotations

from telegen.cadvisor.collector import Context, Raw, Reading, Source, value
from telegen.metrics.family import ALPHA, gauge

FAMILIES = (
    gauge(
        "container_scrape_error",
        "Whether something could not be read in the last pass; all that could is shown nevertheless.",
        ALPHA,
        value("error"),
    ),
    gauge(
        "cadvisor_version_info",
        "Versions of the kernel and of the system; the others are for cAdvisor to fill.",
        ALPHA,
        value("versions"),
        "kernelVersion",
        "osVersion",
        "dockerVersion",
        "cadvisorVersion",
        "cadvisorRevision",
    ),
)


def _read(context: Context) -> Raw:
    """(whether there were errors, kernel release, name of the system)."""
    known = context.memo.get("versions")
    if known is None:
        proc = context.node.roots.proc
        kernel = context.read_path(f"{proc}/sys/kernel/osrelease") or b""
        known = context.memo["versions"] = (kernel.decode("utf-8", "replace").strip(), _system(context))
    return (context.node.failed, *known)


def _parse(raw: tuple[bool, str, str], context: Context) -> Reading:
    failed, kernel, system = raw
    return {"error": int(failed), "versions": [(kernel, system, "", "", "", 1)]}


SOURCE = Source("own", "", FAMILIES, _read, _parse, kinds=frozenset(("root",)), labelled=False)


def _system(context: Context) -> str:
    """PRETTY_NAME of the host's os-release (os-release(5)), "" when there is none."""
    content = context.read_path(f"{context.node.roots.host.rstrip('/')}/etc/os-release") or b""
    for line in content.decode("utf-8", "replace").split("\n"):
        key, _, name = line.partition("=")
        if key == "PRETTY_NAME":
            return name.strip().strip("\"'")
    return ""

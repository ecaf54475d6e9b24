"""Values of Secrets: neither pages nor logs nor shared memory have them."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

from telegen.api.decoding import LAST_APPLIED
from telegen.demo.server import SimulatedServer
from telegen.kubestate.registry import RESOURCES
from tests.harness import Agent, get, start_agent

MARK, CONTROL = "marked-value-of-a-test", "control-value-of-a-test"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  separate_endpoints: true
  kube_state:
    apiserver: {url}
    resources: [{resources}]
    labels_allowlist: {{"*": ["*"]}}
    annotations_allowlist: {{"*": ["*"]}}
log: {{level: debug}}
"""


def mark_all(server: SimulatedServer) -> None:
    """Create an object of every resource, with the mark in kubectl's annotation, and in the data of a Secret."""
    for number, resource in enumerate(RESOURCES.values()):
        data = {"password": base64.b64encode(MARK.encode()).decode(), "plain": MARK}
        metadata = {
            "name": f"marked-{number}",
            "uid": f"uid-{number}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {LAST_APPLIED: f'{{"data":{data}}}', "example.org/control": CONTROL},
        }
        if resource.namespaced:
            metadata["namespace"] = "shop-1"
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": {}, "status": {}}
        if resource.name in ("secrets", "configmaps"):
            obj["data"] = data
        server.state.put(resource.name, obj)


def shared_memory(agent: Agent) -> Iterator[bytes]:
    """Contents of all memory files that the processes of an agent have open or mapped."""
    for process in agent.tree.processes():
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            # Files and connections come and go; memory files stay open.
            if _target(descriptor).startswith("/memfd:"):
                yield written(descriptor)


def _target(descriptor: Path) -> str:
    """Return what a descriptor names, "" if it was closed."""
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


def written(path: Path) -> bytes:
    """The parts of a sparse file that were written."""
    parts = []
    with path.open("rb") as file:
        end, at = os.fstat(file.fileno()).st_size, 0
        while at < end:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            parts.append(os.pread(file.fileno(), at - start, start))
    return b"".join(parts)


def test_marked_values(server: SimulatedServer) -> None:
    """Every resource is watched with all annotations allowed: the value of another annotation is on the page, and the marked values
    of kubectl's annotation and of a Secret are nowhere, neither plain nor in base64."""
    mark_all(server)
    resources = ", ".join(RESOURCES)
    with start_agent(CONFIG, url=server.url, resources=resources) as agent:
        agent.wait_ready()
        # A second version of each object arrives as an event.
        mark_all(server)
        agent.wait_page("the objects", lambda page: all(f"marked-{number}" in page for number in range(len(RESOURCES))), 20)
        places = {path: get(f"{agent.url}{path}").body for path in ("/metrics", "/metrics/kubestate", "/telemetry", "/readyz", "/")}
        shown = [name for name, one in RESOURCES.items() if any(family.name.endswith("_annotations") for family in one.families)]
        assert len(shown) > 25
        assert len(re.findall(f'annotation_example_org_control="{CONTROL}"', places["/metrics"].decode())) == len(shown)
        places["log"] = agent.log.read_bytes()
        memory = list(shared_memory(agent))
        assert sum(map(len, memory)) > 100_000
        places["memory"] = b"".join(memory)
        for place, content in places.items():
            for mark in (MARK, base64.b64encode(MARK.encode()).decode(), "last_applied", LAST_APPLIED):
                assert mark.encode() not in content, f"{mark} in {place}"

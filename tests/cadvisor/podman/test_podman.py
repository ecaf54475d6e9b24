"""Containers of a real podman: what the sampler shows of them without podman's socket."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from telegen.config.types import Duration
from tests.cadvisor.page import Pages
from tests.cadvisor.podman.engine import IMAGE, Podman
from tests.docs.test_docker import DOCS, podman_run
from tests.harness import free_port, get
from tests.process_tree import wait_for

SOURCES = DOCS.parent
SETTINGS = Cadvisor(container_labels=("com.example.*", "Upper"), container_env=("APP_MODE",), linger=Duration(60))


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """podman for all tests of this file."""
    # Podman allows a runroot of 50 characters, fewer than pytest's folders have in a parallel run.
    with tempfile.TemporaryDirectory(prefix="telegen-") as folder:
        podman = Podman(Path(folder))
        try:
            yield podman
        finally:
            podman.stop()


class View:
    """The samples of podman's containers, pass by pass."""

    def __init__(self, settings: Cadvisor) -> None:
        names = make_label_resolver(settings)
        self._pages = Pages(Node(Roots(), facts=names), settings, names)

    def of(self, id: str) -> dict[str, tuple[dict[str, str], float]]:
        """Labels and value of each family of a container after one more pass; of several samples the last."""
        found = {}
        for family, labels, value in re.findall(r"^([a-z_]+){(.*)} (\S+)$", self._pages.page(), re.MULTILINE):
            named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if named.get("id", "").endswith(f"libpod-{id}"):
                found[family] = (named, float(value))
        return found

    def close(self) -> None:
        """Close what is kept open."""
        self._pages.sampler.close()


@pytest.fixture
def view() -> Iterator[View]:
    """Samples with labels, environment and linger."""
    view = View(SETTINGS)
    yield view
    view.close()


@pytest.mark.parametrize("name", ["kept", "removed"])
def test_container(podman: Podman, view: View, name: str) -> None:
    """A container has name, image, labels, CPU time and memory, also one that podman removes at its end. It lingers."""
    more = ("--rm",) if name == "removed" else ()
    options = ("--network", "none", "--label", "com.example.team=shop", "--label", "Upper=1", "-e", "APP_MODE=live", "--memory", "64m")
    id = podman.start(name, *more, *options)
    found = view.of(id)
    labels, memory = found["container_memory_working_set_bytes"]
    assert 0 < memory < 64 << 20 and found["container_spec_memory_limit_bytes"][1] == 64 << 20
    assert {key: labels[key] for key in ("name", "image", "container", "pod")} == {
        "name": name, "image": IMAGE, "container": "", "pod": "",
    }
    own = {key: value for key, value in labels.items() if key.startswith("container_")}
    assert own == {"container_label_com_example_team": "shop", "container_label_Upper": "1", "container_env_app_mode": "live"}
    assert found["container_cpu_usage_seconds_total"][1] > 0 and found["container_processes"][1] == 1
    assert found["container_ulimits_soft"][1] == 1024
    assert found["container_health_state"][1] == -1 and found["container_label_restartcount"][1] == 0
    podman("kill", name)
    wait_for("the container to end", lambda: not podman("ps", "-q", "--filter", f"name={name}"), 20, 0.2)
    wait_for("the end of its cgroups", lambda: not podman.has_cgroup(id), 20, 0.1)
    ended = view.of(id)["container_last_seen"]
    time.sleep(1.1)
    assert view.of(id)["container_last_seen"] == ended and ended[0] == labels


def test_pod(podman: Podman, view: View) -> None:
    """The containers of a pod of podman have their names, and share a network namespace that is shown on none but its owner."""
    infra = ("--infra-image", IMAGE, "--infra-command", "/bin/sleep 1000", "--infra-name", "shop-infra")
    podman("pod", "create", "--name", "shop", "--network", "none", *infra)
    ids = [podman.start(name, "--pod", "shop") for name in ("web", "db")]
    owner = podman("ps", "-q", "--no-trunc", "--filter", "name=shop-infra")
    pid = podman("inspect", "-f", "{{.State.Pid}}", "shop-infra")
    link = ["nsenter", "-t", pid, "-n", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth1"]
    subprocess.run(link, check=True, timeout=60)
    found = {id: view.of(id) for id in (owner, *ids)}
    assert [one["container_memory_usage_bytes"][0]["name"] for one in found.values()] == ["shop-infra", "web", "db"]
    assert ["container_network_receive_bytes_total" in one for one in found.values()] == [True, False, False]


def test_health_check(podman: Podman, view: View) -> None:
    """A health check is starting, then healthy, then unhealthy, each at the next pass."""
    check = ("--health-cmd", "/bin/cat /healthy", "--health-interval", "disable", "--health-retries", "1")
    id = podman.start("checked", "--network", "none", *check)
    assert view.of(id)["container_health_state"][1] == 0
    podman("exec", "checked", "/bin/busybox", "touch", "/healthy")
    podman("healthcheck", "run", "checked")
    assert view.of(id)["container_health_state"][1] == 1
    podman("exec", "checked", "/bin/busybox", "rm", "/healthy")
    with pytest.raises(AssertionError):
        podman("healthcheck", "run", "checked")
    assert view.of(id)["container_health_state"][1] == 0


def test_layer(podman: Podman) -> None:
    """The disk usage of a container is the size of its layer."""
    view = View(Cadvisor(disk_usage_interval=Duration(0.001)))
    id = podman.start("writer", "--network", "none")
    podman("exec", "writer", "/bin/busybox", "dd", "if=/dev/urandom", "of=/written", "bs=1M", "count=4")
    wait_for("the layer to be measured", lambda: "container_fs_usage_bytes" in view.of(id), 60, 0.1)
    assert 4 << 20 <= view.of(id)["container_fs_usage_bytes"][1] < 6 << 20
    view.close()


def test_the_agent_as_a_container(podman: Podman) -> None:
    """`podman run` of docs/docker.md, with this machine's interpreter in place of the image, serves the containers of its host by name."""
    podman.start("beside")
    port, words = free_port(), podman_run()[2:-1]
    at = words.index("-p")
    # A port of the host needs a network stack that podman does not have on every machine.
    words[at : at + 2] = ["--network", "host", "-e", f"TELEGEN_KUBE_METRICS__LISTEN_ADDRESS=127.0.0.1:{port}"]
    folders = {sys.prefix, sys.base_prefix, str(SOURCES), "/usr", "/lib", "/lib64"}
    mounts = [word for folder in sorted(folders) if Path(folder).exists() for word in ("-v", f"{folder}:{folder}:ro")]
    podman("run", *words, *mounts, "-e", f"PYTHONPATH={SOURCES}", "--entrypoint", sys.executable, IMAGE, "-m", "telegen.supervisor")
    wait_for("the containers", lambda: {"beside", "telegen"} <= names_at(port), 30, 0.2)


def names_at(port: int) -> set[str]:
    """Return the names of containers on the page of an agent; none while it does not listen."""
    with contextlib.suppress(ConnectionError):
        return set(re.findall(r'\bname="([^"]+)"', get(f"http://127.0.0.1:{port}/metrics").body.decode()))
    return set()

"""Pods of the manifests as a runtime runs them, from start to end, and what is seen of them."""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from telegen.cadvisor.registry import OPTIONAL
from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Kubectl, Object, Variant
from tests.harness import Answer, get
from tests.image.dockerfile import Stage
from tests.image.oci import ACCOUNT, config, user
from tests.image.sandbox import Sandbox, Volume, image_root
from tests.k8s.rendered import config_text, container, pod_spec
from tests.process_tree import wait_for

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
PORT = 9443
"""The one of the manifests."""
READY = 60.0
"""Seconds until a pod is to be ready."""
_sample = re.compile(r"^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_label = re.compile(r'(\w+)="([^"]*)"')

Row = tuple[dict[str, str], float]
"""Labels and value."""


class Page:
    """The samples of a page."""

    def __init__(self, text: str) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = {}
        for family, labels, value in _sample.findall(text):
            named = dict(_label.findall(labels))
            self._rows.setdefault((family, named.get("id", "")), []).append((named, float(value)))

    def families(self, id: str) -> set[str]:
        """The families of a cgroup; of "": those that are about none."""
        return {family for family, about in self._rows if about == id}

    def rows(self, family: str, id: str = "") -> list[Row]:
        """A family's samples of a cgroup."""
        return self._rows.get((family, id), [])

    def value(self, family: str, id: str = "") -> float:
        """The value of the only one."""
        ((_, value),) = self.rows(family, id)
        return value


@dataclass
class Ran:
    """A pod from its start to its end.

    Attributes:
        objs: its manifests.
        process: /proc/PID/status of its first process.
        mounts: /proc/PID/mountinfo of it.
        answers: the statuses of its probes' paths, once it was ready.
        page: with the configuration of the manifests.
        everything: with all groups of metrics on.
        telemetry: the agent's own metrics at the end.
        log: what it has printed.
        written: paths in its layer that were not there when it started.
        status, seconds: how it ended when it was told to, and after how long.
    """

    objs: list[Object]
    process: str = ""
    mounts: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    page: Page = field(default_factory=lambda: Page(""))
    everything: Page = field(default_factory=lambda: Page(""))
    telemetry: str = ""
    log: str = ""
    written: set[str] = field(default_factory=set)
    status: int = -1
    seconds: float = 0.0


class Pods:
    """Runs pods, one at a time: all have the same port and the same network."""

    def __init__(self, image: Stage, folder: Path, sandbox: Sandbox, plane: ControlPlane, cgroup: OwnCgroup) -> None:
        """`cgroup`: that of another pod, whose metrics are waited for."""
        self._image, self._folder, self._sandbox, self._plane, self._cgroup = image, folder, sandbox, plane, cgroup
        self._root, self._parts = image_root(folder / "root", image)

    def run(self, variant: Variant) -> Ran:
        """Run the pod of a variant of the manifests; return its results."""
        return self.run_objects(Kubectl.found().build(variant))

    def run_objects(self, objs: list[Object]) -> Ran:
        """Run the pod of rendered manifests; return its results."""
        ran, id = Ran(objs), os.urandom(32).hex()
        place = self._folder / id
        files = Volume(place / "config", telegen_yaml=config_text(ran.objs))
        spec = self._spec(ran.objs, {"config": files.folder, ACCOUNT: self._account(ran.objs, place / "account")})
        above = self._cgroup.pod.rpartition("/")[0]
        process = self._sandbox.start(id, f"{above}/pod{uuid.uuid4()}/{id}", spec, self._root)
        before = self._sandbox.written(id)
        try:
            ran.process, ran.mounts = (Path(f"/proc/{self._sandbox.pid(id)}/{name}").read_text() for name in ("status", "mountinfo"))
            self._watch(ran, files, self._sandbox.log(id))
            ran.written = self._sandbox.written(id) - before
            started = time.monotonic()
            process.terminate()
            ran.status, ran.seconds = process.wait(60), time.monotonic() - started
        finally:
            ran.log = self._sandbox.log(id).read_text()
            if ran.status < 0:
                sys.stderr.write(ran.log)
                process.terminate()
                process.wait(60)
        return ran

    def _watch(self, ran: Ran, files: Volume, log: Path) -> None:
        """Record its pages and probes while it runs."""
        wait_for("the pod to be ready", lambda: self._status("/readyz") == 200, READY / 3, 0.1)
        self._wait_page("the rest of the cluster", lambda text: "kube_deployment_created{" in text)
        ran.page = Page(self._text("/metrics"))
        ran.answers = {path: self._status(path) for path in (container(ran.objs)[name]["httpGet"]["path"] for name in PROBES)}
        if pod_spec(ran.objs).get("hostPID"):
            ran.everything = self._everything(ran.objs, files, log)
        ran.telemetry = self._text("/telemetry")

    def _everything(self, objs: list[Object], files: Volume, log: Path) -> Page:
        """Return the page after a change of the ConfigMap that enables all groups and one pass per second."""
        settings = yaml.safe_load(config_text(objs))
        settings["kube_metrics"]["cadvisor"] |= {"enabled_metrics": sorted(OPTIONAL - {"percpu"}), "collect_interval": "1s"}
        files.write(telegen_yaml=yaml.safe_dump(settings))
        self._wait_page("all groups", lambda text: "container_network_tcp_usage_total{" in text)
        wait_for("layers", lambda: self._measured() or "disk usage of containers: " in log.read_text(), 20, 0.2)
        return Page(self._text("/metrics"))

    def _measured(self) -> bool:
        """Return True if the page has the size of the other pod's layer."""
        return bool(Page(self._text("/metrics")).rows("container_fs_usage_bytes", self._cgroup.id))

    def _spec(self, objs: list[Object], files: dict[str, Path]) -> dict[str, Any]:
        host, _, port = self._plane.url.removeprefix("https://").partition(":")
        spec = config(self._image, objs, files, {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})
        return {**spec, "mounts": [*self._parts, *spec["mounts"]]}

    def _account(self, objs: list[Object], folder: Path) -> Path:
        """Write the files of the account, readable by the pod's user only; return their folder."""
        token = self._sandbox.inside(self._plane.token, "telegen", "telegen")
        files = {"token": token, "ca_crt": self._plane.certificate.decode(), "namespace": "telegen"}
        return Volume(folder, user(self._image, objs)[0], **files).folder

    def _wait_page(self, what: str, shows: Callable[[str], bool]) -> None:
        wait_for(what, lambda: self._status("/metrics") == 200 and shows(self._text("/metrics")), 20, 0.2)

    def _status(self, path: str) -> int:
        """Return the status of a request to the port of the manifests, 0 if no process listens."""
        try:
            return self._get(path).status
        except OSError:
            return 0

    def _text(self, path: str) -> str:
        return self._get(path).body.decode()

    def _get(self, path: str) -> Answer:
        return self._sandbox.inside(get, f"http://127.0.0.1:{PORT}{path}", timeout=10)

"""A real kube-controller-manager with the controllers that use metrics APIs or depend on them."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.binaries import CONTROLLERS, need
from tests.harness import free_port
from tests.process_tree import wait_for

STARTED = (
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "endpointslice-controller",
)
"""The last makes the EndpointSlices of Services from pods."""
SYNC = "1s"
"""Period in which each HorizontalPodAutoscaler is computed anew."""
_METRICS = "horizontal_pod_autoscaler_controller_metric_computation_total"
_COMPUTED = re.compile(rf'^{_METRICS}\{{[^}}]*error="(\w+)"[^}}]*\}} (\S+)$', re.MULTILINE)


class Controllers:
    """The running program."""

    def __init__(self, port: int, log: Path) -> None:
        self.log = log
        self._url = f"https://127.0.0.1:{port}/metrics"
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def computed(self) -> tuple[float, float]:
        """Return how many metrics of HorizontalPodAutoscalers were computed, and how many could not be."""
        with urllib.request.urlopen(self._url, timeout=20, context=self._context) as answer:
            counts = [(error, float(count)) for error, count in _COMPUTED.findall(answer.read().decode())]
        return sum(count for error, count in counts if error == "none"), sum(count for error, count in counts if error != "none")


@contextlib.contextmanager
def controllers(kubeconfig: Path, folder: Path) -> Iterator[Controllers]:
    """Run kube-controller-manager as the user of a kubeconfig; each controller gets an account of its own."""
    port = free_port()
    command = [
        *map(str, need([CONTROLLERS], os.environ)),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(STARTED)}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}/controllers",
        "--authorization-always-allow-paths=/metrics",
        f"--horizontal-pod-autoscaler-sync-period={SYNC}",
        "--horizontal-pod-autoscaler-downscale-stabilization=1s",
    ]
    log = folder / "kube-controller-manager.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    running = Controllers(port, log)

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        with contextlib.suppress(OSError):
            return running.computed() is not None
        return False

    try:
        wait_for("kube-controller-manager", is_up, 60, 0.1)
        yield running
    finally:
        process.kill()
        process.wait(120)

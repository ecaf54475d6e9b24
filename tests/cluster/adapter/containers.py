"""Programs started as in a container of the manifests: with its configuration, environment and account."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.account import with_account
from tests.cluster.adapter.objects import OWN
from tests.cluster.control_plane import ControlPlane, Object
from tests.harness import Agent, clean_environ, free_port
from tests.harness import running as started
from tests.k8s.rendered import AGENT, config_text, environment, pod_spec


def running_container(
    plane: ControlPlane,
    manifests: list[Object],
    folder: Path,
    container: str,
    name: str,
    command: list[str],
    settings: Mapping[str, object],
    node: str = "",
) -> contextlib.AbstractContextManager[Agent]:
    """Return the context in which a program runs as a container of a pod.

    Args:
        folder: for files of its own.
        container: its name in the manifests.
        name: of the pod.
        settings: values of the environment in place of those of the manifests.
    """
    port = free_port()
    own_folder = folder / f"{name}-{port}"
    own_folder.mkdir()
    config = own_folder / "telegen.yaml"
    config.write_text(config_text(manifests, container))
    token = plane.token(OWN, pod_spec(manifests, container)["serviceAccountName"])
    command, environ = with_account([*command, "--config", str(config)], plane, own_folder / "account", token)
    own = {"POD_NAME": name, "POD_NAMESPACE": OWN, "NODE_NAME": node}
    second = "KUBE_METRICS__TELEMETRY_ADDRESS" if container == AGENT else "ADAPTER__TELEMETRY_ADDRESS"
    values = {f"TELEGEN_{key}": str(value) for key, value in {**settings, second: f"127.0.0.1:{port}"}.items()}
    environ |= clean_environ() | environment(manifests, container) | own | values
    return started(command, environ, port, config)

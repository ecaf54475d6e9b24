"""Parsers of the files that container runtimes keep for each container: one function per format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import orjson

from telegen.process.json_access import Values, mapping, objects, text

CONTAINERD, CRIO, DOCKER, PODMAN = "containerd", "cri-o", "docker", "podman"

ID_LENGTH = 64
"""Hexadecimal digits of the id of a container, with every runtime that keeps files of it."""

SANDBOX = "POD"
"""Container name of a sandbox, with runtimes that give it one."""

_CRI = "io.kubernetes.cri."
_CRIO = "io.kubernetes.cri-o."


@dataclass(frozen=True)
class Bundle:
    """Names and properties of a container, from its runtime.

    Attributes:
        runtime: `containerd`, `cri-o`, `docker` or `podman`.
        name: cAdvisor's name: the id for containerd, `k8s_web_web-1_shop_UID_0` for CRI-O and Docker in Kubernetes, the
            container's own name for Docker and podman.
        image: as requested; "" if the file does not have it.
        namespace, pod, pod_uid, container: names in Kubernetes; "" outside pods, or if the file does not have them.
        is_sandbox: True for the pause container, which holds the pod's namespaces.
        host_network: True if it uses the node's network; None if the file does not show it.
        joins_network: True if the runtime was told to use the network of another container, or of the node.
        labels, env: labels and environment variables.
        health: 1 healthy, 0 starting or unhealthy, -1 without a health check; None with runtimes that have none.
        restarts: number of restarts by the restart policy; None if unknown.
    """

    runtime: str
    name: str
    image: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    is_sandbox: bool = False
    host_network: Optional[bool] = None
    joins_network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    health: Optional[int] = None
    restarts: Optional[int] = None


def parse_oci(content: bytes, id: str) -> Bundle:
    """Parse config.json of an OCI bundle (https://github.com/opencontainers/runtime-spec).

    The names are annotations of containerd's CRI plugin or of CRI-O; other bundles have none.

    Raises:
        ValueError: the content is not a JSON object.
    """
    spec = _object(content)
    notes, env = mapping(spec, "annotations"), _environment(mapping(spec, "process").get("env"))
    # First: podman writes annotations of CRI-O into the containers of its pods.
    if text(notes, "io.container.manager") == "libpod":
        return Bundle(PODMAN, id, host_network=_host_network(spec, True), env=env)
    if text(notes, "io.container.manager") == "cri-o" or text(notes, _CRIO + "ContainerType"):
        return _crio(notes, id, spec, env)
    is_sandbox = text(notes, _CRI + "container-type") == "sandbox"
    return Bundle(
        CONTAINERD,
        id,
        text(notes, _CRI + "image-name"),
        text(notes, _CRI + "sandbox-namespace"),
        text(notes, _CRI + "sandbox-name"),
        text(notes, _CRI + "sandbox-uid"),
        text(notes, _CRI + "container-name"),
        is_sandbox,
        _host_network(spec, is_sandbox or not text(notes, _CRI + "sandbox-id")),
        env=env,
    )


def _crio(notes: Values, id: str, spec: Values, env: Mapping[str, str]) -> Bundle:
    # CRI-O writes all labels of the container into one annotation as JSON, and properties of the pod into others.
    labels = _object(text(notes, _CRIO + "Labels").encode() or b"{}")
    is_sandbox = text(notes, _CRIO + "ContainerType") == "sandbox"
    # Name of a sandbox is the pod's name; cAdvisor shows ContainerName there.
    names = ("ContainerName", "Name") if is_sandbox else ("Name", "ContainerName")
    return Bundle(
        CRIO,
        _first(notes, *[_CRIO + name for name in names]) or id,
        _first(notes, _CRIO + "ImageName", _CRIO + "Image"),
        _kubernetes(labels, notes, "pod.namespace") or text(notes, _CRIO + "Namespace"),
        _kubernetes(labels, notes, "pod.name") or text(notes, _CRIO + "KubeName"),
        _kubernetes(labels, notes, "pod.uid"),
        SANDBOX if is_sandbox else _kubernetes(labels, notes, "container.name"),
        is_sandbox,
        _host_network(spec, is_sandbox),
        labels=_strings(labels),
        env=env,
    )


def parse_docker(content: bytes, id: str) -> Bundle:
    """Parse Docker's config.v2.json, with the labels that cri-dockerd sets.

    Raises:
        ValueError: the content is not a JSON object.
    """
    state = _object(content)
    config = mapping(state, "Config")
    labels = mapping(config, "Labels")
    is_sandbox, pod = text(labels, "io.kubernetes.docker.type") == "podsandbox", _kubernetes(labels, {}, "pod.name")
    return Bundle(
        DOCKER,
        text(state, "Name").lstrip("/") or id,
        text(config, "Image"),
        _kubernetes(labels, {}, "pod.namespace"),
        pod,
        _kubernetes(labels, {}, "pod.uid"),
        SANDBOX if is_sandbox else _kubernetes(labels, {}, "container.name"),
        is_sandbox,
        "host" in mapping(mapping(state, "NetworkSettings"), "Networks") if is_sandbox or not pod else None,
        labels=_strings(labels),
        env=_environment(config.get("Env")),
        health=None if pod else health_number(text(mapping(mapping(state, "State"), "Health"), "Status")),
        restarts=restarts if isinstance(restarts := state.get("RestartCount"), int) and not pod else None,
    )


def health_number(status: str) -> int:
    """Return cAdvisor's number for a status of Docker or podman; "" is a container without a health check."""
    return {"healthy": 1, "none": -1, "": -1}.get(status, 0)


def parse_health_log(content: bytes) -> int:
    """Parse podman's healthcheck.log: 1 healthy, 0 any other status.

    Raises:
        ValueError: the content is not a JSON object.
    """
    log = _object(content)
    # Versions differ in the spelling of the key.
    return health_number(_first(log, "Status", "status") or "starting")


def has_check(config: Values) -> bool:
    """True if podman's configuration of a container has a health check."""
    test = mapping(config, "healthcheck").get("Test")
    return isinstance(test, list) and bool(test) and test[0] not in ("", "NONE")


def parse_network_mode(content: bytes) -> bool:
    """Parse Docker's hostconfig.json; True for `--network container:NAME` and `--network host`.

    Raises:
        ValueError: the content is not a JSON object.
    """
    return text(_object(content), "NetworkMode").partition(":")[0] in ("container", "host")


def parse_storage(content: bytes) -> dict[str, tuple[str, str]]:
    """Parse containers.json of containers/storage: id to (name, image).

    Raises:
        ValueError: the content is not a list.
    """
    listed = orjson.loads(content)
    if not isinstance(listed, list):
        raise ValueError("a list of containers was expected")
    found = {}
    for entry in listed:
        # Entries without an id of that length are dropped: the list is kept, and 1 MB of short ones would take 25 MB.
        if isinstance(entry, dict) and len(text(entry, "id")) == ID_LENGTH:
            names = entry.get("names")
            name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else entry["id"]
            found[entry["id"]] = (name, text(_object(text(entry, "metadata").encode() or b"{}"), "image-name"))
    return found


def _host_network(spec: Values, own: bool) -> Optional[bool]:
    """True for a container without a network namespace of its own, which therefore stays in the node's.

    None for one that joins the namespaces of another container (`own` is False): its file does not show which they are.
    """
    if not own:
        return None
    namespaces = objects(mapping(spec, "linux"), "namespaces")
    return not any(entry.get("type") == "network" for entry in namespaces) if namespaces else None


def _strings(values: Values) -> dict[str, str]:
    """The values that are strings."""
    return {key: value for key, value in values.items() if isinstance(value, str)}


def _environment(variables: object) -> dict[str, str]:
    """Variables of a list of `NAME=value`; the last one of a name counts, as for getenv(3) of most programs."""
    pairs = [one.partition("=") for one in variables if isinstance(one, str)] if isinstance(variables, list) else []
    return {name: value for name, _, value in pairs if name}


def _object(content: bytes) -> dict[str, Any]:
    value = orjson.loads(content)
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")
    return value


def _first(values: Values, *keys: str) -> str:
    return next(filter(None, [text(values, key) for key in keys]), "")


def _kubernetes(labels: Values, notes: Values, key: str) -> str:
    """Value of a label that the kubelet sets on every container."""
    return text(labels, f"io.kubernetes.{key}") or text(notes, f"io.kubernetes.{key}")

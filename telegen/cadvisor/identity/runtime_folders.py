"""Folders in which the container runtimes of a host keep their files, as the runtimes' own configuration names them.

A location is a folder with a subfolder for each container. A runtime that has been moved (Docker's data-root, graphroot of
containers/storage, containerd's state) is found by its configuration file, its command line, or the home of the user who runs it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import orjson

from telegen.cadvisor.cgroups.mountinfo import FileSystem, is_below, remote_points
from telegen.cadvisor.identity.host_files import HostFiles, UserFolder
from telegen.cadvisor.identity.runtime_arguments import Arguments
from telegen.process.json_access import mapping, text

STATES = ("/run/containerd", "/run/k3s/containerd", "/run/k0s/containerd", "/var/snap/microk8s/common/run/containerd")
"""Usual state folders of containerd."""

CONTAINERD_CONFIGS = (
    "/etc/containerd/config.toml",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "/etc/k0s/containerd.toml",
    "/var/snap/microk8s/current/args/containerd.toml",
)
DOCKER_ROOTS = ("/var/lib/docker", "/var/snap/docker/common/var-lib-docker")
DOCKER_CONFIGS = ("/etc/docker/daemon.json", "/var/snap/docker/current/config/daemon.json")
STORAGE_ROOTS = ("/run/containers/storage", "/var/lib/containers/storage")
"""Usual runroot and graphroot of containers/storage, which CRI-O and podman use."""
STORAGE_CONFIGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")

_driver_folder = re.compile(r"[a-z0-9-]+-containers").fullmatch
"""`overlay-containers`, `vfs-containers` and so on: one folder per storage driver."""
_remapped = re.compile(r"\d+\.\d+").fullmatch
"""`100000.100000`: folder of a Docker daemon with userns-remap, below its data-root."""


@dataclass(frozen=True)
class Location:
    """A folder with a subfolder for each container.

    Attributes:
        kind: format of the files: `oci`, `docker`, or `storage` for containers/storage.
        folder: path on the host.
        storage: folders that may have the list of containers and the database of podman; of kind `storage` only.
        user: the user who runs the runtime, with the folder that links may not leave; None for root.
    """

    kind: str
    folder: str
    storage: tuple[str, ...] = ()
    user: Optional[UserFolder] = None


def find_locations(files: HostFiles, arguments: Arguments, mounts: Sequence[FileSystem]) -> list[Location]:
    """Return every location that exists, the most likely first.

    Args:
        arguments: options of the running runtimes.
        mounts: of the host.
    """
    users = homes(files, mounts)
    states = list(dict.fromkeys([*STATES, *_containerd_states(files, arguments)]))
    tasks = [f"{state}/io.containerd.runtime.{version}" for state in states for version in ("v2.task", "v1.linux")]
    found = [
        *[Location("oci", f"{task}/k8s.io") for task in tasks],
        *_storages(files, arguments, users),
        *_dockers(files, arguments, users),
        # Last: the bundles of Docker's own containerd lack the names that config.v2.json has.
        *[Location("oci", f"{task}/{name}") for task in tasks for name in files.names(task) if name != "k8s.io"],
    ]
    return [location for location in dict.fromkeys(found) if files.is_folder(location.folder)]


def storage_locations(files: HostFiles, roots: tuple[str, ...], uid: Optional[int] = None) -> Iterator[Location]:
    """Yield the folders of each storage driver below a runroot and a graphroot.

    Args:
        uid: user whose folders they are; None for root's.
    """
    for root in roots:
        for name in filter(_driver_folder, files.names(root)):
            yield Location("storage", f"{root}/{name}", tuple(f"{one}/{name}" for one in roots), _of(root, uid))


def docker_locations(files: HostFiles, root: str, uid: Optional[int] = None) -> Iterator[Location]:
    """Yield the folder of a data-root, and those of daemons with userns-remap; `uid` as of `storage_locations`."""
    yield Location("docker", f"{root}/containers", user=_of(root, uid))
    for name in filter(_remapped, files.names(root)):
        yield Location("docker", f"{root}/{name}/containers", user=_of(root, uid))


def _of(folder: str, uid: Optional[int]) -> Optional[UserFolder]:
    return None if uid is None else UserFolder(folder, uid)


def _containerd_states(files: HostFiles, arguments: Arguments) -> Iterator[str]:
    given = arguments.of("containerd")
    for config in (*CONTAINERD_CONFIGS, *given("config", "c")):
        yield from _paths(_toml(files, config), "state")
    yield from given("state")


def _dockers(files: HostFiles, arguments: Arguments, users: Sequence[UserFolder]) -> Iterator[Location]:
    given = arguments.of("dockerd")
    roots = [*DOCKER_ROOTS, *given("data-root", "graph", "g")]
    for config in (*DOCKER_CONFIGS, *given("config-file")):
        roots += _paths(_json(files, config), "data-root", "graph")
    for root in dict.fromkeys(roots):
        yield from docker_locations(files, root)
    for home in users:
        settings = _json(files, f"{home.path}/.config/docker/daemon.json", home)
        for root in (f"{home.path}/.local/share/docker", *_paths(settings, "data-root")):
            yield from docker_locations(files, root, home.uid)


def _storages(files: HostFiles, arguments: Arguments, users: Sequence[UserFolder]) -> Iterator[Location]:
    yield from storage_locations(files, STORAGE_ROOTS)
    for config in STORAGE_CONFIGS:
        yield from storage_locations(files, tuple(_paths(mapping(_toml(files, config), "storage"), "runroot", "graphroot")))
    for config in ("/etc/crio/crio.conf", *[f"/etc/crio/crio.conf.d/{name}" for name in files.names("/etc/crio/crio.conf.d")]):
        yield from storage_locations(files, tuple(_paths(mapping(_toml(files, config), "crio"), "runroot", "root")))
    crio = arguments.of("crio")
    yield from storage_locations(files, (*crio("runroot"), *crio("root", "r")))
    rootless = [text(mapping(_toml(files, config), "storage"), "rootless_storage_path") for config in STORAGE_CONFIGS]
    for home in users:
        for graphroot in _rootless_graphroots(files, home, next(filter(None, rootless), "")):
            yield from storage_locations(files, (f"/run/user/{home.uid}/containers", graphroot), home.uid)


def _rootless_graphroots(files: HostFiles, home: UserFolder, configured: str) -> list[str]:
    """Return the graphroots that a user's podman may have.

    Args:
        configured: rootless_storage_path of the host's storage.conf.
    """
    expanded = configured.replace("$HOME", home.path).replace("$UID", str(home.uid)).replace("$USER", home.path.rpartition("/")[2])
    own = mapping(_toml(files, f"{home.path}/.config/containers/storage.conf", home), "storage")
    found = [f"{home.path}/.local/share/containers/storage", *_paths(own, "graphroot"), *_paths({"": expanded}, "")]
    return list(dict.fromkeys(found))


def homes(files: HostFiles, mounts: Sequence[FileSystem]) -> list[UserFolder]:
    """Return the homes of the host's users (passwd(5)), except root's and those of system accounts without one.

    Args:
        mounts: of the host. Homes on file systems of other machines are left out: a hanging server would block the sampler.
    """
    remote = remote_points(mounts)
    found: dict[str, UserFolder] = {}
    for line in (files.read("/etc/passwd") or b"").decode("utf-8", "replace").split("\n"):
        words = line.split(":")
        if len(words) == 7 and words[2].isdigit() and words[2] != "0" and words[5].strip("/") and words[5].startswith("/"):
            found.setdefault(words[5], UserFolder(words[5].rstrip("/"), int(words[2])))
    return [home for home in found.values() if not is_below(home.path, remote) and files.is_folder(home.path)]


def _paths(values: Mapping[str, Any], *keys: str) -> list[str]:
    """Absolute paths among the values of some keys."""
    return [value.rstrip("/") for key in keys if (value := text(values, key)).startswith("/") and value.strip("/")]


def _json(files: HostFiles, path: str, user: Optional[UserFolder] = None) -> Mapping[str, Any]:
    return _parsed(files, path, user, orjson.loads)


def _toml(files: HostFiles, path: str, user: Optional[UserFolder] = None) -> Mapping[str, Any]:
    return _parsed(files, path, user, lambda content: tomllib.loads(content.decode()))


def _parsed(files: HostFiles, path: str, user: Optional[UserFolder], parse: Callable[[bytes], Any]) -> Mapping[str, Any]:
    """Parse a configuration file; empty if it is absent. A malformed one is counted."""
    content = files.read(path, user)
    if content is None:
        return {}
    try:
        found = parse(content)
    # Both parsers, and the decoding, raise subclasses of ValueError; deep nesting ends in RecursionError.
    except (ValueError, RecursionError):
        files.errors["malformed"] += 1
        return {}
    return found if isinstance(found, dict) else {}

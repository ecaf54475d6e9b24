"""The files that a runtime keeps for one container, read together into one bundle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Optional

from telegen.cadvisor.identity.host_files import HostFiles, UserFolder
from telegen.cadvisor.identity.libpod import database_paths, read_record
from telegen.cadvisor.identity.oci import (
    DOCKER,
    PODMAN,
    Bundle,
    has_check,
    health_number,
    parse_docker,
    parse_health_log,
    parse_network_mode,
    parse_oci,
)
from telegen.cadvisor.identity.pods import KeyFilter
from telegen.cadvisor.identity.runtime_folders import Location
from telegen.cadvisor.identity.storage_lists import StorageLists
from telegen.process.json_access import mapping, text

HEALTH_LOG = "healthcheck.log"
"""Log of podman's health checks, in the container's folder below the runroot."""

RESTARTS_LABEL = "restartcount"
"""Label that cAdvisor adds to a container that has been restarted."""

_FILES = {
    "oci": ("config.json", parse_oci),
    "docker": ("config.v2.json", parse_docker),
    "storage": ("userdata/config.json", parse_oci),
}
"""Name of the main file in a container's folder, and its parser, by kind of the location."""

States = tuple[Optional[tuple[int, int, int]], ...]


@dataclass(frozen=True)
class Found:
    """A bundle with its origin.

    Attributes:
        folder: the container's folder at the location, as this process sees it.
        watched: paths of the files that change while the container runs.
        states: their inodes, times and sizes before they were read.
    """

    bundle: Bundle
    location: Location
    folder: str
    watched: tuple[str, ...]
    states: States

    def has_changed(self) -> bool:
        """True if a watched file has changed. PERF: 2 us for each; containers of containerd and CRI-O have none."""
        return bool(self.watched) and states_of(self.watched) != self.states


class RuntimeFiles:
    """Reader of containers' files. Not safe for threads."""

    def __init__(self, files: HostFiles, labels: KeyFilter, env: KeyFilter) -> None:
        """Create a reader.

        Args:
            labels, env: filters of the labels and environment variables that are kept.
        """
        self._files, self._labels, self._env = files, labels, env
        self._storage = StorageLists(files)

    def read(self, id: str, location: Location) -> Optional[Found]:
        """Read a container's files at a location; None if it is not there, or a file is malformed, which is counted."""
        name, parse = _FILES[location.kind]
        path = f"{location.folder}/{id}"
        folder = self._files.real_path(path)
        if folder is None:
            return None
        watched = self._watched(id, location, folder)
        # Before the files are read: one that changes meanwhile is read again.
        states = states_of(watched)
        content = self._files.read(f"{path}/{name}", location.user)
        if content is None:
            return None
        try:
            bundle = self._completed(parse(content, id), id, location)
        except ValueError:
            # Possibly half-written: tried again.
            self._files.errors["malformed"] += 1
            return None
        if bundle.runtime not in (DOCKER, PODMAN):
            watched, states = (), ()
        return Found(self._selected(bundle), location, folder, watched, states)

    def _watched(self, id: str, location: Location, folder: str) -> tuple[str, ...]:
        """Paths of the files that change with the container's health and restarts."""
        if location.kind == "docker":
            return (f"{folder}/config.v2.json",)
        storage = [real for one in location.storage if (real := self._files.real_path(one))]
        databases = [real for path, _ in database_paths(location.storage) if (real := self._files.real_path(path))]
        return (*[f"{one}/{id}/{HEALTH_LOG}" for one in storage], *databases)

    def _completed(self, bundle: Bundle, id: str, location: Location) -> Bundle:
        """Add what other files of the runtime have.

        Raises:
            ValueError: a file is malformed.
        """
        if bundle.runtime == DOCKER:
            content = self._files.read(f"{location.folder}/{id}/hostconfig.json", location.user)
            return replace(bundle, joins_network=content is not None and parse_network_mode(content))
        return self._podman(bundle, id, location) if bundle.runtime == PODMAN else bundle

    def _podman(self, bundle: Bundle, id: str, location: Location) -> Bundle:
        """Add name and image from the lists of containers/storage, the rest from podman's database and its log of checks."""
        uid = location.user.uid if location.user else None
        record = read_record(self._files, location.storage, id, uid)
        config, state = record or ({}, {})
        name, image = self._storage.find(id, location.storage, uid) or (text(config, "name") or id, text(config, "rootfsImageName"))
        checks = [self._files.read(f"{one}/{id}/{HEALTH_LOG}", _user(one, uid)) for one in location.storage]
        log = next((content for content in checks if content), None)
        health = parse_health_log(log) if log else None
        if health is None and record:
            # Before the first check there is no log.
            health = health_number("starting" if has_check(config) else "")
        restarts = state.get("restartCount", 0) if record else None
        return replace(
            bundle,
            name=name,
            image=image,
            labels={key: value for key, value in mapping(config, "labels").items() if isinstance(value, str)},
            joins_network=bundle.joins_network or bool(text(config, "netNsCtr")),
            health=health,
            restarts=restarts if isinstance(restarts, int) else None,
        )

    def _selected(self, bundle: Bundle) -> Bundle:
        """Drop the labels and variables that are not shown."""
        labels = {**bundle.labels, **({RESTARTS_LABEL: str(bundle.restarts)} if bundle.restarts else {})}
        return replace(
            bundle,
            labels={key: value for key, value in labels.items() if self._labels(key)},
            env={key: value for key, value in bundle.env.items() if self._env(key)},
        )


def states_of(paths: Iterable[str]) -> States:
    """Return inode, mtime and size of each file; None for one that does not exist."""
    states: list[Optional[tuple[int, int, int]]] = []
    for path in paths:
        try:
            status = os.stat(path)
            states.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except OSError:
            states.append(None)
    return tuple(states)


def _user(folder: str, uid: Optional[int]) -> Optional[UserFolder]:
    return None if uid is None else UserFolder(folder, uid)

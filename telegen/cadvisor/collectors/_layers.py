"""How much containers have written to their own layers, measured as du(1) does, slowly, beside the sampler.

The layer is the overlay's upper folder, which the container's own mounts name, whatever the runtime: containerd, CRI-O,
Docker or podman. Docker's log of a container is counted with it, as cAdvisor does.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

from telegen.cadvisor.collector import Context, Node
from telegen.cadvisor.collectors._mountinfo import mounts, option
from telegen.cadvisor.collectors._netns_process import Standin

log = logging.getLogger(__name__)

SHARE = 0.05
"""Of a core that measuring may take at most."""

BATCH = 256
"""Files between two looks at the time taken. PERF: 5 to 7 us a file, so a batch takes 2 ms at most, and the rest behind it 35."""

NICE = 10

LIMIT = 1 << 20
"""Bytes of mountinfo."""

_docker = re.compile(r"(.*)/overlay2/[^/]+/diff").fullmatch


@dataclass(frozen=True)
class Room:
    """Of a file system, or of a layer on it: bytes used, size in bytes, inodes, free inodes."""

    usage: int
    limit: int
    inodes: int
    inodes_free: int


class Layers:
    """Measures the layers of all containers every so often, in a thread that ends when it has.

    All but the thread's own method belong to the sampler's thread.
    """

    def __init__(self, interval: float) -> None:
        """`interval`: seconds from the beginning of a round to the next one's at least; 0: nothing is measured."""
        self._interval, self._due = interval, 0.0
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, tuple[str, Room]] = {}
        self._failed: list[OSError] = []
        self._refused = False
        self._thread: Optional[threading.Thread] = None

    def begin(self, node: Node) -> None:
        """A new pass of the sampler: a new round begins when one is due, with the containers of the last pass."""
        wanted, self._wanted = self._wanted, {}
        while self._failed:
            error = self._failed.pop()
            if isinstance(error, PermissionError):
                node.refuse(error)
            else:
                node.count(error)
        now = time.monotonic()
        if not wanted or now < self._due or (self._thread and self._thread.is_alive()):
            return
        self._due = now + self._interval
        self._found = {id: found for id, found in self._found.items() if id in wanted}
        self._thread = threading.Thread(target=self._round, args=(wanted, self._found), name="layers", daemon=True)
        self._thread.start()

    def room(self, context: Context) -> tuple[str, Room] | None:
        """The number of the device (`8:1`) that a container's layer is on, and its room; None when it has none, or was
        not measured yet."""
        if not self._interval:
            return None
        folders = context.memo.get("layer")
        if folders is None:
            folders = context.memo["layer"] = _folders(context)
        if not folders:
            return None
        self._wanted[context.cgroup.id] = folders
        return self._found.get(context.cgroup.id)

    def wait(self, seconds: float) -> None:
        """Wait for the round to end."""
        if self._thread:
            self._thread.join(seconds)

    def _round(self, wanted: Mapping[str, tuple[str, ...]], found: dict[str, tuple[str, Room]]) -> None:
        """The thread. What it finds is shown from the next pass on; a container that cannot be measured has nothing."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        rest = make_rest(SHARE)
        for id, folders in wanted.items():
            try:
                found[id] = _measure(folders, rest)
            except FileNotFoundError:
                found.pop(id, None)
            except PermissionError as error:
                found.pop(id, None)
                if not self._refused:
                    # Said once: without privileges it is so of every container, in every round.
                    self._refused = True
                    log.warning("layers of containers may not be read: %s", error)
                self._failed.append(error)
            except OSError as error:
                found.pop(id, None)
                log.warning("the layer of %s cannot be measured: %s", id, error)
                self._failed.append(error)


def make_rest(share: float) -> Callable[[], None]:
    """A function that rests for as long as it takes to have used only this share of a core since it was made."""
    used = time.thread_time()

    def rest() -> None:
        nonlocal used
        now = time.thread_time()
        time.sleep((now - used) * (1 / share - 1))
        used = time.thread_time()

    return rest


def disk_usage(folder: str, rest: Callable[[], None]) -> int:
    """Bytes on the disk of all that is in a folder, and of itself; a file of several names counts once. Other file
    systems in it do not count.

    Raises:
        OSError: the folder, or one in it, may not be listed.
    """
    top = os.lstat(folder)
    total, seen, waiting = top.st_blocks, set(), [folder]
    count = 0
    while waiting:
        path = waiting.pop()
        try:
            entries = os.scandir(path)
        except (FileNotFoundError, NotADirectoryError):
            # Removed meanwhile.
            continue
        with entries:
            for entry in entries:
                count += 1
                if count % BATCH == 0:
                    rest()
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if status.st_dev != top.st_dev:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif status.st_nlink > 1:
                    if status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                total += status.st_blocks
    return total * 512


def _measure(folders: tuple[str, ...], rest: Callable[[], None]) -> tuple[str, Room]:
    """The device and the room of a layer, with what else belongs to the container.

    Raises:
        OSError: it cannot be measured; FileNotFoundError: it is gone.
    """
    layer, *others = folders
    device, state = os.stat(layer).st_dev, os.statvfs(layer)
    usage = disk_usage(layer, rest) + sum(disk_usage(other, rest) for other in others if os.path.isdir(other))
    room = Room(usage, state.f_blocks * state.f_frsize, state.f_files, state.f_ffree)
    return f"{os.major(device)}:{os.minor(device)}", room


def _folders(context: Context) -> tuple[str, ...] | None:
    """The layer of a container, and Docker's folder of it, as this process sees them. Empty for a container whose root is
    no overlay; None when it cannot be told yet."""
    for pid in sorted(context.pids()):
        try:
            process = Standin(f"{context.node.roots.proc}/{pid}", context.cgroup)
        except OSError:
            # Ended, or another's by now: the next one may tell.
            continue
        try:
            found = [mount for mount in mounts(process.read("mountinfo", LIMIT)) if mount.point == "/"]
        except OSError:
            continue
        finally:
            process.close()
        upper = option(found[-1].options, "upperdir") if found and found[-1].type == "overlay" else ""
        if not upper.startswith("/"):
            return ()
        host, docker = context.node.roots.host.rstrip("/"), _docker(upper)
        own = (f"{host}{docker[1]}/containers/{context.cgroup.container_id}",) if docker else ()
        return (host + upper, *own)
    return None

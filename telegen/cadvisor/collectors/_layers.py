"""Size of the writable layers of containers, measured slowly in a thread, as du(1) does.

The layer is the upperdir of the overlay (https://docs.kernel.org/filesystems/overlayfs.html) that is mounted as the
container's root, with every runtime. Docker's log of a container is included, as in cAdvisor.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Optional

from telegen.cadvisor.cgroups.container_mounts import container_mounts
from telegen.cadvisor.cgroups.context import Context, PerCgroup
from telegen.cadvisor.cgroups.mountinfo import option
from telegen.cadvisor.node import Node

log = logging.getLogger(__name__)

SHARE = 0.05
"""Maximum share of a core for the thread."""

BATCH = 256
"""Files between two rests. PERF: 5 to 7 us a file, so a batch takes 2 ms at most, and the rest after it 35 ms."""

NICE = 10

_docker = re.compile(r"(.*)/overlay2/[^/]+/diff").fullmatch


class Usage(NamedTuple):
    """Bytes in use, and size in bytes, inodes and free inodes of the file system."""

    used: int
    size: int
    inodes: int
    inodes_free: int


class Layer(NamedTuple):
    """Device number (`8:1`) of a container's layer, and its usage."""

    device: str
    usage: Usage


@dataclass
class _State:
    """Folders to measure, and the monotonic time from which they are looked for again if there are none."""

    folders: tuple[str, ...] = ()
    due: float = 0.0


_state = PerCgroup(lambda context: _State())


class LayerScanner:
    """Measures the layers of all containers at an interval, in a thread that ends after each round.

    All methods but `_measure_all` belong to the sampler's thread.
    """

    def __init__(self, interval: float) -> None:
        """`interval`: minimum seconds between the starts of two rounds; 0 disables the measurement."""
        self._interval, self._due = interval, 0.0
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, Layer] = {}
        self._failed: list[OSError] = []
        self._denied = False
        self._thread: Optional[threading.Thread] = None

    def begin_pass(self, node: Node) -> None:
        """Count the errors of the last round; start a round with the containers of the last pass if one is due."""
        wanted, self._wanted = self._wanted, {}
        while self._failed:
            error = self._failed.pop()
            if isinstance(error, PermissionError):
                node.count_denied(error)
            else:
                node.count_error(error)
        now = time.monotonic()
        if not wanted or now < self._due or (self._thread and self._thread.is_alive()):
            return
        self._due = now + self._interval
        # A new dict for each round, without the results of containers that have ended.
        self._found = {id: found for id, found in self._found.items() if id in wanted}
        self._thread = threading.Thread(target=self._measure_all, args=(wanted, self._found), name="layers", daemon=True)
        self._thread.start()

    def usage(self, context: Context) -> Optional[Layer]:
        """Return the last measurement of a container's layer, None without one; enter the container for the next round."""
        if not self._interval:
            return None
        state = _state(context)
        if not state.folders and not self._find(context, state):
            return None
        self._wanted[context.cgroup.id] = state.folders
        return self._found.get(context.cgroup.id)

    def _find(self, context: Context, state: _State) -> bool:
        """Find the folders of a container, if that is due; return True if there are any."""
        now = time.monotonic()
        if now < state.due:
            return False
        found = _folders(context)
        state.folders = found or ()
        # Until its root is mounted, a container's first process has the root of the runtime, which may be no overlay.
        state.due = 0.0 if found is None else now + self._interval
        return bool(found)

    def wait(self, seconds: float) -> None:
        """Wait for the end of the round."""
        if self._thread:
            self._thread.join(seconds)

    def _measure_all(self, wanted: Mapping[str, tuple[str, ...]], found: dict[str, Layer]) -> None:
        """Measure each layer into `found`. A layer that cannot be measured has no samples."""
        # The nice value of a thread is its own on Linux (sched(7)).
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        rest = make_rest(SHARE)
        for id, folders in wanted.items():
            try:
                found[id] = _measure(folders, rest)
            except FileNotFoundError:
                found.pop(id, None)
            except PermissionError as error:
                found.pop(id, None)
                self._failed.append(error)
                if not self._denied:
                    # Logged once: without privileges every container fails in every round.
                    self._denied = True
                    log.warning(
                        "disk usage of containers: %s; run as root with the host's / mounted, or set disk_usage_interval: 0s",
                        error,
                    )
            except OSError as error:
                found.pop(id, None)
                self._failed.append(error)
                log.warning("disk usage of %s: %s; retrying in the next round", id, error)


def make_rest(share: float) -> Callable[[], None]:
    """Return a function that sleeps until the thread's CPU time since its last call is at most `share` of the time passed."""
    used = time.thread_time()

    def rest() -> None:
        nonlocal used
        now = time.thread_time()
        time.sleep((now - used) * (1 / share - 1))
        used = time.thread_time()

    return rest


def disk_usage(folder: str, rest: Callable[[], None]) -> int:
    """Sum the disk blocks of a folder and everything in it, in bytes.

    A file with several names counts once. Other file systems mounted inside do not count.

    Raises:
        OSError: a folder cannot be listed.
    """
    top = os.lstat(folder)
    total, seen, pending = top.st_blocks, set(), [folder]
    count = 0
    while pending:
        path = pending.pop()
        try:
            entries = os.scandir(path)
        except (FileNotFoundError, NotADirectoryError):
            # Removed since it was listed.
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
                # As du -x: a volume mounted into the layer does not belong to it.
                if status.st_dev != top.st_dev:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    if status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                total += status.st_blocks
    # st_blocks counts units of 512 bytes, whatever the block size of the file system (stat(2)).
    return total * 512


def _measure(folders: tuple[str, ...], rest: Callable[[], None]) -> Layer:
    """Measure a layer and the container's other folders.

    Raises:
        FileNotFoundError: the layer has been removed.
        OSError: it cannot be measured.
    """
    layer, *others = folders
    device, state = os.stat(layer).st_dev, os.statvfs(layer)
    used = disk_usage(layer, rest) + sum(disk_usage(other, rest) for other in others if os.path.isdir(other))
    usage = Usage(used, state.f_blocks * state.f_frsize, state.f_files, state.f_ffree)
    return Layer(f"{os.major(device)}:{os.minor(device)}", usage)


def _folders(context: Context) -> tuple[str, ...] | None:
    """Paths of a container's layer and of Docker's folder of the container.

    Empty for a container whose root is not an overlay; None if no process could be read yet.
    """
    mounted = container_mounts(context)
    if mounted is None:
        return None
    found = [mount for mount in mounted if mount.point == "/"]
    # The last mount on / hides the ones below it.
    upper = option(found[-1].options, "upperdir") if found and found[-1].type == "overlay" else ""
    path, log = context.node.roots.resolved_path, context.node.facts.folder(context.cgroup)
    if upper and not upper.startswith("/") and log:
        # Docker names many layers below its own folder, since the options of a mount are limited to a page.
        return (f"{log.rpartition('/containers/')[0]}/overlay2/{upper}", log)
    if not upper.startswith("/"):
        return ()
    docker = _docker(upper)
    if docker and not log:
        log = path(f"{docker[1]}/containers/{context.cgroup.container_id}")
    return (path(upper), log) if log else (path(upper),)

"""Cgroups of a test's own, and processes in them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from telegen.cadvisor.cgroups.hierarchy import Mount, find_mounts
from tests.process_tree import wait_for

ROOT = "/sys/fs/cgroup"


def is_v2(controller: str = "memory") -> bool:
    """True if this kernel has the controller in the unified hierarchy."""
    mount = find_mounts(ROOT).get(controller)
    return mount is not None and mount.version == 2


class OwnCgroup:
    """The cgroup of one container, in that of one pod, in every hierarchy of this machine."""

    def __init__(self) -> None:
        self.container_id, self.pod_uid = os.urandom(32).hex(), str(uuid.uuid4())
        self._top = f"/telegen-test-{os.getpid()}-{self.container_id[:8]}"
        self.pod = f"{self._top}/kubepods/besteffort/pod{self.pod_uid}"
        self.id = f"{self.pod}/{self.container_id}"
        self._mounts: Mapping[str, Mount] = find_mounts(ROOT)
        self._processes: list[subprocess.Popen[bytes]] = []
        for path in self._paths():
            _make(path, self.id)

    def path(self, controller: str, id: str = "") -> Path:
        """The folder of the container's cgroup, or of another of ours, in a controller's hierarchy."""
        return Path(self._mounts[controller].path + (id or self.id))

    def set(self, controller: str, v1: tuple[str, object] | None = None, v2: tuple[str, object] | None = None) -> None:
        """Write a control file: the one of the version that the controller has here."""
        self._write(controller, self.id, v1, v2)

    def set_top(self, controller: str, v1: tuple[str, object], v2: tuple[str, object]) -> None:
        """Write a control file of the cgroup that competes with the other processes of the machine."""
        self._write(controller, self._top, v1, v2)

    def _write(self, controller: str, id: str, v1: tuple[str, object] | None, v2: tuple[str, object] | None) -> None:
        chosen = v2 if self._mounts[controller].version == 2 else v1
        if chosen:
            (self.path(controller, id) / chosen[0]).write_text(str(chosen[1]))

    def inner(self, name: str) -> str:
        """Make a cgroup inside the container's; its id."""
        for path in self._paths():
            _make(path, f"{self.id}/{name}")
        return f"{self.id}/{name}"

    def join(self, pid: int, id: str = "") -> None:
        """Move a process of ours into the container's cgroup."""
        for path in self._paths():
            (Path(path + (id or self.id)) / "cgroup.procs").write_text(str(pid))

    def python(self, code: str, id: str = "") -> subprocess.Popen[bytes]:
        """Start Python code in the container's cgroup; whatever it does, it does as part of it."""
        return self.start([sys.executable, "-c", code], id)

    def start(self, command: list[str], id: str = "") -> subprocess.Popen[bytes]:
        """Start a program in the container's cgroup."""
        # The shell waits until it has been moved, so that nothing of the program is accounted elsewhere.
        gate = ["sh", "-c", 'read -r _; exec "$@"', "sh", *command]
        process = subprocess.Popen(gate, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._processes.append(process)
        self.join(process.pid, id)
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        return process

    def end_container(self) -> None:
        """Remove the container's cgroup, out of which all processes have gone; the pod's stays."""
        for path in self._paths():
            _remove(Path(path + self.id))

    def end(self) -> None:
        """Kill what is in it and remove it."""
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        # Runtimes also use hierarchies that are not read here.
        others = [] if is_v2() else [str(path) for path in Path(ROOT).iterdir() if path.is_dir() and not path.is_symlink()]
        for path in dict.fromkeys([*self._paths(), *others]):
            _remove(Path(path + self._top))

    def _paths(self) -> list[str]:
        return list(dict.fromkeys(mount.path for mount in self._mounts.values()))


def _make(mount: str, id: str) -> None:
    """Each level with every controller that its parent has to give, as the kubelet makes them."""
    path = Path(mount)
    for level in id.strip("/").split("/"):
        parent, path = path, path / level
        path.mkdir(exist_ok=True)
        if (path / "cpuset.mems").exists() and (path / "cgroup.clone_children").exists():
            for name in ("cpuset.cpus", "cpuset.mems"):  # v1: a process can join only after both are set
                (path / name).write_text((parent / name).read_text())
        if (path / "cgroup.subtree_control").exists() and level != id.rpartition("/")[2]:
            for controller in (path / "cgroup.controllers").read_text().split():
                (path / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove(path: Path) -> None:
    """The cgroup and those in it, once their processes have ended."""
    if not path.exists():
        return
    for entry in list(path.iterdir()):
        if entry.is_dir():
            _remove(entry)
    for pid in (path / "cgroup.procs").read_text().split():
        # v1 lists processes for a second after their end.
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    wait_for(f"{path} to be removed", lambda: _removed(path), 20)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True

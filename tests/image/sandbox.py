"""A pod's sandbox on a host of its own, and containers in it that runc starts.

The host is this machine, seen through a mount namespace in which /run is the test's: there the runtime keeps what
containerd keeps. The network is a namespace with a loopback, in which the API server runs as well. Nothing of it is left
when the processes have ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tests.cadvisor.runtime.runtimes import BUNDLES
from tests.image.dockerfile import Stage
from tests.image.oci import bind
from tests.process_tree import wait_for

P = ParamSpec("P")
T = TypeVar("T")
SETUP = """
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 700 /run/layers
ip link set lo up
echo ready
cat > /dev/null
for each in $(ls /run/runc); do runc --root /run/runc delete -f "$each"; done
"""
"""Mounts are shared as systemd has them. When the test closes the shell's input, or dies, the shell ends all containers."""
CLONE_NEWNET = 0x40000000


class Sandbox:
    """The namespaces, and the containers in them."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for logs."""
        self._folder, self._containers = folder, dict[str, subprocess.Popen[bytes]]()
        command = ["unshare", "--mount", "--net", "sh", "-ec", SETUP]
        # In a session of its own: an interrupt at the terminal is for the test, which ends the rest.
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self._holder.stdout and self._holder.stdout.readline() == b"ready\n"
        self._root = Path(f"/proc/{self._holder.pid}/root")
        self._thread = ThreadPoolExecutor(1, "sandbox", self._enter)

    def inside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the pod's network; so are processes that it starts."""
        return self._thread.submit(function, *args, **kwargs).result()

    def start(
        self, id: str, cgroup: str, config: dict[str, Any], image: Path, own_network: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a container as containerd does: its bundle, an overlay over the image's root, then runc, which ends as
        the container does.

        Args:
            id: 64 hexadecimal digits.
            cgroup: the folder of its cgroup, which is made.
            config: of OCI, without cgroup and network.
            image: the folder of the image's root, which stays as it is.
            own_network: it is of another pod.
        """
        bundle, layer = self._bundle(id), self.layer(id)
        for folder in (bundle / "rootfs", layer / "upper", layer / "work"):
            self._here(folder).mkdir(parents=True)
        self._here(bundle).chmod(0o700)
        options = f"lowerdir={image},upperdir={layer}/upper,workdir={layer}/work"
        self._call("mount", "-t", "overlay", "overlay", "-o", options, bundle / "rootfs")
        network = {"type": "network"} if own_network else {"type": "network", "path": f"/proc/{self._holder.pid}/ns/net"}
        linux = {**config["linux"], "cgroupsPath": cgroup, "namespaces": [*config["linux"]["namespaces"], network]}
        self._here(bundle / "config.json").write_text(json.dumps({**config, "linux": linux}))
        with self.log(id).open("wb") as log:
            command = self._command("runc", "--root", "/run/runc", "run", "--bundle", bundle, "--pid-file", bundle / "pid", id)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._containers[id] = process
        wait_for(f"container {id}", lambda: self._has_started(id), 20)
        return process

    def log(self, id: str) -> Path:
        """Return the file with a container's output."""
        return self._folder / f"{id}.log"

    def layer(self, id: str) -> Path:
        """Return the folder of a container's layer, as a path of the host."""
        return Path("/run/layers") / id

    def written(self, id: str) -> set[str]:
        """Return paths in a container's layer: files that it has written, and mount points of the runtime."""
        upper = self._here(self.layer(id) / "upper")
        return {f"/{path.relative_to(upper)}" for path in upper.rglob("*")}

    def pid(self, id: str) -> int:
        """Return the pid of a container's first process."""
        return int(self._here(self._bundle(id) / "pid").read_text())

    def end(self) -> None:
        """End all containers and the namespaces."""
        self._holder.communicate(timeout=200)
        for process in self._containers.values():
            process.wait(20)
        self._thread.shutdown()

    def _enter(self) -> None:
        """Move the calling thread, which serves `inside`, to the pod's network namespace."""
        namespace = os.open(f"/proc/{self._holder.pid}/ns/net", os.O_RDONLY)
        try:
            assert ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        finally:
            os.close(namespace)

    def _has_started(self, id: str) -> bool:
        assert self._containers[id].poll() is None, self.log(id).read_text()
        return self._here(self._bundle(id) / "pid").exists()

    def _bundle(self, id: str) -> Path:
        return Path("/") / BUNDLES / id

    def _here(self, path: Path) -> Path:
        """A path of the host, for this process."""
        return self._root / path.relative_to("/")

    def _command(self, *command: str | Path) -> list[str]:
        return ["nsenter", "-t", str(self._holder.pid), "-m", *map(str, command)]

    def _call(self, *command: str | Path) -> str:
        done = subprocess.run(self._command(*command), capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


def image_root(folder: Path, image: Stage) -> tuple[Path, list[dict[str, Any]]]:
    """The root of the image: a folder, and what is mounted in it read-only, for the base image is this machine's system
    and the Python that runs the tests."""
    parts = {"/usr": Path("/usr"), sys.base_prefix: Path(sys.base_prefix), "/opt/telegen": (image.root / "opt/telegen").resolve()}
    for name in ("dev", "etc", "proc", "run", "sys", "tmp", "var", *(part.strip("/") for part in parts)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "var/run").symlink_to("/run")
    for path in Path("/").iterdir():
        if path.is_symlink() and str(path.readlink()).startswith("usr/"):
            (folder / path.name).symlink_to(path.readlink())
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return folder, [bind(source, where, "ro", "rprivate") for where, source in parts.items()]


class Volume:
    """A folder as the kubelet fills one from a ConfigMap: new content is put in place all at once, by a link."""

    def __init__(self, folder: Path, owner: int = -1, **files: str) -> None:
        self.folder, self._owner, self._versions = folder, owner, iter(range(1000))
        folder.mkdir(parents=True)
        self.write(**files)

    def write(self, **files: str) -> None:
        """Replace the content; in names `_` stands for a dot."""
        version = self.folder / f"..{next(self._versions)}"
        version.mkdir()
        for name, text in files.items():
            path = version / name.replace("_", ".")
            path.write_text(text)
            if self._owner >= 0:
                os.chown(path, self._owner, -1)
                path.chmod(0o600)
            if not (self.folder / path.name).is_symlink():
                (self.folder / path.name).symlink_to(Path("..data") / path.name)
        link = self.folder / "..new"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")

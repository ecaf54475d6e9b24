"""A containerd of a test's own, with containers in cgroups of their own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from telegen.cadvisor.hierarchy import find_mounts
from tests.tree import wait_for

IMAGE = "registry.example/busybox:test"
BUSYBOX = "/bin/busybox"
SLEEP = "trap 'exit 0' TERM; while :; do /bin/busybox sleep 0.1; done"

_CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/host/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.ttrpc"
"""


class Containerd:
    """The daemon. `host` stands for the host's /: what containerd leaves for others is below it."""

    def __init__(self, folder: Path) -> None:
        """Start it, with one image."""
        missing = [name for name in ("containerd", "ctr", "runc") if not shutil.which(name)]
        missing += [] if os.path.exists(BUSYBOX) else [BUSYBOX]
        assert not missing, f"{', '.join(missing)}: missing; install the packages of tests/cadvisor/packages.txt"
        self.host, self._folder = folder / "host", folder
        self._top = f"/telegen-test-{os.getpid()}-{os.urandom(4).hex()}"
        self._ids: list[str] = []
        (folder / "config.toml").write_text(_CONFIG.format(folder=folder))
        with (folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(["containerd", "-c", folder / "config.toml"], stdout=log, stderr=log)
        wait_for("containerd", lambda: self._ctr("version", check=False) == 0, 30, 0.1)
        _write_image(folder / "image.tar")
        self._ctr("images", "import", "--snapshotter", "native", str(folder / "image.tar"))

    def pod_cgroup(self, uid: str) -> str:
        """The id of a pod's cgroup."""
        return f"{self._top}/kubepods/besteffort/pod{uid}"

    def run(self, uid: str, annotations: Mapping[str, str]) -> str:
        """Start a container in a pod's cgroup, with annotations as the CRI plugin gives them; its id."""
        id = os.urandom(32).hex()
        self._ids.append(id)
        notes = [word for key, value in annotations.items() for word in ("--annotation", f"io.kubernetes.cri.{key}={value}")]
        place = ["--cgroup", f"{self.pod_cgroup(uid)}/{id}", "--snapshotter", "native"]
        self._ctr("run", "-d", "--null-io", *place, *notes, IMAGE, id, "/bin/sh", "-c", SLEEP)
        return id

    def stop(self, id: str) -> None:
        """Kill a container and remove all that is left of it."""
        self._ctr("tasks", "kill", "-s", "KILL", id, check=False)
        wait_for(f"the end of {id}", lambda: self._ctr("tasks", "delete", id, check=False) == 0 or not self._bundle(id), 20, 0.1)
        self._ctr("containers", "delete", id, check=False)
        self._ids.remove(id)

    def end(self) -> None:
        """Stop all of it, and remove the cgroups above the containers', which runc leaves."""
        for id in list(self._ids):
            self.stop(id)
        self._daemon.send_signal(signal.SIGTERM)
        self._daemon.wait(20)
        for mount in {*find_mounts("/sys/fs/cgroup").values()}:
            _remove(Path(mount.path + self._top))
        for hierarchy in Path("/sys/fs/cgroup").iterdir():
            _remove(hierarchy / self._top[1:])

    def _bundle(self, id: str) -> bool:
        return (self.host / "run/containerd/io.containerd.runtime.v2.task/k8s.io" / id).exists()

    def _ctr(self, *arguments: str, check: bool = True) -> int:
        command = ["ctr", "-a", str(self._folder / "containerd.sock"), "-n", "k8s.io", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0 or not check, done.stdout.decode(errors="replace")
        return done.returncode


def _remove(folder: Path) -> None:
    """A cgroup and those inside it, which have no processes."""
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        path.rmdir()
    if folder.is_dir():
        folder.rmdir()


def _write_image(path: Path) -> None:
    """An image of busybox alone, as `docker save` writes it."""
    layer = _archive({"bin/busybox": Path(BUSYBOX).read_bytes()}, {"bin/sh": "busybox"})
    digest = hashlib.sha256(layer).hexdigest()
    config = {"architecture": _architecture(), "os": "linux", "config": {}}
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config).encode(), "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    path.write_bytes(_archive(files, {}))


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def _archive(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return data.getvalue()

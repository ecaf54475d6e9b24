"""Real container runtimes, each started by the test in folders of its own, with one interface.

Programs of an image are not needed: a container's root is a folder with busybox. What the kubelet's runtime (CRI) writes
about a container into its annotations is handed over as such.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.cadvisor.real.cgroups import is_v2
from tests.process_tree import wait_for

STATE = "run/containerd"
BUNDLES = f"{STATE}/io.containerd.runtime.v2.task/k8s.io"
COMMAND = ("/bin/busybox", "sleep", "1000")


class Runtime(Protocol):
    """Starts containers."""

    def run(self, id: str, cgroup: str, annotations: Mapping[str, str]) -> int:
        """Start a container in a cgroup; its first process."""

    def stop(self) -> None:
        """End all that was started."""


def call(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program that ends by itself; what it prints."""
    # A container keeps what it is given: a pipe would never end.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, timeout=100)
        output.seek(0)
        text = output.read()
    assert done.returncode == 0, f"{command}: {text}"
    return text


def make_root(folder: Path) -> Path:
    """A root filesystem with one program."""
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
        (folder / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", folder / "bin/busybox")
    return folder


class Oci:
    """runc or crun, called as containerd's shim calls it, with bundles where the shim lays them."""

    def __init__(self, program: str, host: Path) -> None:
        self._program, self._host, self._started = program, host, list[str]()

    def run(self, id: str, cgroup: str, annotations: Mapping[str, str]) -> int:
        """See `Runtime`."""
        bundle = self._host / BUNDLES / id
        make_root(bundle / "rootfs")
        self._call("spec", cwd=bundle)
        spec = json.loads((bundle / "config.json").read_text())
        spec["process"] |= {"terminal": False, "args": COMMAND}
        spec["linux"]["cgroupsPath"] = cgroup
        spec["annotations"] = dict(annotations)
        (bundle / "config.json").write_text(json.dumps(spec))
        self._started.append(id)
        self._call("run", "-d", "--bundle", bundle, "--pid-file", bundle / "pid", id)
        return int((bundle / "pid").read_text())

    def stop(self) -> None:
        """See `Runtime`."""
        for id in self._started:
            self._call("delete", "-f", id)

    def _call(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        return call(self._program, "--root", self._host / "state", *arguments, cwd=cwd)


class Containerd:
    """containerd, with the shim and runc that it starts by itself."""

    def __init__(self, host: Path) -> None:
        self._host, self._started = host, list[str]()
        self._folder = Path(tempfile.mkdtemp(prefix="telegen-"))  # sockets have short names
        config = self._folder / "config.toml"
        others = ("grpc.v1.cri", "snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.devmapper", "snapshotter.v1.aufs")
        disabled = ", ".join(f'"io.containerd.{name}"' for name in others)
        config.write_text(
            f'version = 2\nroot = "{host}/var/lib/containerd"\nstate = "{host}/{STATE}"\ndisabled_plugins = [{disabled}]\n'
            f'[grpc]\naddress = "{self._folder}/s"\n[ttrpc]\naddress = "{self._folder}/t"\n'
        )
        with (self._folder / "log").open("w") as log:
            self._daemon = subprocess.Popen(["containerd", "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("containerd", self._answers, 100, 0.2)

    def run(self, id: str, cgroup: str, annotations: Mapping[str, str]) -> int:
        """See `Runtime`."""
        root = make_root(self._host / "roots" / id)
        notes = [word for key, value in annotations.items() for word in ("--annotation", f"{key}={value}")]
        self._started.append(id)
        self._ctr("run", "-d", "--null-io", "--rootfs", "--cgroup", cgroup, *notes, root, id, *COMMAND)
        return next(int(line.split()[1]) for line in self._ctr("tasks", "ls").splitlines() if line.startswith(id))

    def stop(self) -> None:
        """See `Runtime`."""
        try:
            for id in self._started:
                self._ctr("tasks", "kill", "-s", "KILL", id)
                wait_for("the task to end", lambda: "STOPPED" in self._line(id), 60, 0.2)
                self._ctr("tasks", "rm", id)
                self._ctr("containers", "rm", id)
        finally:
            self._daemon.terminate()
            self._daemon.wait(30)
            shutil.rmtree(self._folder)

    def _line(self, id: str) -> str:
        return next(line for line in self._ctr("tasks", "ls").splitlines() if line.startswith(id))

    def _answers(self) -> bool:
        assert self._daemon.poll() is None, (self._folder / "log").read_text()
        return subprocess.run(["ctr", "-a", self._folder / "s", "version"], capture_output=True).returncode == 0

    def _ctr(self, *arguments: str | Path) -> str:
        return call("ctr", "-a", self._folder / "s", "-n", "k8s.io", *arguments)


NAMES = ("containerd", "runc", "crun") if is_v2() else ("containerd", "runc")
"""Runtimes that run on this kernel: crun refuses hosts that have both versions."""


def make(name: str, host: Path) -> Runtime:
    """A runtime whose files are below a folder that stands for the host's `/`."""
    return Containerd(host) if name == "containerd" else Oci(name, host)

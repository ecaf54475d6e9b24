"""podman with all its files in a folder of the test's own, and an image of one program."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import psutil

from tests.cadvisor.real.cgroups import ROOT, is_v2
from tests.process_tree import wait_for

IMAGE = "localhost/telegen-test:1"
LIMITS = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
"""The default limits are higher than those of an unprivileged machine, and podman does not lower them."""
SLEEP = ("/bin/sleep", "1000")


class Podman:
    """podman as root, without systemd: the cgroup manager is cgroupfs."""

    def __init__(self, folder: Path) -> None:
        """Import the image.

        Args:
            folder: for the storage; `graph` and `run` in it are graphroot and runroot.
        """
        self.graph, self.run_root = folder / "graph", folder / "run"
        self._had_parent = _parents() != []
        (folder / "containers.conf").write_text(LIMITS)
        self._environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf"), "TMPDIR": str(folder)}
        # crun refuses hosts that have both versions of cgroups.
        runtime = "crun" if is_v2() else "runc"
        # The storage driver would mount its folder on itself, and clean-ups after the end of a container again.
        driver = ("--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true")
        storage = ("--root", str(self.graph), "--runroot", str(self.run_root), "--tmpdir", str(folder / "tmp"), *driver)
        self._command = ("podman", *storage, "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", runtime)
        self("import", str(_archive(folder)), IMAGE)

    def __call__(self, *arguments: str) -> str:
        """Run a command of podman; the last line that it prints."""
        done = subprocess.run((*self._command, *arguments), env=self._environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"podman {arguments}: {done.stderr}"
        return done.stdout.rpartition("\n")[0].rpartition("\n")[2]

    def start(self, name: str, *options: str) -> str:
        """Start a container that sleeps; its id."""
        return self("run", "-d", "--name", name, *options, IMAGE, *SLEEP)

    def has_cgroup(self, id: str) -> bool:
        """Return True until the clean-up after the end of a container has removed its cgroups."""
        return any((parent / f"libpod-{id}").exists() for parent in _parents())

    def stop(self) -> None:
        """Remove all containers, and podman's top cgroups if there were none before."""
        self("pod", "rm", "-a", "-f", "-t", "0")
        self("rm", "-a", "-f", "-t", "0")
        wait_for("podman's helpers to end", lambda: not self._helpers(), 20, 0.1)
        for folder in [] if self._had_parent else _parents():
            for path in (*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder):
                wait_for(f"{path} to be removed", lambda: _removed(path), 20)

    def _helpers(self) -> list[int]:
        """Processes with this storage: monitors of containers, and clean-ups after their end."""
        found = psutil.process_iter(["cmdline"])
        return [process.pid for process in found if str(self.graph) in " ".join(process.info["cmdline"] or ())]


def _parents() -> list[Path]:
    """Podman's top cgroup, which it does not remove, in each hierarchy."""
    return [top / "libpod_parent" for top in {Path(ROOT), *Path(ROOT).iterdir()} if (top / "libpod_parent").is_dir()]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _archive(folder: Path) -> Path:
    """A root file system with busybox."""
    path = folder / "image.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(shutil.which("busybox") or "/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep", "true", "false", "cat"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return path

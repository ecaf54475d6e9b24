"""The one list of what tests need beside Python packages: sets of tests, their tools, how a tool is found and installed.

With CI=true or SETUP=yes `make test` installs every tool, and an absent one fails the tests that need it. Otherwise these
tests are skipped. No other condition decides if a test runs. Only the standard library is used: this runs before there is
a virtual environment.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.cadvisor.vm import image
from tests.cluster import binaries
from tests.interpreter import interpreter

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "build" / "tools.log"
"""Output of `build`."""
LOCK = ROOT / "build" / "tools.lock"
"""Locked while `build` runs."""


class Tool(NamedTuple):
    """One thing that a test needs.

    Attributes:
        name: for messages.
        found: return whether it is there.
        package: the Debian package that installs it; empty for what `build` makes, and for root and Go, which are prerequisites.
    """

    name: str
    found: Callable[[], bool]
    package: str = ""


class TestSet(NamedTuple):
    """A set of tests outside `make check`.

    Attributes:
        mark: its pytest mark.
        help: what its tests do, after "tests that".
        folders: whose tests get the mark; other tests carry it in their files.
        tools: what each of its tests needs.
    """

    __test__ = False

    mark: str
    help: str
    folders: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()


def _program(name: str, package: str) -> Tool:
    return Tool(name, lambda: shutil.which(name) is not None, package)


def _python(version: str, package: str = "") -> Tool:
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return Tool(f"Python {version}", lambda: version == running or interpreter.found(version, os.environ) is not None, package)


def _built(tool: binaries.Tool) -> Tool:
    return Tool(f"{tool.name} {binaries.version(tool)}", lambda: not binaries.missing(os.environ, [tool]))


SUPERUSER = Tool("root", lambda: os.geteuid() == 0)
GO = Tool("Go", lambda: shutil.which("go") is not None)
VENV = Tool("Python's venv", lambda: importlib.util.find_spec("ensurepip") is not None, "python3-venv")
BUSYBOX = _program("busybox", "busybox-static")
RUNC = _program("runc", "runc")
IP = _program("ip", "iproute2")
HOST = (SUPERUSER, BUSYBOX, RUNC, IP, _program("unshare", "util-linux"))
VM_TOOLS = (
    BUSYBOX,
    _program("qemu-system-x86_64", "qemu-system-x86"),
    _program("cpio", "cpio"),
    _program("depmod", "kmod"),
    _program("debootstrap", "debootstrap"),
    _program("mkfs.erofs", "erofs-utils"),
    _program("mkfs.ext4", "e2fsprogs"),
)
VM_IMAGE = Tool("the virtual machine", lambda: not image.missing(os.environ))

SETS = (
    TestSet("vm", "run `real` and `runtime` on other kernels, in a virtual machine", ("tests/cadvisor/vm",), (*VM_TOOLS, VM_IMAGE)),
    TestSet(
        "cluster",
        "run real etcd, kube-apiserver, kube-controller-manager, kubectl, helm, kube-state-metrics, Prometheus and OpenTelemetry collector",
        tools=(_program("openssl", "openssl"), IP, *map(_built, binaries.EVERYTHING)),
    ),
    TestSet(
        "prometheus",
        "run Prometheus and promtool",
        tools=(_built(binaries.PROMETHEUS), _built(binaries.PROMTOOL)),
    ),
    TestSet("e2e", "start whole agents against a simulated API server", ("tests/e2e",)),
    TestSet("browser", "show the status page in a browser", tools=(_program("chromium", "chromium"),)),
    TestSet("image", "build the image and run it in pods", ("tests/image",), HOST),
    TestSet("real", "read cgroups of this machine's kernel", ("tests/cadvisor/real",), HOST),
    TestSet(
        "runtime",
        "run container runtimes",
        ("tests/cadvisor/runtime",),
        (*HOST, _program("containerd", "containerd"), _program("crun", "crun")),
    ),
    TestSet("podman", "run podman", ("tests/cadvisor/podman",), (*HOST, _program("podman", "podman"), _program("nsenter", "util-linux"))),
    TestSet(
        "interpreter",
        "run the tests of `make check` on other versions of Python",
        tools=(VENV, _python(interpreter.OLDEST, "python3.11-venv"), _python(interpreter.IMAGE)),
    ),
)
BUILDS: tuple[Callable[[Mapping[str, str]], None], ...] = (image.build, interpreter.build, binaries.build)
"""In this order: the virtual machine runs longest. Each builds only what is absent."""
COMMAND = "SETUP=yes make test"
"""Installs all tools."""


def setup_is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether tools are to be installed, so that an absent one is a failure."""
    return environ.get("CI") == "true" or environ.get("SETUP") == "yes"


def missing(tools: tuple[Tool, ...]) -> list[Tool]:
    """Return the tools that are absent."""
    return [tool for tool in tools if not tool.found()]


def everything() -> tuple[Tool, ...]:
    """Return all tools, each once."""
    return tuple(dict.fromkeys([VENV, GO, *(tool for each in SETS for tool in each.tools)]))


def install() -> int:
    """Install the Debian packages of absent tools; return the exit status."""
    packages = sorted({tool.package for tool in missing(everything()) if tool.package})
    if not packages:
        return 0
    if not SUPERUSER.found() or not shutil.which("apt-get"):
        print(f"{COMMAND} needs root on Debian, to install {' '.join(packages)}", file=sys.stderr)
        return 1
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environ, check=True)
    return 0


def build() -> int:
    """Build the absent tools that no package has; return the exit status."""
    status = 0
    for step in BUILDS:
        try:
            step(os.environ)
        except (binaries.Unavailable, image.Unavailable, interpreter.Unavailable) as error:
            print(error, file=sys.stderr, flush=True)
            status = 1
    return status


def start_build() -> subprocess.Popen[bytes]:
    """Start `build` in the background, in a session of its own. It holds LOCK until it ends."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log, LOCK.open("wb") as lock:
        # The lock belongs to the open file, which the child inherits: no other process can find it free in between.
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "tests.tools", "build"]
        return subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[lock.fileno()], start_new_session=True
        )


def is_building() -> bool:
    """Return whether `build` runs in the background."""
    if not LOCK.exists():
        return False
    with LOCK.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


COMMANDS = {"install": install, "build": build}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]]())

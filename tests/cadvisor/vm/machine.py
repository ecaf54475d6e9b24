"""Runs a command in a virtual machine whose kernel has cgroups as the test asks for: v2 alone, or v1 alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tests.cadvisor.vm.image import HERE, LOCKS, MISSING, TREE, Unavailable, folder, missing, site

MEMORY_MIB = 1536
BOOTS = 3
"""Boots of one machine at most, until one gets as far as the command."""
TREE_PARTS = ("telegen", "workers", "tests", "k8s", "setup.cfg", *LOCKS)
"""Paths of this tree that are visible in the machine, in /tree."""
KERNEL = "console=ttyS0 quiet loglevel=4 psi=1 swapaccount=1 hugepages=8 panic=-1 nokaslr mitigations=off tsc=reliable"


class Result(NamedTuple):
    """Result of a command: status (None if the machine did not report one), output, and the consoles of its boots, each
    with how the emulator ended."""

    status: int | None
    output: str
    console: str


def run(command: str, scratch: Path, cgroups: Literal[1, 2] = 2, timeout: float = 300) -> Result:
    """Boot, run a line of shell in /tree as root with a scratch disk on /disk, and turn off.

    Args:
        scratch: an empty folder.
        timeout: seconds for all of it; booting takes 6 of them on an idle machine, 45 on a busy one.

    Raises:
        Unavailable: the machine has not been made.
    """
    absent = missing(os.environ)
    if absent or not shutil.which("qemu-system-x86_64"):
        raise Unavailable(f"no {', no '.join(map(str, absent)) or 'qemu-system-x86_64'}: {MISSING}")
    exchange = scratch / "exchange"
    exchange.mkdir()
    (exchange / "cgroups").write_text(f"{cgroups}\n")
    (exchange / "command").write_text(f"{command}\n")
    shutil.copy(HERE / "start", exchange)
    options = _options(scratch, exchange, os.environ) + ["-append", KERNEL + (" cgroup_no_v1=all" if cgroups == 2 else "")]
    deadline = time.monotonic() + timeout
    consoles = []
    # The emulator sometimes dies of a SIGSEGV before the kernel says a word: nothing of the command has run, so it is booted again.
    while len(consoles) < BOOTS and not (exchange / "output").exists() and (left := deadline - time.monotonic()) > 0:
        ended = _boot(options, left)
        consoles.append(f"{_text(scratch / 'console')}\nemulator: {ended}\n")
    status = exchange / "status"
    return Result(int(status.read_text()) if status.exists() else None, _text(exchange / "output"), "".join(consoles))


def _boot(options: list[str], timeout: float) -> str:
    """Run the emulator until the machine turns off; how it ended."""
    try:
        done = subprocess.run(options, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired:
        return "killed at its time-out"  # No status is there: the caller sees it, and how far the console got.
    return f"status {done.returncode}, {done.stderr.strip() or 'nothing on stderr'}"


def _options(scratch: Path, exchange: Path, environ: Mapping[str, str]) -> list[str]:
    parts = folder(environ)
    images = [parts / "root.erofs", site(environ), _tree_image(scratch)]
    # Other tests measure time on the same cores; this one has wide limits.
    options = ["nice", "-n", "5", "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-M", "pc", "-smp", "2"]
    # Emulated: the tests' hosts are virtual themselves, and KVM inside them does not work everywhere.
    options += ["-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-m", str(MEMORY_MIB)]
    options += ["-kernel", str(parts / "vmlinuz"), "-initrd", str(parts / "initrd"), "-serial", f"file:{scratch}/console"]
    options += ["-virtfs", f"local,path={exchange},mount_tag=exchange,security_model=none"]
    for image in images:
        options += ["-drive", f"file={image},if=virtio,format=raw,readonly=on"]
    return options + ["-drive", f"file={_disk(scratch)},if=virtio,format=raw,cache=unsafe"]


def _tree_image(scratch: Path) -> Path:
    """This tree as an image: reading many small files from the host's filesystem takes too long in there."""
    root, image = scratch / "tree", scratch / "tree.erofs"
    root.mkdir()
    for name in TREE_PARTS:
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TREE / name, root)
    subprocess.run(["mkfs.erofs", image, root], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return image


def _disk(scratch: Path) -> Path:
    disk = scratch / "disk.ext4"
    with disk.open("wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    return disk


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""

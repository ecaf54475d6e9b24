#!/usr/bin/env python3
"""The virtual machine of the tests: where its parts are, and how they are made when they are nowhere.

Debian's stock kernel, a small initramfs, a Debian root filesystem and the locked Python packages, all kept
outside the tree. Emulated (no KVM is needed). Only the standard library is used: this runs before there is a virtual
environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
"""Of the Python packages; the second includes the first."""
SUITE = "bookworm"
PYTHON = "3.11"
"""Debian's Python in that suite: packages are fetched for it, whatever Python the host has."""
PACKAGES = "python3,runc,crun,containerd,iproute2,procps,busybox-static,kmod,util-linux,e2fsprogs,ca-certificates"
MODULES = ("virtio_pci", "virtio_blk", "erofs", "overlay", "9pnet_virtio", "9p", "crc32c_generic", "ext4", "veth", "bridge")
NEEDS = ("qemu-system-x86_64", "busybox", "cpio", "depmod", "debootstrap", "mkfs.erofs", "mkfs.ext4", "apt-get", "dpkg")
PARTS = ("vmlinuz", "initrd", "root.erofs")
MISSING = "run `make vm-image`"


class Unavailable(Exception):
    """The virtual machine is not there and cannot be made here; says why."""


def folder(environ: Mapping[str, str]) -> Path:
    """Folder of the kernel and root filesystem, named after the digest of their inputs."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telegen"
    recipe = hashlib.sha256("".join((SUITE, PACKAGES, *MODULES, (HERE / "init").read_text())).encode())
    return cache / "vm" / f"{SUITE}-{recipe.hexdigest()[:12]}"


def site(environ: Mapping[str, str]) -> Path:
    """The image of the Python packages, named after the lock files."""
    lock = hashlib.sha256(b"".join((TREE / name).read_bytes() for name in LOCKS)).hexdigest()[:12]
    return folder(environ).parent / f"site-{PYTHON}-{lock}.erofs"


def missing(environ: Mapping[str, str]) -> list[Path]:
    """The parts that are not there."""
    parts = [folder(environ) / name for name in PARTS] + [site(environ)]
    return [part for part in parts if not part.exists()]


def build(environ: Mapping[str, str]) -> None:
    """Make what is missing.

    Raises:
        Unavailable: a program is missing, or one of them failed.
    """
    absent = {part.name for part in missing(environ)}
    programs = [name for name in NEEDS if not shutil.which(name)]
    if absent and programs:
        raise Unavailable(f"{', '.join(programs)} not found; `SETUP=yes make test` installs them on Debian")
    where = folder(environ)
    where.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=where.parent, prefix=".making-") as scratch:
        try:
            if absent & set(PARTS):
                _run("apt-get", "update", "-q")  # a list of yesterday may name a kernel that is gone
            if absent & {"vmlinuz", "initrd"}:
                _kernel(where, Path(scratch))
            if "root.erofs" in absent:
                _root(where / "root.erofs", Path(scratch))
            if site(environ).name in absent:
                _site(site(environ), Path(scratch))
        except (subprocess.SubprocessError, OSError) as error:
            raise Unavailable(f"the virtual machine could not be made: {error}") from error
    print(f"virtual machine: {where} is there, after {time.monotonic() - started:.0f} s", flush=True)


def _run(*command: str | Path, cwd: Path | None = None, timeout: float = 600) -> str:
    """A command's output; raises CalledProcessError, with what it said on stderr shown."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=timeout)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        done.check_returncode()
    return done.stdout


def _kernel(where: Path, scratch: Path) -> None:
    """Debian's kernel out of its package, which is not installed, and an initramfs with the modules that it needs."""
    depends = _run("apt-cache", "depends", "linux-image-amd64").split()
    package = next(word for word in depends if word.startswith("linux-image-6"))
    version = package.removeprefix("linux-image-")
    _run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-q", package, cwd=scratch)
    _run("dpkg", "-x", next(scratch.glob("*.deb")), scratch / "kernel")
    _run("depmod", "-b", scratch / "kernel", version)
    _initrd(scratch, version)
    for name in ("initrd", f"kernel/boot/vmlinuz-{version}"):
        shutil.move(scratch / name, where / name.rpartition("/")[2].partition("-")[0])


def _initrd(scratch: Path, version: str) -> None:
    root = scratch / "initramfs"
    for name in ("bin", "modules", "proc", "sys", "dev", "lower", "upper", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "busybox", root / "bin")
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    order: dict[str, None] = {}
    for module in MODULES:
        lines = _run("modprobe", "-d", scratch / "kernel", "-S", version, "--show-depends", module).splitlines()
        order |= {line.split()[1]: None for line in lines if line.startswith("insmod")}
    for path in order:
        shutil.copy(path, root / "modules")
    (root / "modules/order").write_text("".join(f"{Path(path).name}\n" for path in order))
    _run("sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1 > ../initrd", cwd=root)


def _root(image: Path, scratch: Path) -> None:
    """Debian's smallest system with the container runtimes."""
    root = scratch / "rootfs"
    targets = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    mirror = next(uri for uri in targets if "security" not in uri)
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, mirror, timeout=900)
    for name in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / name, ignore_errors=True)
    _erofs(image, root)


def _site(image: Path, scratch: Path) -> None:
    root = scratch / "site"
    options = ("--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps", "--only-binary=:all:", "--no-compile")
    where = ("--target", root, "--python-version", PYTHON, "--implementation", "cp")
    _run(sys.executable, "-m", "pip", "install", *options, *where, "-r", TREE / LOCKS[-1])
    _erofs(image, root)


def _erofs(image: Path, root: Path) -> None:
    """Whole or not at all, for who looks meanwhile."""
    partial = image.with_suffix(".partial")
    _run("mkfs.erofs", "-x-1", partial, root)
    partial.replace(image)


def main() -> int:
    """Make what is missing; the exit status."""
    try:
        build(os.environ)
    except Unavailable as error:
        print(f"tests/cadvisor/vm/build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

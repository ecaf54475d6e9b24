"""The layer of a container: a real overlay, mounted where only the container sees it, as runtimes do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.real.view import View
from tests.process_tree import wait_for

MIB = 1 << 20

CONTAINER = """
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "$1/root"
dd if=/dev/urandom of="$1/root/written" bs=1M count=8 2>/dev/null
ln "$1/root/written" "$1/root/again"
sync -f "$1/root"
echo
exec chroot "$1/root" /busybox cat
"""


def test_what_a_container_has_written(cgroup: OwnCgroup, view: View, tmp_path: Path) -> None:
    """8 MiB written under two names are 8 MiB, as du says; what the image has is not the container's."""
    disk = Path("/disk") if Path("/disk").is_dir() else tmp_path
    folder = disk / f"layer-{os.getpid()}"
    for name in ("lower", "upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox, "busybox is not installed"
    shutil.copy(busybox, folder / "lower")
    try:
        container = cgroup.start(["unshare", "-m", "sh", "-ec", CONTAINER, "sh", str(folder)])
        assert container.stdout and container.stdout.readline() == b"\n"
        shown: dict[str, float] = {}

        def measured() -> bool:
            samples = view.of(cgroup.id).items()
            shown.update({key[0]: value for key, value in samples if key[0] in ("container_fs_usage_bytes", "container_fs_limit_bytes")})
            return bool(shown)

        wait_for("the layer to be measured", measured, 60)
        wanted = int(subprocess.check_output(["du", "-s", "--block-size=1", folder / "upper"]).split()[0])
        assert shown["container_fs_usage_bytes"] == wanted == pytest.approx(8 * MIB, abs=MIB)
        state = os.statvfs(disk)
        assert shown["container_fs_limit_bytes"] == state.f_blocks * state.f_frsize
    finally:
        cgroup.end()
        shutil.rmtree(folder)

"""Names of block devices: never empty, never two of one name."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cadvisor.cgroups import devices
from telegen.cadvisor.cgroups.devices import Devices

PARTITIONS = "major minor  #blocks  name\n\n   8        0  1000 sda\n   8        1   500 sda1\n 104 0 10 cciss!c0d0\n broken\n"


def uevent(sys: Path, number: str, content: str) -> None:
    """Write the uevent file of a device in /sys."""
    (sys / "dev/block" / number).mkdir(parents=True)
    (sys / "dev/block" / number / "uevent").write_text(content)


@pytest.fixture
def named(tmp_path: Path) -> Devices:
    """Devices of a fixture."""
    (tmp_path / "partitions").write_text(PARTITIONS)
    uevent(tmp_path, "259:0", "MAJOR=259\nMINOR=0\nDEVNAME=nvme0n1\nDEVTYPE=disk\n")
    uevent(tmp_path, "8:99", "DEVNAME=sda\n")
    uevent(tmp_path, "8:98", "DEVNAME=\n")
    return Devices(str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("8:0", "/dev/sda"),
        ("8:1", "/dev/sda1"),
        ("104:0", "/dev/cciss/c0d0"),
        ("259:0", "/dev/nvme0n1"),
        ("8:99", "8:99"),
        ("8:98", "8:98"),
        ("7:7", "7:7"),
    ],
)
def test_name(named: Devices, number: str, name: str) -> None:
    """By the list, else by /sys; the number itself where there is no name or another device has it."""
    assert [named(number), named(number)] == [name, name]


def test_disk_that_takes_a_number(tmp_path: Path, named: Devices, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that came in place of another is called by its own name after a while."""
    assert named("8:1") == "/dev/sda1"
    (tmp_path / "partitions").write_text(PARTITIONS.replace("sda", "sdb"))
    assert named("8:1") == "/dev/sda1"
    monkeypatch.setattr(devices, "REFRESH", 0.0)
    now = devices.time.monotonic()
    monkeypatch.setattr("telegen.cadvisor.cgroups.devices.time.monotonic", lambda: now + 61)
    assert named("8:1") == "/dev/sdb1"


def test_no_proc_at_all() -> None:
    """Without /proc every device is its number."""
    assert Devices("/nowhere", "/nowhere")("8:0") == "8:0"

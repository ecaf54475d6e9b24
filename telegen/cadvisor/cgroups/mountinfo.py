"""Parser of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_escaped = re.compile(r"\\([0-7]{3})")

_local = re.compile(r"ext[234]|xfs|btrfs|f2fs|bcachefs|jfs|reiserfs|zfs|vfat|exfat|squashfs|erofs").fullmatch
_of_kernel = re.compile(
    r"tmpfs|ramfs|overlay|proc|sysfs|devtmpfs|devpts|mqueue|hugetlbfs|shm|cgroup2?|cpuset|debugfs|tracefs|securityfs|selinuxfs|configfs"
    r"|efivarfs|pstore|bpf|binfmt_misc|fusectl|nsfs|rpc_pipefs|nfsd|rootfs|iso9660|udf|ntfs3?|hfsplus"
).fullmatch
"""Further types that never wait for another machine. With any other (nfs4, cifs, ceph, beegfs, gpfs, wekafs, virtiofs, vboxsf, 9p,
fuse.*), nothing at or below the mount is accessed: a hanging server would block the sampler."""


@dataclass(frozen=True)
class FileSystem:
    """One mount.

    Attributes:
        device: device number, `8:1`.
        root: folder of the file system that is mounted, `/` for all of it.
        point: mount point in the process's mount namespace.
        type: `ext4`.
        source: `/dev/sda1`, or any string that the type allows.
        options: options of the file system; an overlay's include `upperdir=...`.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    options: str


def mounts(content: bytes) -> Iterator[FileSystem]:
    """Yield every mount in mount order. Truncated lines are skipped."""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        words = line.split(" ")
        # Any number of optional fields precedes the hyphen; the first six fields are fixed.
        if len(words) < 10 or "-" not in words[6:-3]:
            continue
        type, source, options = words[words.index("-", 6) + 1 :][:3]
        yield FileSystem(words[2], _unescape(words[3]), _unescape(words[4]), type, _unescape(source), options)


def option(options: str, name: str) -> str:
    """Return the value of an overlay's option, "" if it is not set. `\\\\,` is a comma inside a value."""
    for part in re.split(r"(?<!\\),", options):
        key, _, value = part.partition("=")
        if key == name:
            return _unescape(value).replace("\\,", ",")
    return ""


def is_local(type: str) -> bool:
    """True for a type of file systems on disks of this machine."""
    return bool(_local(type))


def remote_points(found: Iterable[FileSystem]) -> set[str]:
    """Return the mount points of file systems that may wait for another machine."""
    # The last mount at a point hides the others.
    topmost = {system.point: system.type for system in found}
    return {point for point, type in topmost.items() if not (_local(type) or _of_kernel(type))}


def is_below(path: str, points: Collection[str]) -> bool:
    """True for one of these mount points and for any path below one, except for `/`: with a root that hangs this process waits."""
    while path:
        if path in points:
            return True
        path = path.rpartition("/")[0]
    return False


def _unescape(word: str) -> str:
    """Replace the octal escapes that the kernel writes for blanks, tabs, newlines and backslashes."""
    return _escaped.sub(lambda found: chr(int(found[1], 8)), word) if "\\" in word else word

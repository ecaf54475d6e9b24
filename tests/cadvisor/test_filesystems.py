"""Room of file systems, layers of containers, and the node's disks."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.mountinfo import mounts, option
from telegen.cadvisor.collectors._layers import BATCH, LayerScanner, disk_usage, make_rest
from telegen.cadvisor.collectors.filesystems import make_with, select
from telegen.cadvisor.node import ContainerFacts, Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.proc import process
from tests.cadvisor.test_collectors import samples

ID = "ab" * 32
PATH = f"/docker/{ID}"

MOUNTS = r"""22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
23 22 0:5 / /dev rw - devtmpfs udev rw,size=8k
24 22 0:22 / /run rw shared:5 master:3 - tmpfs tmpfs rw
25 22 0:21 / /proc rw - proc proc rw
26 22 8:17 / /var/lib/my\040disk rw - xfs /dev/sdb1 rw
27 22 8:17 /sub /srv rw - xfs /dev/sdb1 rw
28 22 0:40 / /mnt/nas rw - nfs4 nas:/export rw
29 28 8:33 / /mnt/nas/local rw - ext4 /dev/sdc1 rw
30 22 0:60 / /var/lib/kubelet/pods/3ac62ab9/volumes/kubernetes.io~projected/token rw - tmpfs tmpfs rw
31 22 0:61 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/ab/rootfs rw - overlay overlay rw,upperdir=/x
32 22 0:62 / /run/containerd/io.containerd.grpc.v1.cri/sandboxes/ab/shm rw - tmpfs shm rw
33 22 8:49 / /var/lib/kubelet/plugins/disk/globalmount rw - ext4 /dev/sdd1 rw
34 22 0:63 / /home rw - fuse.sshfs me@there: rw
35 22 broken
"""


FAMILIES = ("container_fs_limit_bytes", "container_fs_usage_bytes", "container_fs_inodes_total", "container_fs_inodes_free")


def test_which_are_shown() -> None:
    """Local file systems once each, memory by its place; nothing of containers, nothing that another machine may keep
    waiting, nor what lies behind it."""
    found = [(system.source, system.point) for system in select(mounts(MOUNTS.encode()))]
    assert found == [
        ("/dev/sda2", "/"),
        ("tmpfs", "/run"),
        ("/dev/sdb1", "/var/lib/my disk"),
        ("/dev/sdb1", "/srv"),
        ("/dev/sdd1", "/var/lib/kubelet/plugins/disk/globalmount"),
    ]


REMOTE = "nfs nfs4 cifs smb3 ceph glusterfs lustre beegfs gpfs wekafs virtiofs vboxsf vmhgfs 9p fuse.sshfs fuse.s3fs pvfs2 unheard-of"


@pytest.mark.parametrize("type", REMOTE.split())
def test_remote_file_systems(type: str) -> None:
    """Of a file system that may wait for another machine neither it is accessed, nor what is mounted below it or hidden by it."""
    found = mounts(
        b"22 1 8:2 / / rw - ext4 /dev/sda2 rw\n"
        + f"28 22 0:40 / /mnt/far rw - {type} there rw\n29 28 8:33 / /mnt/far/away/local rw - ext4 /dev/sdc1 rw\n".encode()
        + f"30 22 8:17 / /srv rw - xfs /dev/sdb1 rw\n31 30 0:41 / /srv rw - {type} there rw\n".encode()
        + b"32 22 8:49 / /mnt/farther rw - ext4 /dev/sdd1 rw\n"
    )
    assert [system.point for system in select(found)] == ["/", "/mnt/farther"]


def test_local_file_system_over_an_automount() -> None:
    """The last mount at a point decides: systemd mounts a disk over its automount point."""
    found = mounts(b"28 22 0:40 / /data rw - autofs systemd-1 rw\n29 28 8:33 / /data rw - ext4 /dev/sdc1 rw\n")
    assert [system.type for system in select(found)] == ["ext4"]


@pytest.mark.parametrize("type", ["virtiofs", "9p", "nfs4"])
def test_remote_root(type: str) -> None:
    """A root on another machine is not accessed; the disks below are, since this process could not run without its root."""
    found = mounts(f"22 1 0:2 / / rw - {type} root rw\n29 22 8:33 / /data rw - ext4 /dev/sdc1 rw\n".encode())
    assert [system.point for system in select(found)] == ["/data"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("rw,lowerdir=/a:/b,upperdir=/c,workdir=/d", "/c"),
        (r"rw,upperdir=/with\054comma\040x,workdir=/d", "/with,comma x"),
        (r"rw,upperdir=/with\,comma,workdir=/d", "/with,comma"),
        ("rw,workdir=/upperdir=/d", ""),
    ],
)
def test_option(options: str, wanted: str) -> None:
    """The upper folder of an overlay, whatever is in its name."""
    assert option(options, "upperdir") == wanted


@pytest.fixture(autouse=True)
def rounds_end() -> Iterator[None]:
    """Wait for the last round, which would otherwise run into the next test."""
    yield
    for thread in threading.enumerate():
        if thread.name == "layers":
            thread.join(30)


class Host:
    """A container with a layer on a file system of this machine, and a /proc that says so."""

    def __init__(self, root: Path, upper: str, interval: float = 60) -> None:
        self.root = root
        number = os.stat(root).st_dev
        self.device = f"{os.major(number)}:{os.minor(number)}"
        for folder in (root / "cgroup" / PATH[1:], root / "host", root / "proc"):
            folder.mkdir(parents=True)
        (root / "cgroup/cgroup.controllers").write_text("pids\n")
        (root / "cgroup" / PATH[1:] / "cgroup.procs").write_text("10\n")
        process(root / "proc", 1, mountinfo=f"22 1 {self.device} / / rw - ext4 /dev/vdx1 rw\n23 22 1:1 / / rw - xfs /dev/other rw\n")
        process(root / "proc", 10, PATH, mountinfo=f"1 1 0:9 / / rw - overlay overlay rw,upperdir={upper},workdir=/w\n")
        self.node = Node(Roots(*(str(root / name) for name in ("cgroup", "proc", "sys", "host"))))
        self.layers = LayerScanner(interval)
        self.pages = Pages(self.node, Cadvisor(disabled_metrics=("disk",)), extra=(make_with(60, self.layers),))

    def measured(self) -> dict[str, str]:
        """The container's samples when a round has ended."""
        self.pages.page()
        self.pages.page()
        self.layers.wait(30)
        return self.filesystems(PATH)

    def filesystems(self, path: str) -> dict[str, str]:
        """Samples of a cgroup after one more pass."""
        found = samples(self.pages.page(), path)
        return {name: value for name, value in found.items() if name.startswith("container_fs_")}


def test_room_of_the_node(tmp_path: Path) -> None:
    """statvfs of a mounted file system; another one at the same path is not mistaken for it."""
    host, state = Host(tmp_path, "/upper"), os.statvfs(tmp_path)
    found = host.filesystems("/")
    assert found['container_fs_limit_bytes{device="/dev/vdx1"}'] == str(state.f_blocks * state.f_frsize)
    used = (state.f_blocks - state.f_bfree) * state.f_frsize
    assert float(found['container_fs_usage_bytes{device="/dev/vdx1"}']) == pytest.approx(used, abs=1 << 30)
    assert found['container_fs_inodes_total{device="/dev/vdx1"}'] == str(state.f_files)
    assert set(found) == {f'{name}{{device="/dev/vdx1"}}' for name in FAMILIES}


def test_layer(tmp_path: Path) -> None:
    """Bytes in a container's layer, with the device of the layer; absent before the first measurement."""
    host = Host(tmp_path, "/upper")
    (tmp_path / "host/upper").mkdir()
    (tmp_path / "host/upper/file").write_bytes(b"x" * 100_000)
    assert not host.filesystems(PATH)
    found = host.measured()
    assert 100_000 <= int(found['container_fs_usage_bytes{device="/dev/vdx1"}']) <= 150_000
    assert set(found) == {f'{name}{{device="/dev/vdx1"}}' for name in FAMILIES}


def test_docker_counts_the_log(tmp_path: Path) -> None:
    """Docker's own folder of the container, with its log, counts as well."""
    host = Host(tmp_path, "/var/lib/docker/overlay2/0a/diff")
    (tmp_path / "host/var/lib/docker/overlay2/0a/diff").mkdir(parents=True)
    log = tmp_path / "host/var/lib/docker/containers" / ID
    log.mkdir(parents=True)
    (log / "json.log").write_bytes(b"x" * 100_000)
    assert 100_000 <= int(host.measured()['container_fs_usage_bytes{device="/dev/vdx1"}']) <= 150_000


class Docker(ContainerFacts):
    """Facts of a container of Docker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, cgroup: Cgroup) -> str:
        """See `ContainerFacts`."""
        return str(self._folder)


@pytest.mark.parametrize("upper", ["/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs", "0a/diff"])
def test_docker_with_layers_elsewhere(tmp_path: Path, upper: str) -> None:
    """The log counts if containerd has the layer, and if the layer is named below Docker's moved folder."""
    host = Host(tmp_path, upper)
    log = tmp_path / "host/data/containers" / ID
    layer = tmp_path / "host" / (upper[1:] if upper.startswith("/") else f"data/overlay2/{upper}")
    for folder in (log, layer):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100_000)
    host.node.facts = Docker(log)
    assert 200_000 <= int(host.measured()['container_fs_usage_bytes{device="/dev/vdx1"}']) <= 250_000


def test_linked_folder_of_docker(tmp_path: Path) -> None:
    """A layer below a folder that the host has linked elsewhere is measured there."""
    host = Host(tmp_path, "/var/lib/docker/overlay2/0a/diff")
    (tmp_path / "host/var/lib").mkdir(parents=True)
    (tmp_path / "host/var/lib/docker").symlink_to("/data/docker")
    for name in ("overlay2/0a/diff", f"containers/{ID}"):
        (tmp_path / "host/data/docker" / name).mkdir(parents=True)
        (tmp_path / "host/data/docker" / name / "file").write_bytes(b"x" * 100_000)
    assert 200_000 <= int(host.measured()['container_fs_usage_bytes{device="/dev/vdx1"}']) <= 250_000


@pytest.mark.parametrize("upper", ["/nowhere", "relative", ""])
def test_layer_that_is_not_there(tmp_path: Path, upper: str) -> None:
    """A layer that is not found, or was named as only the runtime understands it, has no samples; that is no error."""
    host = Host(tmp_path, upper)
    assert not host.measured()
    assert not host.pages.sampler.errors


def test_layer_that_is_mounted_later(tmp_path: Path) -> None:
    """The first process of a starting container has the runtime's root: the layer is looked for again."""
    host = Host(tmp_path, "/upper", interval=1e-6)
    (tmp_path / "host/upper").mkdir()
    mounted = (tmp_path / "proc/10/mountinfo").read_text()
    (tmp_path / "proc/10/mountinfo").write_text(f"22 1 {host.device} / / rw - ext4 /dev/vdx1 rw\n")
    assert not host.measured()
    (tmp_path / "proc/10/mountinfo").write_text(mounted)
    assert host.measured()


def test_layer_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted in every round and said once; the pass has not failed for it."""

    def refuse(folder: str, rest: object) -> int:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr("telegen.cadvisor.collectors._layers.disk_usage", refuse)
    host = Host(tmp_path, "/upper", interval=1e-6)
    (tmp_path / "host/upper").mkdir()
    for _ in range(3):
        assert not host.measured()
    assert host.pages.sampler.errors["EACCES"] > 1
    assert [message[:37] for message in caplog.messages] == ["disk usage of containers: [Errno 13] "]
    assert "container_scrape_error 0" in host.pages.page()


def test_file_system_in_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission is counted, and the pass does not count as failed."""

    def refuse(path: str, system: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("telegen.cadvisor.collectors.filesystems._usage", refuse)
    host = Host(tmp_path, "")
    assert not host.filesystems("/")
    assert set(host.pages.sampler.errors) == {"EACCES"}
    assert "container_scrape_error 0" in host.pages.page()


def test_layer_goes_with_the_container(tmp_path: Path) -> None:
    """The samples of a layer go with its cgroup."""
    host = Host(tmp_path, "/upper")
    (tmp_path / "host/upper").mkdir()
    assert host.measured()
    (tmp_path / "cgroup" / PATH[1:] / "cgroup.procs").unlink()
    (tmp_path / "cgroup" / PATH[1:]).rmdir()
    assert not host.filesystems(PATH)


def test_not_measured_when_switched_off(tmp_path: Path) -> None:
    """An interval of 0: nothing is measured, the node's file systems are shown."""
    host = Host(tmp_path, "/upper", interval=0)
    (tmp_path / "host/upper").mkdir()
    assert not host.measured() and host.filesystems("/")


def test_disk_usage(tmp_path: Path) -> None:
    """As du counts: hard links once, links not followed, sparse files by what they take, folders too."""
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/file").write_bytes(os.urandom(50_000))
    os.link(tmp_path / "deep/er/file", tmp_path / "again")
    (tmp_path / "link").symlink_to("/usr")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    wanted = int(subprocess.check_output(["du", "-s", "--block-size=1", tmp_path]).split()[0])
    assert disk_usage(str(tmp_path), lambda: None) == wanted < 1 << 20


def test_measuring_is_slow(tmp_path: Path) -> None:
    """It rests after every batch of files, for as long as its share of the processor asks for."""
    for number in range(2 * BATCH):
        (tmp_path / str(number)).touch()
    rests = []
    disk_usage(str(tmp_path), lambda: rests.append(1))
    assert len(rests) == 2


def test_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second of work at a twentieth of a core asks for 1.9 seconds of rest."""
    clock, rested = iter([1.0, 1.1, 1.2, 1.25, 1.3]), []
    monkeypatch.setattr("telegen.cadvisor.collectors._layers.time.thread_time", lambda: next(clock))
    monkeypatch.setattr("telegen.cadvisor.collectors._layers.time.sleep", rested.append)
    rest = make_rest(0.05)
    rest()
    rest()
    assert rested == [pytest.approx(1.9), pytest.approx(0.95)]


DISKSTATS = """   8       0 sda 1 2 3 4000 5 6 7 8000 9 10000 11000 0 0 0 0 0 0
   8       1 sda1 10 0 0 0 0 0 0 0 0 0 0
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
   7       1 loop1 1 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 x 0 0 0 0 0 0 0 0 0 0
 259       1 nvme0n1p1 7 0
 253       0 dm-0 20 0 0 0 0 0 0 0 4294967295 0 0
 253       1 dm-1 21 0 0 0 0 0 0 0 -1 0 18446744073709551615
"""


def test_diskstats(tmp_path: Path) -> None:
    """Disks and partitions under their names, times in seconds; idle loop devices and lines of another form are left out."""
    (tmp_path / "cgroup.controllers").write_text("io\n")
    (tmp_path / "io.stat").write_text("8:0 rbytes=1 wbytes=2 rios=77 wios=78\n")
    (tmp_path / "diskstats").write_text(DISKSTATS)
    node = Node(Roots(str(tmp_path), str(tmp_path), "/nowhere"), device=lambda number: f"d{number}")
    pages = Pages(node, Cadvisor(disabled_metrics=("disk",)))
    found = samples(pages.page(), "/")
    assert {name[13:]: value for name, value in found.items() if name.startswith("container_fs_") and "8:0" in name} == {
        'reads_bytes_total{device="d8:0"}': "1",
        'writes_bytes_total{device="d8:0"}': "2",
        'reads_total{device="d8:0"}': "1",
        'reads_merged_total{device="d8:0"}': "2",
        'sector_reads_total{device="d8:0"}': "3",
        'read_seconds_total{device="d8:0"}': "4",
        'writes_total{device="d8:0"}': "5",
        'writes_merged_total{device="d8:0"}': "6",
        'sector_writes_total{device="d8:0"}': "7",
        'write_seconds_total{device="d8:0"}': "8",
        'io_current{device="d8:0"}': "9",
        'io_time_seconds_total{device="d8:0"}': "10",
        'io_time_weighted_seconds_total{device="d8:0"}': "11",
    }
    reads = {name: value for name, value in found.items() if name.startswith("container_fs_reads_total")}
    assert list(reads.values()) == ["1", "10", "1", "20", "21"] and 'container_fs_reads_total{device="d7:1"}' in reads
    # The device of a malformed number keeps its others; a wrapped number is none.
    assert 'container_fs_writes_total{device="d259:0"}' in found
    assert not [name for name in found if name.startswith("container_fs_io_current{") and "d253" in name]
    assert 'container_fs_io_time_weighted_seconds_total{device="d253:1"}' not in found


def test_this_machine() -> None:
    """The kernel's own files: this machine's root as psutil has it, and what its disks have done."""
    found = samples(Pages(Node()).page(), "/")
    sizes = {float(value) for name, value in found.items() if name.startswith("container_fs_limit_bytes")}
    assert psutil.disk_usage("/").total in sizes
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    assert disks is None or any(name.startswith("container_fs_reads_total") for name in found)

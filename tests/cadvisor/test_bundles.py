"""Names of containers from the files that runtimes leave: each runtime's, odd ones, and when they are looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.cgroups.container_mounts import MountReader
from telegen.cadvisor.cgroups.hierarchy import Mount, find_mounts
from telegen.cadvisor.identity.bundles import BACKOFF, Bundles
from telegen.cadvisor.identity.host_files import MAX_BYTES
from telegen.cadvisor.identity.oci import Bundle, parse_storage
from telegen.cadvisor.node import Roots

CASES = sorted((Path(__file__).parent / "bundles").iterdir())
ID = "ab" * 32
TASK = f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"
LIBPOD = '{"annotations": {"io.container.manager": "libpod"}}'
GOOD = '{"annotations": {"io.kubernetes.cri.sandbox-name": "web-1"}}'


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def put(root: Path, path: str, content: str) -> Path:
    """A file below a folder that stands for the host's /."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_runtime(case: Path) -> None:
    """Bundles of a folder that stands for a host, by container."""
    wanted = {id: Bundle(**fields) for id, fields in json.loads((case / "wanted.json").read_text()).items()}
    bundles = Bundles(str(case / "host"))
    assert {id: bundles.find(id) for id in wanted} == wanted
    assert not bundles.errors


def test_read_once(tmp_path: Path) -> None:
    """A bundle is read once, even if its file changes, until the container is dropped."""
    file = put(tmp_path, TASK, GOOD)
    bundles = Bundles(str(tmp_path))
    first = bundles.find(ID)
    file.write_text(GOOD.replace("web-1", "web-2"))
    assert bundles.find(ID) is first
    bundles.keep({ID})
    assert bundles.find(ID) is first
    bundles.keep(set())
    found = bundles.find(ID)
    assert found and found.pod == "web-2"


def test_looked_for_until_found(tmp_path: Path) -> None:
    """A container that no runtime knows is looked for again after a time that doubles up to a longest one."""
    clock = Clock()
    bundles = Bundles(str(tmp_path), clock)
    assert bundles.find(ID) is None
    file = put(tmp_path, TASK, GOOD)
    assert bundles.find(ID) is None
    file.unlink()
    waits = []
    for _ in range(9):
        started = clock.now
        while bundles._missing[ID].retry_at > clock.now:
            clock.now += 1
        waits.append(clock.now - started)
        assert bundles.find(ID) is None
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    put(tmp_path, TASK, GOOD)
    clock.now += BACKOFF[1]
    found = bundles.find(ID)
    assert found and found.pod == "web-1"
    assert not bundles.errors


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "malformed"),
        ('{"annotations": {"io.kubern', "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ('{"annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.cri-o.Labels": "[]"}}', "malformed"),
        (" " * (MAX_BYTES + 1), "too_large"),
    ],
)
def test_unreadable_files_are_counted_and_tried_again(tmp_path: Path, content: str, reason: str) -> None:
    """A file that is half-written, of another form or far too large: no name, an error, and another look later."""
    clock = Clock()
    bundles = Bundles(str(tmp_path), clock)
    put(tmp_path, TASK, content)
    assert bundles.find(ID) is None and bundles.errors == {reason: 1}
    put(tmp_path, TASK, GOOD)
    clock.now += BACKOFF[0]
    found = bundles.find(ID)
    assert found and found.pod == "web-1"


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    """Any other system error than "not there" is counted by its name."""
    (tmp_path / TASK).mkdir(parents=True)
    bundles = Bundles(str(tmp_path))
    assert bundles.find(ID) is None and bundles.errors == {"EISDIR": 1}


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"annotations": null, "linux": null}',
        '{"annotations": [], "linux": {"namespaces": {}}}',
        '{"annotations": {"io.kubernetes.cri.sandbox-name": 7, "io.kubernetes.cri.container-type": []}}',
        '{"linux": {"namespaces": [7, null]}}',
    ],
)
def test_values_of_other_types_count_as_missing(tmp_path: Path, content: str) -> None:
    """A file that is JSON but says nothing: the container is containerd's, and is called by its id."""
    put(tmp_path, TASK, content)
    assert Bundles(str(tmp_path)).find(ID) == Bundle("containerd", ID)


@pytest.mark.parametrize("content", ["{}", "7", "[7, null, {}]", "[", '[{"id": "x", "metadata": "["}]'])
def test_podman_without_its_list(tmp_path: Path, content: str) -> None:
    """Whatever the list of the storage holds, the container itself is known."""
    put(tmp_path, f"var/lib/containers/storage/overlay-containers/{ID}/userdata/config.json", LIBPOD)
    put(tmp_path, "var/lib/containers/storage/overlay-containers/containers.json", content)
    assert Bundles(str(tmp_path)).find(ID) == Bundle("podman", ID)


def test_mounts_of_the_host_are_read_once_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many containers without a name share one read of the host's mounts and hierarchies; the next pass reads them anew."""
    put(tmp_path, "proc/1/mountinfo", "22 1 8:2 / / rw - ext4 /dev/sda2 rw\n")
    put(tmp_path, "cgroup/cgroup.controllers", "pids\n")
    reads: Counter[str] = Counter()

    def read(path: str) -> bytes:
        reads["host"] += 1
        return Path(path).read_bytes()

    def find(path: str) -> Mapping[str, Mount]:
        reads["hierarchies"] += 1
        return find_mounts(path)

    monkeypatch.setattr("telegen.cadvisor.cgroups.container_mounts.read_file", read)
    monkeypatch.setattr("telegen.cadvisor.cgroups.container_mounts.find_mounts", find)
    clock, roots = Clock(), Roots(str(tmp_path / "cgroup"), str(tmp_path / "proc"))
    bundles = Bundles(str(tmp_path), clock, mounts=lambda: MountReader(roots))
    ids = {f"{number:064x}" for number in range(20)}
    for passes in (1, 2):
        for id in ids:
            assert bundles.find(id, Cgroup(f"/docker/{id}", "container", "", id)) is None
        assert reads == {"host": passes, "hierarchies": passes}
        bundles.keep(ids)
        clock.now += BACKOFF[1]


def test_list_of_storage_keeps_containers_alone() -> None:
    """Entries without the id of a container are not kept: a user's list may have very many."""
    listed = [{"id": str(number)} for number in range(1000)] + [{"id": ID, "names": ["web"]}, {}, 7]
    assert parse_storage(json.dumps(listed).encode()) == {ID: ("web", "")}

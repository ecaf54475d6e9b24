"""Classification of cgroups by path: every runtime, both drivers, and names that only resemble a container's."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cadvisor.cgroups.discovery import find_cgroups

ID = "0123456789abcdef" * 4
UID = "3ac62ab9-3627-488b-a3ab-0898998b88ca"
UNDER = UID.replace("-", "_")
STATIC = "d4c3b2a1f0e9d8c7b6a5948372615040"
SYSTEMD = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDER}.slice"

CONTAINERS = [
    (f"{SYSTEMD}/cri-containerd-{ID}.scope", UID),
    (f"{SYSTEMD}/crio-{ID}.scope", UID),
    (f"{SYSTEMD}/docker-{ID}.scope", UID),
    (f"kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope", UID),
    (f"kubepods/besteffort/pod{UID}/{ID}", UID),
    (f"kubepods/burstable/pod{UID}/crio-{ID}", UID),
    (f"kubepods/pod{UID}/{ID}", UID),
    (f"kubepods/burstable/pod{STATIC}/{ID}", STATIC),
    (f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/crio-{ID}.scope", STATIC),
    (f"system.slice/containerd.service/kubepods-besteffort-pod{UNDER}.slice:cri-containerd:{ID}", ""),
    (f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope", UID),
    (f"docker/{ID}", ""),
    (f"system.slice/docker-{ID}.scope", ""),
    (f"machine.slice/libpod-{ID}.scope", ""),
    (f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", ""),
]
OTHERS = [
    f"{SYSTEMD}/crio-conmon-{ID}.scope",
    f"machine.slice/libpod-conmon-{ID}.scope",
    f"docker/{ID[:-1]}",
    f"docker/{ID}0",
    f"docker/{ID.upper()}",
    "system.slice/ssh.service",
    "kubepods.slice/podman.service",
    f"sys-{ID}.mount",
    "pod",
    "\udcff\udcfe",
]


def found(root: Path, path: str) -> dict[str, tuple[str, str, str]]:
    """Id to kind, pod and container of what is found below a folder with this path in it."""
    (root / path).mkdir(parents=True)
    return {cgroup.id: (cgroup.kind, cgroup.pod_uid, cgroup.container_id) for cgroup in find_cgroups(str(root))}


@pytest.mark.parametrize(("path", "uid"), CONTAINERS)
def test_containers(tmp_path: Path, path: str, uid: str) -> None:
    """The container is found under its path, with its id and its pod's uid, and its own inner cgroups are not."""
    assert found(tmp_path, f"{path}/init.scope/{'f' * 64}")[f"/{path}"] == ("container", uid, ID)
    assert not any(id.startswith(f"/{path}/") for id in found(tmp_path, f"{path}/again"))


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_no_container(tmp_path: Path, path: str) -> None:
    """Monitors, services, and names that only look like ids are not shown."""
    assert all(kind != "container" for kind, _, _ in found(tmp_path, path).values())


def test_levels_above_the_container(tmp_path: Path) -> None:
    """Root, kubepods, class of service and pod are shown, each as what it is."""
    assert found(tmp_path, SYSTEMD) == {
        "/": ("root", "", ""),
        "/kubepods.slice": ("slice", "", ""),
        "/kubepods.slice/kubepods-burstable.slice": ("slice", "", ""),
        f"/{SYSTEMD}": ("pod", UID, ""),
    }
    assert found(tmp_path / "fs", f"kubepods/burstable/pod{UID}") == {
        "/": ("root", "", ""),
        "/kubepods": ("slice", "", ""),
        "/kubepods/burstable": ("slice", "", ""),
        f"/kubepods/burstable/pod{UID}": ("pod", UID, ""),
    }


def test_nested_kubelet(tmp_path: Path) -> None:
    """A node in a container (kind): what lies below that container is its own business."""
    outer = f"docker/{ID}"
    assert set(found(tmp_path, f"{outer}/kubelet/kubepods/pod{UID}/{'e' * 64}")) == {"/", f"/{outer}"}
    assert f"/kubelet/kubepods/pod{UID}" in found(tmp_path / "inside", f"kubelet/kubepods/pod{UID}")

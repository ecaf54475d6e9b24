"""Classification of cgroups by path: every runtime, both drivers, helpers beside containers, and the bounds of the search."""

from __future__ import annotations

from pathlib import Path

import pytest

from telegen.cadvisor.cgroups import discovery
from telegen.cadvisor.cgroups.discovery import BoundExceeded, find_cgroups

ID = "0123456789abcdef" * 4
UID = "3ac62ab9-3627-488b-a3ab-0898998b88ca"
UNDER = UID.replace("-", "_")
STATIC = "d4c3b2a1f0e9d8c7b6a5948372615040"
SHA = "9f" * 32
SYSTEMD = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDER}.slice"
USER = "user.slice/user-1000.slice/user@1000.service"

IN_PODS = [
    (f"{SYSTEMD}/cri-containerd-{ID}.scope", UID),
    (f"{SYSTEMD}/crio-{ID}.scope", UID),
    (f"{SYSTEMD}/docker-{ID}.scope", UID),
    (f"{SYSTEMD}/kata_{ID}", UID),
    (f"kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope", UID),
    (f"kubepods/besteffort/pod{UID}/{ID}", UID),
    (f"kubepods/burstable/pod{UID}/crio-{ID}", UID),
    (f"kubepods/pod{UID}/{ID}", UID),
    (f"kubepods/burstable/pod{STATIC}/{ID}", STATIC),
    (f"kubepods/burstable/pod{SHA}/{ID}", SHA),
    (f"kubepods/besteffort/podmy-static-pod/{ID}", "my-static-pod"),
    (f"kubepods/podweb_1.shop/{ID}", "web_1.shop"),
    (f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podmy_static_pod.slice/crio-{ID}.scope", "my-static-pod"),
    (f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/crio-{ID}.scope", STATIC),
    (f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UNDER}.slice/cri-containerd-{ID}.scope", UID),
    (f"a/b/kubepods/pod{UID}/{ID}", UID),
]
WITH_AN_ID = [
    f"system.slice/containerd.service/kubepods-besteffort-pod{UNDER}.slice:cri-containerd:{ID}",
    f"docker/{ID}",
    f"system.slice/docker-{ID}.scope",
    f"system.slice/nerdctl-{ID}.scope",
    f"system.slice/web.service/libpod-payload-{ID}",
    f"{USER}/app.slice/web.service/libpod-payload-{ID}",
    f"machine.slice/libpod-{ID}.scope",
    f"machine.slice/machine-libpod_pod_{'12' * 32}.slice/libpod-{ID}.scope",
    f"libpod_parent/libpod-{ID}",
    f"libpod_parent/{'12' * 32}/libpod-{ID}",
    f"{'12' * 32}/libpod-{ID}",
    f"mine/{'12' * 32}/libpod-{ID}",
    f"a/b/{'12' * 32}/libpod-{ID}",
    f"{USER}/mine/{'12' * 32}/libpod-{ID}",
    f"{USER}/user.slice/libpod-{ID}.scope",
    f"{USER}/user.slice/docker-{ID}.scope",
    f"ecstasks.slice/ecstasks-{'12' * 16}.slice/docker-{ID}.scope",
    f"ecs/{'12' * 16}/{ID}",
    f"my/parent/{ID}",
    f"azure.slice/x/cri-containerd-{ID}.scope",
    f"isulad-{ID}.scope",
    ID,
]
OF_OTHER_MANAGERS = {
    "lxc/101": "101",
    "lxc.payload.c1": "c1",
    "lxc.payload/c1": "c1",
    f"{USER}/user.slice/lxc.payload.c1": "c1",
    "machine.slice/systemd-nspawn@web.service": "web",
    r"machine.slice/machine-qemu\x2d1\x2dvm.scope": "qemu-1-vm",
    "nomad.slice/share.slice/8ad72b6b-0e5c-6b0d-6a9d-4d0c9ccc3f31.web.scope": "8ad72b6b-0e5c-6b0d-6a9d-4d0c9ccc3f31.web",
    "system.slice/runc-web.scope": "web",
    f"ecs/{'12' * 16}/{'12' * 16}-2531612879": f"{'12' * 16}-2531612879",
    "garden/34dc0b5e-626f-2c5c-5156-70eee4fbd5ee": "34dc0b5e-626f-2c5c-5156-70eee4fbd5ee",
    "default/redis": "redis",
    "docker/buildkit/q1m7kq8xjnhh0ja2l1jd6xlxm": "q1m7kq8xjnhh0ja2l1jd6xlxm",
    f"docker/{ID[:-1]}": ID[:-1],
}
SYSTEM = [
    "system.slice",
    "runtime.slice",
    "system.slice/kubelet.service",
    "system.slice/containerd.service",
    "system.slice/crio.service",
    "system.slice/docker.service",
    "system.slice/k3s.service",
    "system.slice/snap.microk8s.daemon-kubelite.service",
    "runtime.slice/containerd.service",
    "kube.slice/kubelet.service",
    "podruntime/kubelet",
    "podruntime/runtime",
    "system/apid",
]
OTHERS = [
    f"{SYSTEMD}/crio-conmon-{ID}.scope",
    f"kubepods/pod{UID}/crio-conmon-{ID}",
    f"machine.slice/libpod-conmon-{ID}.scope",
    f"system.slice/crio-conmon-{ID}.scope",
    "system.slice/web.service/runtime",
    "libpod_parent/conmon",
    f"libpod_parent/{'12' * 32}",
    f"machine.slice/machine-libpod_pod_{ID}.slice",
    "lxc.monitor.c1",
    "lxc.monitor/101",
    f"kata_overhead/{ID}",
    "system.slice/ssh.service",
    "system.slice/run-r0c2b.scope",
    "user.slice/user-1000.slice/session-2.scope",
    f"{USER}/app.slice/app-editor-1234.scope",
    "init.scope",
    "init",
    "openrc.docker/supervise",
    "kubepods.slice/podman.service",
    f"sys-{ID}.mount",
    "pod",
    "podman",
    "\udcff\udcfe",
]


def found(root: Path, *paths: str, raw: bool = False) -> dict[str, tuple[str, str, str]]:
    """Id to kind, pod and container of the cgroups of a folder with these paths in it."""
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)
    errors: list[Exception] = []
    cgroups = list(find_cgroups(str(root), raw, errors.append))
    assert not errors
    assert len({cgroup.id for cgroup in cgroups}) == len(cgroups)
    return {cgroup.id: (cgroup.kind, cgroup.pod_uid, cgroup.container_id) for cgroup in cgroups}


@pytest.mark.parametrize(("path", "uid"), IN_PODS)
def test_containers_of_pods(tmp_path: Path, path: str, uid: str) -> None:
    """Below kubepods the place decides: the pod has the uid of its name, whatever its form, and its folders are its containers."""
    inner = found(tmp_path, f"{path}/init.scope/{'f' * 64}")
    assert inner[f"/{path}"] == ("container", uid, ID)
    assert inner[f"/{path}".rpartition("/")[0]] == ("pod", uid, "")
    assert not any(id.startswith(f"/{path}/") for id in inner)


def test_name_without_an_id_in_a_pod(tmp_path: Path) -> None:
    """A container of a pod needs no id of 64 digits."""
    assert found(tmp_path, f"kubepods/pod{UID}/web")[f"/kubepods/pod{UID}/web"] == ("container", UID, "web")


@pytest.mark.parametrize("path", WITH_AN_ID)
def test_containers_outside_pods(tmp_path: Path, path: str) -> None:
    """A name that ends with an id is a container wherever it is, and cgroups that it makes inside are not shown."""
    inner = found(tmp_path, f"{path}/init.scope/{'f' * 64}")
    assert inner[f"/{path}"] == ("container", "", ID)
    assert not any(id.startswith(f"/{path}/") for id in inner)


@pytest.mark.parametrize("path", OF_OTHER_MANAGERS)
def test_containers_of_other_managers(tmp_path: Path, path: str) -> None:
    """LXC, systemd-nspawn, Nomad, ECS, ctr and others: the container has the id that its name contains; inner cgroups are not shown."""
    inner = found(tmp_path, f"{path}/ns/system.slice")
    assert inner[f"/{path}"] == ("container", "", OF_OTHER_MANAGERS[path])
    assert not any(id.startswith(f"/{path}/") for id in inner)


@pytest.mark.parametrize("path", SYSTEM)
def test_system_cgroups(tmp_path: Path, path: str) -> None:
    """The system, the kubelet and the runtime are shown as raw cgroups."""
    assert found(tmp_path, path)[f"/{path}"] == ("raw", "", "")


@pytest.mark.parametrize("path", OTHERS)
def test_other_cgroups(tmp_path: Path, path: str) -> None:
    """Monitors, services, sessions, and folders that only resemble pods are no containers, and shown on request only."""
    shown = found(tmp_path, path)
    assert all(kind != "container" for kind, _, _ in shown.values())
    # Podman's pod is raw, so that the names of its containers need no exception.
    assert shown.get(f"/{path}") == (("raw", "", "") if "libpod_parent/12" in path else None)
    assert path.endswith(".mount") or found(tmp_path, raw=True)[f"/{path}"] == ("raw", "", "")


def test_parent_of_containers_is_no_container(tmp_path: Path) -> None:
    """A folder of an unknown manager that contains containers is shown raw, with and without other folders in it."""
    shown = found(tmp_path, f"my/parent/{ID}", "my/parent/other", "my/leaf")
    assert shown["/my/parent"] == ("raw", "", "")
    assert shown["/my/leaf"] == ("container", "", "leaf")
    assert "/my/parent/other" not in shown and "/my" not in shown


def test_pod_of_podman(tmp_path: Path) -> None:
    """A pod of podman with a parent of its own is shown raw; a container of Docker that runs podman stays a container."""
    shown = found(tmp_path, f"mine/{SHA}/libpod-{ID}", f"mine/{SHA}/libpod-conmon-{ID}", f"docker/{ID}/libpod_parent/libpod-{SHA}")
    assert {id: kind for id, (kind, _, _) in shown.items()} == {
        "/": "root",
        f"/mine/{SHA}": "raw",
        f"/mine/{SHA}/libpod-{ID}": "container",
        f"/docker/{ID}": "container",
    }


def test_all_cgroups(tmp_path: Path) -> None:
    """With `raw_cgroups` every cgroup is shown, inside containers as well; those shown otherwise keep their kind."""
    path = f"{SYSTEMD}/cri-containerd-{ID}.scope"
    shown = found(tmp_path, f"{path}/init.scope", "system.slice/ssh.service", "dev-hugepages.mount", raw=True)
    assert shown[f"/{path}"] == ("container", UID, ID)
    assert shown[f"/{path}/init.scope"] == ("raw", "", "")
    assert shown["/system.slice/ssh.service"] == ("raw", "", "")
    assert "/dev-hugepages.mount" not in shown


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
    """A node in a container (kind): cgroups below that container belong to it."""
    outer = f"docker/{ID}"
    assert set(found(tmp_path, f"{outer}/kubelet/kubepods/pod{UID}/{'e' * 64}")) == {"/", f"/{outer}"}
    assert f"/kubelet/kubepods/pod{UID}" in found(tmp_path / "inside", f"kubelet/kubepods/pod{UID}")


def test_depth_is_bounded(tmp_path: Path) -> None:
    """A tree deeper than any cgroup tree is left at some depth, and that is an error."""
    tmp_path.joinpath(*["d.slice"] * (discovery.MAX_DEPTH + 1)).mkdir(parents=True)
    errors: list[Exception] = []
    assert [cgroup.id for cgroup in find_cgroups(str(tmp_path), False, errors.append)] == ["/"]
    assert [error.reason for error in errors if isinstance(error, BoundExceeded)] == ["too_deep"]


def test_number_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more cgroups than the bound the first are found, and the others are an error."""
    monkeypatch.setattr(discovery, "MAX_CGROUPS", 3)
    for number in range(4):
        (tmp_path / f"{number:064x}").mkdir()
    errors: list[Exception] = []
    assert len(list(find_cgroups(str(tmp_path), False, errors.append))) == 1 + 3
    assert [error.reason for error in errors if isinstance(error, BoundExceeded)] == ["too_many_cgroups"]


def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    """A hierarchy that does not exist is an error; links are not followed."""
    errors: list[Exception] = []
    assert len(list(find_cgroups(str(tmp_path / "nowhere"), False, errors.append))) == 1
    assert [type(error) for error in errors] == [FileNotFoundError]
    (tmp_path / "loop").symlink_to(tmp_path)
    assert set(found(tmp_path, raw=True)) == {"/"}

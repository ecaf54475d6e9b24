"""From a pod of the manifests to an OCI configuration, as the kubelet and a runtime's CRI plugin make it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cadvisor.real.cgroups import is_v2
from tests.cluster.kubectl import Object
from tests.image.dockerfile import Stage
from tests.image.seccomp import default_profile
from tests.k8s.rendered import container, environment, pod_spec

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
DEFAULT = """AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
SYS_CHROOT""".split()
"""Capabilities of a container that says nothing about them."""
NAMES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()
"""All, in the kernel's order."""
MASKED = """/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats
/proc/sched_debug /proc/scsi /proc/interrupts /sys/firmware /sys/devices/virtual/powercap""".split()
READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}
PATH = "/usr/local/bin:/usr/bin:/bin"
"""The base image's."""
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def security(objs: list[Object]) -> dict[str, Any]:
    """The container's security context; what it leaves out is the pod's."""
    return {**pod_spec(objs).get("securityContext", {}), **container(objs)["securityContext"]}


def user(image: Stage, objs: list[Object]) -> tuple[int, int]:
    """User and group: the image's where the pod does not say.

    Raises:
        AssertionError: the kubelet would not start it, as it must not be root.
    """
    context, (uid, gid) = security(objs), map(int, image.user.split(":"))
    chosen = context.get("runAsUser", uid), context.get("runAsGroup", gid)
    assert not (context.get("runAsNonRoot") and chosen[0] == 0)
    return chosen


def config(image: Stage, objs: list[Object], files: Mapping[str, Path], environ: Mapping[str, str]) -> dict[str, Any]:
    """The configuration of the container.

    Args:
        files: the folder of each volume that the kubelet fills, by its name; that of the account's is `ACCOUNT`.
        environ: what the kubelet puts into the environment of every container.
    """
    context, spec = security(objs), container(objs)
    uid, gid = user(image, objs)
    privileged = context.get("privileged", False)
    # What the pod mounts stands in place of what every container has there.
    found = {mount["destination"]: mount for mount in (*system_mounts(privileged), *volume_mounts(objs, files))}
    mounts = sorted(found.values(), key=lambda mount: len(Path(mount["destination"]).parts))
    environ = {**environ, **image.environ, **environment(objs)} | {"PATH": image.environ["PATH"].replace("$PATH", PATH)}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": uid, "gid": gid},
            "args": [*spec.get("command", image.entrypoint), *spec["args"]],
            "env": [f"{name}={value}" for name, value in environ.items()],
            "cwd": image.workdir,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities(context)),
            "noNewPrivileges": not context.get("allowPrivilegeEscalation", True),
        },
        "root": {"path": "rootfs", "readonly": context.get("readOnlyRootFilesystem", False)},
        "mounts": mounts,
        "linux": {
            **_linux(context, mounts),
            "namespaces": _namespaces(pod_spec(objs), privileged),
            "resources": _resources(spec["resources"], privileged),
        },
    }


def capabilities(context: Mapping[str, Any]) -> list[str]:
    """Return a container's capabilities by their names in the kernel."""
    given = context.get("capabilities", {})
    kept = own_capabilities() if context.get("privileged") else set(DEFAULT)
    for name in given.get("drop", ()):
        kept -= set(NAMES) if name == "ALL" else {name}
    for name in given.get("add", ()):
        kept |= set(NAMES) if name == "ALL" else {name}
    return [f"CAP_{name}" for name in sorted(kept)]


def own_capabilities() -> set[str]:
    """Return capabilities of this process: a privileged container has those of its runtime."""
    found = re.search(r"^CapPrm:\s+(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return {name for number, name in enumerate(NAMES) if int(found[1], 16) >> number & 1}


def _namespaces(spec: Mapping[str, Any], privileged: bool) -> list[dict[str, str]]:
    """Return namespaces that the container has for itself; the network namespace is the pod's."""
    assert not spec.get("hostNetwork") and not spec.get("hostIPC")
    kinds = ["mount", "ipc", "uts"]
    if not spec.get("hostPID"):
        kinds.append("pid")
    if is_v2() and not privileged:
        kinds.append("cgroup")
    return [{"type": kind} for kind in kinds]


def _linux(context: Mapping[str, Any], mounts: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if any("rslave" in mount["options"] for mount in mounts):
        found["rootfsPropagation"] = "rslave"
    if not context.get("privileged"):
        found |= {"maskedPaths": MASKED, "readonlyPaths": READ_ONLY}
        if context.get("seccompProfile", {}).get("type") == "RuntimeDefault":
            found["seccomp"] = default_profile()
    return found


def _resources(resources: Mapping[str, Any], privileged: bool) -> dict[str, Any]:
    milli = int(resources["requests"]["cpu"].removesuffix("m"))
    return {
        "devices": [{"allow": privileged, "access": "rwm"}],
        "memory": {"limit": size(resources["limits"]["memory"])},
        "cpu": {"shares": max(2, milli * 1024 // 1000)},
    }


def size(quantity: str) -> int:
    """Convert a quantity of Kubernetes to bytes."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS.get(unit, 1)


def system_mounts(privileged: bool) -> list[dict[str, Any]]:
    """Return mounts that each container has; only privileged ones may write to /sys."""
    options = ["nosuid", "noexec", "nodev"]
    rights = "rw" if privileged else "ro"
    shm = [*options, "mode=1777", "size=65536k"]
    return [
        _mount("/proc", "proc", options),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        _mount("/dev/shm", "tmpfs", shm),
        _mount("/sys", "sysfs", [*options, rights]),
        _mount("/sys/fs/cgroup", "cgroup", [*options, "relatime", rights]),
    ]


def volume_mounts(objs: list[Object], files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return mounts of the pod's volumes and of its account's token."""
    volumes = {volume["name"]: volume for volume in pod_spec(objs)["volumes"]}
    mounts = [_volume_mount(mount, volumes[mount["name"]], files) for mount in container(objs)["volumeMounts"]]
    if pod_spec(objs).get("automountServiceAccountToken", True):
        mounts.append(bind(files[ACCOUNT], ACCOUNT, "ro", "rprivate"))
    return mounts


def _volume_mount(mount: Mapping[str, Any], volume: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    where, rights = mount["mountPath"], "ro" if mount.get("readOnly") else "rw"
    if "emptyDir" in volume:
        assert volume["emptyDir"]["medium"] == "Memory"
        return _mount(where, "tmpfs", ["mode=0777", f"size={size(volume['emptyDir']['sizeLimit'])}", rights])
    source = Path(volume["hostPath"]["path"]) if "hostPath" in volume else files[mount["name"]]
    # As in the kubelet, readOnly applies to the mount and not to mounts below it (recursiveReadOnly is off by default).
    return bind(source, where, rights, PROPAGATION[mount.get("mountPropagation", "None")])


def bind(source: Path, where: str, *options: str) -> dict[str, Any]:
    return {"destination": where, "type": "bind", "source": str(source), "options": ["rbind", *options]}


def _mount(where: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": where, "type": kind, "source": kind, "options": options}

"""Short equivalent of the runtimes' default seccomp profile (RuntimeDefault) for a container without capabilities.

The runtimes' profile lists allowed system calls. This one lists refused calls that a program which reads other processes might
make: mounts, namespaces, modules, keys, tracing, clocks. Calls of old kernels and other architectures are left out. ptrace and
process_vm_readv are allowed in both: since Linux 4.8 they cannot bypass the filter.
"""

from __future__ import annotations

from typing import Any

EPERM, ENOSYS = 1, 38
_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET."""
_AF_VSOCK = 40
_REFUSED = """
    mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr unshare setns
    bpf perf_event_open userfaultfd add_key request_key keyctl lookup_dcookie fanotify_init open_by_handle_at
    init_module finit_module delete_module kexec_load kexec_file_load reboot acct swapon swapoff quotactl quotactl_fd
    settimeofday clock_settime sethostname setdomainname syslog vhangup iopl ioperm
    mbind migrate_pages move_pages set_mempolicy get_mempolicy io_uring_setup io_uring_enter io_uring_register
"""


def default_profile() -> dict[str, Any]:
    """Return the profile as `linux.seccomp` of an OCI configuration."""
    rules = [
        _refuse(_REFUSED.split(), EPERM),
        # ENOSYS makes the C library fall back to clone(2), whose flags the filter can read.
        _refuse(["clone3"], ENOSYS),
        _refuse(["socket"], EPERM, {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_EQ"}),
    ]
    for flag in _NAMESPACES:
        rules.append(_refuse(["clone"], EPERM, {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}))
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], "syscalls": rules}


def _refuse(names: list[str], errno: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(conditions)}

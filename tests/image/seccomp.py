"""What the runtimes' default seccomp profile (RuntimeDefault) refuses to a container without capabilities.

Theirs lists what is allowed; this one, short enough to be read, lists what of a kernel's calls is refused there and could
matter to a program that looks at other processes: mounting, namespaces, modules, keys, tracing by the kernel, clocks. Left
out is what only old kernels or other architectures have. As there, ptrace and process_vm_readv are allowed: since Linux 4.8
they cannot be used to get around the filter.
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
    """The profile, as `linux.seccomp` of an OCI configuration."""
    rules = [
        _refuse(_REFUSED.split(), EPERM),
        # So that the C library takes clone(2), whose flags can be seen.
        _refuse(["clone3"], ENOSYS),
        _refuse(["socket"], EPERM, {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_EQ"}),
    ]
    for flag in _NAMESPACES:
        rules.append(_refuse(["clone"], EPERM, {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}))
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], "syscalls": rules}


def _refuse(names: list[str], errno: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(conditions)}

"""Check of the limits of processes (setrlimit(2)) before any process starts: one that is too low would end them one by one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from telegen.config.types import Size
from telegen.process.os_process import BootFailure, Exit
from telegen.supervisor.plan import Plan

FILES = 128
"""Open files of a process besides its arenas and its watches: standard streams, shared state, value files, and some clients."""
FILES_PER_ARENA = 2
"""The file of an arena, and the copy of its descriptor that Python keeps with the mapping."""
FILES_PER_STORE = 2
"""The connection of a watch, and the one that replaces it."""
ADDRESS_SPACE = 512 << 20
"""Bytes that a process maps besides the arenas: program, heap, and stacks of its threads."""
THREADS = {"watch": 5, "web": 13}
"""Processes and threads of an assignment by its kind: two web processes with their parent; 2 for other kinds."""


def check_limits(plan: Plan, arena_limit: int) -> None:
    """Raise the soft limit of open files to what a plan needs, and check that the hard limits suffice.

    Args:
        arena_limit: bytes of an arena.

    Raises:
        BootFailure: one line per limit, with the value needed.
    """
    problems = [*_open_files(plan), *_address_space(plan, arena_limit), *_processes(plan)]
    if problems:
        raise BootFailure(Exit.BOOT, "\n".join(problems))


def _open_files(plan: Plan) -> Iterator[str]:
    stores = max((len(one.stores) for one in plan.assignments if one.kind == "watch"), default=0)
    needed = FILES + FILES_PER_ARENA * _arenas(plan) + FILES_PER_STORE * stores
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif hard < needed:
        yield (
            f"open files: the limit of {hard} per process is below the {needed} that this configuration needs; raise it (ulimit -n, "
            "LimitNOFILE of systemd, nofile of the container), or watch fewer resources"
        )


def _address_space(plan: Plan, arena_limit: int) -> Iterator[str]:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    needed = ADDRESS_SPACE + _arenas(plan) * arena_limit
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield (
            f"address space: the limit of {limit >> 20} MiB per process is below the {needed >> 20} MiB that {_arenas(plan)} arenas of "
            f"{Size(arena_limit)} need; remove it (ulimit -v unlimited), or lower kube_metrics.kube_state.arena_limit"
        )


def _processes(plan: Plan) -> Iterator[str]:
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    needed = 1 + sum(THREADS.get(one.kind, 2) for one in plan.assignments)
    # The kernel does not apply the limit to root.
    if limit != resource.RLIM_INFINITY and limit < needed and os.geteuid():
        yield (
            f"processes: the limit of {limit} processes and threads of this user is below the {needed} of this agent; raise it (ulimit -u, "
            "LimitNPROC of systemd)"
        )


def _arenas(plan: Plan) -> int:
    """Return the number of arenas; the supervisor and the web processes map all of them."""
    return sum(1 for one in plan.assignments if one.stores)

"""Check of the limits of processes (setrlimit(2)) before any process starts: one that is too low would end them one by one."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Iterator

from telegen.config import Config
from telegen.config.types import Size
from telegen.kubemetrics.clients import Limits
from telegen.process.os_process import BootFailure, Exit
from telegen.supervisor.plan import WATCHERS, Plan

log = logging.getLogger("telegen.supervisor")

FILES = 128
"""Open files of a process besides its workers' memory, its watches and its clients: standard streams, shared state, value files."""
FILES_PER_REGION = 2
"""A file in memory, and the copy of its descriptor that Python keeps with the mapping."""
FILES_PER_STORE = 2
"""The connection of a watch, and the one that replaces it."""
ADDRESS_SPACE = 512 << 20
"""Bytes that a process maps besides the arenas: program, heap, and stacks of its threads."""
THREADS = {"watch": 5, "review": 5, "web": 1, "adapter": 1}
"""Threads of an assignment by its kind; 2 for other kinds. That of the web is the parent of its processes."""
THREADS_PER_WEB_PROCESS, THREADS_PER_ADAPTER_PROCESS = 6, 26
CURE = "raise it (ulimit -n, LimitNOFILE of systemd, nofile of the container)"


def check_limits(plan: Plan, config: Config) -> None:
    """Raise the soft limit of open files to what a plan needs, and check that the hard limits suffice.

    Raises:
        BootFailure: one line per limit, with the value needed.
    """
    problems = [*_open_files(plan, config), *_address_space(plan, config.kube_metrics.kube_state.arena_limit), *_processes(plan, config)]
    if problems:
        raise BootFailure(Exit.BOOT, "\n".join(problems))


def _open_files(plan: Plan, config: Config) -> Iterator[str]:
    stores = max((len(one.stores) for one in plan.assignments if one.kind == "watch"), default=0)
    needed = FILES + FILES_PER_REGION * _regions(plan) + FILES_PER_STORE * stores
    # Without them the agent works: a web process drops silent clients when it has no descriptors left.
    wanted = needed + Limits(max_connections=config.web.max_connections).most_sockets
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        need = f"the {needed} that this configuration needs; {CURE}, or watch fewer resources"
        yield f"open files: the limit of {hard} per process is below {need}"
        return
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    if hard < wanted:
        need = f"the {wanted} for web.max_connections; {CURE}, or lower that setting"
        log.warning("open files: the limit of %d per process is below %s", hard, need)


def _address_space(plan: Plan, arena_limit: int) -> Iterator[str]:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    needed = ADDRESS_SPACE + _arenas(plan) * arena_limit
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield (
            f"address space: the limit of {limit >> 20} MiB per process is below the {needed >> 20} MiB that {_arenas(plan)} arenas of "
            f"{Size(arena_limit)} need; remove it (ulimit -v unlimited), or lower kube_metrics.kube_state.arena_limit"
        )


def _processes(plan: Plan, config: Config) -> Iterator[str]:
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    web, kinds = 2 if config.web.workers == "auto" else config.web.workers, {one.kind for one in plan.assignments}
    serving = THREADS_PER_WEB_PROCESS * web if "adapter" not in kinds else THREADS_PER_ADAPTER_PROCESS * config.adapter.workers
    needed = 1 + sum(THREADS.get(one.kind, 2) for one in plan.assignments) + serving
    # The kernel does not apply the limit to root.
    if limit != resource.RLIM_INFINITY and limit < needed and os.geteuid():
        yield (
            f"processes: the limit of {limit} processes and threads of this user is below the {needed} of this agent; raise it (ulimit -u, "
            "LimitNPROC of systemd)"
        )


def _arenas(plan: Plan) -> int:
    """Return the number of arenas; the supervisor and the web processes map all of them."""
    return sum(1 for one in plan.assignments if one.stores)


def _regions(plan: Plan) -> int:
    """Return the number of memory files that workers have: arenas, statuses of stores, and notes of custom resources."""
    return _arenas(plan) + sum((one.kind in WATCHERS) + (one.kind == "custom") for one in plan.assignments)

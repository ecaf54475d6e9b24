"""Least privilege of the web processes: what the arbiter gives up before it forks its first process."""

from __future__ import annotations

import os
import signal

from telegen.kubemetrics.value_files import use_web_folder
from telegen.process.confinement import become_web_user, confine, give_to_web_user
from telegen.process.os_process import die_with_parent
from workers._base import Shared


def confine_arbiter(shared: Shared, parent: int, death_signal: signal.Signals) -> None:
    """Protect all shared memory, and give up root, new privileges and files. The supervisor has imported all that is needed
    later (see `telegen.supervisor.preload`).

    Args:
        parent: pid of the supervisor.
    """
    protect_memory(shared)
    # The folder of the supervisor may be closed to the user of web processes.
    os.chdir("/")
    folder = use_web_folder()
    if os.geteuid() == 0 and give_to_web_user(folder):
        become_web_user()
    confine(folder)
    # The kernel has cleared it at the change of the user.
    die_with_parent(parent, death_signal)


def protect_memory(shared: Shared) -> None:
    """Map read-only what web processes only read; the arbiter alone still writes its heartbeat.

    Raises:
        OSError: /proc is not mounted.
    """
    for arena in shared.arenas.values():
        arena.protect()
    values = (shared.deadlines, shared.lease_problem, shared.log, shared.shard, shared.uid, shared.events_position)
    documents = (shared.web_file, shared.agent_tls, shared.root_problems, shared.usage, shared.state, shared.holders)
    for region in (*values, *documents, *shared.notes.values(), *shared.statuses.values()):
        region.protect()
    shared.heartbeats.prepare_protection()
    shared.notices.prepare_protection()
    if shared.reviews:
        shared.reviews.keep_asking()


def protect_heartbeats(shared: Shared) -> None:
    """Give up the arbiter's last way to write, in a process that serves."""
    shared.heartbeats.protect()
    shared.notices.protect()

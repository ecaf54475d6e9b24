"""Told by the kernel when a container runs out of memory, so that its kills are read before its cgroup is removed.

v2 makes memory.events ready for polling (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files), v1
signals an eventfd that was written to cgroup.event_control (https://docs.kernel.org/admin-guide/cgroup-v1/memory.html,
10). v1 asks for a writable mount; without it kills are read once per pass only.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from telegen.cadvisor.collector import Context

SETTLE = 0.05
"""Seconds between an alarm and a second look: it may come before the kill itself. Also the least time between two
alarms of one container, which bounds what one costs that runs into its limit all the time: 20 looks of 60 us a second."""


@dataclass
class _Watched:
    """A container, and what it takes to listen to it: the first of the files is polled."""

    context: Context
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close the files."""
        for fd in self.fds:
            os.close(fd)


class Alarms:
    """The containers that are listened to. Not safe for threads."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watched: dict[str, _Watched] = {}
        self._by_fd: dict[int, _Watched] = {}
        self._ringing: dict[int, float] = {}

    def __len__(self) -> int:
        """How many containers are listened to."""
        return len(self._by_fd)

    def watch(self, contexts: Iterable[Context]) -> None:
        """Listen to the containers among these, and to no others any more."""
        wanted = {context.cgroup.id: context for context in contexts if context.cgroup.kind == "container"}
        for id in [id for id, known in self._watched.items() if wanted.get(id) is not known.context]:
            self._drop(self._watched.pop(id))
        for id, context in wanted.items():
            if id not in self._watched:
                self._watched[id] = self._listen(context)

    def wait(self, seconds: float) -> list[Context]:
        """Wait for alarms; the containers whose kills are to be read now."""
        timeout = max(0.0, min([seconds, *[due - time.monotonic() for due in self._ringing.values()]]))
        rung = [fd for fd, _ in self._poll.poll(timeout) if fd in self._by_fd]
        now = time.monotonic()
        settled = [fd for fd, due in self._ringing.items() if due <= now]
        contexts = [self._by_fd[fd].context for fd in (*rung, *settled)]
        self._ringing |= {fd: now + SETTLE for fd in rung}
        for fd in settled:
            del self._ringing[fd]
            self._quieten(self._by_fd[fd])
        return contexts

    def close(self) -> None:
        """Listen to nobody."""
        for watched in self._watched.values():
            self._drop(watched)
        self._watched = {}
        self._poll.close()

    def _listen(self, context: Context) -> _Watched:
        """Open and register; a container for which that cannot be done is left without."""
        watched = _Watched(context)
        version = context.version("memory")
        folder = context.folder("memory")
        try:
            if version == 2:
                watched.fds.append(os.open(f"{folder}/memory.events", os.O_RDONLY | os.O_CLOEXEC))
                os.pread(watched.fds[0], 4096, 0)
            elif version == 1:
                watched.fds.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
                watched.fds.append(os.open(f"{folder}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC))
                control = os.open(f"{folder}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(control, f"{watched.fds[0]} {watched.fds[1]}".encode())
                finally:
                    os.close(control)
            if watched.fds:
                self._poll.register(watched.fds[0], _EVENTS[version or 2])
                self._by_fd[watched.fds[0]] = watched
        except OSError as error:
            # A read-only mount, or files that are not the kernel's, is what it is: there is nothing to count.
            watched.close()
            watched.fds = []
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL):
                context.node.count(error)
        return watched

    def _quieten(self, watched: _Watched) -> None:
        """Take note of what has happened, and listen again."""
        fd = watched.fds[0]
        version = watched.context.version("memory") or 2
        try:
            if version == 2:
                os.pread(fd, 4096, 0)
            else:
                os.eventfd_read(fd)
            self._poll.modify(fd, _EVENTS[version])
        except BlockingIOError:
            self._poll.modify(fd, _EVENTS[version])
        except OSError:
            # The cgroup was removed.
            self._drop(watched)

    def _drop(self, watched: _Watched) -> None:
        if watched.fds:
            self._poll.unregister(watched.fds[0])
            del self._by_fd[watched.fds[0]]
            self._ringing.pop(watched.fds[0], None)
        watched.close()
        watched.fds = []


_EVENTS = {1: select.EPOLLIN | select.EPOLLONESHOT, 2: select.EPOLLPRI | select.EPOLLONESHOT}

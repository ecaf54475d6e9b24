"""Kernel notifications of containers that run out of memory, so that their kills are read before the cgroup is removed.

v2: memory.events can be polled (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files). v1: the kernel
signals an eventfd that is registered in cgroup.event_control
(https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#oom-control); this needs a writable mount, without which kills are
read once per pass only.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from telegen.cadvisor.cgroups.context import Context

SETTLE = 0.05
"""Seconds between a notification and the second read, since the kernel notifies before it kills.

Also the minimum interval of notifications of one container. It bounds the cost of one that is permanently at its limit: 20 reads
of 60 us per second.
"""

_FLAGS = {1: select.EPOLLIN | select.EPOLLONESHOT, 2: select.EPOLLPRI | select.EPOLLONESHOT}
"""epoll flags by cgroup version. One-shot: the container is armed again after SETTLE."""


@dataclass
class _Watched:
    """A container and its open files; the first one is polled."""

    context: Context
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class OomEvents:
    """Notifications of a set of containers. Not safe for threads."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watched: dict[str, _Watched] = {}
        self._by_fd: dict[int, _Watched] = {}
        self._settling: dict[int, float] = {}

    def __len__(self) -> int:
        """Number of watched containers."""
        return len(self._by_fd)

    def watch(self, contexts: Iterable[Context]) -> None:
        """Watch the containers among these contexts, and stop watching all others."""
        wanted = {context.cgroup.id: context for context in contexts if context.cgroup.kind == "container"}
        # Compared by context, not by path: a new cgroup at the same path has new files.
        for id in [id for id, known in self._watched.items() if wanted.get(id) is not known.context]:
            self._drop(self._watched.pop(id))
        for id, context in wanted.items():
            if id not in self._watched:
                self._watched[id] = self._register(context)

    def wait(self, seconds: float) -> list[Context]:
        """Wait for notifications; return the containers to read now, each once at once and once after SETTLE."""
        timeout = max(0.0, min([seconds, *[due - time.monotonic() for due in self._settling.values()]]))
        # A descriptor may have been dropped after its event was queued.
        notified = [fd for fd, _ in self._poll.poll(timeout) if fd in self._by_fd]
        now = time.monotonic()
        settled = [fd for fd, due in self._settling.items() if due <= now]
        contexts = [self._by_fd[fd].context for fd in (*notified, *settled)]
        self._settling |= {fd: now + SETTLE for fd in notified}
        for fd in settled:
            del self._settling[fd]
            self._rearm(self._by_fd[fd])
        return contexts

    def close(self) -> None:
        """Stop watching all containers."""
        for watched in self._watched.values():
            self._drop(watched)
        self._watched = {}
        self._poll.close()

    def _register(self, context: Context) -> _Watched:
        """Open and register a container's files; without the right to do so it is left unwatched."""
        watched = _Watched(context)
        version = context.version("memory")
        folder = context.folder("memory")
        try:
            if version == 2:
                watched.fds.append(os.open(f"{folder}/memory.events", os.O_RDONLY | os.O_CLOEXEC))
                # The first poll reports a change at once unless the file has been read.
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
                self._poll.register(watched.fds[0], _FLAGS[version or 2])
                self._by_fd[watched.fds[0]] = watched
        except OSError as error:
            watched.close()
            # A read-only mount, or a file system other than the kernel's (EPERM of epoll_ctl(2)), is no error.
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL):
                context.node.count_error(error)
        return watched

    def _rearm(self, watched: _Watched) -> None:
        """Consume the notification and poll again."""
        fd = watched.fds[0]
        version = watched.context.version("memory") or 2
        try:
            if version == 2:
                os.pread(fd, 4096, 0)
            else:
                os.eventfd_read(fd)
            self._poll.modify(fd, _FLAGS[version])
        except BlockingIOError:
            # v1: the eventfd has been read already; only the one-shot registration is renewed.
            self._poll.modify(fd, _FLAGS[version])
        except OSError:
            # The cgroup has been removed.
            self._drop(watched)

    def _drop(self, watched: _Watched) -> None:
        if watched.fds:
            self._poll.unregister(watched.fds[0])
            del self._by_fd[watched.fds[0]]
            self._settling.pop(watched.fds[0], None)
        watched.close()

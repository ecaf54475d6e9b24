"""Trial of a new configuration: what only the API server knows is requested by a process of its own before anything changes."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Callable

from telegen.process.os_process import end_at_term, ended, hold_term, kill
from workers._base import exit_now

LIMIT = 5.0
"""Seconds for a trial: the supervisor does not turn its loop meanwhile."""

log = logging.getLogger("telegen.supervisor")


def try_aside(question: Callable[[], str], forsake: Callable[[], None], seconds: float = LIMIT) -> str:
    """Return the answer of a function that runs in a forked process, as it may block.

    Args:
        question: returns a text; "" stands for success.
        forsake: called first in the process, to give up what belongs to its parent.

    Returns:
        The text; a text with the cause if there is none within `seconds`.
    """
    read, write = os.pipe()
    with hold_term():
        pid = os.fork()
        if pid == 0:
            try:
                forsake()
                end_at_term()
                os.write(write, question().encode()[: select.PIPE_BUF - 1] + b"\n")
            except BaseException:
                log.exception("the trial of the new configuration crashed")
            finally:
                exit_now(0)
    os.close(write)
    try:
        answer = _read(read, time.monotonic() + seconds)
    finally:
        os.close(read)
        kill(pid, signal.SIGKILL)
        ended(pid, block=True)
    return answer.removesuffix("\n") if answer.endswith("\n") else f"no answer within {seconds:.0f} s"


def _read(read: int, deadline: float) -> str:
    """Return what arrives on a pipe until it is closed or the deadline has passed."""
    answer = b""
    poll = select.poll()
    poll.register(read, select.POLLIN | select.POLLHUP)
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        piece = os.read(read, select.PIPE_BUF)
        if not piece:
            break
        answer += piece
    return answer.decode()

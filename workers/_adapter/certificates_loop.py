"""Loop of the process that keeps the certificates of the adapter.

PERF: each pass is a process of its own, which ends after some 0.3 s. The library that makes certificates would take 18 MB in this one.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time

import msgspec

from telegen.kubemetrics.certificate_telemetry import CertificateTelemetry
from telegen.process.os_process import die_with_parent, end_at_term, ended, hold_term, kill
from workers._base import BEAT, Worker, exit_now

INTERVAL = 60.0
"""Most seconds between two passes: time until a Secret or a caBundle that was edited by hand is right again."""
RETRY = 5.0
"""Seconds between two passes while there are no certificates yet."""
LIMIT = 300.0
"""Seconds of a pass: each of its requests has a time-out, so a longer one hangs."""
PIECE = 1 << 16


class Passed(msgspec.Struct):
    """Result of a pass.

    Attributes:
        document: the certificates in force, b"" if there are none yet.
        ends: end of each certificate in Unix seconds.
        state: for the next pass.
    """

    document: bytes
    ends: dict[str, float]
    state: bytes


class CertificatesLoop:
    """Passes, and what they publish."""

    def __init__(self, worker: Worker) -> None:
        self._worker, tls = worker, worker.config.adapter.tls
        # A tenth, so that no pass of short lifetimes comes too late.
        self._interval = min(INTERVAL, tls.lifetime / 10, tls.propagation / 2)
        self._state, self._published, self._telemetry = b"", b"", CertificateTelemetry()

    def run(self) -> None:
        """Keep the certificates until SIGTERM."""
        due = 0.0
        while not self._worker.stop.is_set():
            self._worker.beat()
            if time.monotonic() >= due:
                answer = self._pass_aside()
                is_found = answer is not None and self._publish(answer)
                # Replicas that were started together do not write at the same moment.
                due = time.monotonic() + (random.uniform(0.7, 1.0) * self._interval if is_found else RETRY)
            self._worker.stop.wait(max(0.0, min(BEAT, due - time.monotonic())))

    def _publish(self, answer: bytes) -> bool:
        """Publish the result of a pass; return False if there are no certificates yet."""
        passed = msgspec.msgpack.decode(answer, type=Passed)
        self._state = passed.state
        self._telemetry.note_ends(passed.ends)
        if passed.document and passed.document != self._published:
            self._worker.shared.certificates.write(passed.document)
            self._published = passed.document
        return bool(passed.document)

    def _pass_aside(self) -> bytes | None:
        """Return the result of a pass in a forked process; None if this one has to stop.

        Raises:
            RuntimeError: the pass crashed or hangs.
        """
        parent, (read, write) = os.getpid(), os.pipe()
        with hold_term():
            pid = os.fork()
            if pid == 0:
                self._pass(parent, write)
        os.close(write)
        try:
            return self._read(read)
        finally:
            os.close(read)
            kill(pid, signal.SIGKILL)
            ended(pid, block=True)

    def _pass(self, parent: int, write: int) -> None:
        """Run a pass in this process, write the result to a pipe, and end."""
        try:
            die_with_parent(parent, signal.SIGKILL)
            end_at_term()
            from workers._adapter.certificates_pass import run_pass

            passed = run_pass(self._worker.shared, self._state, self._worker.log)
            with os.fdopen(write, "wb") as pipe:
                pipe.write(msgspec.msgpack.encode(passed))
        except BaseException:
            self._worker.log.exception("the pass crashed")
        finally:
            exit_now(0)

    def _read(self, read: int) -> bytes | None:
        """Beat until the pass has written its result to a pipe and closed it.

        Raises:
            RuntimeError: it wrote nothing, or takes too long.
        """
        poll, answer, deadline = select.poll(), b"", time.monotonic() + LIMIT
        poll.register(read, select.POLLIN | select.POLLHUP)
        while not self._worker.stop.is_set() and time.monotonic() < deadline:
            self._worker.beat()
            if poll.poll(BEAT * 1000):
                piece = os.read(read, PIECE)
                answer += piece
                if not piece:
                    break
        else:
            if self._worker.stop.is_set():
                return None
            raise RuntimeError(f"the pass did not end within {LIMIT:.0f} s")
        if not answer:
            raise RuntimeError("the pass ended without a result")
        return answer

"""Checks of credentials that take long: remembered, one at a time, and bounded for clients whose credentials are wrong."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from telegen.process.reviews import Review

MOST_KNOWN = 1024
"""Results that are remembered."""
MOST_WAITING = 16
"""Checks that wait or run."""
PER_CLIENT = 2
"""Checks of one client address that wait or run."""
REST = 4.0
"""Pause after a check that failed, in times of its duration: wrong credentials take at most a fifth of a CPU."""
LEAST_REST = 0.02
"""Seconds of the shortest such pause: at most 50 wrong tokens a second reach the API server."""

Work = Callable[[], Review]


class Digest:
    """HMAC under a random key of this process: what is remembered contains no credentials, and comparing it reveals nothing of them."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __call__(self, *parts: str) -> bytes:
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            data = part.encode("utf-8", "surrogateescape")
            # The length keeps ("ab", "c") apart from ("a", "bc").
            digest.update(len(data).to_bytes(4, "little") + data)
        return digest.digest()


class Checks:
    """Runs checks in threads and remembers their results.

    Args:
        threads: checks at a time.
        seconds: time for which a result of a status is remembered; a status that is missing is not remembered.
        stale: further seconds for which a remembered permission counts while the check answers 503.
    """

    def __init__(
        self, threads: int, seconds: dict[int, float], stale: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._stale, self._clock = seconds, stale, clock
        self._known: OrderedDict[bytes, tuple[float, Review]] = OrderedDict()
        self._waiting: dict[bytes, tuple[str, Future[Review]]] = {}
        self._lock = threading.Lock()
        # Its threads start at the first check: after the fork.
        self._threads = ThreadPoolExecutor(threads, "credentials")

    def known(self, key: bytes) -> Review | None:
        """Return the remembered result, None if there is none. PERF: 1 us; a scrape with good credentials takes no more."""
        found = self._known.get(key)
        return found[1] if found and self._clock() < found[0] else None

    def start(self, key: bytes, client: str, work: Work) -> Future[Review]:
        """Return the result to come of a check; equal ones share one, and too many are refused by 503 at once.

        Args:
            client: address of the client.
        """
        with self._lock:
            running = self._waiting.get(key)
            if running:
                return running[1]
            of_client = sum(address == client for address, _ in self._waiting.values())
            if of_client >= PER_CLIENT or len(self._waiting) >= MOST_WAITING:
                refused: Future[Review] = Future()
                refused.set_result(Review(503, "too many credentials wait for their check; retry"))
                return refused
            future = self._threads.submit(self._run, key, work)
            self._waiting[key] = client, future
            return future

    def _run(self, key: bytes, work: Work) -> Review:
        started = time.thread_time()
        try:
            review = self._or_stale(key, work())
        finally:
            with self._lock:
                self._waiting.pop(key, None)
        self._remember(key, review)
        if review.status != 200:
            # The client gets its answer after the pause as well, and has to wait before it can try again.
            time.sleep(max(LEAST_REST, REST * (time.thread_time() - started)))
        return review

    def _or_stale(self, key: bytes, review: Review) -> Review:
        """Return a permission that has expired instead of an answer that is not known now."""
        found = self._known.get(key)
        is_usable = found is not None and found[1].status == 200 and self._clock() < found[0] + self._stale
        return found[1] if found and review.status == 503 and is_usable else review

    def _remember(self, key: bytes, review: Review) -> None:
        seconds = self._seconds.get(review.status)
        with self._lock:
            found = self._known.get(key)
            if seconds is None or (found and found[1] is review):
                return
            self._known[key] = self._clock() + seconds, review
            self._known.move_to_end(key)
            if len(self._known) > MOST_KNOWN:
                self._forget_one()

    def _forget_one(self) -> None:
        """Forget the oldest refusal, else the oldest permission: wrong credentials must not push out good ones."""
        refusals = (key for key, (_, review) in self._known.items() if review.status != 200)
        self._known.pop(next(refusals, next(iter(self._known))))

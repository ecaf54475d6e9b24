"""The cache of the API server's answers."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from telegen.adapter.identity.expiring_cache import ExpiringCache
from tests.process_tree import wait_for


def test_values_expire_and_errors_are_not_kept() -> None:
    """A value counts for its time and no longer; after an error the next request asks again."""
    now = [0.0]
    cache, answers = ExpiringCache[bool](10, lambda: now[0]), iter((False, True, True))
    assert cache.get("a", 10, lambda: next(answers)) is False
    now[0] = 9.9
    assert cache.get("a", 10, lambda: next(answers)) is False and cache.known("a") is False
    now[0] = 10.0
    assert cache.known("a") is None and cache.get("a", 60, lambda: next(answers)) is True
    with pytest.raises(ZeroDivisionError):
        cache.get("b", 10, lambda: bool(1 // 0))
    assert cache.get("b", 10, lambda: next(answers)) is True


def test_bounded() -> None:
    """The value that was not used for longest makes room."""
    cache = ExpiringCache[int](3)
    for key in (1, 2, 3):
        cache.get(key, 60, lambda: 1)
    cache.get(1, 60, lambda: 1)
    cache.get(4, 60, lambda: 1)
    assert len(cache) == 3 and [cache.known(key) for key in (1, 2, 3, 4)] == [1, None, 1, 1]


def test_one_question_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that need the same value at the same time ask once, and all see its error."""
    cache, asked, waiting, may_go = ExpiringCache[int](3), list[int](), list[int](), threading.Event()

    class Awaited(Future[int]):
        """An answer that counts the requests that wait for it."""

        def result(self, timeout: float | None = None) -> int:
            waiting.append(1)
            return super().result(timeout)

    def ask() -> int:
        asked.append(1)
        may_go.wait(60)
        raise ZeroDivisionError

    monkeypatch.setattr("telegen.adapter.identity.expiring_cache.Future", Awaited)
    with ThreadPoolExecutor(4) as pool:
        requests = [pool.submit(cache.get, "a", 60, ask) for _ in range(4)]
        wait_for("the other requests", lambda: len(waiting) == 3, 20)
        may_go.set()
        errors = [one.exception(60) for one in requests]
    assert all(isinstance(error, ZeroDivisionError) for error in errors) and len(asked) == 1

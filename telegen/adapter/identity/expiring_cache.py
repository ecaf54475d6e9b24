"""A bounded cache whose values expire, and which asks for a value once however many requests need it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ExpiringCache(Generic[Value]):
    """Values by key; threads share it."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty.

        Args:
            most: values that are kept; the one that was not used for longest makes room.
        """
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._asking: dict[Hashable, Future[Value]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def known(self, key: Hashable) -> Value | None:
        """Return the value that has not expired, None without one."""
        with self._lock:
            return self._known(key)

    def get(self, key: Hashable, lifetime: float, ask: Callable[[], Value]) -> Value:
        """Return the value that has not expired; ask for it without one.

        Args:
            lifetime: seconds that a new value counts.

        Raises:
            The errors of `ask`, which are not kept.
        """
        with self._lock:
            known = self._known(key)
            if known is not None:
                return known
            asked = self._asking.get(key)
            if asked is None:
                own = self._asking[key] = Future()
        if asked is not None:
            return asked.result()
        try:
            value = ask()
        except BaseException as error:
            with self._lock:
                del self._asking[key]
            own.set_exception(error)
            raise
        with self._lock:
            del self._asking[key]
            self._values[key] = (self._clock() + lifetime, value)
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        own.set_result(value)
        return value

    def _known(self, key: Hashable) -> Value | None:
        until, value = self._values.get(key, (0.0, None))
        if value is None or self._clock() >= until:
            return None
        self._values.move_to_end(key)
        return value

"""Levers: faults and changes that a test triggers in the simulated API server."""

from __future__ import annotations

from collections.abc import Callable

from telegen.demo.errors import Refusal
from telegen.demo.state import State


class Levers:
    """Faults and changes by name, as `POST /demo/forbid?resource=pods` triggers them.

    Attributes:
        forbidden: resources whose requests get 403.
        failures: statuses of the next requests, which fail.
        streaming: streamed lists (sendInitialEvents) are supported.
        bookmark_interval: seconds between two bookmarks of a quiet watch.
        rate: changes per second (see `telegen.demo.churn`).
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.forbidden: set[str] = set()
        self.failures: list[int] = []
        self.streaming = True
        self.bookmark_interval = 5.0
        self.rate = 0.0

    def pull(self, name: str, arguments: dict[str, str]) -> None:
        """Pull a lever.

        Raises:
            Refusal: 404 for an unknown name.
            KeyError, ValueError: an argument is missing or malformed.
        """
        levers: dict[str, Callable[[], object]] = {
            "forbid": lambda: self.forbidden.add(arguments["resource"]),
            "allow": lambda: self.forbidden.discard(arguments["resource"]),
            "fail": lambda: self.failures.extend(
                [int(arguments.get("status", "500"))] * int(arguments.get("count", "1"))
            ),
            "drop": self.state.end_watches,
            "compact": self._compact,
            "streaming": lambda: setattr(self, "streaming", arguments["on"] == "true"),
            "rate": lambda: setattr(self, "rate", float(arguments["per_second"])),
            "mark": lambda: self._mark(int(arguments["value"])),
            "delete": lambda: self.state.delete(
                arguments["resource"], arguments.get("namespace", ""), arguments["name"]
            ),
        }
        if name not in levers:
            raise Refusal(404, "NotFound", f"no lever {name}; choose from {', '.join(levers)}")
        levers[name]()

    def _mark(self, value: int) -> None:
        """Set the restarts of one pod to a value that a test can find on the page."""
        pod = next(iter(self.state.collections["pods"].objects.values())).load()
        pod["status"]["containerStatuses"][0]["restartCount"] = value
        self.state.put("pods", pod)

    def _compact(self) -> None:
        """Act like a restart with an empty watch cache: every watch ends, and none can resume from its resourceVersion."""
        self.state.compact()
        self.state.end_watches()

    def check(self, resource: str) -> None:
        """Refuse a request if a lever demands it.

        Raises:
            Refusal: 403 for a forbidden resource, or the next of `failures`.
        """
        if self.failures:
            status = self.failures.pop(0)
            raise Refusal(status, "InternalError", "a lever demands this failure")
        if resource in self.forbidden:
            raise Refusal(403, "Forbidden", f'{resource} is forbidden: User "demo" cannot list resource "{resource}"')

"""Levers of the simulated API server: faults and properties of other servers that a test or a demo switches on."""

from __future__ import annotations

from collections.abc import Callable

from telegen.demo.errors import NotServed, Refusal
from telegen.demo.state import State

SWITCHES = ("bookmarks", "gzip_members", "starting", "streaming", "tables")
"""Levers that are on or off: `POST /demo/bookmarks?on=false`."""


class Levers:
    """Faults on demand: `POST /demo/forbid?resource=pods`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.forbidden: set[str] = set()
        self.removed: set[str] = set()
        """API groups that are not served, as on a server that is older than they are: 404."""
        self.failures: list[int] = []
        self.bookmarks = True
        """Off: no bookmark but the one that ends a streamed list."""
        self.gzip_members = False
        """On: watches are compressed with one gzip member per flush, as by WatchListCompression of Kubernetes 1.37."""
        self.starting = False
        """On: not ready, and every resource is 403, as before a server has loaded its RBAC rules."""
        self.streaming = True
        """Off: 422 to sendInitialEvents."""
        self.tables = True
        """Off: 406 to a streamed list of Tables."""
        self.bookmark_interval = 5.0
        self.rate = 0.0

    def pull(self, name: str, arguments: dict[str, str]) -> None:
        """Pull one by its name.

        Raises:
            Refusal: there is none of that name.
        """
        if name in SWITCHES:
            setattr(self, name, arguments["on"] == "true")
            return
        levers: dict[str, Callable[[], object]] = {
            "forbid": lambda: self.forbidden.add(arguments["resource"]),
            "allow": lambda: self.forbidden.discard(arguments["resource"]),
            "remove": lambda: self.removed.add(arguments["group"]),
            "restore": lambda: self.removed.discard(arguments["group"]),
            "fail": lambda: self.failures.extend(
                [int(arguments.get("status", "500"))] * int(arguments.get("count", "1"))
            ),
            "drop": self.state.end_watches,
            "compact": self._compact,
            "rate": lambda: setattr(self, "rate", float(arguments["per_second"])),
            "mark": lambda: self._mark(int(arguments["value"])),
            "delete": lambda: self.state.delete(
                arguments["resource"], arguments.get("namespace", ""), arguments["name"]
            ),
        }
        if name not in levers:
            raise Refusal(404, "NotFound", f"no lever {name}; there are {', '.join((*SWITCHES, *levers))}")
        levers[name]()

    def _mark(self, value: int) -> None:
        """Set the restart count of a pod to a number by which a page shows it."""
        pod = next(iter(self.state.collections["pods"].objects.values())).load()
        pod["status"]["containerStatuses"][0]["restartCount"] = value
        self.state.put("pods", pod)

    def _compact(self) -> None:
        """End every watch and forget the history, as a restart with an empty watch cache does."""
        self.state.compact()
        self.state.end_watches()

    def check(self, resource: str) -> None:
        """Raise the refusal that the levers demand of a request, if any."""
        if self.state.collections[resource].api_version.rpartition("/")[0] in self.removed:
            raise NotServed
        if self.failures:
            status = self.failures.pop(0)
            raise Refusal(status, "InternalError", "the demo was told to fail")
        if self.starting or resource in self.forbidden:
            raise Refusal(403, "Forbidden", f'{resource} is forbidden: User "demo" cannot list resource "{resource}"')

    def check_streamed(self, as_table: bool) -> None:
        """Raise the refusal that the levers demand of a streamed list, if any."""
        if not self.streaming:
            message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise Refusal(422, "Invalid", f"sendInitialEvents: Forbidden: {message}")
        if as_table and not self.tables:
            raise Refusal(406, "NotAcceptable", "only the following media types are accepted: application/json")

"""Metrics and log lines of a reflector."""

from __future__ import annotations

import logging
import re
import time

from telegen.kubemetrics.telemetry import Telemetry
from telegen.shm.store_status import Kind, StoreStatus

NAN = float("nan")
MALFORMED_INTERVAL = 60.0
"""Seconds between two log lines about malformed objects of a collection."""
_VERB = re.compile(r"cannot (\w+) resource")
"""The verb in the message of a 403 by RBAC."""
CURES = {"secrets": "apply k8s/components/secrets, or add secrets to kube_metrics.kube_state.resources_exclude"}
"""Cures of a refusal, of resources whose right is not in k8s/account/rbac.yaml."""


class ReflectorMetrics:
    """Counters, sync status and log lines of one collection; see `telegen.api.protocols.ReflectorObserver`.

    A subclass may note in `took` the size of a complete state.

    Attributes:
        cure: of a refusal (403), for messages.
        resource: name in causes; "" for the beginning of the store's name.
    """

    resource = ""
    cure = "apply k8s/account/rbac.yaml"

    def __init__(self, telemetry: Telemetry, log: logging.Logger, name: str, status: StoreStatus | None = None) -> None:
        """Prepare the counters.

        Args:
            name: value of the label `store` in the agent's own metrics.
            status: row that /readyz reads; by default one that no process reads.
        """
        self.cure = CURES.get(name.partition("/")[0], self.cure)
        self._status = status or StoreStatus()
        self.telemetry, self.log, self.name = telemetry, log, name
        self._events, self._received = telemetry.events.labels(name), telemetry.received.labels(name)
        self._noted = 0.0
        self._malformed, self._malformed_logged = 0, float("-inf")
        self._absent = self._heard = False
        self._last_failure = ""
        self._count, self._bytes = 0, 0

    def took(self, seconds: float) -> None:
        """Note a complete state; `seconds` is the time since its request."""

    def listing(self, by: str, again: bool) -> None:
        """Count lists."""
        self._status.note_waiting()
        self.telemetry.lists.labels(self.name, by).inc()
        if again:
            self.telemetry.relists.labels(self.name).inc()

    def synced(self, seconds: float) -> None:
        """Note a complete state."""
        self._note()
        self.telemetry.last_sync.labels(self.name).set(time.time())
        self._last_failure = ""
        self.took(seconds)

    def cut(self, left_out: int | None) -> None:
        """Note the objects that object_limit left out."""
        self.telemetry.left_out.labels(self.name).set(NAN if left_out is None else left_out)
        if left_out != 0:
            count = "an unknown number of" if left_out is None else left_out
            self.log.warning("%s: object_limit: %s objects were left out of the list", self.name, count)

    def watching(self) -> None:
        """Count watches."""
        self._status.note_waiting()
        self.telemetry.watches.labels(self.name).inc()

    def answered(self) -> None:
        """Note that the API server is there."""
        self._note()

    def quiet(self) -> None:
        """Log at debug: nothing is wrong."""
        self.log.debug("%s: no change and no bookmark for api.read_timeout; watching again", self.name)

    def absent(self, delay: float) -> None:
        """Drop the time of the last event: nothing is expected of a collection that the API server lacks."""
        message = f"{self.name}: the API server does not serve this resource (404); requesting it again in {delay:.0f} s"
        self._status.note_refused(f"404 Not Found: the API server does not serve {self._resource}", Kind.ABSENT)
        self.log.log(logging.DEBUG if self._absent else logging.INFO, message)
        self.ended()
        self._absent = True

    def ended(self) -> None:
        """Drop the time of the last event: none is expected any more."""
        if self._heard:
            self.telemetry.last_event.labels(self.name).set(NAN)
        self._heard = False

    def event(self, size: int) -> None:
        """Count events. PERF: the counters in shared files are written once a second, not once an event (3 us each)."""
        self._count += 1
        self._bytes += size
        if time.monotonic() - self._noted > 1.0:
            self._note()

    def malformed(self, name: str, reason: str) -> None:
        """Count an object that was left out; log one a minute, with the number of those since the last line."""
        self.telemetry.malformed.labels(self.name).inc()
        self._malformed += 1
        if time.monotonic() - self._malformed_logged > MALFORMED_INTERVAL:
            self.log.warning("%s: left out %s (%d since the last report): %s", self.name, name, self._malformed, reason[:200])
            self._malformed, self._malformed_logged = 0, time.monotonic()

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Count a failure; log it when it is not the same as before."""
        self.telemetry.errors.labels(self.name, reason).inc()
        self._note_failure(reason, message, delay)
        if message != self._last_failure:
            self._last_failure = message
            again = f"; retrying in {delay:.1f} s" if delay else ""
            self.log.warning("%s: %s%s", self.name, message, again)

    @property
    def _resource(self) -> str:
        """Name of the resource in causes. The name of a store of custom resources does not have it on a page without authentication."""
        return self.resource or self.name.partition("/")[0]

    def _note_failure(self, reason: str, message: str, delay: float) -> None:
        if reason == "403":
            verb = _VERB.search(message)
            right = f"no right to {verb[1] if verb else 'list and watch'} {self._resource}"
            self._status.note_refused(f"403 Forbidden: {right}; {self.cure}")
        elif reason != "unknown_event":
            # An unknown event is ignored, and its watch goes on.
            # The cause precedes the message, unless the message of an HTTP error begins with it.
            text = message if message.startswith(reason) else f"{reason}: {message}"
            self._status.note_failed(f"{text[:160]}; retrying in {delay:.0f} s" if delay else text)

    def _note(self) -> None:
        self._status.note_synced()
        # The series begins with the first answer: one of 0 would look like a source that has been silent since 1970.
        self._absent, self._heard = False, True
        self._noted = time.monotonic()
        self.telemetry.last_event.labels(self.name).set(time.time())
        self._events.inc(self._count)
        self._received.inc(self._bytes)
        self._count = self._bytes = 0

"""Metrics and log lines of the reflector of a kind of custom resources."""

from __future__ import annotations

from collections.abc import Callable

from telegen.kubestate.custom.model import Kind
from telegen.metrics.store import MetricsStore
from telegen.shm.store_status import StoreStatus
from workers._stores import StoreObserver, StoresWorker

RIGHTS = "apply the ClusterRole that telegen custom rbac prints"


class KindObserver(StoreObserver):
    """Metrics and log lines of the reflector of a kind."""

    cure = RIGHTS

    def __init__(self, worker: StoresWorker, store: MetricsStore, status: StoreStatus, kind: Kind, on_sync: Callable[[], None]) -> None:
        super().__init__(worker.telemetry, worker.log, store, status)
        self._kind, self._on_sync, self._is_forbidden = kind, on_sync, False
        self.resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural

    def took(self, seconds: float) -> None:
        """End the reflectors of the stores that this one replaces."""
        super().took(seconds)
        self._show_forbidden(False)
        self._on_sync()

    def failed(self, reason: str, message: str, delay: float) -> None:
        """Show a missing right as a metric."""
        super().failed(reason, message, delay)
        if reason == "403":
            self._show_forbidden(True)

    def answered(self) -> None:
        """Note that the API server answers again."""
        super().answered()
        self._show_forbidden(False)

    def _show_forbidden(self, is_forbidden: bool) -> None:
        if is_forbidden != self._is_forbidden:
            self._is_forbidden = is_forbidden
            self.telemetry.forbidden.labels(self._kind.group, self._kind.plural).set(is_forbidden)

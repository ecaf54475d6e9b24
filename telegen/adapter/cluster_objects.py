"""Names and labels of objects on the API server, for requests that select objects."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from telegen.adapter.rest_mapping import Mapped
from telegen.api.client import Client
from telegen.api.errors import ApiError, ProtocolError, Unreachable

ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PAGE = "500"
"""Objects per request."""
MAX_AGE = 5.0
"""Seconds for which a list counts: the metrics of an autoscaler select the same objects within one sync."""
MOST_KEPT = 20_000
"""Objects of all kept lists."""
_SHOWN = ("name", "namespace", "labels")


class ListingError(Exception):
    """The API server does not list the objects."""


class Objects(Protocol):
    """Lists of metadata. Both raise ListingError."""

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        """Return the names of the objects that a label selector selects."""

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        """Yield the metadata of objects."""


class NoObjects:
    """Objects without a cluster: every list fails."""

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        raise ListingError("no cluster is given")

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        raise ListingError("no cluster is given")


class KeptObjects:
    """Lists of another source, kept for some seconds: name, namespace and labels. Threads may share it; errors are not kept."""

    def __init__(self, objects: Objects, clock: Callable[[], float] = time.monotonic) -> None:
        self._objects, self._clock, self._lock = objects, clock, threading.Lock()
        self._kept = dict[tuple[str, str, str], tuple[float, list[dict[str, Any]]]]()

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        """Return the names of the objects that a label selector selects. Raises ListingError."""
        return [metadata["name"] for metadata in self.metadata(mapped, namespace, labels)]

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        """Yield the metadata of objects. Raises ListingError."""
        key, now = (mapped.path(namespace), labels, fields), self._clock()
        with self._lock:
            kept = self._kept.get(key)
        if kept and now < kept[0]:
            return iter(kept[1])
        found = [
            {name: one[name] for name in _SHOWN if name in one} for one in self._objects.metadata(mapped, namespace, labels, fields)
        ]
        with self._lock:
            self._kept = {key: one for key, one in self._kept.items() if now < one[0]}
            if len(found) + sum(len(one) for _, one in self._kept.values()) <= MOST_KEPT:
                self._kept[key] = now + MAX_AGE, found
        return iter(found)


class ClusterObjects:
    """Lists of metadata. Threads may share it: each has a client of its own."""

    def __init__(self, make_client: Callable[[], Client]) -> None:
        self._make_client, self._of_thread = make_client, threading.local()

    @property
    def _client(self) -> Client:
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = self._make_client()
        client: Client = self._of_thread.client
        return client

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        """Return the names of the objects that a label selector selects, in the order of the API server.

        Raises:
            ListingError.
        """
        return [metadata["name"] for metadata in self.metadata(mapped, namespace, labels)]

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        """Yield the metadata of objects.

        Args:
            namespace: "" for all.

        Raises:
            ListingError.
        """
        path = mapped.path(namespace)
        selector = {name: value for name, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        more = ""
        while True:
            params = {"limit": PAGE, **selector, **({"continue": more} if more else {})}
            try:
                page = self._client.get(path, params, ACCEPT)
                yield from (item["metadata"] for item in page.get("items") or ())
                more = (page.get("metadata") or {}).get("continue") or ""
            except (ApiError, Unreachable, ProtocolError) as error:
                raise ListingError(f"{path}: {error}") from error
            except (AttributeError, KeyError, TypeError) as error:
                raise ListingError(f"{path}: the answer is no list of objects") from error
            if not more:
                return

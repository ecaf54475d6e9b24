"""Names and labels of objects on the API server, for requests that select objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from telegen.adapter.identity.expiring_cache import ExpiringCache
from telegen.adapter.rest_mapping import Mapped
from telegen.api.client import Client
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.api.thread_clients import ThreadClients

ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PAGE = "500"
"""Objects per request."""
MAX_AGE = 5.0
"""Seconds for which a list counts: the metrics of an autoscaler select the same objects within one sync."""
MOST_KEPT = 64
"""Lists that are kept."""


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
    """Lists of another source; those of names are kept for some seconds. Threads may share it."""

    def __init__(self, objects: Objects, clock: Callable[[], float] = time.monotonic) -> None:
        self._objects = objects
        self._names = ExpiringCache[list[str]](MOST_KEPT, clock)

    def names(self, mapped: Mapped, namespace: str, labels: str) -> list[str]:
        """Return the names of the objects that a label selector selects. Raises ListingError, which is not kept."""
        key = mapped.path(namespace), labels
        return self._names.get(key, MAX_AGE, lambda: self._objects.names(mapped, namespace, labels))

    def metadata(self, mapped: Mapped, namespace: str, labels: str, fields: str = "") -> Iterator[dict[str, Any]]:
        """Yield the metadata of objects. Raises ListingError."""
        return self._objects.metadata(mapped, namespace, labels, fields)


class ClusterObjects:
    """Lists of metadata. Threads may share it: each has a client of its own."""

    def __init__(self, make_client: Callable[[], Client]) -> None:
        self._clients = ThreadClients(make_client)

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
                page = self._clients.current.get(path, params, ACCEPT)
                yield from (item["metadata"] for item in page.get("items") or ())
                more = (page.get("metadata") or {}).get("continue") or ""
            except (ApiError, Unreachable, ProtocolError) as error:
                raise ListingError(f"{path}: {error}") from error
            except (AttributeError, KeyError, TypeError) as error:
                raise ListingError(f"{path}: the answer is no list of objects") from error
            if not more:
                return

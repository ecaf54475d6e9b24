"""Labels of the objects that events regard, read by name when an object has its first event.

No list is kept in step for them: the account may list what the agent watches, and a list of one name answers with that object's metadata.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telegen.api.client import Client
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.api.representation import REPRESENTATIONS
from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.metrics.label_keys import key_filter
from telegen.otlp.event_records import NAMED_KINDS

KEEP = 300.0
"""Seconds for which the labels of an object are reused."""
MOST = 10_000
"""Objects whose labels are kept, 0.5 kB each."""
RATE = 20.0
"""Requests per second; events of further new objects go without labels."""
PAUSE = 30.0
"""Seconds without a request after one that failed."""
TIMEOUT = 2.0
"""Seconds of a request: the watch of events waits for it."""

_NAMES = re.compile(r"[A-Za-z0-9.:-]+").fullmatch
"""Characters of names and namespaces."""

Key = tuple[str, str, str, str]
"""Kind, namespace, name and UID of an object."""
Labels = Mapping[str, str]
_NOTHING: Labels = {}


class ObjectLabels:
    """Cache of labels. Not safe for threads."""

    def __init__(
        self,
        client: Client,
        wanted: tuple[str, ...],
        watched: Iterable[str],
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing.

        Args:
            wanted: keys of the labels to keep, each with at most one `*`.
            watched: names of the resources that the account may list.
            note: called with the outcome of each lookup that the cache does not answer: `read`, `absent`, `failed` or `limited`.
        """
        self._client, self._filter, self._note, self._clock = client, key_filter(wanted), note, clock
        # The metadata of a Secret may hold its values, in kubectl's annotation.
        self._resources = {one.kind: one for one in map(RESOURCES.__getitem__, watched) if one.kind != "Secret"}
        self._known: OrderedDict[Key, tuple[float, Labels]] = OrderedDict()
        self._free, self._refilled, self._paused = RATE, clock(), 0.0

    def of(self, regarding: Mapping[str, Any]) -> dict[str, str]:
        """Return the labels of an object as resource attributes, by its reference in an event."""
        kind, version, namespace, name, uid = (_text(regarding, key) for key in ("kind", "apiVersion", "namespace", "name", "uid"))
        resource = self._resources.get(kind)
        # The kubelet's events of nodes have no apiVersion. The words become a part of a URL.
        if resource is None or (version and version.rpartition("/")[0] != resource.group) or not _NAMES(f"{namespace}{name}"):
            return {}
        key = (kind, namespace, name, uid)
        prefix = f"k8s.{NAMED_KINDS.get(kind, kind.lower())}.label"
        return {f"{prefix}.{name}": value for name, value in self._labels(resource, key).items()}

    def _labels(self, resource: Resource, key: Key) -> Labels:
        now, known = self._clock(), self._known.get(key)
        if known and now < known[0]:
            return known[1]
        if now < self._paused or not self._take(now):
            self._note("limited")
            # Old labels are better than none.
            return known[1] if known else _NOTHING
        try:
            found = self._read(resource, key)
        except (ApiError, Unreachable, ProtocolError):
            self._note("failed")
            self._paused = now + PAUSE
            return known[1] if known else _NOTHING
        self._note("read" if found else "absent")
        self._known.pop(key, None)
        self._known[key] = (now + KEEP, found)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return found

    def _take(self, now: float) -> bool:
        """Take a request of the rate; return False if there is none left."""
        self._free = min(RATE, self._free + (now - self._refilled) * RATE)
        self._refilled = now
        if self._free < 1:
            return False
        self._free -= 1
        return True

    def _read(self, resource: Resource, key: Key) -> Labels:
        """Read the labels of one object; empty if it is gone, or another one has its name.

        Raises:
            ApiError, Unreachable, ProtocolError: the request has failed.
        """
        _, namespace, name, uid = key
        accept = REPRESENTATIONS["metadata"].list_accept
        answer = self._client.get(resource.path(namespace), {"fieldSelector": f"metadata.name={name}"}, accept)
        for item in _objects(answer):
            metadata = item.get("metadata")
            # The kubelet gives the name of its node as UID.
            if isinstance(metadata, dict) and metadata.get("name") == name and uid in ("", name, metadata.get("uid")):
                labels = metadata.get("labels")
                pairs = labels.items() if isinstance(labels, dict) else ()
                return {key: value for key, value in pairs if isinstance(value, str) and self._filter(key)}
        return _NOTHING


def _objects(answer: Any) -> list[dict[str, Any]]:
    items = answer.get("items") if isinstance(answer, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""

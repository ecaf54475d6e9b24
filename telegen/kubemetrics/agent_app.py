"""The application of adapter.agent_address: what the adapter of the metrics APIs polls."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import falcon
import falcon.asgi
import msgspec
import orjson

from telegen.cadvisor.usage.document import CONTAINER_METRICS, NODE_METRICS, POD_METRICS, UsageDocument, without_usage
from telegen.config.agent_api import FAMILIES, MOST_FAMILIES, USAGE, VERSION
from telegen.kubemetrics.app import Asgi, Metrics, routed
from telegen.kubemetrics.bodies import Bodies, Body
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.selection import MOST_ITEMS, Selection
from telegen.kubemetrics.telemetry import Telemetry
from telegen.shm.reader import ArenaReader, TornSnapshot
from telegen.shm.shared_document import SharedDocument

BODY_MEMORY = 8 << 20
"""Bytes of the bodies of families that are being sent, compressed."""
_NO_USAGE = "there is no sampler, it has not ended its second pass, or it does not know the name of its node; the log has the cause"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

Shards = Callable[[], Sequence[int]]
"""Returns the numbers of the shards of kube_* that this agent serves completely now."""


class Usage:
    """Usage of the node and its pods in the last pass."""

    def __init__(self, shared: SharedDocument, shards: Shards, node: str = "") -> None:
        """Prepare.

        Args:
            node: of an agent that serves kube_* alone; "" for one with a sampler.
        """
        self._shared, self._shards = shared, shards
        self._number = 0
        self._document = without_usage(node) if node else None

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Send it, or 304 to a client that has it. The objects are left out for a client that has their generation."""
        document = self._current()
        try:
            shards = list(self._shards())
        except TornSnapshot as error:
            raise falcon.HTTPServiceUnavailable(title="Busy", description=f"{error}: retry", retry_after=1) from error
        # The number alone would begin anew with the agent.
        resp.etag = etag = f"{document.run}-{self._number}-{'.'.join(map(str, shards))}"
        if f'"{etag}"' in (req.get_header("If-None-Match") or ""):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = falcon.MEDIA_JSON
        resp.data = _encode(document, shards, req.get_param("generation") or "")

    def _current(self) -> UsageDocument:
        """Return the newest document, decoded once."""
        if self._document is None or self._shared.number != self._number:
            self._number, content = self._shared.read()
            if not content:
                raise falcon.HTTPServiceUnavailable(title="No usage", description=_NO_USAGE, retry_after=1)
            self._document = _decoder.decode(content)
        return self._document


class Families(Metrics):
    """Families of kube_* from the shards that this agent serves."""

    def _selection(self, req: falcon.asgi.Request) -> Selection:
        names = [name for value in req.get_param_as_list("names") or [] for name in value.split(",")]
        if not names or len(names) > MOST_ITEMS or not all(map(_NAME.fullmatch, names)):
            raise falcon.HTTPBadRequest(
                title="Impossible selection", description=f"names: expected 1 to {MOST_ITEMS} names of families, separated by commas"
            )
        return Selection(families=tuple(sorted(set(names))))

    def _assemble(self, openmetrics: bool, selected: Selection) -> Body:
        body = super()._assemble(openmetrics, selected)
        if body.page.length > MOST_FAMILIES:
            raise falcon.HTTPContentTooLarge(
                title="Too large", description=f"{body.page.length} bytes; at most {MOST_FAMILIES} are sent: ask for fewer families"
            )
        return body


def make_agent_app(view: View, readers: Sequence[ArenaReader], telemetry: Telemetry, usage: Usage) -> Asgi:
    """Create the application.

    Args:
        readers: of the stores of kube_*.
    """
    pages = replace(view, pages={FAMILIES: readers})
    return routed({USAGE: usage, FAMILIES: Families(FAMILIES, pages, (), telemetry, Bodies(BODY_MEMORY))})


_decoder = msgspec.msgpack.Decoder(UsageDocument)


def _encode(document: UsageDocument, shards: Sequence[int], known: str) -> bytes:
    """Return the JSON of a document; without the objects if the client knows their generation."""
    objects = {} if known == document.generation else {"objects": orjson.Fragment(document.objects)}
    return orjson.dumps(
        {
            "version": VERSION,
            "node": document.node,
            "sent": time.time(),
            "generation": document.generation,
            **objects,
            "container_metrics": CONTAINER_METRICS,
            "pod_metrics": POD_METRICS,
            "node_metrics": NODE_METRICS,
            "pods": orjson.Fragment(document.pods),
            "node_usage": orjson.Fragment(document.node_usage),
            "shards": shards,
        }
    )

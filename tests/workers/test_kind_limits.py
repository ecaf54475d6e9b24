"""Kinds that are watched for their health alone, in a cluster with more kinds than watches."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

import workers._custom.kind_limits
from telegen.api.client import Client, Timeouts
from telegen.api.credentials import Cluster
from telegen.kubemetrics.telemetry import Telemetry
from telegen.kubestate.custom.kinds import Selected
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.schema import Schema
from workers._custom.kind_limits import AT_ONCE, INTERVAL, WATCHES, KindLimits

KINDS = [Kind("g.example", "v1", f"kind{number:03}s", f"Kind{number}", True) for number in range(200)]
WANTED = {kind: Selected(health=Schema()) for kind in KINDS}


class Counts(BaseHTTPRequestHandler):
    """Answers lists of one object with the number of those that remain; 403 for a negative number."""

    counts: dict[str, int] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        count = self.counts.get(parts.path.rpartition("/")[2], 0)
        assert parse_qs(parts.query)["limit"] == ["1"]
        body = {"metadata": {"remainingItemCount": count - 1}, "items": [{}]} if count else {"metadata": {}, "items": []}
        refusal = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}
        data = orjson.dumps(refusal if count < 0 else body)
        self.send_response(403 if count < 0 else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KindLimits]:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(Counts, "counts", {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counts)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = Client(lambda again: Cluster(f"http://127.0.0.1:{server.server_port}"), Timeouts(30, 30))
    yield KindLimits(client, Telemetry("t"), lambda kind: [f"/apis/{kind.group}/{kind.version}/{kind.plural}"])
    server.shutdown()
    server.server_close()
    thread.join()


def settled(limits: KindLimits, wanted: dict[Kind, Selected], sizes: dict[Kind, int]) -> set[Kind]:
    """Choose until all kinds are counted."""
    for _ in range(1 + len(wanted) // AT_ONCE):
        found = limits.choose(wanted, sizes)
    assert not limits.is_behind
    return set(found)


def test_few_kinds(limits: KindLimits) -> None:
    """Up to the limit all kinds are watched, and none is counted."""
    few = dict(list(WANTED.items())[:WATCHES])
    assert limits.choose(few, {}) == few and not limits.counts and not limits.is_behind


def test_kinds_with_objects_come_first(limits: KindLimits) -> None:
    """Of more kinds those with objects are watched, and a kind of an entry is watched in any case."""
    Counts.counts = {kind.plural: 3 for kind in KINDS[-20:]}
    wanted = {**WANTED, KINDS[30]: Selected(packed=(Any,))}  # type: ignore[arg-type]
    watched = settled(limits, wanted, {})
    assert set(KINDS[-20:]) <= watched and KINDS[30] in watched and len(watched) == WATCHES + 1
    assert not limits.counts and not list(limits.notes())


def test_more_kinds_with_objects_than_watches(limits: KindLimits) -> None:
    """The kinds beyond the limit are only counted, which is one line; watched kinds stay watched while they have objects."""
    Counts.counts = {kind.plural: 7 for kind in KINDS}
    watched = settled(limits, WANTED, {})
    assert len(watched) == WATCHES and set(limits.counts.values()) == {7} and len(limits.counts) == len(KINDS) - WATCHES
    assert next(iter(limits.notes())).startswith("health: 50 kinds are only counted")
    empty = sorted(watched)[0]
    again = settled(limits, WANTED, {kind: 0 if kind == empty else 7 for kind in watched})
    assert empty not in again and watched - {empty} < again and len(again) == WATCHES


def test_recount(limits: KindLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds without objects are counted again after the interval."""
    now = [1000.0]
    monkeypatch.setattr(workers._custom.kind_limits.time, "monotonic", lambda: now[0])
    Counts.counts = {kind.plural: 1 for kind in KINDS[: WATCHES - 1]}
    watched = settled(limits, WANTED, {})
    Counts.counts[KINDS[-1].plural] = 1
    sizes = {kind: 1 if kind in KINDS[: WATCHES - 1] else 0 for kind in watched}
    assert KINDS[-1] not in settled(limits, WANTED, sizes)
    now[0] += INTERVAL + 1
    assert KINDS[-1] in settled(limits, WANTED, sizes)


def test_refused_kinds(limits: KindLimits) -> None:
    """A kind that is refused is a line and takes no watch from others."""
    Counts.counts = {kind.plural: -1 if number < 60 else 5 for number, kind in enumerate(KINDS)}
    watched = settled(limits, WANTED, {})
    assert set(KINDS[60:]) <= watched
    assert len([line for line in limits.notes() if "403 Forbidden" in line]) == 60

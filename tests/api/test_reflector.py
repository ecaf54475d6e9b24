"""The reflector against a scripted API server: what it asks, what its store holds, and what it does when things break."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from uuid import NAMESPACE_DNS, uuid5

import pytest

from telegen.api.client import Client, Timeouts
from telegen.api.collection import Collection
from telegen.api.credentials import Cluster
from telegen.api.reflector import Reflector
from telegen.metrics.hashing import fnv1a64
from tests.api.wire import (
    FAST,
    PATIENCE,
    Clock,
    Connection,
    Noted,
    Recorder,
    Request,
    ScriptedServer,
    Step,
    added,
    answer,
    bookmark,
    event,
    expired,
    lines,
    packed,
    page,
    pod,
    raw,
    reflecting,
    refusal,
    stream,
    whole,
)
from tests.process_tree import wait_for

RESYNC = replace(FAST, resync=60.0, backoff=(0.01, 5.0))
NO_WATCHLIST = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"


def test_streamed_list_goes_on_as_the_watch() -> None:
    """One request brings the whole state and then every change."""
    changes = [added("c", 11), event("MODIFIED", pod("a", 12)), event("DELETED", pod("b", 13))]
    with reflecting(stream(*whole("a", "b"), *changes)) as running:
        running.wait_held("a", "c")
        assert running.store.held == {"a": "12", "c": "11"}
        (request,) = running.server.requests
        assert request.params["sendInitialEvents"] == "true"
        assert request.params["resourceVersionMatch"] == "NotOlderThan"
        assert "resourceVersion" not in request.params
        assert request.headers["user-agent"].startswith("telegen/")


@pytest.mark.parametrize("status", [400, 403, 422])
def test_server_that_cannot_stream_lists_is_asked_for_pages(status: int) -> None:
    """A refusal of sendInitialEvents leads to a list in pages, then to a watch from its version."""
    with reflecting(
        refusal(status, "Invalid", NO_WATCHLIST), answer(page("a", more="next")), answer(page("b")), stream(added("c", 11))
    ) as running:
        running.wait_held("a", "b", "c")
        _, first, second, watch = running.server.requests
        assert first.params["limit"] == second.params["limit"] == "500"
        assert second.params["continue"] == "next"
        assert watch.params["resourceVersion"] == "10"
        assert running.noted.lists == ["watch", "list"]


def test_streamed_list_that_never_ends_is_given_up() -> None:
    """Events but no closing bookmark within the time for it: pages are asked for instead."""
    settings = replace(FAST, initial=0.2)
    with reflecting(stream(added("a", 1)), answer(page("b")), settings=settings, read=PATIENCE) as running:
        running.wait_held("b")


def test_streamed_list_that_breaks_leaves_the_store_as_it_was() -> None:
    """A relist that ends half-way publishes nothing of it; a list in pages follows."""
    with reflecting(stream(*whole("a"), expired()), stream(added("b", 20), stay=False), answer(page("c"))) as running:
        running.wait_held("c")
        assert running.store.replaced == 2
        assert running.noted.lists == ["watch", "watch", "list"]


def test_history_that_is_gone_in_the_stream() -> None:
    """410 as an event: a new whole state at once, without a delay; what is gone meanwhile is dropped."""
    with reflecting(stream(*whole("a", "b"), expired()), stream(*whole("b", version=20))) as running:
        running.wait_held("b")
        assert running.noted.failures[0][0] == "410"
        assert running.noted.failures[0][2] == 0.0
        assert running.noted.lists == ["watch", "watch"]


def test_history_that_is_gone_on_connect() -> None:
    """410 as an HTTP status: the same."""
    gone = refusal(410, "Expired", "too old resource version: 10 (20)")
    with reflecting(stream(*whole("a"), stay=False), gone, stream(*whole("b", version=20))) as running:
        running.wait_held("b")
        assert running.noted.reasons == ["410"]


def test_continue_token_that_expired() -> None:
    """410 for a page of a list: one list without pages follows at once, and nothing of the first is kept."""
    gone = refusal(410, "Expired", "The provided continue parameter is too old")
    with reflecting(
        refusal(422, "Invalid", NO_WATCHLIST), answer(page("a", more="next")), gone, answer(page("b")), stream(added("c", 11))
    ) as running:
        running.wait_held("b", "c")
        assert "limit" not in running.server.requests[3].params
        assert (running.store.replaced, running.noted.reasons) == (1, [])


@pytest.mark.parametrize(
    "failure",
    [
        refusal(500, "InternalError", "etcd is busy"),
        refusal(504, "Timeout", "the request timed out"),
        stream(added("x", 3), stay=False),
        raw(b"garbage\n", stay=False),
        stream(added("x", 3)),
        lambda request, connection: None,
        lambda request, connection: connection.hold(),
    ],
    ids=["500", "504", "closed", "garbage", "silent", "closed before headers", "silent before headers"],
)
def test_streamed_list_that_fails(failure: Step) -> None:
    """Whatever goes wrong with a streamed list, a list in pages follows at once."""
    with reflecting(failure, answer(page("a")), stream(added("b", 11)), read=PATIENCE) as running:
        running.wait_held("a", "b")
        assert running.noted.lists == ["watch", "list"]
        assert running.store.replaced == 1


def test_state_that_is_gone_again_and_again() -> None:
    """A server that answers every watch with 410 is not asked for one list after the other."""
    gone = refusal(410, "Expired", "too old resource version")
    lists = [step for _ in range(4) for step in (stream(*whole("a"), stay=False), gone)]
    with reflecting(*lists, stream(*whole("b")), clock=Clock()) as running:
        running.wait_held("b")
        delays = [delay for reason, _, delay in running.noted.failures if reason == "410"]
        assert delays[0] == 0.0 and all(delay > 0 for delay in delays[1:])


def test_watches_that_end_at_once_with_an_event() -> None:
    """A server or proxy that ends every watch after its first event is not asked as fast as it answers."""
    ending = [stream(bookmark(20 + number), stay=False) for number in range(8)]
    with reflecting(stream(*whole("a"), stay=False), *ending, stream(added("b", 40)), clock=Clock()) as running:
        running.wait_held("a", "b")
        assert "unreachable" in running.noted.reasons


def test_etcd_that_was_restored() -> None:
    """A server whose version is older than the last one delivered has lost its history: a new state replaces the old one."""
    settings = replace(FAST, verify=0.0)
    steps = [stream(*whole("a", "ghost", version=500), stay=False, after=0.1), answer(page(version=300)), stream(*whole("a", version=301))]
    with reflecting(*steps, settings=settings) as running:
        running.wait_held("a")
        check = running.server.requests[1]
        assert (check.params, check.headers["accept"].split(";")[1]) == ({"limit": "1"}, "as=PartialObjectMetadataList")
        assert running.noted.reasons == ["410"] and "etcd was restored" in running.noted.failures[0][1]


@pytest.mark.parametrize("current", [500, 501])
def test_quiet_resource_is_not_listed(current: int) -> None:
    """A server that is at the same version or a newer one has all objects of the store: no list follows."""
    settings = replace(FAST, verify=0.0)
    steps = [stream(*whole("a", version=500), stay=False, after=0.1), answer(page(version=current)), stream(added("b", 502))]
    with reflecting(*steps, settings=settings) as running:
        running.wait_held("a", "b")
        assert running.noted.lists == ["watch"] and running.store.replaced == 1


@pytest.mark.parametrize(("location", "is_followed"), [("/elsewhere?x=1", True), ("http://127.0.0.1:9/x", False), ("//evil/x", False)])
def test_redirect(location: str, is_followed: bool) -> None:
    """A redirect within the server is followed; one to another server is an error, as it would get the credentials."""
    moved = answer({}, 307, f"Location: {location}")
    with reflecting(moved, stream(*whole("a")) if is_followed else answer(page("a"))) as running:
        running.wait_held("a")
        assert (running.server.requests[1].path == "/elsewhere") == is_followed
        assert running.noted.lists == (["watch"] if is_followed else ["watch", "list"])


def test_watch_that_lasted_and_broke() -> None:
    """The next watch follows without a delay."""
    clock = Clock()
    with reflecting(stream(*whole("a")), settings=replace(FAST, backoff=(600.0, 600.0)), clock=clock) as running:
        running.wait_held("a")
        clock.now += 1.1
        running.server.reset()
        running.wait_requests(2)
        assert [delay for _, _, delay in running.noted.failures] == [0.0]


def test_retry_after_is_waited_out() -> None:
    """429 with Retry-After: nothing is asked for so long."""
    busy = refusal(429, "TooManyRequests", "too many requests", "Retry-After: 1")
    with reflecting(busy, stream(*whole("a"))) as running:
        running.wait_held("a")
        assert running.noted.failures[0][0] == "429"
        assert running.noted.failures[0][2] == 1.0


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_refusals_are_reported_and_tried_again(status: int) -> None:
    """Errors are reported with the server's words and retried soon."""
    refused = [refusal(status, "Reason", "pods are not for you")] * (1 if status == 403 else 2)
    with reflecting(*refused, stream(*whole("a"))) as running:
        running.wait_held("a")
        reason, message, delay = running.noted.failures[0]
        assert reason == str(status)
        assert "pods are not for you" in message
        assert delay < FAST.restart[1]


def test_right_that_is_missing() -> None:
    """A 403 that persists for longer than a restart takes is retried at the longest delay, which the next failure does not inherit."""
    clock, settings = Clock(), replace(FAST, restart=(60.0, 0.02))

    def fifth(request: Request, connection: Connection) -> None:
        clock.now += 61
        refusal(403, "Forbidden", "no")(request, connection)

    refused = [*[refusal(403, "Forbidden", "no")] * 4, fifth]
    with reflecting(*refused, *[refusal(500, "Error", "other")] * 2, stream(*whole("a")), settings=settings, clock=clock) as running:
        running.wait_held("a")
        delays = [delay for _, _, delay in running.noted.failures]
        assert running.noted.reasons == ["403"] * 5 + ["500"]
        assert delays[0] == FAST.backoff[0] * 1.5 and delays[4] == FAST.backoff[1] * 1.5
        assert delays[5] < FAST.backoff[1]


def test_server_that_starts() -> None:
    """After a restart the server refuses connections, then everything until it has read its RBAC rules: delays stay short."""
    refused = [refusal(403, "Forbidden", "not yet")] * 3
    with reflecting(stream(*whole("a"), stay=False), *refused, stream(added("b", 11)), clock=Clock()) as running:
        running.wait_held("a", "b")
        assert running.noted.reasons == ["403"] * 3
        assert max(delay for _, _, delay in running.noted.failures) <= 2 * FAST.restart[1]
        assert running.server.requests[-1].params["resourceVersion"] == "10"


def test_resource_that_the_server_does_not_know() -> None:
    """An older server lacks a resource: its store is empty but complete, so that the agent becomes ready; it is no error."""
    with reflecting(refusal(404, "NotFound", "the server could not find the requested resource")) as running:
        wait_for("an empty state", lambda: running.store.replaced == 1, 5)
        wait_for("the report", lambda: len(running.noted.absences) > 0, 5)
        assert running.noted.failures == []


def test_resource_that_is_removed() -> None:
    """A collection that is no longer served keeps its objects for as long as a restart may take, then has none."""
    missing = refusal(404, "NotFound", "the server could not find the requested resource")
    clock = Clock()
    with reflecting(stream(*whole("a"), stay=False), *[missing] * 1000, clock=clock) as running:
        running.wait_held("a")
        running.wait_requests(4)
        assert set(running.store.held) == {"a"}
        clock.now += FAST.restart[0] + 1
        running.wait_held()
        assert running.noted.failures == []


def test_error_page_of_a_proxy() -> None:
    """An error whose body is no Status is reported as it is."""
    with reflecting(*[answer("<html>Bad gateway</html>", 502)] * 2, stream(*whole("a"))) as running:
        running.wait_held("a")
        assert running.noted.reasons == ["502"]
        assert "Bad gateway" in running.noted.failures[0][1]


def test_truncated_line() -> None:
    """A stream that ends inside a line: what came whole counts, and the watch goes on from there."""
    broken = lines([*whole("a"), added("b", 11)]) + b'{"type":"ADDED","object":{"meta'
    with reflecting(raw(broken, stay=False), stream(added("c", 12))) as running:
        running.wait_held("a", "b", "c")
        assert running.noted.reasons == ["protocol"]
        assert running.server.requests[1].params["resourceVersion"] == "11"


def test_line_that_is_no_event() -> None:
    """A line that cannot be read is counted, and the watch begins again from the last version."""
    with reflecting(raw(lines(whole("a")) + b"not json\n"), stream(added("b", 11))) as running:
        running.wait_held("a", "b")
        assert running.noted.reasons == ["protocol"]
        assert running.server.requests[1].params["resourceVersion"] == "10"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_lines_split_anywhere(piece: int) -> None:
    """However the bytes come, in ones even, the events are the same, those with characters of many bytes too."""
    odd = event("ADDED", {"metadata": {"name": "ü\u2028漢", "uid": "u", "resourceVersion": "11"}})
    with reflecting(raw(lines([*whole("a"), odd]), piece=piece)) as running:
        running.wait_held("a", "ü\u2028漢")


def test_events_of_a_megabyte() -> None:
    """Large objects come whole."""
    large = pod("large", 11)
    large["data"] = "x" * (1 << 20)
    with reflecting(stream(*whole("a"), event("ADDED", large), added("b", 12))) as running:
        running.wait_held("a", "large", "b")
        assert len(running.store.objects["large"]["data"]) == 1 << 20
        assert running.noted.bytes > 1 << 20


def test_gzip_streams() -> None:
    """Compressed events come as soon as they are flushed, while the stream is still open."""
    with reflecting(packed([*whole("a"), added("b", 11)])) as running:
        running.wait_held("a", "b")
        assert running.server.requests[0].headers["accept-encoding"] == "gzip"


def test_gzip_stream_that_breaks() -> None:
    """A compressed stream that ends without its trailer is a broken connection: the watch goes on."""
    with reflecting(packed(whole("a"), stay=False), stream(added("b", 11))) as running:
        running.wait_held("a", "b")
        assert running.noted.reasons == ["unreachable"]


def test_silent_connection() -> None:
    """A watch that delivers nothing for the read timeout: another one follows from the last version; it is no error."""
    with reflecting(stream(*whole("a"), bookmark(15)), stream(added("b", 16)), read=PATIENCE) as running:
        running.wait_held("a", "b")
        assert (running.noted.silences, running.noted.reasons) == (1, [])
        assert running.server.requests[1].params["resourceVersion"] == "15"
        assert running.store.replaced == 1


def test_bookmarks_only() -> None:
    """Bookmarks move the version on: the next watch begins there, and it is no error that nothing else came."""
    with reflecting(stream(*whole("a"), stay=False), stream(bookmark(30), bookmark(31), stay=False)) as running:
        _, second, third = running.wait_requests(3)[:3]
        assert second.params["resourceVersion"] == "10"
        assert third.params["resourceVersion"] == "31"
        assert running.store.bookmarks[-1] == "31"
        assert running.noted.reasons == []


def test_watch_that_ends_at_once_is_an_error() -> None:
    """A server that closes every watch at once is not asked as fast as it answers."""
    empty = [raw(b"", stay=False)] * 4
    with reflecting(stream(*whole("a"), stay=False), *empty, stream(added("b", 11)), clock=Clock()) as running:
        running.wait_held("a", "b")
        delays = [delay for _, _, delay in running.noted.failures]
        assert len(delays) == 4
        assert delays == sorted(delays) and delays[0] > 0


def test_unknown_events_and_odd_objects_are_passed_over() -> None:
    """Event types of the future and objects without a uid are counted, and cost nothing else."""
    odd = [event("MOVED", pod("x", 11)), event("ADDED", {"metadata": {"name": "y"}}), {"type": "ADDED", "object": None}]
    with reflecting(stream(*whole("a"), *odd, added("b", 12))) as running:
        running.wait_held("a", "b")
        assert running.noted.reasons == ["unknown_event"]
        assert running.noted.left_out == ["y", "an object without a name"]
        assert len(running.server.requests) == 1


def test_server_that_is_not_there() -> None:
    """No connection at all: reported with the address, tried again until there is one."""
    with reflecting() as running:
        running.wait_requests(1)
    with reflecting(settings=FAST) as gone:
        gone.server.stop()
        # A request that the server had accepted when it was stopped gets an empty answer.
        wait_for("failures", lambda: gone.noted.reasons.count("unreachable") > 2, 5)
        assert set(gone.noted.reasons) <= {"unreachable", "protocol"}


def test_stop_ends_a_reflector_that_waits_for_the_server() -> None:
    """A stopped reflector ends when the connection does."""
    with reflecting(stream(*whole("a"))) as running:
        running.wait_held("a")
        running.stop.set()
        running.server.stop()
        running.thread.join(30)
        assert not running.thread.is_alive()


def test_cached_lists() -> None:
    """use_apiserver_cache: lists name version 0, which any watch cache can answer."""
    settings = replace(FAST, cached=True)
    with reflecting(refusal(422, "Invalid", NO_WATCHLIST), answer(page("a")), settings=settings) as running:
        running.wait_held("a")
        assert running.server.requests[1].params["resourceVersion"] == "0"


def test_metadata_is_asked_for_without_a_second_choice() -> None:
    """PartialObjectMetadata is the only answer that is accepted."""
    collection = Collection("/api/v1/configmaps", "metadata")
    with reflecting(stream(*whole("a")), collection=collection) as running:
        running.wait_held("a")
        assert running.server.requests[0].headers["accept"] == "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


def test_table_rows_are_objects() -> None:
    """A Table's rows become objects with their type; columns are named in the first event of a connection only."""

    def table(name: str, version: int, columns: bool) -> dict[str, object]:
        definitions = [{"name": "Name"}, {"name": "Type"}, {"name": "Data"}] if columns else []
        row = {"cells": [name, "Opaque", 3], "object": pod(name, version)}
        return event("ADDED", {"kind": "Table", "columnDefinitions": definitions, "rows": [row]})

    end = event("BOOKMARK", {"kind": "Table", "rows": [{"cells": [], "object": bookmark(10, end=True)["object"]}]})
    collection = Collection("/api/v1/secrets", "table")
    with reflecting(stream(table("a", 9, True), end, table("b", 11, False)), collection=collection) as running:
        running.wait_held("a", "b")
        assert {obj["type"] for obj in running.store.objects.values()} == {"Opaque"}
        request = running.server.requests[0]
        assert request.headers["accept"] == "application/json;as=Table;v=v1;g=meta.k8s.io"
        assert request.params["includeObject"] == "Metadata"


@pytest.mark.parametrize("total", [2, 3, 5])
def test_shards_divide_the_objects(total: int) -> None:
    """A server that ignores shardSelector sends everything: each shard keeps its own, and together they keep all."""
    pods = [pod(f"pod-{number}", 9, str(uuid5(NAMESPACE_DNS, str(number)))) for number in range(40)]
    events = [*[event("ADDED", obj) for obj in pods[:-1]], bookmark(10, end=True), event("ADDED", pods[-1])]
    kept: list[str] = []
    for number in range(total):
        collection = Collection("/api/v1/pods", part=(number, total))
        with reflecting(stream(*events), collection=collection) as running:
            wanted = {o["metadata"]["name"] for o in pods if fnv1a64(o["metadata"]["uid"]) in collection.hashes}
            running.wait_held(*wanted)
            assert wanted
            kept += running.store.held
            low, high = collection.hashes.start, collection.hashes.stop
            selector = running.server.requests[0].params["shardSelector"]
            assert selector == f"shardRange(object.metadata.uid,'{low:#018x}','{high:#018x}')"
    assert sorted(kept) == sorted(obj["metadata"]["name"] for obj in pods)


@pytest.mark.parametrize("way", ["stream", "list", "table"])
def test_objects_of_other_agents_are_left_out(way: str) -> None:
    """By the UID's hash, in streams, lists and Tables, and in the changes that follow; with parts, both must agree."""
    uids = {f"pod-{number}": str(uuid5(NAMESPACE_DNS, str(number))) for number in range(40)}
    objects = [pod(name, 9, uid) for name, uid in uids.items()]
    rows = [{"kind": "Table", "rows": [{"cells": [], "object": obj}]} if way == "table" else obj for obj in objects]
    ending = bookmark(10, end=True)
    if way == "table":
        ending["object"] = {"kind": "Table", "rows": [{"cells": [], "object": ending["object"]}]}
    first: list[Step] = [stream(*[event("ADDED", row) for row in rows[:20]], ending, *[event("ADDED", row) for row in rows[20:]])]
    if way == "list":
        items = {"metadata": {"resourceVersion": "10"}, "items": objects[:20]}
        first = [refusal(400, "Invalid", NO_WATCHLIST), answer(items), stream(*[event("ADDED", row) for row in rows[20:]])]
    representation = "table" if way == "table" else "object"
    collection = Collection("/api/v1/pods", representation, part=(1, 2), keep=lambda value: value % 3 == 0)
    with reflecting(*first, collection=collection) as running:
        hashes = {name: fnv1a64(uid) for name, uid in uids.items()}
        wanted = {name for name, value in hashes.items() if value >= 1 << 63 and value % 3 == 0}
        assert {name in wanted for name in list(uids)[:20]} == {name in wanted for name in list(uids)[20:]} == {True, False}
        running.wait_held(*wanted)
        assert running.noted.failures == []


@pytest.mark.parametrize(
    ("steps", "limit", "held", "cut"),
    [
        ([answer(page("a", "b"))], 2, "ab", 0),
        ([answer(page("a", more="x")), answer(page("b"))], 9, "ab", 0),
        ([answer(page("a", "b", more="x", remaining=7))], 2, "ab", 7),
        ([answer(page("a", "b", more="x"))], 2, "ab", None),
        ([answer(page("a", "b", "c"))], 2, "ab", 1),
        ([answer(page("a", more="x")), answer(page("b", "c", more="y", remaining=3))], 2, "ab", 4),
    ],
)
def test_object_limit(steps: list[Step], limit: int, held: str, cut: int | None) -> None:
    """No more objects than the limit are taken from the list, however the server divides it; what was left out is told,
    where the server tells it. What comes later is taken."""
    with reflecting(*steps, stream(added("new", 20)), settings=replace(FAST, limit=limit)) as running:
        running.wait_held(*held, "new")
        assert running.noted.lists == ["list"]
        assert running.noted.cuts == [cut]
        assert running.server.requests[0].params["limit"] == str(limit)
        assert "sendInitialEvents" not in running.server.requests[0].params


def test_size_of_pages() -> None:
    """The first page is small; further ones have as many objects as fit into page_bytes, going by the page before, at least one."""
    first, second = page("a", "b", more="1"), page("c", more="2")
    size = len(json.dumps(first))
    settings = replace(FAST, page=100, page_bytes=3 * size // 2 + 1)
    with reflecting(refusal(400, "Invalid", NO_WATCHLIST), answer(first), answer(second), answer(page("d")), settings=settings) as running:
        running.wait_held("a", "b", "c", "d")
        limits = [request.params.get("limit") for request in running.server.requests[1:4]]
        assert limits == ["5", "3", str(settings.page_bytes // len(json.dumps(second)))]


def test_page_that_is_too_large() -> None:
    """A page of more than twice page_bytes is not read to its end: the same part of the list is requested in smaller pages, and a
    single object of any size is taken."""
    first, large = page("a", "b", more="1"), page("c", more="2")
    large["items"][0]["data"] = "x" * 5000
    settings = replace(FAST, page=100, page_bytes=600)
    steps = [answer(first), answer(large), answer(large), answer(page("d"))]
    with reflecting(refusal(400, "Invalid", NO_WATCHLIST), *steps, settings=settings) as running:
        running.wait_held("a", "b", "c", "d")
        asked = [(request.params["limit"], request.params.get("continue")) for request in running.server.requests[1:5]]
        assert asked[0] == ("5", None)
        number = int(asked[1][0])
        assert 4 <= number < 8 and asked[1:] == [(str(number), "1"), ("1", "1"), ("1", "2")]
        assert running.noted.failures == []


def test_object_limit_over_pages() -> None:
    """The last page is asked for with what is left of the limit."""
    settings = replace(FAST, limit=5, page=3)
    with reflecting(answer(page("a", "b", "c", more="x")), answer(page("d", "e", more="y")), settings=settings) as running:
        running.wait_held("a", "b", "c", "d", "e")
        requests = running.wait_requests(3)
        assert [request.params.get("limit") for request in requests] == ["3", "2", None]


def test_lists_from_the_cache() -> None:
    """use_apiserver_cache: any state will do, by stream or by pages."""
    refused = refusal(422, "Invalid", NO_WATCHLIST)
    with reflecting(refused, answer(page("a", more="x")), answer(page("b")), settings=replace(FAST, cached=True)) as running:
        running.wait_held("a", "b")
        streamed, first, second = running.server.requests[:3]
        assert streamed.params["resourceVersion"] == first.params["resourceVersion"] == "0"
        assert "resourceVersion" not in second.params


def until_resync(clock: Clock) -> Step:
    """Return a watch during which the time of RESYNC comes."""

    def step(request: Request, connection: Connection) -> None:
        clock.now += RESYNC.resync + 1
        stream(bookmark(10), stay=False)(request, connection)

    return step


def test_resync_takes_a_whole_state_again() -> None:
    """After resync_period the state is asked for anew and replaces the old one; the watch before it is bounded by it."""
    clock = Clock()
    steps = [stream(*whole("a"), stay=False), until_resync(clock), stream(*whole("b"))]
    with reflecting(*steps, settings=RESYNC, clock=clock) as running:
        running.wait_held("b")
        first, watch, again = running.server.requests[:3]
        assert watch.params["timeoutSeconds"] == "60"
        assert "sendInitialEvents" in again.params and "resourceVersion" not in again.params
        assert running.store.replaced == 2
        assert running.noted.lists == ["watch", "watch"]


def test_state_that_is_requested_during_another() -> None:
    """A state that is requested while one is taken is taken afterwards: objects of the first one may be rendered already."""
    is_requested = threading.Event()

    def first(request: Request, connection: Connection) -> None:
        is_requested.wait(30)
        stream(*whole("a"), stay=False)(request, connection)

    with reflecting(first, stream(*whole("b"))) as running:
        running.wait_requests(1)
        running.reflector.request_state()
        is_requested.set()
        running.wait_held("b")
        assert running.store.replaced == 2


def test_resync_that_fails_leaves_the_watch_where_it_was() -> None:
    """The old state is followed on from its version, and stays held, until a resync goes through."""
    clock = Clock()
    with reflecting(
        stream(*whole("a"), stay=False),
        until_resync(clock),
        *[refusal(500, "InternalError", "etcd is busy")] * 2,
        stream(added("c", 11)),
        settings=RESYNC,
        clock=clock,
    ) as running:
        running.wait_held("a", "c")
        watch = running.server.requests[4]
        assert watch.params["resourceVersion"] == "10" and "sendInitialEvents" not in watch.params
        assert running.store.replaced == 1
        assert running.noted.reasons == ["500"]


def test_resync_whose_answer_breaks_off_leaves_the_store_as_it_was() -> None:
    """Half a state replaces nothing."""
    clock = Clock()
    with reflecting(
        stream(*whole("a"), stay=False),
        until_resync(clock),
        stream(added("b", 20), stay=False),
        raw(b'{"metadata": {"resourceVersion"', stay=False),
        stream(added("c", 11)),
        settings=RESYNC,
        clock=clock,
    ) as running:
        running.wait_held("a", "c")
        assert running.store.replaced == 1


def test_another_server_is_asked_for_everything() -> None:
    """A kubeconfig that names another server leads to a new state; no resourceVersion of the old server is sent to the new one."""
    old = ScriptedServer([stream(*whole("a", "b", version=500), stay=False)]).start()
    new = ScriptedServer([stream(*whole("c", version=3), added("d", 4))]).start()
    urls, stop = [old.url], threading.Event()
    store, noted = Recorder(), Noted()
    client = Client(lambda again: Cluster(urls[-1]), Timeouts(10.0, 5.0))
    reflector = Reflector(client, Collection("/api/v1/pods"), store, noted, stop, FAST)
    thread = threading.Thread(target=reflector.run, daemon=True)
    try:
        thread.start()
        wait_for("the old state", lambda: set(store.held) == {"a", "b"}, 5)
        urls.append(new.url)
        wait_for("the new state", lambda: set(store.held) == {"c", "d"}, 5)
        assert [request.params.get("resourceVersion") for request in new.requests] == [None]
        assert "410" in noted.reasons
    finally:
        stop.set()
        new.stop()
        old.stop()
        thread.join(30)

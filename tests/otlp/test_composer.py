"""Pushes: what the arenas hold, encoded once, and the ends of series that have vanished."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from telegen.metrics.created import with_created
from telegen.metrics.family import ALPHA, FamilyGenerator, Object, counter, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore
from telegen.otlp.composer import Composer, Source
from telegen.otlp.points import encode_attribute
from telegen.otlp.prometheus_naming import PageFamily, PrometheusNaming
from telegen.otlp.requests import Limits, Naming, Origin, Push, requests
from telegen.otlp.resources import encode_resource
from telegen.otlp.semconv_naming import SemconvNaming
from telegen.shm.layout import Arena, FamilyEntry
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter
from tests.otlp.receiver import Series, points_of

FAMILIES = (
    gauge("kube_pod_value", "Value.", ALPHA, lambda obj: obj["value"]),
    counter("kube_pod_seen_total", "Seen.", ALPHA, lambda obj: obj["value"]),
    counter("container_memory_failcnt", "Failures.", ALPHA, lambda obj: obj["value"] or None),
    FamilyGenerator("kube_pod_info", "Info.", "info", ALPHA, lambda obj: None),
)
IDENTITY = (("pod", lambda obj: obj["metadata"]["uid"]),)
LARGE = Limits(10_000, 3 << 20)


def failed(family: str, error: Exception) -> None:
    """Raise errors of rendering."""
    raise error


def pod(name: str, value: int = 1) -> Object:
    """Make an object."""
    return {"metadata": {"uid": name, "resourceVersion": ""}, "value": value}


class Agent:
    """A store, and the composer of its pushes.

    Attributes:
        served: whether this agent may serve the store.
        shown: whether max_staleness leaves it on the page.
    """

    def __init__(self, arena: Arena, naming: Naming | None = None) -> None:
        self.served = self.shown = True
        self.store = MetricsStore("pods", FAMILIES, renderer(IDENTITY, FAMILIES, failed), ArenaWriter(arena, ["pods"]), 0, 4)
        origin = Origin(encode_resource({"service.name": "telegen"}), "telegen.kubestate", is_served=lambda: self.served)
        source = Source(ArenaReader(arena), origin)
        self.composer = Composer([source], naming or PrometheusNaming(), lambda family: b"", stores=lambda: lambda arena, store: self.shown)
        self.time = 0

    def push(self) -> Push:
        """Publish and compose."""
        self.store.flush()
        self.time += 1
        return self.composer.compose(self.time)


def sent(push: Push, limits: Limits = LARGE) -> dict[Series, float | None]:
    """Return the value by series of all requests, None for the last point of a series."""
    found: dict[Series, float | None] = {}
    for request in requests(push, limits):
        message = ExportMetricsServiceRequest.FromString(request.body)
        points = list(points_of(message))
        assert len(points) == request.points <= limits.points
        metrics = [metric for scope in message.resource_metrics[0].scope_metrics for metric in scope.metrics]
        assert all(metric.gauge.data_points or metric.sum.data_points for metric in metrics), "a metric without points"
        for series, time, value in points:
            assert time == push.time and series not in found
            found[series] = value
    return found


def values(push: Push, family: str = "kube_pod_value") -> dict[str, float | None]:
    """Return the value by pod of one family."""
    return {dict(labels)["pod"]: value for (name, labels), value in sent(push).items() if name == family}


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent with ten pods."""
    arena = Arena.create("watch-pods", 1 << 22)
    agent = Agent(arena)
    agent.store.replace([("ADDED", pod(f"p{number}", number)) for number in range(10)])
    yield agent


def test_push_has_every_sample(agent: Agent) -> None:
    """Each sample of the page is one point; a family without samples is not sent."""
    push = agent.push()
    assert values(push) == {f"p{number}": float(number) for number in range(10)}
    assert {name for name, _ in sent(push)} == {"kube_pod_value", "kube_pod_seen_total", "container_memory_failcnt"}


def test_types_and_units(agent: Agent) -> None:
    """A counter is a monotonic cumulative sum, one without _total a sum that no receiver renames, everything else a gauge."""
    (request,) = requests(agent.push(), LARGE)
    message = ExportMetricsServiceRequest.FromString(request.body)
    scope = message.resource_metrics[0].scope_metrics[0]
    assert (scope.scope.name, scope.scope.version) == ("telegen.kubestate", "")
    found = {metric.name: metric for metric in scope.metrics}
    total, failcnt = found["kube_pod_seen_total"].sum, found["container_memory_failcnt"].sum
    assert (total.aggregation_temporality, total.is_monotonic) == (2, True)
    assert (failcnt.aggregation_temporality, failcnt.is_monotonic) == (2, False)
    assert found["kube_pod_value"].HasField("gauge") and found["kube_pod_value"].description == "Value."
    assert {name: metric.metadata[0].value.string_value for name, metric in found.items()} == {
        "kube_pod_value": "gauge",
        "kube_pod_seen_total": "counter",
        "container_memory_failcnt": "counter",
    }


@pytest.mark.parametrize("naming", [PrometheusNaming, SemconvNaming])
def test_creation_times_of_openmetrics_are_start_times(naming: Callable[[], Naming]) -> None:
    """With openmetrics_created each sum that ends in _total has the creation of its object as its start, unless that is not known
    or in the future; nothing else changes, and a start that changes ends no series."""
    born = {"p1": 1_600_000_000.0, "p2": None, "p3": 8_000_000_000.0}
    families, render = with_created(FAMILIES, renderer(IDENTITY, FAMILIES, failed), lambda obj: born[obj["metadata"]["uid"]])
    arenas = {created: Arena.create("pods", 1 << 20) for created in (False, True)}
    stores = {
        False: MetricsStore("pods", FAMILIES, renderer(IDENTITY, FAMILIES, failed), ArenaWriter(arenas[False], ["pods"])),
        True: MetricsStore("pods", families, render, ArenaWriter(arenas[True], ["pods"])),
    }
    composers = {
        created: Composer([Source(ArenaReader(arena), Origin(b"", "s"))], naming(), lambda family: encode_attribute(b"a", b"b"))
        for created, arena in arenas.items()
    }
    for value, start in ((1, 1_600_000_000.0), (2, 1_700_000_000.0)):
        born["p1"] = start
        for store in stores.values():
            store.replace([("ADDED", pod(name, value)) for name in born])
        expected = {
            (name, one): (float(value), start if (name, one) == ("kube_pod_seen_total", "p1") else None)
            for name in ("kube_pod_value", "kube_pod_seen_total", "container_memory_failcnt")
            for one in born
        }
        with_starts, without = (starts(composers[created].compose(value)) for created in (True, False))
        assert with_starts == expected
        assert without == {series: (float(value), None) for series in expected}


def starts(push: Push) -> dict[tuple[str, str], tuple[float, float | None]]:
    """Return (value, start in Unix seconds) by (metric, pod), in any naming."""
    found = {}
    for request in requests(push, LARGE):
        for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
            for metric in resource.scope_metrics[0].metrics:
                for point in (*metric.gauge.data_points, *metric.sum.data_points):
                    labels = {item.key: item.value.string_value for item in (*resource.resource.attributes, *point.attributes)}
                    series = metric.name, labels.get("pod") or labels["k8s.pod.name"]
                    assert series not in found and not point.flags and labels["a"] == "b"
                    found[series] = point.as_double, point.start_time_unix_nano / 1e9 or None
    return found


def test_only_changed_cells_are_encoded(agent: Agent) -> None:
    """Cells of blocks without a change are the same objects in the next push."""
    before = agent.push().parts[0].metrics[0].cells
    agent.store.upsert(pod("p9", 90))
    after = agent.push().parts[0].metrics[0].cells
    assert [one is other for one, other in zip(before, after)] == [True, True, False]
    again = agent.push().parts[0].metrics[0].cells
    assert all(one is other for one, other in zip(after, again))


def test_vanished_series_end_once(agent: Agent) -> None:
    """A pod that is deleted ends in the next push and is absent from the one after it."""
    agent.push()
    agent.store.delete(pod("p3"))
    assert values(agent.push()) == {**{f"p{number}": float(number) for number in range(10)}, "p3": None}
    assert "p3" not in values(agent.push())


def test_withheld_store_ends_and_returns(agent: Agent) -> None:
    """The series of a store that max_staleness withholds end with the next push, as on the page, and begin again when it is shown."""
    agent.push()
    agent.shown = False
    assert set(values(agent.push()).values()) == {None}
    assert len(agent.push()) == 0
    agent.shown = True
    assert values(agent.push()) == {f"p{number}": float(number) for number in range(10)}


def test_relist_ends_only_what_is_gone(agent: Agent) -> None:
    """A new state that puts every pod elsewhere ends the pods that it lacks, and no other."""
    agent.push()
    agent.store.replace([("ADDED", pod(f"p{number}", 5)) for number in reversed(range(4, 12))])
    assert {name for name, value in values(agent.push()).items() if value is None} == {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize("arenas", [1, 2])
def test_series_that_moves_to_another_store_does_not_end(arenas: int) -> None:
    """A series that another store of its family has by now goes on; those that no store has end, once."""
    made = [Arena.create(f"custom-{number}", 1 << 20) for number in range(arenas)]
    writers = [ArenaWriter(arena, ["a", "b"]) for arena in made]
    render = renderer(IDENTITY, FAMILIES, failed)
    one, other = (MetricsStore(name, FAMILIES, render, writer, 0, 4) for name, writer in (("a", writers[0]), ("b", writers[-1])))
    origin = Origin(b"", "s")
    composer = Composer([Source(ArenaReader(arena), origin) for arena in made], PrometheusNaming(), lambda family: b"")
    one.replace([("ADDED", pod(name)) for name in ("p1", "p2", "p3")])
    one.flush()
    assert set(values(composer.compose(1)).values()) == {1.0}
    other.replace([("ADDED", pod(name)) for name in ("p1", "p2")])
    other.flush()
    one.withdraw()
    one.flush()
    assert values(composer.compose(2)) == {"p1": 1.0, "p2": 1.0, "p3": None}
    assert values(composer.compose(3)) == {"p1": 1.0, "p2": 1.0}


def test_entities_end_under_their_resource() -> None:
    """In the naming of the conventions too, a deleted pod ends once, under the resource that it had."""
    agent = Agent(Arena.create("watch-pods", 1 << 22), SemconvNaming())
    agent.store.replace([("ADDED", pod(f"p{number}", number)) for number in range(10)])
    before = resources(agent.push())
    assert len(before) == 10 and set(before.values()) == {False}
    agent.store.delete(pod("p3"))
    assert resources(agent.push()) == {name: name == "p3" for name in before}
    assert resources(agent.push()) == {name: False for name in before if name != "p3"}
    assert resources(agent.composer.end(9, lambda origin: True)) == {name: True for name in before if name != "p3"}


def resources(push: Push) -> dict[str, bool]:
    """Return whether all points of each pod's resource are last ones."""
    found: dict[str, bool] = {}
    for request in requests(push, LARGE):
        for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
            (name,) = [item.value.string_value for item in resource.resource.attributes if item.key == "k8s.pod.name"]
            metrics = resource.scope_metrics[0].metrics
            flags = {bool(point.flags) for metric in metrics for point in (*metric.gauge.data_points, *metric.sum.data_points)}
            assert name not in found and len(flags) == 1
            (found[name],) = flags
    return found


def test_lost_shard_ends_nothing(agent: Agent) -> None:
    """An agent that no longer serves a shard sends neither values nor ends; when it serves again, it sends what is there."""
    agent.push()
    agent.served = False
    agent.store.delete(pod("p1"))
    assert not sent(agent.push())
    agent.served = True
    assert values(agent.push()) == {f"p{number}": float(number) for number in range(10) if number != 1}


def test_ends_of_a_dropped_push_follow(agent: Agent) -> None:
    """A push that is dropped passes its ends to the next one, except those of series that are back."""
    agent.push()
    agent.store.delete(pod("p2"))
    agent.store.delete(pod("p3"))
    agent.composer.owe(agent.push())
    agent.store.upsert(pod("p3", 33))
    found = values(agent.push())
    assert (found["p2"], found["p3"]) == (None, 33.0)
    assert "p2" not in values(agent.push())


def test_one_encoder_for_the_arenas_of_a_family() -> None:
    """The arenas of several processes with one family share its encoder, which is made once and not at each push."""
    made: list[str] = []

    class Counting(PrometheusNaming):
        def family(self, entry: FamilyEntry, shared: bytes) -> PageFamily:
            made.append(entry.name)
            return super().family(entry, shared)

    naming, origin, sources = Counting(), Origin(b"", "telegen.kubestate"), []
    for number in range(2):
        arena = Arena.create(f"watch-pods-{number}", 1 << 22)
        store = MetricsStore("pods", FAMILIES, renderer(IDENTITY, FAMILIES, failed), ArenaWriter(arena, ["pods"]), 0, 4)
        store.replace([("ADDED", pod(f"p{number}"))])
        store.flush()
        sources.append(Source(ArenaReader(arena), origin))
    composer = Composer(sources, naming, lambda family: b"")
    assert {len(composer.compose(time)) for time in (1, 2)} == {6}
    assert sorted(made) == sorted(set(made))


def test_ends_that_are_owed_are_bounded(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a receiver is away and objects come and go, the memory for the ends of their series does not grow."""
    monkeypatch.setattr("telegen.otlp.composer.MOST_OWED", 5)
    for number in range(20):
        agent.store.upsert(pod(f"job-{number}"))
        agent.composer.owe(agent.push())
        agent.store.delete(pod(f"job-{number}"))
        agent.composer.owe(agent.push())
    ends = [series for series, value in sent(agent.push()).items() if value is None]
    assert 0 < len(ends) <= 5


def test_end_of_all_series(agent: Agent) -> None:
    """At the end of the agent each series gets its last point; origins that others go on with get none."""
    agent.push()
    assert set(values(agent.composer.end(9, lambda origin: True)).values()) == {None}
    assert not sent(agent.composer.end(9, lambda origin: False))


@pytest.mark.parametrize("limits", [Limits(1, 3 << 20), Limits(3, 3 << 20), Limits(1000, 2000)])
def test_limits_of_requests(agent: Agent, limits: Limits) -> None:
    """However small the requests, together they carry the same points; each push makes the same bytes again."""
    push = agent.push()
    assert sent(push, limits) == sent(push)
    assert len(list(requests(push, limits))) > 3
    assert [one.body for one in requests(push, limits)] == [one.body for one in requests(push, limits)]
    assert all(len(one.body) <= limits.size for one in requests(push, limits))


def test_writer_that_reclaims_while_the_push_reads(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is reclaimed during the copy is read again from the next snapshot."""
    agent.push()
    agent.store.upsert(pod("p0", 100))
    real, calls = ArenaReader.intact, iter([True, False])
    monkeypatch.setattr(ArenaReader, "intact", lambda reader, sequence: next(calls, True) and real(reader, sequence))
    assert values(agent.push())["p0"] == 100.0

"""The naming of the semantic conventions: names, units, instruments, attributes and resources, decoded by opentelemetry-proto."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from telegen.otlp.conventions import CGROUPS, STATE
from telegen.otlp.entities import identity_of, image_attributes
from telegen.otlp.points import encode_attribute
from telegen.otlp.reference import all_families, reference
from telegen.otlp.requests import Limits
from telegen.otlp.semconv_naming import SemconvNaming
from tests.otlp.entities import LARGE, NOW, Point, metrics_of, part_of, points_of, report
from tests.otlp.test_points import Samples, page
from tests.otlp.translation import FACTS, NOT_SENT

HERE = Path(__file__).parent
CASES = sorted((HERE / "semconv_cases").glob("*.prom"))
LIMITS = (Limits(1, 3 << 20), Limits(3, 3 << 20), Limits(10_000, 2000))
QUOTA = {"count/<resource>.<group> and pods, services, secrets, configmaps, ...": ("count/jobs.batch", "pods", "services", "secrets")}
"""Values of labels for descriptions in the facts."""


def sent(page: str, limits: Limits = LARGE, blocks: int = 1) -> list[Point]:
    """Return the points of a page."""
    return points_of(part_of(page, SemconvNaming(), blocks=blocks).requests(NOW * 10**9, limits))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_case(case: Path) -> None:
    """A page becomes the resources and points of the file beside it."""
    assert report(sent(case.read_text())) == case.with_suffix(".txt").read_text()


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_limits(case: Path, limits: Limits) -> None:
    """However small the requests, together they carry the same points, and each push makes the same bytes again."""
    part = part_of(case.read_text(), SemconvNaming())
    bodies = [request.body for request in part.requests(NOW * 10**9, limits)]
    assert report(points_of(part.requests(NOW * 10**9, limits))) == case.with_suffix(".txt").read_text()
    assert [request.body for request in part.requests(NOW * 10**9, limits)] == bodies
    assert all(len(body) <= limits.size for body in bodies) and all(one.points <= limits.points for one in part.requests(NOW, limits))


def test_every_convention_of_the_facts_is_sent_or_listed() -> None:
    """The product's table has the families of the facts, and no other."""
    assert set(CGROUPS) | set(STATE) == set(FACTS["families"]) - set(NOT_SENT)


def rows() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (family, level of the cgroup, facts) of each metric."""
    for family, facts in FACTS["families"].items():
        for metric in facts["metrics"] if family not in NOT_SENT else ():
            levels = facts.get("levels") or {"container" if family.startswith("container_") else "": metric["otel_name"]}
            for level, name in levels.items():
                yield family, level, {**metric, "otel_name": name}


OWNERS = {
    "container": {"id": "/k/podx/c1", "container": "web", "pod": "p", "namespace": "n", "name": "c1", "image": "i:1"},
    "pod": {"id": "/k/podx", "pod": "p", "namespace": "n"},
    "node": {"id": "/"},
    "system_container": {"id": "/system.slice/kubelet.service"},
}
"""Labels of a cgroup by its level."""


def labels_of(family: str, level: str, facts: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Yield (labels of a sample, attributes of its point) by the facts of a metric."""
    labels = dict(OWNERS[level]) if level else {label: f"x-{label}" for label in identity_of(family)}
    attributes = dict(facts.get("fixed_attributes", {}))
    for label, attribute in facts.get("attributes", {}).items():
        labels[label] = f"x-{label}"
        attributes[attribute.partition(" ")[0]] = f"x-{label}"
    for label, value in facts.get("only_where", {}).items():
        labels[label] = re.sub("<(.*?)>", lambda found: {"size": "2Mi"}.get(found[1], "gold"), value)
    for attribute, group in facts.get("attribute_from_resource", {}).items():
        attributes[attribute] = {"<size>": "2Mi"}.get(group, "gold")
    described = facts.get("only_where", {}).get("resource", "")
    for resource in QUOTA.get(described, ()):
        yield {**labels, "resource": resource}, {**attributes, "k8s.resourcequota.resource_name": resource}
    if family == "container_memory_failures_total":
        for label, kind in (("pgfault", "minor"), ("pgmajfault", "major")):
            yield {**labels, "failure_type": label}, {"system.paging.fault.type": kind}
    elif described not in QUOTA:
        yield labels, attributes


@pytest.mark.parametrize(("family", "level", "facts"), [pytest.param(*row, id=f"{row[0]}-{row[2]['otel_name']}") for row in rows()])
def test_metric_of_the_facts(family: str, level: str, facts: dict[str, Any]) -> None:
    """A sample becomes the metric of the facts, with its unit, its instrument and its attributes, beside the identity of its owner."""
    for labels, attributes in labels_of(family, level, facts):
        inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
        kind = "counter" if family.endswith("_total") else "gauge"
        (point,) = sent(f"# TYPE {family} {kind}\n{family}{{{inner}}} 1\n")
        expected = {key: value.lower() if key == "k8s.namespace.phase" else value for key, value in attributes.items()}
        assert (point.metric, point.kind, point.unit) == (facts["otel_name"], facts["instrument"], facts["unit"])
        assert dict(point.attributes) == expected
        identity = {attribute: labels.get(label) for label, attribute in identity_of(family).items() if not level}
        assert dict(point.resource).items() >= identity.items()
        assert level != "pod" or dict(point.resource) == {"k8s.namespace.name": "n", "k8s.pod.name": "p"}


def test_identity_of_the_facts() -> None:
    """Every family has its identity on the resource; for cgroups the facts describe in words how."""
    for entry in FACTS["identities"]:
        for family in entry["families"]:
            if not family.startswith("container_") or not entry["attributes"]:
                assert family == "container_scrape_error" or identity_of(family) == entry["attributes"], family
            else:
                assert set(identity_of(family)) == set(entry["attributes"])


def test_documents() -> None:
    """docs/semconv.md has every family, and docs/push.md their numbers and those that have a metric but are not sent under it."""
    docs = HERE.parents[1] / "docs"
    assert (docs / "semconv.md").read_text() == reference(), "run python -m telegen.otlp.reference > docs/semconv.md"
    text, every, sent = (docs / "push.md").read_text(), len(all_families()), len(CGROUPS) + len(STATE)
    assert f"{sent} of the {every} families" in text and f"the other {every - sent}," in text
    assert all(family in text for family in NOT_SENT)


def test_blocks_do_not_matter() -> None:
    """Lines of one object in several blocks come under the same resource."""
    text = (HERE / "semconv_cases" / "pods.prom").read_text()
    assert report(sent(text, blocks=3)) == report(sent(text))


def test_last_points_have_the_resource_and_the_metric_of_the_series() -> None:
    """Series that vanish, and all series at the end, get points without a value under the same resource, metric and attributes."""
    text = (HERE / "semconv_cases" / "pods.prom").read_text()
    living = sent(text)
    for limits in (LARGE, *LIMITS):
        naming = SemconvNaming()
        ended, gone = part_of(text, naming), part_of(text, naming)
        for metric in ended.metrics:
            metric.ended = True
        for metric in gone.metrics:
            metric.gone = [one for cell in metric.cells for one in metric.family.series(cell.unpack())]
            metric.cells = []
        for part in (ended, gone):
            points = points_of(part.requests(NOW * 10**9, limits))
            assert {point.value for point in points} == {None}
            assert sorted(map(identity, points)) == sorted(map(identity, living))


def identity(point: Point) -> tuple[object, ...]:
    """Return what must not change while a series lives."""
    return point.resource, point.metric, point.kind, point.unit, point.attributes


@given(Samples)
def test_kept_families_lose_no_label(samples: list[tuple[dict[str, str], float]]) -> None:
    """Any labels and values: under the name of the page, resource and point together have all labels."""
    shared = {"namespace": "shop", "pod": "p", "uid": "u"}
    given = [({**labels, **shared, "number": str(number)}, value) for number, (labels, value) in enumerate(samples)]
    points = sent(f"# TYPE kube_pod_labels gauge\n{page(given).decode()}")
    resource = (("k8s.namespace.name", "shop"), ("k8s.pod.name", "p"), ("k8s.pod.uid", "u"))
    assert {point.resource for point in points} == {resource}
    expected = [{key: text for key, text in labels.items() if text and key not in shared} for labels, _ in given]
    assert [dict(point.attributes) for point in points] == expected


def test_signal_metadata_is_on_the_points() -> None:
    """Attributes that the points of a family share are on each of them."""
    naming = SemconvNaming()
    text = '# TYPE kube_namespace_status_phase gauge\nkube_namespace_status_phase{namespace="a",phase="Active"} 1\n'
    (metric,) = metrics_of(text, naming, shared=encode_attribute(b"telegen.collector.type", b"api"))
    assert b"telegen.collector.type" in metric.cells[0].unpack()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", ("nginx", [], [])),
        ("quay.io:443/a/b:1.2", ("quay.io:443/a/b", ["1.2"], [])),
        ("quay.io:443/a/b", ("quay.io:443/a/b", [], [])),
        ("a/b:1@sha256:ff", ("a/b", ["1"], ["a/b:1@sha256:ff"])),
    ],
)
def test_images(image: str, expected: tuple[str, list[str], list[str]]) -> None:
    """Name, tag and digest of an image, with a port in its name or not."""
    assert tuple(image_attributes(image).values()) == expected

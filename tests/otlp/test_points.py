"""Encoded points mean to opentelemetry-proto what the lines of the page mean to Prometheus."""

from __future__ import annotations

import math
import struct

from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, NumberDataPoint

from telegen.metrics.lines import escape, number_text
from telegen.otlp.points import PointEncoder, encode_attribute, last_points, series_of, split, time_bytes, with_time

NAME = b"kube_pod_labels"
Texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
Labels = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True), Texts, max_size=6)
Samples = st.lists(st.tuples(Labels, st.floats()), min_size=1, max_size=12)
TIME = 1_795_860_392_400_038_000


def page(samples: list[tuple[dict[str, str], float]]) -> bytes:
    """Return the lines of samples as the renderer writes them."""
    lines = []
    for labels, value in samples:
        inner = ",".join(f'{key}="{escape(text)}"' for key, text in labels.items())
        lines.append(f"{NAME.decode()}{f'{{{inner}}}' if inner else ''} {number_text(value)}\n")
    return "".join(lines).encode()


def read(points: bytes) -> list[NumberDataPoint]:
    """Parse points as those of a gauge."""
    return list(Gauge.FromString(points).data_points)


def labels_of(point: NumberDataPoint) -> dict[str, str]:
    """Return the attributes of a point."""
    return {item.key: item.value.string_value for item in point.attributes}


@given(Samples, st.sampled_from([b"", encode_attribute(b"telegen.signal.category", b"Kubernetes State")]))
@example([({"a": '",b="\\n\\\\'}, -0.0), ({"a": "} 5", "b": "\n"}, math.inf), ({}, math.nan)], b"")
@example([({"a": "\u00ff" * 20, "b": "x" * 130}, struct.unpack("<d", b"\xff" * 8)[0])], b"")
@example([({"a": "x" * 20000}, 1.5)], b"")
def test_points_mean_what_lines_mean(samples: list[tuple[dict[str, str], float]], shared: bytes) -> None:
    """Any labels and values: each line becomes a point with its labels but the empty ones, its value and the time of the push."""
    packed, number = PointEncoder().encode(NAME, page(samples), len(shared))
    points = read(with_time(packed, shared, time_bytes(TIME)))
    extra = {"telegen.signal.category": "Kubernetes State"} if shared else {}
    assert number == len(points) == len(samples)
    for point, (labels, value) in zip(points, samples):
        assert labels_of(point) == {**{key: text for key, text in labels.items() if text}, **extra}
        assert point.as_double == float(number_text(value)) or math.isnan(value) and math.isnan(point.as_double)
        assert (point.time_unix_nano, point.start_time_unix_nano, point.flags) == (TIME, 0, 0)


@given(Samples, st.integers(1, 5))
def test_points_are_cut_and_ended(samples: list[tuple[dict[str, str], float]], most: int) -> None:
    """Groups of points join to the whole, and the last point of each series has its attributes, the time, the flag and no value."""
    encoder, shared = PointEncoder(), encode_attribute(b"telegen.collector.type", b"api")
    packed, _ = encoder.encode(NAME, page(samples), len(shared))
    groups = split(packed, most)
    assert b"".join(groups) == packed
    assert all(len(series_of(group)) <= most for group in groups)
    series = series_of(packed)
    points, ends = read(with_time(packed, shared, time_bytes(TIME))), read(last_points(series, shared, time_bytes(TIME + 1)))
    assert [labels_of(point) for point in ends] == [labels_of(point) for point in points]
    assert {(point.flags, point.WhichOneof("value"), point.time_unix_nano) for point in ends} == {(1, None, TIME + 1)}


def test_memos_are_bounded_and_can_be_dropped() -> None:
    """Points are the same from full memos, from new ones and after a memo was emptied in the middle of a line."""
    lines = b"".join(b'kube_pod_labels{pod="p-%d",namespace="shop"} %d\n' % (number, number) for number in range(40_000))
    encoder = PointEncoder()
    first, _ = encoder.encode(NAME, lines, 0)
    encoder.forget()
    assert encoder.encode(NAME, lines, 0)[0] == first
    some = read(with_time(first, b"", time_bytes(TIME)))[::10_000]
    assert [labels_of(point)["pod"] for point in some] == ["p-0", "p-10000", "p-20000", "p-30000"]

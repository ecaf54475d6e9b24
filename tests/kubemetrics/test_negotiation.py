"""Content negotiation by Accept and Accept-Encoding."""

from __future__ import annotations

import pytest

from telegen.kubemetrics.negotiation import accepts_gzip, wants_openmetrics

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_3 = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        (OPENMETRICS, True),
        (f"{OPENMETRICS}; version=1.0.0", True),
        (f'{OPENMETRICS}; version="1.0.0"', True),
        (f"{OPENMETRICS}; version=2.0.0", False),
        (f"{OPENMETRICS};q=0.5,text/plain;q=0.9", False),
        (f"text/plain;q=0.5,{OPENMETRICS};q=0.9", True),
        (f"{OPENMETRICS};q=0", False),
        (f"text/html,{OPENMETRICS.upper()};q=0.1", True),
        (PROMETHEUS_3, True),
        ("application/json", False),
    ],
)
def test_format(accept: str, openmetrics: bool) -> None:
    """OpenMetrics is sent only if the client prefers it to text."""
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", False),
        ("br", False),
        ("x-gzip", True),
    ],
)
def test_coding(accepted: str, gzip: bool) -> None:
    """gzip is sent only if the header names it."""
    assert accepts_gzip(accepted) is gzip


@pytest.mark.parametrize("quality", ["high", "2", "-1", "nan", ""])
def test_malformed_quality(quality: str) -> None:
    """An invalid quality is ignored."""
    assert wants_openmetrics(f"text/plain;q=0.9,{OPENMETRICS};q={quality}")
    assert accepts_gzip(f"gzip;q={quality}")

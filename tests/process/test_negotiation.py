"""Content negotiation by Accept and Accept-Encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegen.process.negotiation import OPENMETRICS, OPENMETRICS_DRAFT, TEXT, Format, accepts_gzip, choose_format

OM = "application/openmetrics-text"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
PROMETHEUS_2_42 = f"{OM};version=1.0.0,{OM};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    f"{OM};version=1.0.0;escaping=allow-utf-8;q=0.6,{OM};version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
CLIENTS = {
    "prometheus 2.42": (PROMETHEUS_2_42, OPENMETRICS),
    "prometheus 2.42, native histograms": (f"{PROTOBUF},{OM};version=1.0.0;q=0.8,{OM};version=0.0.1;q=0.75,*/*;q=0.1", OPENMETRICS),
    "prometheus 3": (PROMETHEUS_3, OPENMETRICS),
    "prometheus 3, native histograms": (f"{PROTOBUF};q=0.7,{PROMETHEUS_3}", OPENMETRICS),
    "prometheus 3, text only": ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4", TEXT),
    "opentelemetry collector": (PROMETHEUS_3, OPENMETRICS),
    "vmagent": ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    "vmagent, newer": ("text/plain;version=0.0.4,*/*;q=0.1", TEXT),
    "datadog": (f"{OM};version=1.0.0,{OM};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
    "datadog, text": ("text/plain", TEXT),
    "curl": ("*/*", TEXT),
    "browser": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
}


@pytest.mark.parametrize(("accept", "chosen"), CLIENTS.values(), ids=CLIENTS)
def test_clients(accept: str, chosen: Format) -> None:
    """Each client gets the format that it prefers of those that are served."""
    assert choose_format(accept) is chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", TEXT),
        (OM, OPENMETRICS),
        (f"{OM}; version=1.0.0", OPENMETRICS),
        (f'{OM}; version="1.0.0"', OPENMETRICS),
        (f"{OM}; version=0.0.1", OPENMETRICS_DRAFT),
        (f"{OM};version=0.0.1,{OM};version=1.0.0;q=0.5", OPENMETRICS_DRAFT),
        (f"{OM}; version=2.0.0", TEXT),
        (f"{OM};q=0.5,text/plain;q=0.9", TEXT),
        (f"text/plain;q=0.5,{OM};q=0.9", OPENMETRICS),
        (f"text/plain;q=0.500,{OM};q=0.501", OPENMETRICS),
        (f"text/plain,{OM}", TEXT),
        (f"{OM},text/plain", OPENMETRICS),
        (f"{OM};q=0", TEXT),
        (f"text/html,{OM.upper()};q=0.1", OPENMETRICS),
        # The most specific range counts, not the highest quality.
        (f"text/plain;q=0.1,*/*;q=0.9,{OM};q=0.5", OPENMETRICS),
        ("text/plain;q=0,*/*;q=0.5", OPENMETRICS),
        (f"{OM};version=1.0.0;q=0.2,{OM};q=0.9,text/plain;q=0.5", OPENMETRICS_DRAFT),
        ("application/*", OPENMETRICS),
        ("text/*;q=0.3,application/*;q=0.2", TEXT),
        (f"*/*;q=0.5,{OM};q=0.5", OPENMETRICS),
        ("application/json", TEXT),
        (PROTOBUF, TEXT),
        ("*/*;q=0", TEXT),
    ],
)
def test_qualities(accept: str, chosen: Format) -> None:
    """Qualities decide (RFC 9110, section 12.5.1); without an acceptable format the page is text."""
    assert choose_format(accept) is chosen


def test_content_type() -> None:
    """The Content-Type names format, version and charset."""
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0.5, identity;q=0.9", False),
        ("identity;q=0.5, gzip", True),
        ("gzip, identity", True),
        ("gzip;q=0", False),
        ("*", False),
        ("br", False),
        ("x-gzip", True),
    ],
)
def test_coding(accepted: str, gzip: bool) -> None:
    """gzip is sent only if the header names it, and does not prefer identity."""
    assert accepts_gzip(accepted) is gzip


@given(st.text() | st.lists(st.sampled_from([OM, "text/plain", "*/*", ";", ",", "q=", "0.5", "=", '"', " ", "version=1.0.0"])).map("".join))
def test_any_header_has_an_answer(header: str) -> None:
    """No header is an error."""
    assert choose_format(header) in (TEXT, OPENMETRICS, OPENMETRICS_DRAFT)
    assert accepts_gzip(header) in (True, False)


@pytest.mark.parametrize("quality", ["high", "2", "-1", "nan", ""])
def test_malformed_quality(quality: str) -> None:
    """An invalid quality is ignored."""
    assert choose_format(f"text/plain;q=0.9,{OM};q={quality}") is OPENMETRICS
    assert accepts_gzip(f"gzip;q={quality}")

"""Attributes of resources from the environment."""

from __future__ import annotations

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from telegen.otlp.event_buffer import Entry, encode_logs
from telegen.otlp.resources import resource_attributes


def test_variables_of_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables add and override attributes; pairs that are none are left out, and bytes that are not UTF-8 can be sent."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "garbage,=x,team=a%20b,raw=\udcff,service.instance.id=mine,empty=")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "name\udcff")
    found = resource_attributes("node", {"k8s.node.name": "n", "k8s.cluster.name": ""}, version=False)
    assert found == {"service.name": "name?", "service.instance.id": "mine", "k8s.node.name": "n", "team": "a b", "raw": "?"}
    assert b"name?" in encode_logs([Entry({}, LogRecord(), 1)], found)

"""Recorded Kubernetes events, sent by an agent to a real OpenTelemetry collector."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.collector import collecting
from tests.e2e.conftest import small_cluster
from tests.harness import start_agent
from tests.otlp.test_events import CASES, peer_attributes, texts
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  kube_state: {{apiserver: "{url}", resources: [nodes]}}
  cadvisor: {{enabled: false}}
  logs_streaming: {{enabled: true, flush_interval: 200ms, event_types: []}}
  otlp: {{protocol: {protocol}, endpoint: "http://127.0.0.1:{collector}"}}
"""
FIRST = {case["case"]: case["steps"][0] for case in CASES}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_collector_receives_recorded_events(tmp_path: Path, protocol: str) -> None:
    """Each recorded event arrives once by either protocol, with what the collector's own receiver makes of it.

    Events without any time arrive too.
    """
    server = small_cluster()
    server.state.define("events", "Event", "events.k8s.io/v1")
    try:
        with contextlib.ExitStack() as stack:
            collector = stack.enter_context(collecting(tmp_path))
            port = collector.grpc_port if protocol == "grpc" else collector.port
            agent = stack.enter_context(start_agent(CONFIG, url=server.url, protocol=protocol, collector=port))
            agent.wait_ready()
            # An event from before the first state is not sent.
            synced = 'telegen_store_last_sync_timestamp_seconds{store="events"}'
            wait_for("the state of events", lambda: synced in agent.page("/telemetry"), 20)
            for step in FIRST.values():
                server.state.put("events", step["event"])
            wait_for("all events", lambda: len(collector.logs()) >= len(FIRST), 30, 0.5)
            time.sleep(1)
            found: dict[str, Any] = {texts(record)["k8s.event.uid"]: (resource, record) for resource, record in collector.logs()}
            assert len(found) == len(collector.logs()) == len(FIRST)
            for case, step in FIRST.items():
                resource, record = found[step["event"]["metadata"]["uid"]]
                assert resource["service.instance.id"] == "telegen-shard-0" and record.time_unix_nano > 0, case
                if step["peer"]:
                    theirs = step["peer"]["logRecord"]
                    assert record.body.string_value == theirs["body"].get("stringValue", ""), case
                    wanted = peer_attributes(theirs["attributes"])
                    assert wanted.items() <= texts(record).items(), case
    finally:
        server.stop()

"""Settings that each kind of worker reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from telegen.config import Config, load
from telegen.supervisor.relevance import relevant

LOGS = {"logs_streaming": {"enabled": True}, "streaming": {"flush_timeout": "4s"}}


def config(folder: Path, **kube: Any) -> Config:
    """Load a configuration."""
    path = folder / "telegen.yaml"
    path.write_text(yaml.safe_dump({"kube_metrics": kube}))
    return load(str(path), {})


@pytest.mark.parametrize(
    ("kind", "before", "after", "concerns"),
    [
        ("sample", {}, {"terminations": {"enabled": False}}, True),
        ("watch", {}, {"terminations": {"enabled": False}}, False),
        ("web", {}, {"terminations": {"enabled": False}}, False),
        ("push", {}, {"terminations": {"enabled": False}}, False),
        ("events", {}, {"terminations": {"enabled": False}}, False),
        ("sample", {}, {"otlp": {"endpoint": "http://a"}}, False),
        ("sample", LOGS, {**LOGS, "otlp": {"endpoint": "http://a"}}, True),
        ("sample", LOGS, {**LOGS, "streaming": {"flush_timeout": "4s", "interval": "5s"}}, False),
        ("sample", LOGS, {"logs_streaming": {"enabled": True, "reasons": ["BackOff"]}, "streaming": LOGS["streaming"]}, False),
        ("sample", LOGS, {"logs_streaming": {"enabled": True, "namespaces": ["shop"]}, "streaming": LOGS["streaming"]}, True),
        ("sample", {**LOGS, "terminations": {"logs": False}}, {"terminations": {"logs": False}}, False),
        ("events", LOGS, {**LOGS, "otlp": {"endpoint": "http://a"}}, True),
        ("adapter", {}, {"kube_state": {"total_shards": 2}}, True),
        ("adapter", {}, {"cadvisor": {"enabled": False}, "kube_state": {"resources": ["pods"]}}, False),
    ],
)
def test_changes_concern_those_that_read_them(
    kind: str, before: dict[str, Any], after: dict[str, Any], concerns: bool, tmp_path: Path
) -> None:
    """The sampler reads the settings of logs only while it sends logs; other workers do not read those of ended containers. The
    adapter reads how many shards its answers need."""
    assert (relevant(kind, config(tmp_path, **before)) != relevant(kind, config(tmp_path, **after))) is concerns

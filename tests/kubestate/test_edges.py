"""What no API server would let the parity cases hold: fields that are absent where they usually are not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubestate.test_selection import shown

FAILED = {"type": "Failed", "status": "True"}
STARTED = "2026-01-05T08:00:00Z"


@pytest.mark.parametrize(
    ("resource", "obj", "family", "wanted"),
    [
        ("jobs", {"status": {"startTime": STARTED, "conditions": [FAILED]}}, "kube_job_duration_seconds", ""),
        (
            "jobs",
            {"status": {"startTime": STARTED, "conditions": [{**FAILED, "lastTransitionTime": "2026-01-05T08:00:09Z"}]}},
            "kube_job_duration_seconds",
            "9",
        ),
        ("jobs", {"status": {"failed": 2, "conditions": [FAILED]}}, "kube_job_status_failed", "0 0 0 2"),
        ("pods", {"spec": {"runtimeClassName": ""}}, "kube_pod_runtimeclass_name_info", "1"),
        ("pods", {"spec": {"runtimeClassName": None}}, "kube_pod_runtimeclass_name_info", ""),
        ("networkpolicies", {}, "kube_networkpolicy_created", "-62135596800"),
        ("namespaces", {"metadata": {"creationTimestamp": None}}, "kube_namespace_created", ""),
        ("namespaces", {"metadata": {"creationTimestamp": "0000-03-01T00:00:00Z"}}, "kube_namespace_created", "-62162035200"),
        ("configmaps", {"metadata": {"resourceVersion": "1000000"}}, "kube_configmap_metadata_resource_version", "1000000"),
        ("configmaps", {"metadata": {"resourceVersion": "-1.5e3"}}, "kube_configmap_metadata_resource_version", "-1500"),
        ("configmaps", {"metadata": {"resourceVersion": "1e999"}}, "kube_configmap_metadata_resource_version", ""),
        ("configmaps", {"metadata": {"resourceVersion": "abc"}}, "kube_configmap_metadata_resource_version", ""),
        ("configmaps", {"metadata": {}}, "kube_configmap_metadata_resource_version", ""),
        ("persistentvolumes", {"spec": {"capacity": None}}, "kube_persistentvolume_capacity_bytes", "0"),
        ("cronjobs", {"spec": {"schedule": "@daily"}}, "kube_cronjob_next_schedule_time", ""),
    ],
)
def test_edge(resource: str, obj: dict[str, Any], family: str, wanted: str) -> None:
    """Samples with these numbers, or none."""
    text = shown(resource, obj)[family]
    assert [line.rpartition(" ")[2] for line in text.splitlines()] == wanted.split()

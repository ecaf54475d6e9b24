"""Signal metadata: every family has an entry, and the switches select attributes."""

from __future__ import annotations

import pytest

from telegen.cadvisor.registry import NAMES, collectors_of
from telegen.cadvisor.terminations import counts as terminations
from telegen.config.model import SignalFields, SignalMetadata
from telegen.kubemetrics.signal_info import SignalInfo
from telegen.kubemetrics.signal_metadata import OTHER, SIGNALS, signal_attributes, signal_of
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.registry import RESOURCES

STATE = [family.name for resource in RESOURCES.values() for family in resource.families]
PACKED = [
    family.name
    for pack in PACKS.values()
    for kinds in (pack.resources, *pack.variants.values())
    for one in kinds
    for family in (*one.table.families, *one.described)
]
CONTAINERS = [family.name for collector in collectors_of(NAMES) for family in collector.families]
CONTAINERS += [family.name for family in terminations.FAMILIES]


@pytest.mark.parametrize("names", [STATE, PACKED, CONTAINERS], ids=["kubestate", "packs", "cadvisor"])
def test_every_family_has_an_entry(names: list[str]) -> None:
    """No family of ours falls back to the entry of custom resources."""
    assert len(names) > 100
    assert [name for name in names if signal_of(name) is OTHER] == []


@pytest.mark.parametrize(
    ("family", "subcategory"),
    [
        ("kube_pod_info", "Pod Metrics"),
        ("kube_poddisruptionbudget_status_current_healthy", "PodDisruptionBudget Metrics"),
        ("kube_podcast_info", "Custom Resource Metrics"),
        ("kube_endpointslice_ports", "EndpointSlice Metrics"),
        ("container_cpu_usage_seconds_total", "CPU Utilization"),
        ("container_last_seen", "Container Properties"),
        ("capi_machine_info", "Cluster API Metrics"),
        ("kube_customresource_widget_phase", "Custom Resource Metrics"),
        ("cert_manager_certificate_ready", "Custom Resource Metrics"),
    ],
)
def test_longest_prefix_at_a_boundary(family: str, subcategory: str) -> None:
    """A prefix ends where a word of the name ends; families without one are those of custom resources."""
    assert signal_of(family).subcategory == subcategory


def test_switches() -> None:
    """Each attribute has its switch; `enabled` turns all of them off."""
    signal = SIGNALS["kube_pod"]
    assert list(signal_attributes(signal, SignalMetadata())) == [
        "telegen.signal.category",
        "telegen.signal.subcategory",
        "telegen.source.module",
        "telegen.collector.type",
    ]
    only = SignalFields(
        enable_category=False, enable_subcategory=False, enable_source_module=False, enable_collector_type=False, enable_description=True
    )
    assert signal_attributes(signal, SignalMetadata(fields=only)) == {"telegen.signal.description": signal.description}
    assert signal_attributes(signal, SignalMetadata(enabled=False)) == {}


def test_metadata_on_the_page() -> None:
    """Each prefix is one series with the attributes as labels; without metadata there is none."""
    (info,) = SignalInfo(SignalMetadata()).collect()
    assert len(info.samples) == len(SIGNALS)
    (pod,) = [sample for sample in info.samples if sample.labels["prefix"] == "kube_pod"]
    assert pod.labels == {
        "prefix": "kube_pod",
        "signal_category": "Kubernetes State",
        "signal_subcategory": "Pod Metrics",
        "source_module": "telegen.kubestate",
        "collector_type": "api",
    }
    assert list(SignalInfo(SignalMetadata(enabled=False)).collect()) == []

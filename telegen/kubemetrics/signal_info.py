"""Signal metadata on the page of the agent's own metrics, for joins with series that were scraped."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telegen.config.model import SignalMetadata
from telegen.kubemetrics.own_families import OWN_FAMILIES
from telegen.kubemetrics.signal_metadata import SIGNALS, signal_attributes

FAMILY = OWN_FAMILIES["telegen_signal_info"]


class SignalInfo(Collector):
    """One series per prefix, with the attributes that the settings switch on as labels."""

    def __init__(self, settings: SignalMetadata) -> None:
        self._settings = settings

    def collect(self) -> Iterable[Metric]:
        """Return the table."""
        rows = {prefix: signal_attributes(signal, self._settings) for prefix, signal in SIGNALS.items()}
        labels = ["prefix", *[name.removeprefix("telegen.").replace(".", "_") for name in next(iter(rows.values()))]]
        info = GaugeMetricFamily(FAMILY.name, FAMILY.help, labels=labels)
        for prefix, attributes in rows.items():
            info.add_metric([prefix, *attributes.values()], 1)
        return [info] if self._settings.enabled else []

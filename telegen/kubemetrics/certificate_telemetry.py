"""The own metrics of the process that keeps the certificates of the adapter; see `telegen.kubemetrics.telemetry`."""

from __future__ import annotations

from collections.abc import Mapping

from telegen.kubemetrics.own_metrics import OwnMetrics


class CertificateTelemetry:
    """Ends of certificates. Create it after the process's `Telemetry`, which opens the value files."""

    def __init__(self) -> None:
        self._ends = OwnMetrics().gauge("telegen_adapter_certificate_end_timestamp_seconds")

    def note_ends(self, ends: Mapping[str, float]) -> None:
        """Set the end of each certificate in Unix seconds."""
        for certificate, end in ends.items():
            self._ends.labels(certificate).set(end)

"""Series of a page in the form of `tests.otlp.receiver`."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from tests.otlp.receiver import Series


def series_of_page(page: str) -> dict[Series, float]:
    """Return the value of each series of a page, without labels that are empty: Prometheus takes them for absent."""
    names = {re.split("[{ ]", line)[0] for line in page.splitlines()}
    return {
        # The parser appends _total to counters without it.
        (
            sample.name if sample.name in names else sample.name.removesuffix("_total"),
            tuple(sorted((key, text) for key, text in sample.labels.items() if text)),
        ): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }

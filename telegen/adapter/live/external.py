"""Sums and counts of kube_* families of the agents."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from telegen.adapter.agents.usage import FamilySample, UsageSource
from telegen.adapter.apis.answers import bad_request, failed
from telegen.adapter.apis.values import ExternalValue
from telegen.adapter.label_selectors import Requirement, SelectorError, label_selector
from telegen.adapter.quantities import rounded_thousandths

COUNT = "_count"
"""Ending of the metric that counts the samples of a family; the name of the family itself is their sum."""
MAX_AGE, RETRY = 15.0, 2.0
"""Seconds for which an answer of the agents counts, and one with a problem."""
NAMESPACE = "namespace"


class _Family(NamedTuple):
    """Samples of a family.

    Attributes:
        by_namespace: "" for those without a namespace.
        time: of the oldest part, in Unix seconds.
        problem: "" if the samples are complete.
        expires: by `time.monotonic`.
    """

    by_namespace: dict[str, list[FamilySample]]
    time: float
    problem: str
    expires: float


class LiveExternal:
    """Backend of external.metrics.k8s.io over the agents that hold the shards."""

    def __init__(self, source: UsageSource, families: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            families: names of the families that are metrics.
        """
        self._source, self._clock = source, clock
        self._metrics = {name: (family, name != family) for family in families for name in (family, family + COUNT)}
        self._read = dict[str, _Family]()
        self._locks = {family: threading.Lock() for family in families}

    def listed(self) -> Iterable[str]:
        """Return two names for each family."""
        return self._metrics

    def values(self, metric: str, namespace: str, terms: tuple[Requirement, ...]) -> list[ExternalValue]:
        """Return sum or count of the selected samples of a namespace, and of those without a namespace.

        No sample has no sum, and is counted as 0 if the family has others.

        Raises:
            StatusError.
        """
        try:
            label_selector(terms)
        except SelectorError as error:
            raise bad_request(str(error)) from error
        name, is_count = self._metrics[metric]
        family = self._family(name)
        if family.problem:
            raise failed(f"{name}: {family.problem}", True)
        samples = _selected([*family.by_namespace.get(namespace, ()), *family.by_namespace.get("", ())], terms)
        if not family.by_namespace or not (samples or is_count):
            return []
        value = rounded_thousandths(len(samples) if is_count else sum(sample.value for sample in samples))
        return [] if value is None else [ExternalValue({}, value, family.time)]

    def _family(self, name: str) -> _Family:
        """Return the samples of a family, of the agents if the last ones are too old. One thread asks, the others wait."""
        with self._locks[name]:
            found = self._read.get(name)
            if not found or self._clock() >= found.expires:
                found = self._read[name] = self._ask(name)
        return found

    def _ask(self, name: str) -> _Family:
        answer = self._source.families([name])
        by_namespace = dict[str, list[FamilySample]]()
        for sample in answer.samples.get(name, ()):
            by_namespace.setdefault(sample.labels.get(NAMESPACE, ""), []).append(sample)
        return _Family(by_namespace, answer.time, answer.problem, self._clock() + (RETRY if answer.problem else MAX_AGE))


def _selected(samples: Sequence[FamilySample], terms: Sequence[Requirement]) -> list[FamilySample]:
    return [sample for sample in samples if all(term.selects(sample.labels) for term in terms)]

"""Sums and counts of kube_* families of the agents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from telegen.adapter.agents.usage import FamiliesAnswer, FamilySample, UsageSource
from telegen.adapter.apis.answers import bad_request, failed
from telegen.adapter.apis.values import LIVE, ExternalValue
from telegen.adapter.label_selectors import Requirement, SelectorError, label_selector
from telegen.adapter.quantities import rounded_thousandths

COUNT = "_count"
"""Ending of the metric that counts the samples of a family; the name of the family itself is their sum."""
NAMESPACE = "namespace"


class _Family(NamedTuple):
    """An answer of the agents, and its samples of one family by namespace; "" for those without a namespace."""

    answer: FamiliesAnswer
    by_namespace: Mapping[str, Sequence[FamilySample]]


class LiveExternal:
    """Backend of external.metrics.k8s.io over the agents that hold the shards."""

    source = LIVE

    def __init__(self, source: UsageSource, families: Collection[str]) -> None:
        """Prepare.

        Args:
            families: names of the families that are metrics.
        """
        self._source = source
        self._metrics = {name: (family, name != family) for family in families for name in (family, family + COUNT)}
        self._grouped = dict[str, _Family]()

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
        answer, by_namespace = self._family(name)
        if answer.problem:
            raise failed(f"{name}: {answer.problem}", True)
        samples = _selected([*by_namespace.get(namespace, ()), *by_namespace.get("", ())], terms)
        if not by_namespace or not (samples or is_count):
            return []
        value = rounded_thousandths(len(samples) if is_count else sum(sample.value for sample in samples))
        return [] if value is None else [ExternalValue({}, value, answer.time)]

    def _family(self, name: str) -> _Family:
        """Return the samples of a family. The source gives the same answer for some seconds: it is divided once."""
        answer, known = self._source.families([name]), self._grouped.get(name)
        if known and known.answer is answer:
            return known
        by_namespace = dict[str, list[FamilySample]]()
        for sample in answer.samples.get(name, ()):
            by_namespace.setdefault(sample.labels.get(NAMESPACE, ""), []).append(sample)
        self._grouped[name] = found = _Family(answer, by_namespace)
        return found


def _selected(samples: Sequence[FamilySample], terms: Sequence[Requirement]) -> list[FamilySample]:
    return [sample for sample in samples if all(term.selects(sample.labels) for term in terms)]

"""Sampler that keeps its samples as text, without shared memory: for `telegen sample` and for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.labels import LabelSource, PathLabels
from telegen.cadvisor.node import Node
from telegen.cadvisor.sampler import Sampler, Target, make_render
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render


class TextSampler:
    """A sampler and the text of its last pass.

    Attributes:
        failures: readings that a family could not be generated from, by name of the family.
    """

    def __init__(self, node: Node, collectors: Iterable[AnyCollector], labels: LabelSource | None = None, linger: float = 0.0) -> None:
        """Create a sampler; the first pass reads.

        Args:
            labels: source of label values; by default the cgroup's path alone.
            linger: see `Sampler`.
        """
        self.failures: Counter[str] = Counter()
        self._labels: LabelSource = labels or PathLabels()
        self._targets: list[_TextTarget] = []
        self.sampler = Sampler(node, collectors, self._labels, self._new_target, linger=linger)

    def families(self) -> Iterator[tuple[FamilyGenerator, str]]:
        """Each family that has samples, and their text after the last pass, sorted by path of the cgroup."""
        found: dict[str, tuple[FamilyGenerator, list[str]]] = {}
        for target in self._targets:
            # Directories list cgroups in no fixed order.
            columns = zip(*[target.texts[id] for id in sorted(target.texts)])
            for family, texts in zip(target.families, columns):
                found.setdefault(family.name, (family, []))[1].extend(texts)
        for family, all_texts in found.values():
            text = "".join(all_texts)
            if text:
                yield family, text

    def page(self) -> str:
        """Run one pass; return the samples, each family after a line with its name."""
        self.sampler.sample()
        return "".join(f"# {family.name}\n{text}" for family, text in self.families())

    def exposition(self, openmetrics: bool = False) -> str:
        """Run one pass; return the samples in the exposition format."""
        self.sampler.sample()
        page = "".join(family.header(openmetrics).decode() + text for family, text in self.families())
        return page + "# EOF\n" if openmetrics else page

    def _new_target(self, collector: AnyCollector) -> Target:
        self._targets.append(_TextTarget(collector.families, make_render(collector, self._labels, self._count_failure)))
        return self._targets[-1]

    def _count_failure(self, family: str, error: Exception) -> None:
        self.failures[family] += 1


@dataclass
class _TextTarget:
    """Target that renders each object and keeps the text by cgroup."""

    families: tuple[FamilyGenerator, ...]
    render: Render
    texts: dict[str, list[str]] = field(default_factory=dict)

    def upsert(self, obj: Object) -> None:
        self.texts[obj["id"]] = self.render(obj)

    def delete(self, obj: Object) -> None:
        del self.texts[obj["id"]]

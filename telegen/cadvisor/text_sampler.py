"""Samples of the sampler as text, without shared memory: for `telegen sample` and for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from telegen.cadvisor.collector import Node, Source
from telegen.cadvisor.identity.labels import Labels, PathLabels
from telegen.cadvisor.sampler import Sampler, Target, make_render
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render


class Printed:
    """A sampler whose objects are kept as text."""

    def __init__(self, node: Node, sources: Iterable[Source], labels: Labels | None = None) -> None:
        """Prepare; nothing is read yet.

        Args:
            labels: who knows what a cgroup is called; by default its path says it all.
        """
        self.failures: Counter[str] = Counter()
        """Families that could not be made of a reading, by name."""
        self._labels: Labels = labels or PathLabels()
        self._kept: list[_Kept] = []
        self.sampler = Sampler(node, sources, self._labels, self._target)

    def families(self) -> Iterator[tuple[FamilyGenerator, str]]:
        """Each family that has samples, with them, as the last pass left them: sorted, since the order of cgroups is the
        filesystem's."""
        found: dict[str, tuple[FamilyGenerator, list[str]]] = {}
        for kept in self._kept:
            columns = zip(*[kept.texts[id] for id in sorted(kept.texts)])
            for family, texts in zip(kept.families, columns):
                found.setdefault(family.name, (family, []))[1].extend(texts)
        for family, all_texts in found.values():
            text = "".join(all_texts)
            if text:
                yield family, text

    def page(self) -> str:
        """The samples after one more pass, each family behind a line with its name."""
        self.sampler.sample()
        return "".join(f"# {family.name}\n{text}" for family, text in self.families())

    def exposition(self, openmetrics: bool = False) -> str:
        """The samples after one more pass, as a page of metrics."""
        self.sampler.sample()
        page = "".join(family.header(openmetrics).decode() + text for family, text in self.families())
        return page + "# EOF\n" if openmetrics else page

    def _target(self, source: Source) -> Target:
        self._kept.append(_Kept(source.families, make_render(source, self._labels, self._failed)))
        return self._kept[-1]

    def _failed(self, family: str, error: Exception) -> None:
        self.failures[family] += 1


@dataclass
class _Kept:
    """A target that keeps what is rendered, by cgroup."""

    families: tuple[FamilyGenerator, ...]
    render: Render
    texts: dict[str, list[str]] = field(default_factory=dict)

    def upsert(self, obj: Object) -> None:
        self.texts[obj["id"]] = self.render(obj)

    def delete(self, obj: Object) -> None:
        del self.texts[obj["id"]]

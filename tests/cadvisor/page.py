"""A pass of the sampler as the text that it becomes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from telegen.cadvisor.groups import sources
from telegen.cadvisor.labels import Labels, PathLabels
from telegen.cadvisor.sampler import Sampler, Target, make_render
from telegen.cadvisor.source import Node, Roots, Source
from telegen.config.model import Cadvisor
from telegen.metrics.family import Object
from telegen.metrics.render import OnError


class Pages:
    """Samplers whose objects are kept as text."""

    def __init__(
        self,
        node: Node,
        settings: Cadvisor = Cadvisor(),
        labels: Labels = PathLabels(),
        extra: tuple[Source, ...] = (),
    ) -> None:
        self.failures: Counter[str] = Counter()
        self._labels = labels
        self._targets: list[_Texts] = []
        self.sampler = Sampler(node, (*sources(settings), *extra), labels, self._target)

    def page(self) -> str:
        """The samples after one more pass, family by family, sorted: the order of folders is the filesystem's."""
        self.sampler.sample()
        return "".join(target.text() for target in self._targets)

    def _target(self, source: Source) -> Target:
        self._targets.append(_Texts(source, self._labels, self._failed))
        return self._targets[-1]

    def _failed(self, family: str, error: Exception) -> None:
        self.failures[family] += 1


class _Texts:
    def __init__(self, source: Source, labels: Labels, failed: OnError) -> None:
        self._families = source.families
        self._render = make_render(source, labels.names, failed)
        self._texts: dict[str, list[str]] = {}

    def upsert(self, obj: Object) -> None:
        self._texts[obj["id"]] = self._render(obj)

    def delete(self, obj: Object) -> None:
        del self._texts[obj["id"]]

    def text(self) -> str:
        """Families with samples, each behind its name."""
        columns = zip(*self._texts.values())
        parts = [(family.name, "".join(sorted(texts))) for family, texts in zip(self._families, columns)]
        return "".join(f"# {name}\n{text}" for name, text in parts if text)


def timeless(text: str) -> str:
    """A page without what depends on when the folders were made and read."""
    return re.sub(r"^(container_(start_time|creation_time|last_seen)[^ ]*) .*$", r"\1 T", text, flags=re.MULTILINE)


def sampled(root: Path) -> tuple[str, Counter[str]]:
    """The page of a folder of control files, and what the sampler counted as errors."""
    pages = Pages(Node(Roots(cgroup=str(root), proc=str(root / "no proc"), sys=str(root / "no sys"))))
    try:
        text = pages.page()
        assert not pages.failures
        return text, pages.sampler.errors
    finally:
        pages.sampler.close()


def write(root: Path, **files: str) -> None:
    """Control files in a folder; `_` in a name stands for a dot once: memory_stat."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name.replace("_", ".", 1)).write_text(content)


def v2_tree(root: Path) -> Path:
    """An empty v2 hierarchy."""
    write(root, cgroup_controllers="cpu memory\n", cpu_stat="usage_usec 5000000\n", memory_stat="anon 10\nfile 20\n")
    return root

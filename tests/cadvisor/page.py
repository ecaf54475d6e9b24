"""A pass of the sampler as the text that it becomes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.labels import LabelSource
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import enabled_collectors
from telegen.cadvisor.text_sampler import TextSampler
from telegen.config.model import Cadvisor


class Pages(TextSampler):
    """A sampler by its settings; `extra` collectors come last."""

    def __init__(
        self,
        node: Node,
        settings: Cadvisor = Cadvisor(),
        labels: LabelSource | None = None,
        extra: tuple[AnyCollector, ...] = (),
    ) -> None:
        super().__init__(node, (*enabled_collectors(settings), *extra), labels, settings.linger)


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

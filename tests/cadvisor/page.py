"""A pass of the sampler as the text that it becomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from telegen.cadvisor.families import FAMILIES, IDENTITY
from telegen.cadvisor.sampler import Roots, Sampler
from telegen.metrics.render import renderer


def page(sampler: Sampler, failures: Counter[str] | None = None) -> str:
    """The samples of one pass, family by family, sorted: the order of folders is the filesystem's."""

    def failed(family: str, error: Exception) -> None:
        assert failures is not None, f"{family}: {error}"
        failures[family] += 1

    render = renderer(IDENTITY, FAMILIES, failed)
    columns = zip(*[render(reading) for reading in sampler.sample()])
    return "".join(f"# {family.name}\n" + "".join(sorted(texts)) for family, texts in zip(FAMILIES, columns))


def sampled(root: Path, failures: Counter[str] | None = None) -> tuple[str, Counter[str]]:
    """The page of a folder of control files, and what the sampler counted as errors."""
    sampler = Sampler(Roots(cgroup=str(root)))
    try:
        return page(sampler, failures), sampler.errors
    finally:
        sampler.close()


def write(root: Path, **files: str) -> None:
    """Control files in a folder; `_` in a name stands for a dot once: memory_stat."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name.replace("_", ".", 1)).write_text(content)


def v2_tree(root: Path) -> Path:
    """An empty v2 hierarchy."""
    write(root, cgroup_controllers="cpu memory\n", cpu_stat="usage_usec 5000000\n", memory_stat="anon 10\nfile 20\n")
    return root

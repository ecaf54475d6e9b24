"""Samples of a cgroup, pass by pass."""

from __future__ import annotations

import re

from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import OPTIONAL
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages

_SAMPLE = re.compile(r"^([a-z_0-9]+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
BASE = {"container", "id", "image", "name", "namespace", "pod"}

Key = tuple[str, ...]
"""Name of a family, then the values of its own labels."""


def _node() -> Node:
    roots = Roots()
    return Node(roots, device=Devices(roots.proc, roots.sys))


class View:
    """A sampler with every group on."""

    def __init__(self) -> None:
        self._pages = Pages(_node(), Cadvisor(enabled_metrics=tuple(sorted(OPTIONAL - {"percpu"}))))

    def all(self) -> dict[str, dict[Key, float]]:
        """The samples of each cgroup after one more pass; nothing may have gone wrong with any."""
        text = self._pages.page()
        assert not self._pages.failures, self._pages.failures
        found: dict[str, dict[Key, float]] = {}
        for family, labels, value in _SAMPLE.findall(text):
            named = dict(_LABEL.findall(labels))
            own = [value for name, value in named.items() if name not in BASE]
            found.setdefault(named.get("id", ""), {})[(family, *own)] = float(value)
        return found

    def of(self, id: str) -> dict[Key, float]:
        """The samples of one cgroup after one more pass."""
        return self.all().get(id, {})

    @property
    def errors(self) -> dict[str, int]:
        """Errors since the start, by reason."""
        return dict(self._pages.sampler.errors)

    def close(self) -> None:
        """Close what is kept open."""
        self._pages.sampler.close()


def total(samples: dict[Key, float], family: str) -> float:
    """The sum over a family's own labels; fails when there is none."""
    values = [value for key, value in samples.items() if key[0] == family]
    assert values, f"no {family}"
    return sum(values)

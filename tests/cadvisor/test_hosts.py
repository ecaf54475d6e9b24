"""Hosts of many kinds, each a pair: NAME.txt has its files, NAME.prom what is right, NAME.yaml the settings if there are any.

A host has the folders `cgroup`, `proc` and `host` (its `/`). The page must have exactly the samples of NAME.prom in each family
that occurs there; other families are left out of the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.node import Node, Roots
from telegen.config.model import Cadvisor
from tests.cadvisor.page import Pages
from tests.cadvisor.trees import unpack

HOSTS = sorted((Path(__file__).parent / "hosts").glob("*.txt"))


def settings_of(host: Path, root: Path) -> Cadvisor:
    """Settings of a host that is unpacked in a folder."""
    file = host.with_suffix(".yaml")
    given = msgspec.yaml.decode(file.read_bytes()) if file.exists() else {}
    paths = {"cgroup_root": "cgroup", "proc_root": "proc", "sys_root": "sys", "root": "host"}
    return msgspec.convert({**{key: str(root / name) for key, name in paths.items()}, **given}, Cadvisor)


def make(host: Path, root: Path) -> Pages:
    """Unpack a host; its sampler, as the agent makes it."""
    unpack(host, root)
    for path in root.glob("proc/*/cmdline"):
        path.write_text(path.read_text().replace("\n", "\0"))
    settings = settings_of(host, root)
    names = make_label_resolver(settings)
    roots = Roots(settings.cgroup_root, settings.proc_root, settings.sys_root, settings.root)
    return Pages(Node(roots, facts=names, errors=names.errors), settings, names)


def samples(page: str) -> Iterator[tuple[str, str]]:
    """Yield (family, line) of each sample."""
    for line in page.splitlines():
        found = re.match(r"[a-z_0-9]+", line)
        if found:
            yield found[0], line


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.stem)
def test_host(host: Path, tmp_path: Path) -> None:
    """The samples of a host, at the first pass and at the second."""
    wanted = list(samples(host.with_suffix(".prom").read_text()))
    families = {family for family, _ in wanted}
    pages = make(host, tmp_path)
    for _ in range(2):
        found = [line for family, line in samples(pages.page()) if family in families]
        assert sorted(found) == sorted(line for _, line in wanted)
    assert not pages.failures
    pages.sampler.close()


def test_there_are_hosts() -> None:
    """Each host has its samples."""
    assert len(HOSTS) > 20 and all(host.with_suffix(".prom").exists() for host in HOSTS)

"""A real cgroup and a sampler for each test that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.real.view import View


@pytest.fixture
def cgroup() -> Iterator[OwnCgroup]:
    """A container's cgroup, gone afterwards with all in it."""
    own = OwnCgroup()
    try:
        yield own
    finally:
        own.end()


@pytest.fixture
def view() -> Iterator[View]:
    """Samples of this machine, pass by pass."""
    with closing(View()) as view:
        yield view

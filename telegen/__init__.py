"""Telegen turns the state of a Kubernetes cluster and the containers of a node into metrics.

One way for the data:

    Kubernetes object ──┐
                        ├─► families ─► rendered text ─► store (pages) ─► shared memory ─► scrape
    cgroup files ───────┘   (tables)
"""

import resource
import sys

__version__ = "0.1.0"

_ADDRESS_SPACE = 96 << 20
"""Bytes of address space that the program needs to be loaded."""


def _check_address_space() -> None:
    """End with one line where the imports that follow would fail anywhere, each time elsewhere."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _ADDRESS_SPACE:
        sys.exit(f"telegen: address space: the limit of {limit >> 20} MiB per process is too low to start; remove it (ulimit -v unlimited)")


_check_address_space()

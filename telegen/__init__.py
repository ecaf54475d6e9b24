"""Telegen turns the state of a Kubernetes cluster and the containers of a node into metrics.

One way for the data:

    Kubernetes object ──┐
                        ├─► families ─► rendered text ─► store (pages) ─► shared memory ─► scrape
    cgroup files ───────┘   (tables)
"""

__version__ = "0.1.0"

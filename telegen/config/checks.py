"""What the selection of objects and families cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from telegen.config.model import KubeState

_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile("(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LEAST_RESYNC = 10.0


def selection_problems(state: KubeState, where: str) -> Iterator[str]:
    """A line per fault, each beginning with the path of its key.

    Args:
        where: path of the section.
    """
    for key in ("namespaces", "namespaces_exclude"):
        # These become part of URLs and field selectors.
        for name in getattr(state, key):
            if not _LABEL.fullmatch(name):
                yield f"{where}.{key}: {name!r} is no name of a namespace"
    if state.node and not _SUBDOMAIN.fullmatch(state.node):
        yield f"{where}.node: {state.node!r} is no name of a node"
    narrowed = "node" if state.node else "track_unscheduled_pods" if state.track_unscheduled_pods else ""
    if narrowed and state.resources and "pods" not in state.resources:
        yield f"{where}.{narrowed}: is about pods, which resources leaves out"
    if 0 < state.resync_period < _LEAST_RESYNC:
        yield f"{where}.resync_period: must be 0s (never) or at least 10s, not {state.resync_period}"
    yield from _allowlist_problems(state, where)


def _allowlist_problems(state: KubeState, where: str) -> Iterator[str]:
    """Keys with more than one wildcard."""
    for key in ("labels_allowlist", "annotations_allowlist"):
        for resource, names in getattr(state, key).items():
            for at, name in enumerate(names):
                if name.count("*") > 1:
                    yield f"{where}.{key}.{resource}[{at}]: {name}: at most one * is allowed"

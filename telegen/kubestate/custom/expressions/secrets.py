"""Fields whose values must never be shown: expressions that could read them are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from telegen.kubestate.custom.model import ANY

_METADATA = "a Secret may be read below metadata only, its annotations excepted: kubectl keeps the values of a Secret in one of them"
_ROUTE = "it has the private key of a route; use the pack openshift, or name a field outside of spec.tls"


def secret_paths(group: str, kind: str, reads: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the cure of each field that an expression must not read.

    Args:
        kind: `*` for every kind of the group.
        reads: paths of at most two names; "" for the whole object.
    """
    for path in reads:
        if group == "" and kind in ("Secret", ANY) and (not path.startswith("metadata.") or path == "metadata.annotations"):
            yield path or "the whole object", _METADATA
        if group == "route.openshift.io" and kind in ("Route", ANY) and path in ("", "spec", "spec.tls"):
            yield path or "the whole object", _ROUTE

"""The application of adapter.agent_address in a web process, and the shards that it may answer from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from telegen.config import sampled_node
from telegen.kubemetrics.agent_app import Shards, Usage, make_agent_app
from telegen.kubemetrics.app import Asgi
from telegen.kubemetrics.exposition import published_stores
from telegen.kubemetrics.readiness import View
from telegen.kubemetrics.telemetry import Telemetry
from telegen.shm.reader import ArenaReader
from telegen.shm.store_status import REFUSALS
from workers._base import Assignment, Shared

WATCHERS = ("watch", "custom")


def make_agent_page(shared: Shared, view: View, telemetry: Telemetry) -> Asgi:
    """Create the application."""
    watchers = [one for one in shared.assignments if one.kind in WATCHERS and one.name in shared.arenas]
    names = {one.name for one in watchers}
    readers = [reader for reader in view.pages[shared.config.kube_metrics.metrics_path] if reader.name in names]
    # With containers that cannot be sampled the adapter is told so.
    node = "" if shared.config.kube_metrics.cadvisor.enabled else sampled_node(shared.config, shared.environ)
    return make_agent_app(view, readers, telemetry, Usage(shared.usage, _complete_shards(shared, view, watchers, readers), node))


def _complete_shards(shared: Shared, view: View, watchers: Sequence[Assignment], readers: Sequence[ArenaReader]) -> Shards:
    """Return a function that gives the shards that this agent serves and whose stores have all been published."""

    def number(one: Assignment) -> int:
        if one.lease_shard is not None:
            return one.lease_shard
        return (shared.shard.read() or one.agent_shard)[0]

    def is_complete(one: Assignment, published: set[tuple[str, str]]) -> bool:
        statuses = view.statuses.get(one.name)
        return view.is_served(one.name) and all(
            (one.name, store) in published or (statuses is not None and statuses[store].read().kind in REFUSALS) for store in one.stores
        )

    def complete() -> Sequence[int]:
        published = published_stores(readers)
        found: dict[int, list[bool]] = defaultdict(list)
        for one in watchers:
            found[number(one)].append(is_complete(one, published))
        return sorted(shard for shard, states in found.items() if all(states))

    return complete

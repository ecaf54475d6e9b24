"""Aggregates of a running agent whose objects change fast, beside the death of its worker, new rules, lost watches and another shard."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telegen.demo.server import SimulatedServer
from telegen.demo.state import State
from telegen.kubestate.sharding import shard_of
from tests.bench.custom_cluster import DEFINITIONS, definition
from tests.e2e.test_expressions import CONFIG
from tests.harness import replace_file, start_agent

ENTRY = """
metrics:
- resource: {group: bench.example, kind: Thing0}
  prefix: all
  metrics:
  - {name: things, aggregate: count, by: {app: metadata.labels.app}}
  - {name: sum, aggregate: sum, value: spec.n, by: {app: metadata.labels.app}}
  - {name: low, aggregate: %s, value: spec.n, by: {app: metadata.labels.app}}
  - {name: items, aggregate: sum, value: v, forEach: [{in: spec.items, as: v}]}
"""
Values = dict[str, float]
Change = Callable[[], None]


class Things:
    """Objects that change at random, the same ones in every run."""

    def __init__(self, state: State) -> None:
        self._state, self._random, self._made = state, random.Random(25), 0
        self.objects: dict[str, dict[str, Any]] = {}

    def change(self, times: int) -> None:
        """Create, change and delete objects."""
        for _ in range(times):
            if not self.objects or self._random.random() < 0.4:
                self._made += 1
                self._put(f"thing-{self._made}")
            elif self._random.random() < 0.6:
                self._put(self._random.choice(list(self.objects)))
            else:
                name = self._random.choice(list(self.objects))
                del self.objects[name]
                self._state.delete("things0", "shop", name)

    def _put(self, name: str) -> None:
        draw = self._random
        metadata = {"name": name, "namespace": "shop", "uid": name, "labels": {"app": f"app-{draw.randrange(5)}"}}
        spec = {"n": draw.choice([draw.randrange(-9, 9), draw.random() * 10**6, 0.1]), "items": [draw.randrange(9)] * draw.randrange(4)}
        self.objects[name] = {"apiVersion": "bench.example/v1", "kind": "Thing0", "metadata": metadata, "spec": spec}
        self._state.put("things0", self.objects[name])

    def aggregates(self, extreme: Callable[[list[float]], float], shard: int, total: int) -> Values:
        """Return the series that an agent of a shard has."""
        mine = [one for one in self.objects.values() if shard_of(one["metadata"]["uid"], total) == shard]
        own = f'shard="{shard}",' if total > 1 else ""
        found: Values = {}
        for app in {one["metadata"]["labels"]["app"] for one in mine}:
            numbers = [one["spec"]["n"] for one in mine if one["metadata"]["labels"]["app"] == app]
            for name, value in (("things", len(numbers)), ("sum", round(math.fsum(numbers), 3)), ("low", round(extreme(numbers), 3))):
                found[f'all_{name}{{{own}app="{app}"}}'] = value
        items = [item for one in mine for item in one["spec"]["items"]]
        labels = f"{{{own.rstrip(',')}}}" if own else ""
        return {**found, **({f"all_items{labels}": sum(items)} if items else {})}


def shown(page: str) -> Values:
    """Return the aggregates on a page."""
    return {name: round(float(value), 3) for name, value in re.findall(r"^(all_\S+) (\S+)$", page, re.MULTILINE)}


def test_churn(tmp_path: Path) -> None:
    """After each attack the aggregates are those of the objects that there are."""
    folder = tmp_path / "custom.d"
    folder.mkdir()
    file = folder / "aggregates.yaml"
    file.write_text(ENTRY % "min")
    state = State()
    state.define(DEFINITIONS, "CustomResourceDefinition", "apiextensions.k8s.io/v1")
    state.define("things0", "Thing0", "bench.example/v1")
    state.put(DEFINITIONS, definition(0))
    server, things = SimulatedServer(state).start(), Things(state)
    try:
        things.change(300)
        with start_agent(CONFIG, api=server.url, folder=folder) as agent:
            agent.wait_ready(40)

            def killed() -> None:
                for one in agent.named("telegen-watch-custom"):
                    one.kill()

            def compacted() -> None:
                state.compact()
                state.end_watches()

            def in_shard(shard: int, total: int) -> Change:
                setting = f"  kube_state:\n    shard: {shard}\n    total_shards: {total}\n"
                text = re.sub(r"  kube_state:\n(    shard: .*\n    total_shards: .*\n)?", setting, agent.config.read_text())
                return lambda: agent.configure(text) and None

            attacks: list[tuple[str, Change, tuple[Any, int, int]]] = [
                ("changes alone", lambda: None, (min, 0, 1)),
                ("the death of the worker", killed, (min, 0, 1)),
                ("lost watches", state.end_watches, (min, 0, 1)),
                ("another aggregate", lambda: replace_file(file, ENTRY % "max"), (max, 0, 1)),
                ("lost watches whose versions are too old", compacted, (max, 0, 1)),
                ("a shard", in_shard(0, 2), (max, 0, 2)),
                ("another shard", in_shard(1, 2), (max, 1, 2)),
                ("the death of the worker of a shard", killed, (max, 1, 2)),
                ("one shard again", in_shard(0, 1), (max, 0, 1)),
            ]
            for name, attack, (extreme, shard, total) in attacks:
                things.change(200)
                attack()
                things.change(200)
                agent.wait_page(name, lambda page: shown(page) == things.aggregates(extreme, shard, total), 30)
    finally:
        server.stop()

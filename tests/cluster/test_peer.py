"""Random objects of the API's schema, rendered by the agent and by kube-state-metrics."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from telegen.cli.render import ObjectRenderer
from telegen.config.model import KubeState
from telegen.demo.server import SimulatedServer
from telegen.kubestate.registry import DEFAULT, RESOURCES
from telegen.kubestate.selectors import Selection
from telegen.kubestate.sharding import shard_of
from telegen.supervisor.run_options import parse_run_options, parser
from tests.cluster.binaries import PEER, need
from tests.cluster.peer import palatable, peer, serving
from tests.harness import start_agent
from tests.kubestate.parity import Page as Parsed
from tests.kubestate.parity import difference, parse
from tests.kubestate.schema_objects import Variation, random_object
from tests.kubestate.test_parity import OURS
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
EACH = 60
"""Number of random objects per resource."""
OPT_IN = ",".join(family.name for table in RESOURCES.values() for family in table.families if family.opt_in)
FLAGS: Mapping[str, Sequence[str]] = {
    "default": (),
    "everything": ("--metric-labels-allowlist=*=[*]", "--metric-annotations-allowlist=*=[*]", f"--metric-opt-in-list={OPT_IN}"),
    "some": (
        "--metric-labels-allowlist=pods=[app*,*role,team],nodes=[*plane,a*],namespaces=[app-name,app_name,appName]",
        "--metric-annotations-allowlist=deployments=[*],*=[team,app]",
        "--metric-denylist=kube_pod_container_.*,^kube_node_status,_created$",
        "--metric-opt-in-list=kube_pod_nodeselectors",
    ),
    "shard": ("--shard=1", "--total-shards=3"),
}
"""Sets of flags; both programs get the same ones."""
USUAL = f"--resources={','.join(name for name in DEFAULT if name != 'endpoints')}"
"""Flag for the resources that kube-state-metrics watches by default."""
RUNNING = (
    (USUAL, "--namespaces=ns-0,ns-2"),
    (USUAL, "--namespaces-denylist=ns-1"),
    ("--resources=pods", "--node=node-1"),
    ("--resources=pods", "--track-unscheduled-pods"),
    ("--resources=configmaps,pods,leases", "--metric-allowlist=^kube_(configmap|pod_(info|labels|status_phase)),_renew_"),
    (USUAL, "--use-apiserver-cache", "--metric-labels-allowlist=pods=[*],jobs=[app]", "--shard=0", "--total-shards=2"),
)
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  cadvisor: {{enabled: false}}
"""


def test_its_flags_are_ours() -> None:
    """The agent accepts each flag that `kube-state-metrics --help` lists."""
    help = subprocess.run([*need([PEER], os.environ), "--help"], capture_output=True, text=True, timeout=200, check=True).stdout
    theirs = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", help, re.MULTILINE))
    assert len(theirs) > 50
    assert theirs <= {option for action in parser()._actions for option in action.option_strings}


def drawn(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield random objects of all resources, each with its own name and UID."""
    chance = random.Random(seed)
    for resource, table in RESOURCES.items():
        for number in range(EACH):
            optional, null = chance.choice((0.0, 0.3, 0.5, 0.7, 0.95, 1.0)), chance.choice((0.0, 0.3, 1.0))
            variation = Variation(chance.randrange(2**32), optional, null, chance.randint(1, 4))
            obj = random_object(resource, table.api_version, table.kind, variation)
            obj["metadata"].update(name=f"n{number}", namespace=f"ns-{number % 3}", uid=f"{resource}-{number}")
            if resource == "pods":
                obj["spec"] = {**(obj.get("spec") or {}), "nodeName": ("", "node-1", "node-2")[number // 3 % 3]}
            yield resource, palatable(obj)


def page_of(server: SimulatedServer, state: KubeState) -> str:
    """Return the page that the agent would serve for the server's objects."""
    page = ObjectRenderer(RESOURCES.values(), Selection.of(state))
    for collection in server.state.collections.values():
        for obj in [stored.load() for stored in collection.objects.values()]:
            if shard_of(obj["metadata"]["uid"], state.total_shards) == state.shard:
                page.add(obj)
    assert not page.errors
    return "".join(page.lines(False))


@pytest.mark.parametrize("variant", FLAGS)
def test_same_series_as_kube_state_metrics(variant: str, tmp_path: Path) -> None:
    """For about 2,300 objects and the same flags both programs serve the same families, types, series and values."""
    flags = FLAGS[variant]
    state = parse_run_options(flags, {}).source.load().kube_metrics.kube_state
    resources = f"--resources={','.join(RESOURCES)}"
    seed = list(FLAGS).index(variant)
    with serving(drawn(seed)) as server, peer(tmp_path / "log", f"--apiserver={server.url}", resources, *flags) as other:
        ours = {name: family for name, family in parse(page_of(server, state)).items() if name not in OURS}
        become_alike(other.page, lambda: ours)
    assert sum(len(series) for _, series in ours.values()) > 3000


def become_alike(theirs: Callable[[], str], ours: Callable[[], Parsed]) -> None:
    """Wait until both pages have the same content."""
    left: list[str] = []

    def alike() -> bool:
        left[:] = difference(parse(theirs()), ours())
        return not left

    try:
        wait_for("the same page", alike, 10, 0.5)
    except TimeoutError:
        pytest.fail("\n".join([f"{len(left)} differences", *left[:40]]))


@pytest.mark.parametrize("flags", RUNNING, ids=lambda flags: " ".join(flags[1:]))
def test_running_agent_takes_the_same_objects(flags: Sequence[str], tmp_path: Path) -> None:
    """An agent with kube-state-metrics' flags serves the same page, where flags select objects in requests to the API server."""
    with serving(drawn(7)) as server, peer(tmp_path / "log", f"--apiserver={server.url}", *flags) as other:
        with start_agent(CONFIG, f"--apiserver={server.url}", *flags) as agent:

            def ours() -> Parsed:
                page = parse(agent.page_if_up())
                return {name: family for name, family in page.items() if name.startswith("kube_") and name not in OURS}

            agent.wait_ready(30)
            become_alike(other.page, ours)
            assert sum(len(series) for _, series in ours().values()) > 100

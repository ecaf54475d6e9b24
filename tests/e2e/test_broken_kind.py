"""A kind of custom resources that the API server cannot list any more, beside another one."""

from __future__ import annotations

import re
import threading

from telegen.demo.errors import Refusal
from telegen.demo.server import SimulatedServer
from tests.bench.custom_cluster import make_state
from tests.harness import start_agent

CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  max_staleness: 10s
  kube_state:
    apiserver: {api}
    custom_resource_state: {{health: auto, only: true}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 50ms, backoff_max: 500ms}}
"""


def kinds(page: str) -> set[str]:
    """Return the kinds of which objects are on a page."""
    return set(re.findall(r'^telegen_customresource_ready\{.*kind="(\w+)"', page, re.MULTILINE))


def test_broken_kind_costs_its_own_series() -> None:
    """With max_staleness the series of a kind that cannot be listed end; another kind stays, the agent is ready and names the cause.
    Its series return with the kind."""
    state = make_state(2, 3)
    server, broken = SimulatedServer(state).start(), threading.Event()
    is_allowed = server.levers.check

    def check(resource: str) -> None:
        if broken.is_set() and resource == "things0":
            raise Refusal(500, "InternalError", "conversion webhook failed")
        is_allowed(resource)

    server.levers.check = check  # type: ignore[method-assign]
    try:
        with start_agent(CONFIG, api=server.url) as agent:
            agent.wait_ready(40)
            agent.wait_page("both kinds", lambda page: kinds(page) == {"Thing0", "Thing1"})
            broken.set()
            state.end_watches()
            agent.wait_page("one kind", lambda page: kinds(page) == {"Thing1"}, 20)
            assert re.match("ok\n.*things0: 500 .*conversion webhook failed", agent.page("/readyz"), re.DOTALL)
            broken.clear()
            agent.wait_page("both kinds again", lambda page: kinds(page) == {"Thing0", "Thing1"})
    finally:
        server.stop()

"""Custom resources of a real API server: the agent beside kube-state-metrics, with the same files."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from telegen.cli.main import main
from tests.cluster.control_plane import ADMIN, ControlPlane
from tests.cluster.custom_resources import DEFINITIONS, definition, install, installed_case, is_served, put, uninstall
from tests.cluster.peer import Peer, peer
from tests.harness import Agent, get, replace_file, start_agent
from tests.kubestate.custom import drawn
from tests.kubestate.custom.pages import difference, parse
from tests.kubestate.parity import repeated
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CASES = sorted(path for path in (Path(__file__).parents[1] / "kubestate" / "custom" / "cases").iterdir())
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    kubeconfig: {kubeconfig}
    custom_resource_state: {{config_file: {file}, only: true}}
  cadvisor: {{enabled: false}}
api: {{backoff_initial: 100ms, backoff_max: 1s}}
"""


def become_alike(agent: Agent, other: Peer, timeout: float = 30) -> None:
    """Wait until both pages have the same content, each series once on the agent's."""
    left: list[str] = ["no page"]

    def alike() -> bool:
        page = agent.page_if_up()
        left[:] = difference(parse(other.page()), parse(page)) + repeated(page) if page else ["no page"]
        return not left

    try:
        wait_for("the same page", alike, timeout, 0.5)
    except TimeoutError:
        pytest.fail("\n".join([f"{len(left)} differences", *left[:40]]))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_same_page_as_kube_state_metrics(case: Path, control_plane: ControlPlane, tmp_path: Path) -> None:
    """For the definitions, the objects and the configuration of each case, both programs serve the same families and series."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    file = case / "config.yaml"
    flags = [f"--kubeconfig={kubeconfig}", "--custom-resource-state-only", f"--custom-resource-state-config-file={file}"]
    with installed_case(control_plane, case), peer(tmp_path / "log", *flags) as other:
        with start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(30)
            wait_for("the page of kube-state-metrics", lambda: "# TYPE" in other.page(), 30, 0.2)
            become_alike(agent, other)


PAGES: list[int] = []
"""Sizes of the pages of drawn configurations; the first one that hypothesis draws is the simplest."""


@settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(config=drawn.configurations("churn.example", "Drawn"), bodies=st.lists(drawn.BODIES, min_size=6, max_size=12))
def test_drawn_configurations(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, config: Any, bodies: Any) -> None:
    """For drawn configurations of 30 metrics and drawn objects, both programs serve the same families and series."""
    folder = tmp_path_factory.mktemp("drawn")
    kubeconfig, file = control_plane.kubeconfig(folder / "kubeconfig", ADMIN), folder / "custom.yaml"
    file.write_text(json.dumps(config))
    flags = [f"--kubeconfig={kubeconfig}", "--custom-resource-state-only", f"--custom-resource-state-config-file={file}"]
    try:
        install(control_plane, [definition(GROUP, "Drawn")])
        for number, body in enumerate(bodies):
            metadata = {"name": f"n{number}", "namespace": "churn", "labels": {"app": f"a{number % 3}", "team": "x"}}
            obj = {"apiVersion": f"{GROUP}/v1", "kind": "Drawn", "metadata": metadata, "spec": body}
            put(control_plane, f"/apis/{GROUP}/v1/drawns", obj)
        with peer(folder / "log", *flags) as other, start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(30)
            wait_for("the page of kube-state-metrics", lambda: "# TYPE" in other.page(), 30, 0.2)
            become_alike(agent, other)
            PAGES.append(len(agent.page()))
            assert len(PAGES) < 3 or max(PAGES) > 5000
    finally:
        uninstall(control_plane, [f"drawns.{GROUP}"])


GROUP = "churn.example"
ENTRY = """
  - groupVersionKind: {{group: churn.example, version: "*", kind: {kind}}}
    metricNamePrefix: {prefix}
    labelsFromPath: {{name: [metadata, name], namespace: [metadata, namespace]}}
    metrics:
    - {{name: size, help: Size, each: {{type: Gauge, gauge: {{path: [spec, size]}}}}}}
"""


def configuration(**prefixes: str) -> str:
    """Return a configuration with an entry per kind, each with its prefix."""
    return "spec:\n  resources:\n" + "".join(ENTRY.format(kind=kind, prefix=prefix).lstrip("\n") for kind, prefix in prefixes.items())


class Scrapes:
    """Scrapes an agent continuously; every page must be whole.

    Attributes:
        wanted: number of series on every page by a pattern of their lines; another dict may replace it at any time.
    """

    def __init__(self, agent: Agent, wanted: Mapping[str, int]) -> None:
        self._agent, self.wanted = agent, wanted
        self.count = 0
        self.faults: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            # The dict of now: a page that was requested before is not judged by a later one.
            wanted = self.wanted
            answer = get(f"{self._agent.url}/metrics")
            page = answer.body.decode()
            self.count += 1
            found = {pattern: len(re.findall(rf"^{pattern}", page, re.MULTILINE)) for pattern in wanted}
            if answer.status != 200 or found != wanted or repeated(page):
                self.faults.append(f"{answer.status}: {found} instead of {wanted}, twice: {repeated(page)}: {page[:2000]}")
            time.sleep(0.02)

    @classmethod
    @contextlib.contextmanager
    def running(cls, agent: Agent, wanted: Mapping[str, int]) -> Iterator[Scrapes]:
        """Scrape until the end of the context, at least 20 times; fail if a page had a fault."""
        scrapes = cls(agent, wanted)
        scrapes._thread.start()
        try:
            yield scrapes
            wait_for("more pages", lambda: scrapes.count > 20, 20)
        finally:
            scrapes._stop.set()
            scrapes._thread.join(90)
        assert not scrapes.faults, scrapes.faults[0]


def put_sizes(plane: ControlPlane, kind: str, count: int, version: str = "v1") -> None:
    """Create objects of a kind, with their number as size."""
    for number in range(count):
        metadata = {"name": f"n{number}", "namespace": "churn"}
        obj = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata, "spec": {"size": number}}
        put(plane, f"/apis/{GROUP}/{version}/{kind.lower()}s", obj)


def series(page: str, family: str) -> int:
    """Return the number of series of a family."""
    return len(re.findall(rf"^{family}\{{", page, re.MULTILINE))


def test_kinds_come_and_go(control_plane: ControlPlane, tmp_path: Path) -> None:
    """A kind appears, is deleted, returns and gets another version while the agent is scraped: its series follow within seconds, and
    those of the other kind are on every page exactly once. An absent kind is a line on /readyz and no error."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    file = tmp_path / "custom.yaml"
    file.write_text(configuration(Steady="steady", Fickle="fickle", Ghost="ghost"))
    names = [f"steadys.{GROUP}", f"fickles.{GROUP}"]
    try:
        install(control_plane, [definition(GROUP, "Steady")])
        put_sizes(control_plane, "Steady", 3)
        with start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(20)
            assert "churn.example/* Ghost: the API server does not serve it" in agent.page("/readyz")
            with Scrapes.running(agent, {"steady_size": 3}):
                for _ in range(2):
                    install(control_plane, [definition(GROUP, "Fickle")])
                    put_sizes(control_plane, "Fickle", 4)
                    agent.wait_page("the kind that was installed", lambda page: series(page, "fickle_size") == 4, 15)
                    uninstall(control_plane, [f"fickles.{GROUP}"])
                    agent.wait_page("the end of the kind", lambda page: series(page, "fickle_size") == 0, 15)
                install(control_plane, [definition(GROUP, "Fickle", ("v1", "v2"))])
                put_sizes(control_plane, "Fickle", 2, "v2")
                agent.wait_page("the kind in two versions", lambda page: series(page, "fickle_size") == 4, 15)
    finally:
        uninstall(control_plane, names)


def test_reload(control_plane: ControlPlane, tmp_path: Path) -> None:
    """A changed entry replaces the series of its kind at once, without a gap and without a list of the other kind; a broken file
    changes nothing."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN)
    file = tmp_path / "custom.yaml"
    file.write_text(configuration(Steady="steady", Fickle="before"))
    try:
        install(control_plane, [definition(GROUP, "Steady"), definition(GROUP, "Fickle")])
        put_sizes(control_plane, "Steady", 3)
        put_sizes(control_plane, "Fickle", 3)
        with start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(20)
            with Scrapes.running(agent, {"steady_size": 3, "(before|after|later)_size": 3}) as scrapes:
                for prefix in ("after", "later"):
                    replace_file(file, configuration(Steady="steady", Fickle=prefix))
                    agent.wait_page("the changed entry", lambda page: series(page, f"{prefix}_size") == 3, 10)
                    assert series(agent.page(), "before_size") == 0
                replace_file(file, "spec: {resources: [{}]}")
                wait_for("the refusal", lambda: "reload failed: " in agent.log.read_text(), 10)
                assert series(agent.page(), "later_size") == 3
                scrapes.wanted = {"steady_size": 3}
                replace_file(file, configuration(Steady="steady"))
                agent.wait_page("the end of the entry", lambda page: series(page, "later_size") == 0, 10)
            counted = r'telegen_api_lists_total\{by="\w+",store="customresources/churn.example/v1,(\w+)"\} (\S+)'
            lists = re.findall(counted, agent.page("/telemetry"))
            assert dict(lists) == {"steadys": "1.0", "fickles": "3.0"}
    finally:
        uninstall(control_plane, [f"steadys.{GROUP}", f"fickles.{GROUP}"])


def test_rights(control_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the ClusterRole of `telegen custom rbac` every kind is served. Without the rules of half of the kinds the others are on every
    page, and each refused kind is a metric and a line on /readyz, until the rights are granted."""
    kubeconfig = control_plane.kubeconfig(tmp_path / "admin", ADMIN)
    file = tmp_path / "custom.yaml"
    kinds = ("Alpha", "Beta", "Gamma", "Delta")
    file.write_text(configuration(**{kind: kind.lower() for kind in kinds}))
    names = [f"{kind.lower()}s.{GROUP}" for kind in kinds]
    try:
        install(control_plane, [definition(GROUP, kind) for kind in kinds])
        for kind in kinds:
            put_sizes(control_plane, kind, 2)
        assert main(["custom", "rbac", str(file), "--against-cluster", "--kubeconfig", str(kubeconfig)]) == 0
        role, binding = yaml.safe_load_all(capsys.readouterr().out)
        control_plane.agent_token()
        control_plane.apply([role, binding])
        try:
            token = control_plane.kubeconfig(tmp_path / "agent", control_plane.agent_token())
            with start_agent(CONFIG, kubeconfig=token, file=file) as agent:
                agent.wait_ready(20)
                assert all(series(agent.page(), f"{kind.lower()}_size") == 2 for kind in kinds)
            rules = [{**rule, "resources": [one for one in rule["resources"] if one not in ("alphas", "gammas")]} for rule in role["rules"]]
            control_plane.patch(role, {"rules": rules})
            with start_agent(CONFIG, kubeconfig=token, file=file) as agent:
                agent.wait_ready(20)
                page, ready, own = agent.page(), agent.page("/readyz"), agent.page("/telemetry")
                for kind, refused in zip(kinds, itertools.cycle((True, False))):
                    assert series(page, f"{kind.lower()}_size") == (0 if refused else 2)
                    assert (f",{kind.lower()}s: 403 Forbidden: no right to" in ready) == refused
                    assert (f'telegen_customresource_forbidden{{group="{GROUP}",resource="{kind.lower()}s"}} 1.0' in own) == refused
                with Scrapes.running(agent, {"beta_size": 2, "delta_size": 2}):
                    # Some further attempts of the refused ones.
                    time.sleep(2)
                    control_plane.patch(role, {"rules": role["rules"]})
                    agent.wait_page("all kinds", lambda page: series(page, "(alpha|beta|gamma|delta)_size") == 8, 10)
                wait_for("the end of the lines", lambda: "403" not in agent.page("/readyz"), 10)
                refusal = re.compile(r"telegen_customresource_forbidden\{.*\} 1")
                wait_for("the end of the metric", lambda: not refusal.search(agent.page("/telemetry")), 10)
        finally:
            control_plane.delete(binding)
            control_plane.delete(role)
    finally:
        uninstall(control_plane, names)


def test_two_hundred_kinds(control_plane: ControlPlane, tmp_path: Path) -> None:
    """200 definitions that are installed while the agent runs are all shown, by one entry for the group; half of them are deleted, and
    the series of the others, and of another group, are on every page."""
    kubeconfig, file = control_plane.kubeconfig(tmp_path / "kubeconfig", ADMIN), tmp_path / "custom.yaml"
    entry = ENTRY.format(kind='"*"', prefix="many").replace("churn.example", "many.example")
    file.write_text(configuration(Steady="steady") + entry.lstrip("\n"))
    kinds = [f"Kind{number}" for number in range(200)]
    try:
        install(control_plane, [definition(GROUP, "Steady")])
        put_sizes(control_plane, "Steady", 1)
        with start_agent(CONFIG, kubeconfig=kubeconfig, file=file) as agent:
            agent.wait_ready(20)
            with Scrapes.running(agent, {"steady_size": 1}) as scrapes:
                for kind in kinds:
                    control_plane.request("POST", DEFINITIONS, definition("many.example", kind))
                for kind in kinds:
                    path = f"/apis/many.example/v1/{kind.lower()}s"
                    wait_for(kind, lambda: is_served(control_plane, path), 60, 0.1)
                    head = {"apiVersion": "many.example/v1", "kind": kind, "metadata": {"name": "x", "namespace": "churn"}}
                    put(control_plane, path, {**head, "spec": {"size": 7}})
                agent.wait_page("all kinds", lambda page: series(page, "many_size") == len(kinds), 40)
                scrapes.wanted = {"steady_size": 1, r'many_size\{.*kind="Kind\d*[13579]"': len(kinds) // 2}
                for kind in kinds[::2]:
                    control_plane.request("DELETE", f"{DEFINITIONS}/{kind.lower()}s.many.example")
                agent.wait_page("the other half", lambda page: series(page, "many_size") == len(kinds) // 2, 60)
    finally:
        uninstall(control_plane, [f"steadys.{GROUP}", *(f"{kind.lower()}s.many.example" for kind in kinds)])

"""All packs on one real API server: the rights of their components, and the page of an agent that has no others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from telegen.cli.custom_objects import custom_parts
from telegen.cli.render import ObjectRenderer
from telegen.kubestate.custom.sources import CustomTables
from telegen.kubestate.packs.registry import NAMES, PACKS
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection
from tests.cluster.control_plane import ControlPlane, Object, Refused
from tests.cluster.custom_resources import DEFINITIONS, definition, is_served, put, uninstall
from tests.harness import start_agent
from tests.kubestate.custom.pages import Page, difference, parse
from tests.kubestate.parity import repeated
from tests.process_tree import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "kubestate" / "packs" / "cases"
CONFIG = """
kube_metrics:
  listen_address: 127.0.0.1:{port}
  scope: cluster
  kube_state:
    kubeconfig: {kubeconfig}
    custom_resource_state: {{packs: [auto], health: none, only: true}}
  cadvisor: {{enabled: false}}
"""
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
APPROVED = {"api-approved.kubernetes.io": "unapproved, for a test"}
TABLES = {(one.table.group, one.table.kind): one.table for pack in PACKS.values() for one in pack.resources}


class Served(NamedTuple):
    """Objects of the API server, and the page of the agent.

    Attributes:
        stored: objects of each kind, by group and kind.
    """

    stored: dict[tuple[str, str], list[Object]]
    page: str


def definitions() -> list[Object]:
    """Return the definitions of the kinds of all packs, in all versions that a pack reads; the preferred one is stored."""
    found = []
    for one in (one for pack in PACKS.values() for one in pack.resources):
        table = one.table
        if table.group:
            made = definition(table.group, table.kind, (*one.older, table.version), "Namespaced" if table.namespaced else "Cluster")
            made["metadata"] = {"name": f"{table.name}.{table.group}", "annotations": APPROVED}
            made["spec"]["names"]["plural"] = table.name
            found.append(made)
    # Its group tells that namespaces are projects.
    project = definition("project.openshift.io", "Project", scope="Cluster")
    return [*found, project]


def objects(name: str) -> Iterator[Object]:
    """Yield the objects of a pack's cases, once each. Finalizers would keep the definitions of the kinds."""
    for obj in _objects(CASES / name):
        yield {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "finalizers"}}


def _objects(folder: Path) -> Iterator[Object]:
    if (folder / "objects.yaml").exists():
        yield from json.loads(json.dumps(list(yaml.safe_load_all((folder / "objects.yaml").read_text())), default=str))
        return
    for key, listed in json.loads((folder / "objects.json").read_text()).items():
        version = key.rpartition("/")[0]
        for obj in listed["items"] if "v1beta2" not in key else ():
            yield {**obj, "apiVersion": version, "kind": listed["kind"].removesuffix("List")}


@contextlib.contextmanager
def filled(plane: ControlPlane) -> Iterator[None]:
    """An API server with the definitions and objects of all packs, and the rights of all components."""
    made = definitions()
    granted = [plane.apply(yaml.safe_load_all((ROOT / f"k8s/components/pack-{name}/rbac.yaml").read_text())) for name in NAMES]
    try:
        for one in made:
            plane.request("POST", DEFINITIONS, one)
        for one in made:
            spec = one["spec"]
            for version in spec["versions"]:
                path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
                wait_for(path, lambda path=path: is_served(plane, path), 60, 0.1)
        for name in NAMES:
            for obj in sorted(objects(name), key=lambda obj: bool(obj["kind"] != "Namespace")):
                group, _, version = obj["apiVersion"].rpartition("/")
                table = TABLES.get((group, obj["kind"]))
                # The namespaces that every server has are there already.
                with contextlib.suppress(Refused):
                    put(plane, f"{'/apis/' + group if group else '/api'}/{version}/{table.name if table else 'projects'}", obj)
        yield
    finally:
        for one in reversed([obj for objs in granted for obj in objs]):
            plane.delete(one)
        uninstall(plane, [one["metadata"]["name"] for one in made])


@pytest.fixture(scope="module")
def served(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page of an agent with `packs: [auto]` whose account has the rights of the components and no others."""
    control_plane.agent_token()
    with filled(control_plane):
        kubeconfig = control_plane.kubeconfig(tmp_path_factory.mktemp("packs") / "kubeconfig", control_plane.agent_token())
        with start_agent(CONFIG, kubeconfig=kubeconfig) as agent:
            agent.wait_ready(90)
            page = agent.page()
        yield Served({key: control_plane.objects(table.path()) for key, table in TABLES.items()}, page)


def named(page: Page, families: set[str]) -> Page:
    """Return the families of a page that have one of the names."""
    return {name: family for name, family in page.items() if name in families}


@pytest.mark.parametrize("name", NAMES)
def test_page(name: str, served: Served) -> None:
    """The agent shows the page of the stored objects, with series of every kind of the pack that has objects."""
    pack = PACKS[name]
    stored = [obj for one in pack.resources for obj in served.stored[one.table.group, one.table.kind]]
    beside = [{"apiVersion": f"{one.beside}/v1", "kind": "Project"} for one in pack.resources if one.beside]
    wanted = ObjectRenderer((), Selection(), custom=custom_parts(CustomTables(packs=(name,)), [*stored, *beside], {}))
    for obj in stored:
        wanted.add(obj)
    families = {family.name for one in pack.resources for family in (*one.table.families, *one.described)}
    page = parse("".join(wanted.lines(False)))
    assert difference(page, named(parse(served.page), families)) == []
    assert sum(len(series) for _, series in page.values()) >= len(stored) > 0


def test_no_series_twice(served: Served) -> None:
    """The page of all packs together has each series once."""
    assert repeated(served.page) == []


def is_allowed(plane: ControlPlane, user: str, table: Resource, verb: str) -> bool:
    asked = {"group": table.group, "resource": table.name, "verb": verb}
    answer = plane.request("POST", REVIEWS, {"spec": {"user": user, "resourceAttributes": asked}})
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize("name", NAMES)
def test_rights(name: str, control_plane: ControlPlane) -> None:
    """The component of a pack grants list and watch of its resources, and nothing else: no other verb, and no resource of another pack."""
    role, binding = yaml.safe_load_all((ROOT / f"k8s/components/pack-{name}/rbac.yaml").read_text())
    user: dict[str, Any] = {"kind": "User", "name": f"only-{name}", "apiGroup": "rbac.authorization.k8s.io"}
    for one in (role, binding):
        one["metadata"]["name"] = f"only-{name}"
    binding["roleRef"]["name"], binding["subjects"] = f"only-{name}", [user]
    granted = control_plane.apply([role, binding])
    try:
        own = {(one.table.group, one.table.kind) for one in PACKS[name].resources}
        for key, table in TABLES.items():
            allowed = {verb for verb in (VERBS if key in own else ("list",)) if is_allowed(control_plane, user["name"], table, verb)}
            assert allowed == ({"list", "watch"} if key in own else set()), key
    finally:
        for obj in reversed(granted):
            control_plane.delete(obj)

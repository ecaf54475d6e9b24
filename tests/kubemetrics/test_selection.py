"""Selection of a part of a page by the query of a scrape."""

from __future__ import annotations

import pytest

from telegen.kubemetrics.exposition import assemble
from telegen.kubemetrics.selection import ALL, Impossible, Selection, selection
from telegen.metrics.family import ALPHA, Object, gauge
from telegen.metrics.render import renderer
from telegen.metrics.store import MetricsStore, namespace
from telegen.shm.layout import Arena
from telegen.shm.reader import ArenaReader
from telegen.shm.writer import ArenaWriter

KNOWN = ("nodes", "pods")
FAMILIES = [
    gauge("kube_pod_info", "Pod.", ALPHA, lambda obj: [(obj.get("label", ""), 1)], "exported_namespace"),
    gauge("kube_pod_odd", "Some pods.", ALPHA, lambda obj: 1 if obj["metadata"]["uid"].endswith("3") else None),
]
IDENTITY = (("namespace", lambda obj: obj["metadata"].get("namespace", "")), ("pod", lambda obj: obj["metadata"]["uid"]))


def pod(number: int, namespaces: int = 7, **more: str) -> Object:
    """Return a pod; consecutive ones are in different namespaces."""
    return {"metadata": {"uid": f"p{number}", "namespace": f"shop-{number % namespaces}"}, **more}


def failed(family: str, error: Exception) -> None:
    raise error


class Pods:
    """A store of pods with blocks of four objects."""

    def __init__(self, grouped: bool = True) -> None:
        arena = Arena.create("pods", 1 << 22)
        group = namespace if grouped else None
        writer = ArenaWriter(arena, ["pods"])
        self.store = MetricsStore("pods", FAMILIES, renderer(IDENTITY, FAMILIES, failed), writer, block_objects=4, group=group)
        self.reader = ArenaReader(arena)

    def page(self, selected: Selection = ALL) -> list[str]:
        """Return the lines of a page."""
        return b"".join(assemble([self.reader], False, selected).text()).decode().splitlines()


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("wanted", [{"shop-3"}, {"shop-1", "shop-5", "none"}, {"none"}])
def test_namespaces_are_exactly_the_lines_with_that_label(grouped: bool, wanted: set[str]) -> None:
    """After a list, changes, deletions and additions the part equals the filtered whole, without headers of absent families."""
    pods = Pods(grouped)
    pods.store.replace(("ADDED", pod(number)) for number in range(150))
    for number in (3, 10, 17, 90):
        pods.store.delete(pod(number))
    for number in range(200, 230):
        pods.store.upsert(pod(number, 5, label="x"))
    pods.store.flush()
    whole, part = pods.page(), pods.page(Selection(namespaces=frozenset(wanted)))
    expected = [line for line in whole if any(f'{{namespace="{name}"' in line for name in wanted)]
    assert sorted(line for line in part if line[0] != "#") == sorted(expected)
    assert len([line for line in part if line[0] == "#"]) == 2 * len({line.partition("{")[0] for line in expected})


def test_other_labels_that_end_in_namespace_do_not_count() -> None:
    """Only the label `namespace` is compared, whatever values other labels have."""
    pods = Pods()
    labels = ("shop-1", ',namespace="shop-1"', '{namespace="shop-1"}', 'a\\",namespace=\\"shop-1')
    pods.store.replace(("ADDED", pod(7 * number, label=label)) for number, label in enumerate(labels))
    assert pods.page(Selection(namespaces=frozenset({"shop-1"}))) == []
    assert len(pods.page(Selection(namespaces=frozenset({"shop-0"})))) == 2 + len(labels)


def test_namespace_reads_few_blocks() -> None:
    """A namespace is in few blocks although the list mixes all, and a new object joins its namespace's block."""
    pods = Pods()
    pods.store.replace(("ADDED", pod(number)) for number in range(140))
    pods.store.delete(pod(4))
    pods.store.upsert(pod(704))
    pods.store.flush()
    snapshot = pods.reader.load()
    groups = snapshot and snapshot.stores["pods"].groups
    assert groups and set(groups) == {f"shop-{number}" for number in range(7)}
    assert all(len(blocks) <= 10 for blocks in groups.values())
    assert sum(map(len, groups.values())) < 35 + 4 * 7


def test_families_are_globs() -> None:
    """`*` and `?` stand for any and for one character; a name alone is exact."""
    pods = Pods()
    pods.store.replace([("ADDED", pod(3))])

    def names(*globs: str) -> set[str]:
        return {line.split(" ")[2] for line in pods.page(Selection(families=globs)) if line.startswith("# TYPE")}

    assert names("kube_pod_*") == {"kube_pod_info", "kube_pod_odd"}
    assert names("kube_pod_???") == {"kube_pod_odd"}
    assert names("kube_pod") == set()
    assert names("nothing", "kube_pod_info") == {"kube_pod_info"}


def test_query() -> None:
    """Parameters are comma lists, repeatable, with spaces."""
    query = {"resources": ["pods, nodes", "pods"], "families": ["a*,b"], "namespaces": ["x"], "exclude_resources": ["gophers,nodes"]}
    assert selection(query, KNOWN) == Selection(
        frozenset(KNOWN), frozenset({"gophers", "nodes"}), ("a*", "b"), frozenset({"x"})
    )
    assert selection({"match[]": ["up"], "exclude_resources": [""]}, KNOWN) == ALL


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"resources": ["pod"]}, "resources: pod: not watched; choose from nodes, pods"),
        ({"resources": [""]}, "resources: no value"),
        ({"families": [","]}, "families: no value"),
        ({"families": ["kube_{pod}"]}, "families: 'kube_{pod}': not the name of a family"),
        ({"families": ["[a-z]*"]}, "families: "),
        ({"namespaces": ["Shop"]}, "namespaces: 'Shop': not the name of a namespace"),
        ({"namespaces": ["a" * 64]}, "namespaces: "),
        ({"namespaces": ["shop-*"]}, "namespaces: "),
        ({"namespaces": [",".join(f"n{number}" for number in range(201))]}, "namespaces: 201 values; at most 200"),
        ({"resources": ["pods"], "exclude_resources": ["pods"]}, "resources: pods: also in exclude_resources"),
    ],
)
def test_impossible_query(query: dict[str, list[str]], reason: str) -> None:
    """The reason names the parameter and the value."""
    with pytest.raises(Impossible) as raised:
        selection(query, KNOWN)
    assert str(raised.value).startswith(reason)

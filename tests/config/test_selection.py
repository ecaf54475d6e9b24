"""Errors and notes about the selection of objects and families."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telegen.config import Config, ConfigError, load
from telegen.config.patterns import compile_pattern, cpu_limit
from telegen.config.settings import is_effective, settings
from telegen.kubestate.checks import notes, selection_problems

STATE = "kube_metrics.kube_state"


def read(folder: Path, text: str) -> Config:
    """A configuration with this kube_state section, checked as at the start of the agent."""
    path = folder / "config.yaml"
    path.write_text(f"kube_metrics: {{kube_state: {{{text}}}}}")
    return load(str(path), {}, checks=[selection_problems])


BAD = [
    ("resources: [pod]", "resources: unknown resource pod, did you mean pods?"),
    ("resources: [gophers]", "resources: unknown resource gophers"),
    ("namespaces: [Shop]", "namespaces: 'Shop' is not a valid name of a namespace"),
    ("namespaces: ['../../nodes']", "namespaces: '../../nodes' is not a valid name of a namespace"),
    ("namespaces_exclude: ['a,metadata.name=b']", "namespaces_exclude: 'a,metadata.name=b' is not a valid name of a namespace"),
    ("namespaces: [a, b], namespaces_exclude: [b, a, c]", "namespaces: namespaces_exclude excludes all of them"),
    ("namespaces: shop", "namespaces: expected a list"),
    ("namespaces_exclude: {a: b}", "namespaces_exclude: expected a list"),
    ("node: 'a b'", "node: 'a b' is not a valid name of a node"),
    ("node: a, resources: [nodes]", "node: applies to pods only, and resources does not include pods"),
    ("track_unscheduled_pods: true, resources: [jobs]", "track_unscheduled_pods: applies to pods only, and resources does not"),
    ("track_unscheduled_pods: 5", "track_unscheduled_pods: expected true or false"),
    ("annotations_allowlist: {pod: [a]}", "annotations_allowlist: unknown resource pod, did you mean pods?"),
    ("node: a, track_unscheduled_pods: true", "node: cannot be used with track_unscheduled_pods"),
    ("object_limit: -1", "object_limit: "),
    ("object_limit: many", "object_limit: "),
    ("resync_period: 300", "resync_period: expected a duration"),
    ("resync_period: 1s", "resync_period: must be 0s (never) or at least 10s, not 1s"),
    ("shard: 2, total_shards: 2", "shard: must be below total_shards (2), not 2"),
    ("shard: -1", "shard: expected a whole number >= 0"),
    ("shard: one", "shard: expected a whole number"),
    ("total_shards: 0", "total_shards: expected a whole number >= 1"),
    ("total_shards: 2147483648", "total_shards: expected a whole number <= 2147483647"),
    ("pod: web-0", "pod: needs pod_namespace"),
    ("pod_namespace: shop", "pod_namespace: needs pod, which is empty"),
    ("pod: '', pod_namespace: shop", "pod_namespace: needs pod, which is empty"),
    ("pod: 'a/b', pod_namespace: shop", "pod: 'a/b' is not a valid name of a pod"),
    ("pod: web-0, pod_namespace: 'a.b'", "pod_namespace: 'a.b' is not a valid name of a namespace"),
    ("pod: web-0, pod_namespace: a, total_shards: 3", "pod: cannot be used with shard and total_shards"),
    ("clusters: [{kubeconfig: /k}]", "clusters[0]: "),
    ("clusters: [{name: a, context: b, contxt: c}]", "clusters[0].contxt: unknown key"),
    ("clusters: [{name: 'a/b', kubeconfig: /k}]", "clusters[0].name: expected 1 to 63 letters, digits"),
    ("clusters: [{name: '', kubeconfig: /k}]", "clusters[0].name: expected 1 to 63 letters, digits"),
    ("clusters: [{name: a, kubeconfig: /k}, {name: a, kubeconfig: /l}]", "clusters: a appears 2 times"),
    ("clusters: {name: a}", "clusters: expected a list"),
    ("use_apiserver_cache: maybe", "use_apiserver_cache: expected true or false"),
    ("metric_allowlist: ['(']", "metric_allowlist[0]: '(' is not a valid regular expression: missing )"),
    ("metric_denylist: ['a{99999999999}']", "metric_denylist[0]: 'a{99999999999}' is not a valid regular expression"),
    ("metric_opt_in_list: [5]", "metric_opt_in_list[0]: expected a regular expression"),
    ("metric_denylist: [a, '(_?[a-z]+)*Z']", "metric_denylist[1]: '(_?[a-z]+)*Z' takes more than 1 s of CPU time"),
    ("metric_opt_in_list: ['(.*)*(.*)*(.*)*(.*)*Z$']", "metric_opt_in_list[0]: '(.*)*(.*)*(.*)*(.*)*Z$' takes more"),
    ("labels_allowlist: {pods: [a, 'b*c*']}", "labels_allowlist.pods[1]: b*c*: at most one * is allowed"),
    ("labels_allowlist: {pods: ['**']}", "labels_allowlist.pods[0]: **: at most one * is allowed"),
    ("annotations_allowlist: {'*': ['*a*']}", "annotations_allowlist.*[0]: *a*: at most one * is allowed"),
    ("labels_allowlist: {pod: [a]}", "labels_allowlist: unknown resource pod, did you mean pods?"),
    ("annotations_allowlist: {pods: a}", "annotations_allowlist.pods: expected a list"),
]


SELECTION = """
resources namespaces namespaces_exclude metric_allowlist metric_denylist metric_opt_in_list labels_allowlist annotations_allowlist
node track_unscheduled_pods object_limit use_apiserver_cache resync_period shard total_shards pod pod_namespace clusters
""".split()


def test_every_key_of_the_selection_has_bad_input() -> None:
    """The table has every key of the selection, and each key has an effect."""
    assert set(SELECTION) == {re.split(r"[\[.:]", message)[0] for _, message in BAD}
    effective = {path for path, _, meta in settings() if is_effective(meta)}
    assert {f"{STATE}.{key}" for key in SELECTION} <= effective


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_bad_selection(tmp_path: Path, text: str, message: str) -> None:
    """One line with the path of the key; expressions with exponential backtracking are found before any process starts."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(f"{STATE}.{message}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("node: a, resources: [pods]", []),
        ("node: a", [f"{STATE}.node: selects pods only; other resources are watched completely"]),
        ("track_unscheduled_pods: true", [f"{STATE}.track_unscheduled_pods: selects pods only; other resources are watched completely"]),
        ("namespaces: [a], resources: [pods]", []),
        (
            "namespaces: [a, b], namespaces_exclude: [b], resources: [pods]",
            [f"{STATE}.namespaces_exclude: wins over namespaces: b"],
        ),
        ("namespaces: [a]", [f"{STATE}.namespaces: cluster-scoped resources (nodes, ...) are watched completely"]),
    ],
)
def test_notes(tmp_path: Path, text: str, wanted: list[str]) -> None:
    """Limits of a selection are notes, not errors."""
    assert list(notes(read(tmp_path, text))) == wanted


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("kube_pod_status_ready", "kube_pod_status_ready_time", True),
        ("^kube_pod_status_ready$", "kube_pod_status_ready_time", False),
        ("(?!kube_pod)kube_", "kube_pod_info", False),
        ("(?<kind>pod|node)_info", "kube_node_info", True),
        (r"\(?<kind", "kube_node_info", False),
        ("(?<=kube_)pod", "kube_pod_info", True),
        ("((a{1000}){1000}){1000}", "kube_pod_info", False),
    ],
)
def test_expressions(pattern: str, name: str, found: bool) -> None:
    """Expressions are not anchored, and may have lookaheads and JavaScript's named groups."""
    assert bool(compile_pattern(pattern).search(name)) is found


def test_the_limit_leaves_no_trace() -> None:
    """After the context, whether it timed out or not, CPU time is unlimited again."""
    for _ in range(2):
        with cpu_limit(0.05):
            pass
        with pytest.raises(TimeoutError), cpu_limit(0.05):
            while True:
                pass
    for _ in range(2_000_000):
        pass

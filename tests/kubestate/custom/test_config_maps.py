"""Configurations in ConfigMaps: which versions count, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from telegen.config.custom_resources import MAX_BYTES, MAX_FILES
from telegen.config.errors import ConfigError
from telegen.kubestate.custom.config_maps import ConfigMapEntries, read_data
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.custom.sources import CustomTables, read_custom
from workers._custom.config_maps import ConfigMaps

METRIC = "metrics: [{resource: {group: g.example, kind: Thing}, metrics: [{name: %s, value: 1}]}]"
PEER = "spec: {resources: [{groupVersionKind: {group: g.example, kind: %s}, metrics: []}]}"


def file(text: str) -> Mapping[str, str]:
    return {"a.yaml": text}


def names(tables: CustomTables) -> list[str]:
    """Return the names of all metrics, and the kinds of entries of the format of kube-state-metrics."""
    return [metric.name for entry in tables.metrics for metric in entry.metrics] + [entry.pattern.kind for entry in tables.entries]


def test_both_formats() -> None:
    """Each file of a ConfigMap has one of the two formats; other keys are not read."""
    read = read_data({"b.yml": METRIC % "a", "a.json": PEER % "Other", "README.md": "- ["}, "c")
    assert (len(read.metrics), len(read.entries)) == (1, 1)
    assert read.warnings == ("c/a.json:1: spec.resources[0]: no metrics: nothing is shown",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "c: no configuration in data; add a key that ends in .yaml, .yml, .json"),
        ({"a.yaml": "metrics: 3", "b.yaml": "a: ["}, "c/a.yaml:1: metrics: "),
        ({"a.yaml": "metrics: 3", "b.yaml": "a: ["}, "\nc/b.yaml:1: "),
        ({"a.yaml": METRIC % "a", "b.yaml": METRIC % "a"}, "c/b.yaml:1: metrics[0].metrics[0]: kube_thing_a: two metrics"),
    ],
)
def test_bad_data(data: Mapping[str, str], message: str) -> None:
    """All problems of all files of a ConfigMap are named."""
    with pytest.raises(ConfigError) as refused:
        read_data(data, "c")
    assert message in str(refused.value)


def test_file_with_a_config_map() -> None:
    """`telegen custom check` reads the manifest of a ConfigMap with metrics as the agent reads the ConfigMap."""
    manifest = f"kind: ConfigMap\ndata:\n  a.yaml: '{METRIC % 'a'}'\n  b.yaml: 'metrics: 3'\n  README: text\n"
    with pytest.raises(ConfigError, match="^f/b.yaml:1: metrics: expected a list"):
        read_custom(manifest.encode(), "f")
    read = read_custom(manifest.replace("metrics: 3", PEER % "Other").encode(), "f")
    assert (len(read.metrics), len(read.entries)) == (1, 1)


def test_last_good_version() -> None:
    """A bad version leaves the metrics of the last good one, a deleted ConfigMap none; one that was never good shows nothing."""
    entries, base = ConfigMapEntries(), CustomTables()
    assert names(entries.join(base, {"n/a": file(METRIC % "a"), "n/b": file("x")})) == ["kube_thing_a"]
    assert list(entries.problems) == ["n/b"]
    assert names(entries.join(base, {"n/a": file("x"), "n/b": file(METRIC % "b")})) == ["kube_thing_a", "kube_thing_b"]
    assert list(entries.problems) == ["n/a"]
    assert names(entries.join(base, {"n/a": file(METRIC % "c"), "n/b": file(METRIC % "b")})) == ["kube_thing_c", "kube_thing_b"]
    assert entries.problems == {}
    assert names(entries.join(base, {"n/b": file("x")})) == ["kube_thing_b"]
    assert names(entries.join(base, {"n/a": file("x"), "n/b": file("x")})) == ["kube_thing_b"]


def test_conflicts() -> None:
    """The settings count before all ConfigMaps, and of two ConfigMaps the first one; a name that is free again is taken."""
    read = read_data(file(METRIC % "a"), "setting")
    base, entries = CustomTables(metrics=read.metrics), ConfigMapEntries()
    maps = {"n/a": file(METRIC % "a"), "n/b": file(METRIC % "b"), "n/c": file(METRIC % "b")}
    assert names(entries.join(base, maps)) == ["kube_thing_a", "kube_thing_b"]
    assert entries.problems["n/a"].startswith("ConfigMap n/a/a.yaml:1: metrics[0].metrics[0]: kube_thing_a: two metrics")
    assert "the other one at ConfigMap n/b/a.yaml:1: metrics[0].metrics[0]; choose another name" in entries.problems["n/c"]
    del maps["n/b"]
    assert names(entries.join(CustomTables(), maps)) == ["kube_thing_a", "kube_thing_b"]
    assert entries.problems == {}


def test_entries_of_one_kind() -> None:
    """Of entries of the format of kube-state-metrics for one kind that of the settings counts, else that of the older ConfigMap."""

    def prefixed(prefix: str) -> str:
        return f"spec: {{resources: [{{groupVersionKind: {{group: g.example, kind: Thing}}, metricNamePrefix: {prefix}, metrics: []}}]}}"

    def shown(settings: str, maps: Mapping[str, Mapping[str, str]]) -> str:
        base = CustomTables(read_data(file(settings), "setting").entries) if settings else CustomTables()
        (selected,) = ConfigMapEntries().join(base, maps).configured().select([Kind("g.example", "v1", "things", "Thing", True)]).values()
        assert selected.entry
        return selected.entry.prefix

    maps = {"n/old": file(prefixed("old")), "n/new": file(prefixed("new"))}
    assert shown(prefixed("settings"), maps) == "settings"
    assert shown("", maps) == "old"
    entries = ConfigMapEntries()
    entries.join(CustomTables(), maps)
    assert entries.warnings["n/new"].endswith(
        "ConfigMap n/new: the entry for g.example/* Thing has no effect beside that of the settings or of an older ConfigMap; remove it"
    )


def test_problems_appear_at_once() -> None:
    """The problems of the last finished version stay while the next one is read: another thread writes the status page meanwhile."""
    entries, seen = ConfigMapEntries(), list[dict[str, str]]()

    class Watched(dict[str, Mapping[str, str]]):
        def items(self) -> Any:
            for pair in super().items():
                yield pair
                seen.append(entries.problems)

    entries.join(CustomTables(), {"n/a": file("x")})
    entries.join(CustomTables(), Watched({"n/a": file("x"), "n/b": file("x")}))
    assert [list(problems) for problems in seen] == [["n/a"], ["n/a"]]
    assert list(entries.problems) == ["n/a", "n/b"]


def test_bounds() -> None:
    """Beyond a number of ConfigMaps and a size of all of them, further ones are left out, by name."""
    entries = ConfigMapEntries()
    many = {f"n/{number}": file(METRIC % f"m{number}") for number in range(MAX_FILES + 1)}
    assert len(names(entries.join(CustomTables(), many))) == MAX_FILES
    assert list(entries.problems) == [f"n/{MAX_FILES}"]
    large = {"n/a": file(METRIC % "a"), "n/b": file("#" * MAX_BYTES), "n/c": file(METRIC % "c")}
    assert names(entries.join(CustomTables(), large)) == ["kube_thing_a"]
    assert entries.problems["n/c"] == "ConfigMap n/c: left out: at most 200 ConfigMaps with 4 MiB together are read; remove some"


def test_index() -> None:
    """The oldest ConfigMap comes first; only changes of the data wake the worker."""
    woken: list[int] = []
    maps = ConfigMaps(lambda: woken.append(1))

    def one(name: str, second: int, text: str = "a", version: str = "1") -> dict[str, object]:
        metadata = {"namespace": "n", "name": name, "creationTimestamp": f"2026-01-01T00:00:0{second}Z", "resourceVersion": version}
        return {"metadata": metadata, "data": {"a.yaml": text, "b.yaml": 5}}

    maps.replace([("ADDED", one("a", 2)), ("ADDED", one("b", 1)), ("ADDED", one("c", 3)), ("DELETED", one("c", 3))])
    assert list(maps.data().items()) == [("n/b", {"a.yaml": "a"}), ("n/a", {"a.yaml": "a"})]
    maps.upsert(one("a", 2, version="2"))
    assert len(woken) == 1
    maps.upsert(one("a", 2, "b"))
    maps.delete(one("b", 1))
    maps.delete({"metadata": {"name": "none"}, "data": None})
    assert (len(woken), maps.data()) == (3, {"n/a": {"a.yaml": "b"}})
    maps.replace([("ADDED", one("a", 2, "b"))])
    assert len(woken) == 3

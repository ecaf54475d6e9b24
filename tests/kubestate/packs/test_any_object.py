"""Any object gives a valid page, for the tables of all packs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from telegen.api.decoding import event_decoder
from telegen.kubestate.custom.tables import constant_of, joined_reads
from telegen.kubestate.packs.pack import PackResource
from telegen.kubestate.packs.registry import PACKS
from telegen.kubestate.resource import Resource
from telegen.metrics.render import renderer
from tests.kubestate.custom.test_properties import VALUES
from tests.kubestate.packs.test_packs import CASES, CONFIGURATIONS, CONFIGURED, all_kinds
from tests.kubestate.parity import repeated

KINDS = all_kinds()
TOLERANT = [one for pack in PACKS.values() if pack.name not in ("openshift", "vpa") for one in pack.resources]
"""Kinds whose tables read any JSON; those of openshift and vpa leave a family out of a malformed object."""


def words_of(one: PackResource) -> set[str]:
    """Return the names of fields that the tables of a kind read."""
    paths = [family.path + family.value_from for family in one.described] + [tuple(path.split(".")) for path in one.table.reads]
    return {word for path in paths for word in path} | {"conditions", "type", "status", "name", "items"}


@st.composite
def objects(draw: Any, one: PackResource) -> dict[str, Any]:
    """Draw an object whose fields have the names that the tables read, and any values."""
    keys = st.sampled_from(sorted(words_of(one))) | st.text(max_size=3)
    values = st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
    )
    tree = st.dictionaries(keys, values, max_size=6)
    # The API server admits only keys that begin with a letter or digit.
    marks = st.none() | st.dictionaries(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_./-]{0,6}\Z"), VALUES, max_size=4)
    metadata = {"labels": draw(marks), "annotations": draw(marks), "ownerReferences": draw(VALUES), "generation": draw(VALUES)}
    head = {"apiVersion": one.table.api_version, "kind": one.table.kind, "metadata": {**metadata, "name": "x", "namespace": "n"}}
    return {**draw(tree), "spec": draw(values | tree), "status": draw(values | tree), **head}


def page_of(resources: list[Resource], obj: Any, constant: dict[str, str], errors: list[str]) -> str:
    """Return the page of one object."""
    page = ""
    for resource in resources:
        own = constant_of(resource, constant)
        render = renderer(resource.identity, resource.families, lambda family, error: errors.append(f"{family}: {error!r}"), own)
        page += "".join(f"{family.header().decode()}{text}" for family, text in zip(resource.families, render(obj)))
    return page


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_object(data: Any) -> None:
    """An object of any shape gives a page that a parser reads, without repeated series; no table but those that leave out families
    of malformed objects fails."""
    one = data.draw(st.sampled_from(KINDS))
    obj = data.draw(objects(one))
    errors: list[str] = []
    page = page_of(one.resources(one.preferred, {"cluster": "c"}), obj, {"cluster": "c"}, errors)
    for family in text_string_to_metric_families(page):
        assert all(sample.labels.get("cluster") == "c" for sample in family.samples)
    assert repeated(page) == []
    assert not errors or one not in TOLERANT


def recorded(folder: Path) -> Iterator[Any]:
    """Yield the objects of a case, with their kind."""
    if (folder / "objects.yaml").exists():
        yield from json.loads(json.dumps(list(yaml.safe_load_all((folder / "objects.yaml").read_text())), default=str))
        return
    for key, listed in json.loads((folder / "objects.json").read_text()).items():
        head = {"apiVersion": key.rpartition("/")[0], "kind": listed["kind"].removesuffix("List")}
        yield from ({**head, **obj} for obj in listed["items"])


FOLDERS = [case.parent for case in CASES] + [CONFIGURATIONS / name for name in CONFIGURED]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_decoded_fields_suffice(folder: Path) -> None:
    """An object reduced to the fields that are decoded for a kind gives the page of the whole object."""
    kinds = {(one.table.group, version, one.table.kind): one for one in KINDS for version in (one.table.version, *one.older)}
    for obj in recorded(folder):
        group, _, version = obj["apiVersion"].rpartition("/")
        one = kinds.get((group, version, obj["kind"]))
        if one:
            resources = one.resources(one.preferred)
            _, reduced = event_decoder(joined_reads(resources))(json.dumps({"type": "ADDED", "object": obj}).encode())
            assert page_of(resources, obj, {}, []) == page_of(resources, reduced, {}, [])


@pytest.mark.parametrize(("pack", "kind", "field"), [("flux", "HelmRelease", "values"), ("cluster-api", "KubeadmConfig", "files")])
def test_fields_that_may_be_secret_are_not_decoded(pack: str, kind: str, field: str) -> None:
    """Values of a release and files of a machine are never built from the bytes of the API server."""
    (one,) = [one for one in PACKS[pack].resources if one.table.kind == kind]
    obj = {"metadata": {"name": "x"}, "spec": {field: "secret", "suspend": True}}
    _, reduced = event_decoder(joined_reads(one.resources(one.preferred)))(json.dumps({"type": "ADDED", "object": obj}).encode())
    assert field not in reduced.get("spec", {})


def test_long_lists() -> None:
    """A list of 10,000 elements gives at most 100 series per family, and a text that is no reason is shown as Other."""
    obj = {
        "apiVersion": "config.openshift.io/v1",
        "kind": "ClusterOperator",
        "metadata": {"name": "x"},
        "status": {
            "versions": [{"name": f"n{number}", "version": "1"} for number in range(10_000)],
            "conditions": [{"type": f"T{number}", "status": "True"} for number in range(10_000)],
        },
    }
    (one,) = [one for one in PACKS["openshift-cluster"].resources if one.table.kind == "ClusterOperator"]
    page = page_of(one.resources(one.preferred), obj, {}, [])
    assert page.count("openshift_clusteroperator_version_info{") == page.count("openshift_clusteroperator_status_condition{") == 100

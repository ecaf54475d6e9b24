"""Selection of families, labels and annotations; division of objects among agents."""

from __future__ import annotations

import ctypes
import math
import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection, selected_families
from telegen.kubestate.sharding import NoShard, jump_hash, shard_filter, shard_in, shard_of
from telegen.metrics.hashing import fnv1a64
from telegen.metrics.label_keys import key_filter, label_pairs
from telegen.metrics.render import renderer

POD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "labels": {"app.kubernetes.io/partOf": "shop", "app": "web", "team-a": "x", "team_a": "y"},
        "annotations": {"owner": "me"},
    }
}


def shown(resource: str, obj: dict[str, Any], **selection: Any) -> dict[str, str]:
    """Return family → text of one object."""

    def failed(family: str, error: Exception) -> None:
        raise error

    table = RESOURCES[resource]
    families = selected_families(table, Selection(**selection))
    texts = renderer(table.identity, families, failed)(obj)
    return {family.name: text for family, text in zip(families, texts)}


@pytest.mark.parametrize(
    ("allowlist", "labels"),
    [
        ({}, None),
        ({"nodes": ["*"]}, None),
        ({"pods": ["app"]}, 'label_app="web"'),
        ({"pods": ["gone"]}, ""),
        ({"pods": ["app*", "gone"]}, 'label_app="web",label_app_kubernetes_io_part_of="shop"'),
        ({"pods": ["*partOf"]}, 'label_app_kubernetes_io_part_of="shop"'),
        ({"*": ["app"], "pods": ["*"]}, 'label_app="web"'),
        ({"pods": ["app", "*"]}, 'label_app="web"'),
        ({"pods": ["team*"]}, 'label_team_a_conflict1="x",label_team_a_conflict2="y"'),
    ],
)
def test_labels_allowlist(allowlist: dict[str, list[str]], labels: str | None) -> None:
    """Names, wildcards at either end, `*` for all keys or all resources; no series without an allowlist."""
    text = shown("pods", POD, labels=allowlist)["kube_pod_labels"]
    if labels is None:
        assert text == ""
    else:
        own = f",{labels}" if labels else ""
        assert text == f'kube_pod_labels{{namespace="n",pod="p",uid=""{own}}} 1\n'


def test_all_annotations() -> None:
    """Annotations have their own allowlist."""
    text = shown("pods", POD, annotations={"*": ["*"]})["kube_pod_annotations"]
    assert 'annotation_owner="me"' in text


@given(st.dictionaries(st.text("aA.-_1", min_size=1, max_size=4), st.just("v"), max_size=12))
def test_label_names_never_collide(values: dict[str, str]) -> None:
    """Every key has one label name, and no name is repeated."""
    names = [name for name, _ in label_pairs(values, "label_")]
    assert len(names) == len(set(names)) == len(values)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("a-b", "a_b"),
        ("a-b a.b", "a_b_conflict1 a_b_conflict2"),
        ("a-b a.b aB a_b", "a_b_conflict1 a_b_conflict2 a_b_conflict3 a_b_conflict4"),
        ("A.b.conflict1 a-b a.b", "a_b_conflict1 a_b_conflict2 a_b_conflict3"),
        ("A.b.conflict2 a-b a.b a_b", "a_b_conflict2 a_b_conflict1 a_b_conflict3 a_b_conflict4"),
        ("a-b a.b a_b_conflict1", "a_b_conflict1_conflict1 a_b_conflict2 a_b_conflict1_conflict2"),
        ("a-b a.b a_b_conflict2", "a_b_conflict1 a_b_conflict2_conflict1 a_b_conflict2_conflict2"),
        ("A.b-conflict1 A.b.conflict1 a-b a.b", "a_b_conflict1_conflict1 a_b_conflict1_conflict2 a_b_conflict1 a_b_conflict2"),
        ("a-b-conflict1 a.b.conflict1 aB a_b", "a_b_conflict1_conflict1 a_b_conflict1_conflict2 a_b_conflict1 a_b_conflict2"),
        (
            "A.b-conflict1 A.b.conflict1 a-b a.b a_b_conflict1",
            "a_b_conflict1_conflict1 a_b_conflict1_conflict2 a_b_conflict1 a_b_conflict2 a_b_conflict1_conflict3",
        ),
    ],
)
def test_keys_of_one_label_name(keys: str, names: str) -> None:
    """Suffixes follow the order of the keys, avoid names in use, and use a name again that has become free."""
    pairs = label_pairs({key: key for key in reversed(keys.split())}, "")
    assert pairs == list(zip(names.split(), keys.split()))


def test_two_wildcards_are_refused() -> None:
    """A name may have one `*`."""
    with pytest.raises(ValueError, match="at most one"):
        key_filter(["a*b*"])


def test_filters_are_not_anchored() -> None:
    """Patterns of allow, deny and opt-in match anywhere in the name."""
    assert set(shown("deployments", POD, allow=["replicas_ready$"])) == {"kube_deployment_status_replicas_ready"}
    assert "kube_deployment_created" not in shown("deployments", POD, deny=["creat"])
    assert "kube_pod_nodeselectors" not in shown("pods", POD)
    assert "kube_pod_nodeselectors" in shown("pods", POD, opt_in=["nodesel"])


@given(st.integers(0, 2**64 - 1), st.integers(1, 200))
def test_growing_moves_objects_to_the_new_shard_only(key: int, buckets: int) -> None:
    """With one more shard an object stays or moves to the new one."""
    before, after = jump_hash(key, buckets), jump_hash(key, buckets + 1)
    assert 0 <= before < buckets
    assert after in (before, buckets)


@pytest.mark.parametrize(
    ("key", "buckets", "wanted"), [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)]
)
def test_jump_hash_vectors(key: int, buckets: int, wanted: int) -> None:
    """Known values of the published algorithm."""
    assert jump_hash(key, buckets) == wanted


def jump_as_specified(key: int, buckets: int) -> int:
    """Compute the specification's algorithm step by step with 64-bit integers and floats."""
    b, j = -1, 0
    while j < buckets:
        b = j
        key = ctypes.c_uint64(key * 2862933555777941757 + 1).value
        ratio = struct.unpack("d", struct.pack("d", float(1 << 31)))[0] / float((key >> 33) + 1)
        j = ctypes.c_int64(math.trunc(float(b + 1) * ratio)).value
    return b


@given(st.uuids(), st.integers(1, 5000))
def test_shard_is_jump_hash_of_the_uid(uid: UUID, total: int) -> None:
    """The shard of any UID equals the result of the specification's algorithm."""
    value = 14695981039346656037
    for byte in str(uid).encode("ascii"):
        value = ctypes.c_uint64((value ^ byte) * 1099511628211).value
    assert shard_of(str(uid), total) == jump_as_specified(value, total)
    keep = shard_filter((jump_as_specified(value, total), total))
    assert keep is None or keep(value)


def test_a_shard_beyond_the_total_has_no_objects() -> None:
    """A shard number that is not below the total has no objects; neither has any shard of a total of 0."""
    for shard in ((3, 3), (0, 0)):
        keep = shard_filter(shard)
        assert keep is not None
        assert not any(keep(fnv1a64(str(number))) for number in range(100))
    assert shard_filter((0, 1)) is None


def test_shards_are_even() -> None:
    """Each of five shards has about a fifth of many objects."""
    counts = [0] * 5
    for number in range(5000):
        counts[shard_of(f"{number:08x}-3ac6-488b-a3ab-0898998b88ca", 5)] += 1
    assert all(850 < count < 1150 for count in counts)


@pytest.mark.parametrize(
    ("pod", "spec", "wanted"),
    [
        ("web-2", {"replicas": 5}, (2, 5)),
        ("web-0", {}, (0, 1)),
        ("web-0", {"replicas": None}, (0, 1)),
        ("web-0", {"replicas": 0}, (0, 0)),
        ("web-7", {"replicas": 3, "ordinals": {"start": 6}}, (1, 3)),
        ("web-7", {"replicas": 3, "ordinals": None}, (7, 3)),
        ("web-2", {"replicas": 3, "ordinals": {"start": 6}}, (3, 3)),
        ("web-007", {"replicas": 9}, (7, 9)),
    ],
)
def test_shard_by_ordinal(pod: str, spec: dict[str, Any], wanted: tuple[int, int]) -> None:
    """The shard is the ordinal in the name, counted from ordinals.start; the total is the number of replicas."""
    assert shard_in(pod, {"metadata": {"name": "web"}, "spec": spec}) == wanted


@pytest.mark.parametrize("pod", ["web", "web-", "web-x", "webs-1", "a-web-1", "web-1-2", "web-\u0661", "web--1", "web-1\n"])
def test_name_without_an_ordinal(pod: str) -> None:
    """A name that does not belong to a pod of the StatefulSet has no shard."""
    with pytest.raises(NoShard):
        shard_in(pod, {"metadata": {"name": "web"}, "spec": {"replicas": 3}})

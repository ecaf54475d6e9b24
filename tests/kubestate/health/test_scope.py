"""Kinds whose health is served."""

from __future__ import annotations

import pytest

from telegen.config.model import CustomResourceState, Health
from telegen.kubestate.custom.model import Kind
from telegen.kubestate.health.schema import Schema
from telegen.kubestate.health.scope import Scope


def kind(text: str) -> Kind:
    """Return a kind by `group/version Kind`."""
    api_version, _, name = text.partition(" ")
    group, _, version = api_version.rpartition("/")
    return Kind(group, version, f"{name.lower()}s", name, True)


SERVED = (
    "a.example/v1 Foo", "a.example/v1beta1 Foo", "a.example/v2alpha1 Foo", "b.example/v1alpha1 Bar", "b.example/v1beta2 Bar",
    "b.example/v1beta10 Bar", "b.example/stable Odd", "apps/v1 Deployment", "/v1 Pod", "wgpolicyk8s.io/v1alpha2 PolicyReport",
    "c.example/v1 Silent", "metrics.k8s.io/v1beta1 PodMetrics",
)  # fmt: skip
AUTO = ["a.example/v1 Foo", "b.example/stable Odd", "b.example/v1beta10 Bar"]
ALL = [*AUTO, "c.example/v1 Silent", "metrics.k8s.io/v1beta1 PodMetrics", "wgpolicyk8s.io/v1alpha2 PolicyReport"]


@pytest.mark.parametrize(
    ("health", "packs", "wanted"),
    [
        ("auto", (), AUTO),
        ("all", (), ALL),
        ("none", ("auto",), AUTO),
        ("all", ("auto",), ALL),
        ((), ("auto",), None),
        ("none", ("vpa",), None),
        (("b.example", "wgpolicyk8s.io"), (), ["b.example/stable Odd", "b.example/v1beta10 Bar", "wgpolicyk8s.io/v1alpha2 PolicyReport"]),
    ],
)
def test_kinds(health: Health, packs: tuple[str, ...], wanted: list[str] | None) -> None:
    """Each selected kind is read in its newest version; auto leaves out kinds without a status and records by the thousand."""
    scope = Scope.of(CustomResourceState(health=health, packs=packs))
    if wanted is None:
        assert scope is None
        return
    assert scope
    schemas = {kind("c.example/v1 Silent"): Schema(has_status=False)}
    found = scope.kinds(map(kind, SERVED), schemas, ())
    assert [f"{one.group}/{one.version} {one.kind}" for one in found] == wanted


def test_version_that_is_read_already() -> None:
    """A version that a pack or an entry reads is taken before a newer one: the kind is not watched twice."""
    scope = Scope(None, True)
    found = list(scope.kinds(map(kind, SERVED), {}, [kind("a.example/v1beta1 Foo")]))
    assert kind("a.example/v1beta1 Foo") in found and kind("a.example/v1 Foo") not in found


def test_definition_in_a_group_of_kubernetes() -> None:
    """A kind with a definition is a custom resource in any group."""
    deployment = kind("apps/v1 Deployment")
    assert list(Scope(None, True).kinds([deployment], {}, ())) == []
    assert list(Scope(None, True).kinds([deployment], {deployment: Schema()}, ())) == [deployment]

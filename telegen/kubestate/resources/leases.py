"""Leases: coordination.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import owner_rows
from telegen.kubestate.fields import text, time_at
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, Object, Row, gauge

_namespace, _holder, _renewed = text("metadata.namespace"), text("spec.holderIdentity"), time_at("spec.renewTime")


def owners(obj: Object) -> Iterable[Row]:
    return [(kind, name, _namespace(obj), _holder(obj), one) for kind, name, _, one in owner_rows(obj)]


def renewed(obj: Object) -> Iterable[Row] | None:
    moment = _renewed(obj)
    return None if moment is None else [(_namespace(obj), moment)]


FAMILIES = (
    gauge(
        "kube_lease_owner",
        "One series per owner, always 1; lease_holder is the identity of the holder (metadata.ownerReferences, spec.holderIdentity).",
        ALPHA, owners, "owner_kind", "owner_name", "namespace", "lease_holder",
    ),
    gauge(
        "kube_lease_renew_time", "Last renewal of the Lease by its holder, in Unix seconds (spec.renewTime).", ALPHA,
        renewed, "namespace",
    ),
)

RESOURCE = Resource(
    name="leases",
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    namespaced=True,
    # Without the namespace: kube-state-metrics has it among the other labels, in another position.
    identity=(name_label("lease"),),
    families=FAMILIES,
)

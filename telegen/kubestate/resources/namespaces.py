"""Namespaces: core/v1."""

from __future__ import annotations

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, conditions, created
from telegen.kubestate.fields import text
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, gauge

_phase = text("status.phase")

FAMILIES = (
    created("kube_namespace"),
    allowed_annotations("kube_namespace"),
    allowed_labels("kube_namespace"),
    gauge(
        "kube_namespace_status_phase", "1 on the current phase, 0 on the other (status.phase).", STABLE,
        # Not `one_of`: both series exist even without a phase.
        lambda obj: [(phase, phase == _phase(obj)) for phase in ("Active", "Terminating")], "phase",
    ),
    conditions("kube_namespace", ALPHA),
)

RESOURCE = Resource(
    name="namespaces",
    group="",
    version="v1",
    kind="Namespace",
    namespaced=False,
    identity=(name_label("namespace"),),
    families=FAMILIES,
)

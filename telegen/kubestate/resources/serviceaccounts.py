"""ServiceAccounts: core/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, deletion_timestamp
from telegen.kubestate.fields import each, text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, Object, Row, gauge


def info(obj: Object) -> Iterable[Row]:
    """Return the flag as a label value; empty if unset, which the API treats as true."""
    mounted = obj.get("automountServiceAccountToken")
    return [("" if mounted is None else "true" if mounted else "false", 1)]


FAMILIES = (
    gauge(
        "kube_serviceaccount_info",
        "One series per serviceaccount, always 1; true, false or empty (unset) for mounting the token into pods "
        "(automountServiceAccountToken).",
        ALPHA, info, "automount_token",
    ),
    created("kube_serviceaccount", ALPHA),
    deletion_timestamp("kube_serviceaccount", "deleted"),
    gauge(
        "kube_serviceaccount_secret", "One series per Secret that pods may mount, always 1 (secrets).", ALPHA,
        each("secrets", lambda ref: (ref.get("name") or "", 1)), "name",
    ),
    gauge(
        "kube_serviceaccount_image_pull_secret", "One series per Secret for pulling images, always 1 (imagePullSecrets).", ALPHA,
        each("imagePullSecrets", lambda ref: (ref.get("name") or "", 1)), "name",
    ),
    allowed_annotations("kube_serviceaccount"),
    allowed_labels("kube_serviceaccount", ALPHA),
)

RESOURCE = Resource(
    name="serviceaccounts",
    group="",
    version="v1",
    kind="ServiceAccount",
    namespaced=True,
    identity=(NAMESPACE, name_label("serviceaccount"), ("uid", text("metadata.uid"))),
    families=FAMILIES,
    default=False,
)

"""CertificateSigningRequests: certificates.k8s.io/v1."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created
from telegen.kubestate.fields import items, text
from telegen.kubestate.resource import Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, gauge

_conditions, _certificate = items("status.conditions"), text("status.certificate")


def verdicts(obj: Object) -> Iterable[Row]:
    """Count the conditions of each type. Like kube-state-metrics, ignore their status."""
    types = [condition.get("type") for condition in _conditions(obj)]
    # A request can be approved and failed at once, so all three have a series.
    return [(type_.lower(), types.count(type_)) for type_ in ("Approved", "Denied", "Failed")]


FAMILIES = (
    allowed_annotations("kube_certificatesigningrequest"),
    allowed_labels("kube_certificatesigningrequest"),
    created("kube_certificatesigningrequest"),
    gauge(
        "kube_certificatesigningrequest_condition",
        "Number of conditions of the type in the label condition, whatever their status (status.conditions[].type).", STABLE,
        verdicts, "condition",
    ),
    gauge(
        "kube_certificatesigningrequest_cert_length",
        "Length of the issued certificate in bytes; 0 before it is issued (status.certificate).", STABLE,
        lambda obj: len(b64decode(_certificate(obj))),
    ),
)

RESOURCE = Resource(
    name="certificatesigningrequests",
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    namespaced=False,
    identity=(name_label("certificatesigningrequest"), ("signer_name", text("spec.signerName"))),
    families=FAMILIES,
)

"""cert-manager: certificates, their issuers and orders."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import Spec, conditions, kind, labelled_number, number, states

GROUP, ACME = "cert-manager.io/v1", "acme.cert-manager.io/v1"
ORDER_STATES = ("valid", "ready", "pending", "processing", "invalid", "expired", "errored")


def _time(name: str, help: str, field: str) -> Spec:
    issuer = {f"issuer_{part}": f"spec.issuerRef.{part}" for part in ("name", "kind", "group")}
    return labelled_number(f"{name}_timestamp_seconds", f"{help} in Unix seconds", f"status.{field}", **issuer)


def _state() -> Spec:
    return states("status_state", "State", "status.state", ORDER_STATES, "state")


PACK = Pack(
    "cert-manager",
    "Certificates, issuers and orders of cert-manager.",
    (
        # cert-manager itself serves certmanager_certificate_*.
        kind(
            "certmanager_cr_certificate", GROUP, "certificates", "Certificate",
            _time("not_before", "Beginning of the validity", "notBefore"),
            _time("not_after", "End of the validity", "notAfter"),
            _time("renewal", "Planned renewal", "renewalTime"),
            number("revision", "Number of the last issuance", "status.revision"),
            number("failed_issuance_attempts", "Attempts that failed since the last issuance", "status.failedIssuanceAttempts", absent=0),
            conditions(),
        ),
        kind("certmanager_cr_issuer", GROUP, "issuers", "Issuer", conditions()),
        kind("certmanager_cr_clusterissuer", GROUP, "clusterissuers", "ClusterIssuer", conditions(), namespaced=False),
        kind("certmanager_cr_certificaterequest", GROUP, "certificaterequests", "CertificateRequest", conditions()),
        kind("certmanager_cr_order", ACME, "orders", "Order", _state()),
        kind("certmanager_cr_challenge", ACME, "challenges", "Challenge", _state()),
    ),
)

"""External Secrets: secrets that are fetched from, or written to, other stores. Values of secrets are in none of these objects."""

from __future__ import annotations

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import Spec, conditions, kind, number

GROUP = "external-secrets.io"
REFRESHED = number("refresh_timestamp_seconds", "Last refresh in Unix seconds", "status.refreshTime")


def _kind(name: str, plural: str, *specs: Spec, namespaced: bool = True) -> PackResource:
    prefix = f"externalsecrets_{name.lower()}"
    return kind(prefix, f"{GROUP}/v1", plural, name, *specs, conditions(), namespaced=namespaced, older=("v1beta1",))


PACK = Pack(
    "external-secrets",
    "Secrets and stores of the External Secrets Operator.",
    (
        _kind("ExternalSecret", "externalsecrets", REFRESHED),
        _kind("ClusterExternalSecret", "clusterexternalsecrets", namespaced=False),
        _kind("SecretStore", "secretstores"),
        _kind("ClusterSecretStore", "clustersecretstores", namespaced=False),
        kind("externalsecrets_pushsecret", f"{GROUP}/v1alpha1", "pushsecrets", "PushSecret", REFRESHED, conditions()),
    ),
)

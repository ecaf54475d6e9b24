"""Operator Lifecycle Manager: installed operators, their subscriptions and catalogs."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.specs import (
    conditions,
    differs,
    elements,
    info,
    is_text,
    kind,
    number,
    phases,
    reader,
    reason,
    rows,
    states,
    text_at,
)
from telegen.metrics.family import Object, Row

GROUP, V1 = "operators.coreos.com", "olm.operatorframework.io/v1"
PHASES = ("Pending", "InstallReady", "Installing", "Succeeded", "Failed", "Unknown", "Replacing", "Deleting")
STATES = ("UpgradeFailed", "UpgradeAvailable", "UpgradePending", "AtLatestKnown")
OWNED = "spec.customresourcedefinitions.owned"

_phase, _status_reason, _owned = text_at("status.phase"), text_at("status.reason"), reader(OWNED)
_reason = reason("status.reason").convert


def _is_original(obj: Object) -> bool:
    """Return False for the copies of a ClusterServiceVersion: an operator for all namespaces has one in each."""
    return _status_reason(obj) != "Copied"


def _reason_rows(obj: Object) -> Iterable[Row]:
    """Return the reason of a phase other than Succeeded."""
    found = _status_reason(obj)
    return [(_reason(found), 1)] if found and _phase(obj) != "Succeeded" else []


def _owned_definitions(obj: Object) -> Iterable[Row]:
    """Return group and kind of each definition that an operator owns; the name of a definition is `PLURAL.GROUP`."""
    return [(text_at("name")(one).partition(".")[2], text_at("kind")(one), 1) for one in elements(_owned(obj))]


PACK = Pack(
    "olm",
    "Operators that the Operator Lifecycle Manager installs.",
    (
        kind(
            "olm_clusterserviceversion", f"{GROUP}/v1alpha1", "clusterserviceversions", "ClusterServiceVersion",
            phases(*PHASES),
            info("info", "Version of an operator", version="spec.version", display_name="spec.displayName", replaces="spec.replaces"),
            rows(
                "status_reason", "Reason of another phase than Succeeded, always 1", _reason_rows, ("reason",),
                "status.phase", "status.reason",
            ),
            number("last_transition_timestamp_seconds", "Last change of the phase in Unix seconds", "status.lastTransitionTime"),
            rows("owned_crd", "Custom resource definition of the operator, always 1", _owned_definitions, ("group", "kind"), OWNED),
            when=_is_original,
            # The labels of copies would be shown.
            selects=False,
        ),
        kind(
            "olm_subscription", f"{GROUP}/v1alpha1", "subscriptions", "Subscription",
            info(
                "info", "Package of a subscription",
                package="spec.name", channel="spec.channel", source="spec.source", source_namespace="spec.sourceNamespace",
                approval="spec.installPlanApproval", installed_csv="status.installedCSV", current_csv="status.currentCSV",
            ),
            states("status_state", "State of the upgrade", "status.state", STATES, "state"),
            differs("upgrade_pending", "1 while an upgrade waits", "status.installedCSV", "status.currentCSV"),
            conditions(),
        ),
        kind(
            "olm_installplan", f"{GROUP}/v1alpha1", "installplans", "InstallPlan",
            phases("Planning", "RequiresApproval", "Installing", "Complete", "Failed"),
            number("approved", "1 if the plan may be carried out", "spec.approved", absent=0),
        ),
        kind(
            "olm_catalogsource", f"{GROUP}/v1alpha1", "catalogsources", "CatalogSource",
            is_text("ready", "1 if the catalog answers", "status.connectionState.lastObservedState", "READY"),
            number("last_connect_timestamp_seconds", "Last connection in Unix seconds", "status.connectionState.lastConnect"),
            number("latest_poll_timestamp_seconds", "Last poll of the image in Unix seconds", "status.latestImageRegistryPoll"),
        ),
        kind(
            "olm_operatorcondition", f"{GROUP}/v2", "operatorconditions", "OperatorCondition",
            conditions(), older=("v1",),
        ),
        kind(
            "olm_clusterextension", V1, "clusterextensions", "ClusterExtension",
            info("info", "Bundle of an extension", package="spec.source.catalog.packageName", version="status.install.bundle.version"),
            conditions(), namespaced=False,
        ),
        kind("olm_clustercatalog", V1, "clustercatalogs", "ClusterCatalog", conditions(), namespaced=False),
    ),
)

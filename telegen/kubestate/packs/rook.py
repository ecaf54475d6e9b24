"""Rook: Ceph clusters, pools and file systems. Ceph's own metrics are gone while its manager is down; these are not."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import (
    MOST_ELEMENTS,
    Spec,
    conditions,
    current,
    fields,
    kind,
    number,
    reader,
    rows,
    states,
    text_at,
)
from telegen.metrics.family import Object, Row

GROUP, DETAILS = "ceph.rook.io/v1", "status.ceph.details"

_details, _severity = reader(DETAILS), text_at("severity")


def _health_details(obj: Object) -> Iterable[Row]:
    """Return code and severity of each problem."""
    found = _details(obj)
    return [(code, _severity(one), 1) for code, one in islice(found.items(), MOST_ELEMENTS)] if isinstance(found, dict) else []


def _kind(name: str, plural: str, *specs: Spec) -> PackResource:
    return kind(f"rook_{name.lower()}", GROUP, plural, name, *specs, current("phase", "Phase", "status.phase", "phase"), conditions())


PACK = Pack(
    "rook",
    "Ceph clusters, pools and file systems of Rook.",
    (
        _kind(
            "CephCluster", "cephclusters",
            states("health", "Health", "status.ceph.health", ("HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"), "health"),
            rows("health_detail", "Problem of the cluster, always 1", _health_details, ("code", "severity"), DETAILS),
            number("last_checked_timestamp_seconds", "Last check of the health in Unix seconds", "status.ceph.lastChecked"),
            fields(
                "capacity_bytes", "Capacity in bytes", "kind", total="status.ceph.capacity.bytesTotal",
                used="status.ceph.capacity.bytesUsed", available="status.ceph.capacity.bytesAvailable",
            ),
        ),
        _kind("CephBlockPool", "cephblockpools"),
        _kind("CephFilesystem", "cephfilesystems"),
        _kind("CephObjectStore", "cephobjectstores"),
        _kind("CephObjectStoreUser", "cephobjectstoreusers"),
        _kind("CephNFS", "cephnfses"),
        _kind("CephRBDMirror", "cephrbdmirrors"),
        _kind("CephFilesystemMirror", "cephfilesystemmirrors"),
    ),
)

"""Kinds of the platform of OpenShift with the names of families that its operators serve themselves.

They are for clusters whose operators are not scraped: beside the operators' own series they would double every sum.
What no object has is absent: counters of transitions, and the build time of the current release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from telegen.kubestate.custom.values import number_of
from telegen.kubestate.packs.pack import PackResource
from telegen.kubestate.packs.specs import (
    Spec,
    elements,
    kind,
    labelled_number,
    number,
    reader,
    reason,
    replicas,
    rows,
    text_at,
)
from telegen.metrics.family import Number, Object, Row

CONFIG, MACHINE = "config.openshift.io/v1", "machine.openshift.io/v1beta1"
CONDITIONS, HISTORY, CAPABILITIES = "status.conditions", "status.history", "status.capabilities.enabledCapabilities"

_conditions, _history, _capabilities = reader(CONDITIONS), reader(HISTORY), reader(CAPABILITIES)
_version = text_at(("status", "versions", "[name=operator]", "version"))
_type, _status, _cause, _state = text_at("type"), text_at("status"), text_at("reason"), text_at("state")
_release, _image = text_at("version"), text_at("image")
_created, _started, _completed = reader("metadata.creationTimestamp"), reader("startedTime"), reader("completionTime")
_changed = reader("lastTransitionTime")
_updates, _upstream, _channel = reader("status.availableUpdates"), text_at("spec.upstream"), text_at("spec.channel")
_reason = reason("reason").convert


def _find(obj: Object, condition: str) -> Any:
    """Return a condition by its type, an empty one if there is none."""
    return next((one for one in elements(_conditions(obj)) if _type(one) == condition), {})


def _operator_up(obj: Object) -> Iterable[Row]:
    available = _find(obj, "Available")
    return [(_version(obj), _reason(_cause(available)), _status(available) == "True")]


def _operator_conditions(obj: Object) -> Iterable[Row]:
    """Return each condition that is True or False."""
    known = {"True": 1, "False": 0}
    found = [one for one in elements(_conditions(obj)) if _type(one) and _status(one) in known]
    return [(_type(one), _reason(_cause(one)), known[_status(one)]) for one in found]


def _version_conditions(obj: Object) -> Iterable[Row]:
    return [("version", *row) for row in _operator_conditions(obj)]


def _versions(obj: Object) -> Iterable[Row]:
    """Return a time of each stage of the cluster: its creation, the first release, the last completed one, an update, a failure."""
    history = list(elements(_history(obj)))
    done: Object = next((one for one in history if _state(one) == "Completed"), {})
    newest, oldest = (history[0], history[-1]) if history else ({}, {})
    found = [("cluster", newest, _release(oldest), _created(obj)), ("initial", oldest, "", _started(oldest))]
    found.append(("completed", done, _release(done), _completed(done)))
    if newest is not done:
        found.append(("updating", newest, _release(done), _started(newest)))
    failing = _find(obj, "Failing")
    if _status(failing) == "True":
        found.append(("failure", newest, _release(done), _changed(failing)))
    return list(_timed(found))


def _timed(stages: Iterable[tuple[str, Object, str, Any]]) -> Iterator[Row]:
    for stage, release, previous, time in stages:
        seconds: Number | None = number_of(time)
        if seconds is not None:
            yield stage, _release(release), _image(release), previous, seconds


def _offered(obj: Object) -> Iterable[Row]:
    found = _updates(obj)
    return [(_upstream(obj), _channel(obj), len(found) if isinstance(found, list) else 0)]


def _enabled(obj: Object) -> Iterable[Row]:
    found = _capabilities(obj)
    return [(name, 1) for name in found[:100] if isinstance(name, str)] if isinstance(found, list) else []


def _kind(prefix: str, api_version: str, plural: str, name: str, *specs: Spec, namespaced: bool = True) -> PackResource:
    return kind(prefix, api_version, plural, name, *specs, label="name", namespaced=namespaced, selects=False)


_HOLDING = "1 for a condition that is True, 0 for False"
_cluster_version = _kind(
    "cluster", CONFIG, "clusterversions", "ClusterVersion",
    rows("operator_conditions", _HOLDING, _version_conditions, ("name", "condition", "reason"), CONDITIONS),
    rows(
        "version", "Time of each stage of the cluster in Unix seconds", _versions, ("type", "version", "image", "from_version"),
        HISTORY, CONDITIONS,
    ),
    rows(
        "version_available_updates", "Updates that are offered",
        _offered, ("upstream", "channel"), "status.availableUpdates", "spec.upstream", "spec.channel",
    ),
    rows("version_capability", "Capability of the cluster, always 1", _enabled, ("name",), CAPABILITIES),
    namespaced=False,
)

OPERATOR_NAMES = (
    _kind(
        "cluster", CONFIG, "clusteroperators", "ClusterOperator",
        rows("operator_up", "1 if the operator is available", _operator_up, ("version", "reason"), CONDITIONS, "status.versions"),
        rows("operator_conditions", _HOLDING, _operator_conditions, ("condition", "reason"), CONDITIONS),
        namespaced=False,
    ),
    # There is one object of the kind, whose name is no label of its families.
    replace(_cluster_version, table=replace(_cluster_version.table, identity=())),
    _kind(
        "mapi", MACHINE, "machines", "Machine",
        labelled_number(
            "machine_created_timestamp_seconds", "Creation time in Unix seconds", "metadata.creationTimestamp",
            spec_provider_id="spec.providerID", node="status.nodeRef.name", api_version="apiVersion", phase="status.phase",
        ),
    ),
    _kind(
        "mapi", MACHINE, "machinesets", "MachineSet",
        number("machineset_created_timestamp_seconds", "Creation time in Unix seconds", "metadata.creationTimestamp"),
        *[replace(one, name=f"machine_set_{one.name}") for one in replicas("replicas", "readyReplicas", "availableReplicas")],
    ),
)
"""Kinds with the operators' names."""

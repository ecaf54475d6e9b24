"""Jobs: batch/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, condition_rows, created, exists, owner
from telegen.kubestate.fields import at, count, given_time_at, items
from telegen.kubestate.fields import seconds as unix
from telegen.kubestate.fields import time_at
from telegen.kubestate.resource import NAMESPACE, Resource, named
from telegen.metrics.family import ALPHA, STABLE, Object, Row, dynamic, gauge

REASONS = ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted")

_failed, _conditions = count("status.failed"), items("status.conditions")
_start, _completion = time_at("status.startTime"), time_at("status.completionTime")


def _failures(obj: Object) -> list[Object]:
    return [condition for condition in _conditions(obj) if condition.get("type") == "Failed"]


def failed(obj: Object) -> Iterable[tuple[tuple[tuple[str, str], ...], float]]:
    """No failed pods: 0 without a reason. A known reason of the job's failure: a flag for each. Else the number of pods."""
    pods = _failed(obj)
    if not pods:
        return [((), 0)]
    given = [condition.get("reason") for condition in _failures(obj)]
    rows = [((("reason", reason),), reason == one) for one in given for reason in REASONS]
    return rows if set(given) & set(REASONS) else [*rows, ((("reason", ""),), pods)]


def suspended(obj: Object) -> Iterable[Row]:
    """By the condition; spec.suspend is only a wish."""
    return [(c.get("status") == "True",) for c in _conditions(obj) if c.get("type") == "Suspended"]


def duration(obj: Object) -> int | None:
    """From its start to its completion or failure."""
    start, end = _start(obj), _completion(obj)
    if end is None:
        ends = [condition.get("lastTransitionTime") for condition in _failures(obj) if condition.get("status") == "True"]
        end = unix(ends[0]) if ends and ends[0] else None
    return None if start is None or end is None else end - start


FAMILIES = (
    allowed_annotations("kube_job"),
    allowed_labels("kube_job"),
    exists("kube_job", STABLE),
    created("kube_job"),
    gauge("kube_job_spec_parallelism", "Most pods that may run at once.", STABLE, at("spec.parallelism")),
    gauge("kube_job_spec_completions", "Pods that must succeed.", STABLE, at("spec.completions")),
    gauge(
        "kube_job_spec_active_deadline_seconds", "Time that the job may take, in seconds.", STABLE, at("spec.activeDeadlineSeconds")
    ),
    gauge("kube_job_status_succeeded", "Pods that have succeeded.", STABLE, count("status.succeeded")),
    dynamic("kube_job_status_failed", "Pods that have failed, or why the job has.", STABLE, failed, "reason"),
    gauge("kube_job_status_active", "Pods that are running or pending.", STABLE, count("status.active")),
    gauge("kube_job_status_ready", "Pods that are ready.", ALPHA, count("status.ready")),
    gauge("kube_job_complete", "Whether the job has succeeded.", STABLE, condition_rows("Complete"), "condition"),
    gauge("kube_job_failed", "Whether the job has failed.", STABLE, condition_rows("Failed"), "condition"),
    gauge("kube_job_status_start_time", "When the job began, in Unix seconds.", STABLE, given_time_at("status.startTime")),
    gauge(
        "kube_job_status_completion_time", "When the job succeeded, in Unix seconds.", STABLE, given_time_at("status.completionTime")
    ),
    gauge("kube_job_status_suspended", "Whether the job is held back.", ALPHA, suspended),
    owner("kube_job"),
    gauge("kube_job_duration_seconds", "Time from the job's start to its end, once it has ended.", ALPHA, duration),
)

RESOURCE = Resource(
    name="jobs",
    group="batch",
    version="v1",
    kind="Job",
    namespaced=True,
    identity=(NAMESPACE, named("job_name")),
    families=FAMILIES,
    reads=("spec.activeDeadlineSeconds", "spec.completions", "spec.parallelism", "status"),
)

"""Jobs: batch/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, condition_rows, created, exists, owner
from telegen.kubestate.fields import at, count, given_time_at, items
from telegen.kubestate.fields import seconds as unix
from telegen.kubestate.fields import time_at
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Object, Row, dynamic, gauge

REASONS = ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted")

_failed, _conditions = count("status.failed"), items("status.conditions")
_start, _completion = time_at("status.startTime"), time_at("status.completionTime")


def _failures(obj: Object) -> list[Object]:
    return [condition for condition in _conditions(obj) if condition.get("type") == "Failed"]


def failed(obj: Object) -> Iterable[tuple[tuple[tuple[str, str], ...], float]]:
    """Return the failed pods by reason, in the three forms of kube-state-metrics.

    - No failed pods: 0, without the label.
    - The job failed for a known reason: a row for each known reason, 1 on the given one.
    - Otherwise: the number of failed pods, with an empty reason.
    """
    pods = _failed(obj)
    if not pods:
        return [((), 0)]
    given = [condition.get("reason") for condition in _failures(obj)]
    rows = [((("reason", reason),), reason == one) for one in given for reason in REASONS]
    return rows if set(given) & set(REASONS) else [*rows, ((("reason", ""),), pods)]


def suspended(obj: Object) -> Iterable[Row]:
    """Return the state by the condition: spec.suspend is only the desired one."""
    return [(c.get("status") == "True",) for c in _conditions(obj) if c.get("type") == "Suspended"]


def duration(obj: Object) -> int | None:
    """Return the seconds from the start to the completion or failure."""
    start, end = _start(obj), _completion(obj)
    if end is None:
        # A failed job has no completionTime.
        ends = [condition.get("lastTransitionTime") for condition in _failures(obj) if condition.get("status") == "True"]
        end = unix(ends[0]) if ends and ends[0] else None
    return None if start is None or end is None else end - start


FAMILIES = (
    allowed_annotations("kube_job"),
    allowed_labels("kube_job"),
    exists("kube_job", STABLE),
    created("kube_job"),
    gauge(
        "kube_job_spec_parallelism", "Maximum number of pods that run at the same time (spec.parallelism).", STABLE,
        at("spec.parallelism"),
    ),
    gauge("kube_job_spec_completions", "Number of pods that must succeed (spec.completions).", STABLE, at("spec.completions")),
    gauge(
        "kube_job_spec_active_deadline_seconds", "Seconds that the job may run before it is stopped (spec.activeDeadlineSeconds).", STABLE,
        at("spec.activeDeadlineSeconds"),
    ),
    gauge(
        "kube_job_status_succeeded", "Number of pods that have succeeded (status.succeeded).", STABLE,
        count("status.succeeded"),
    ),
    dynamic(
        "kube_job_status_failed",
        "Number of failed pods; if the job failed for a known reason, 1 on that reason instead "
        "(status.failed, status.conditions[type=Failed].reason).",
        STABLE, failed, "reason",
    ),
    gauge(
        "kube_job_status_active", "Number of pods that are pending or running (status.active).", STABLE,
        count("status.active"),
    ),
    gauge("kube_job_status_ready", "Number of ready pods (status.ready).", ALPHA, count("status.ready")),
    gauge(
        "kube_job_complete",
        "1 on the current status of the condition Complete, 0 on the other two (status.conditions[type=Complete].status).", STABLE,
        condition_rows("Complete"), "condition",
    ),
    gauge(
        "kube_job_failed", "1 on the current status of the condition Failed, 0 on the other two (status.conditions[type=Failed].status).",
        STABLE, condition_rows("Failed"), "condition",
    ),
    gauge(
        "kube_job_status_start_time", "Start of the job in Unix seconds (status.startTime).", STABLE,
        given_time_at("status.startTime"),
    ),
    gauge(
        "kube_job_status_completion_time", "Successful end of the job in Unix seconds (status.completionTime).", STABLE,
        given_time_at("status.completionTime"),
    ),
    gauge(
        "kube_job_status_suspended", "1 if the job is suspended, 0 if it was resumed (status.conditions[type=Suspended].status).", ALPHA,
        suspended,
    ),
    owner("kube_job"),
    gauge(
        "kube_job_duration_seconds",
        "Seconds from the start of the job to its completion or failure; no series before (status.startTime, status.completionTime).",
        ALPHA, duration,
    ),
)

RESOURCE = Resource(
    name="jobs",
    group="batch",
    version="v1",
    kind="Job",
    namespaced=True,
    identity=(NAMESPACE, name_label("job_name")),
    families=FAMILIES,
    reads=("spec.activeDeadlineSeconds", "spec.completions", "spec.parallelism", "status"),
)

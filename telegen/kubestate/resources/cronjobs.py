"""CronJobs: batch/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version
from telegen.kubestate.cron import Malformed, parse
from telegen.kubestate.fields import ZERO_TIME, at, given_time_at, items, text, time_at
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import ALPHA, STABLE, Object, Row, gauge

_schedule, _zone, _suspended = text("spec.schedule"), at("spec.timeZone"), at("spec.suspend", False)
_policy, _active = text("spec.concurrencyPolicy"), items("status.active")
_created, _last = time_at("metadata.creationTimestamp"), time_at("status.lastScheduleTime")


def info(obj: Object) -> Iterable[Row]:
    zone = _zone(obj)
    return [(_schedule(obj), _policy(obj), "local" if zone is None else zone, 1)]


def next_time(obj: Object) -> int | None:
    """Return the first scheduled time after the last run, or after the creation; the zero time if there is none."""
    after = _last(obj)
    # A new CronJob is due after its creation.
    after = _created(obj) if after is None else after
    if _suspended(obj) or after is None:
        return None
    try:
        due = parse(_schedule(obj), _zone(obj)).next(after)
    except Malformed:
        return None
    # kube-state-metrics prints the zero time of its search for a schedule such as 30 February.
    return ZERO_TIME if due is None else due


def invalid(obj: Object) -> int | None:
    """Return 1 for a schedule that cannot be parsed."""
    try:
        parse(_schedule(obj), _zone(obj))
    except Malformed:
        return 1
    return None


FAMILIES = (
    allowed_annotations("kube_cronjob"),
    allowed_labels("kube_cronjob"),
    gauge(
        "kube_cronjob_info",
        "One series per cronjob, always 1; schedule, concurrency policy and time zone, local if unset "
        "(spec.schedule, spec.concurrencyPolicy, spec.timeZone).",
        STABLE, info, "schedule", "concurrency_policy", "timezone",
    ),
    created("kube_cronjob"),
    gauge(
        "kube_cronjob_status_active", "Number of jobs that are running now (status.active).", STABLE,
        lambda obj: len(_active(obj)),
    ),
    gauge(
        "kube_cronjob_status_last_schedule_time", "Last time a job was scheduled, in Unix seconds (status.lastScheduleTime).", STABLE,
        given_time_at("status.lastScheduleTime"),
    ),
    gauge(
        "kube_cronjob_status_last_successful_time", "Last time a job succeeded, in Unix seconds (status.lastSuccessfulTime).", STABLE,
        given_time_at("status.lastSuccessfulTime"),
    ),
    gauge("kube_cronjob_spec_suspend", "1 if scheduling is suspended, 0 if not (spec.suspend).", STABLE, _suspended),
    gauge(
        "kube_cronjob_spec_starting_deadline_seconds",
        "Seconds after its scheduled time within which a job may still start (spec.startingDeadlineSeconds).", STABLE,
        at("spec.startingDeadlineSeconds"),
    ),
    gauge(
        "kube_cronjob_next_schedule_time",
        "Next time a job is due, in Unix seconds, computed from the schedule (spec.schedule, status.lastScheduleTime).", STABLE,
        next_time,
    ),
    gauge(
        "kube_cronjob_schedule_invalid",
        "1 if the schedule or its time zone cannot be parsed; no series otherwise (spec.schedule, spec.timeZone).", ALPHA,
        invalid,
    ),
    resource_version("kube_cronjob", STABLE),
    gauge(
        "kube_cronjob_spec_successful_job_history_limit", "Number of succeeded jobs to keep (spec.successfulJobsHistoryLimit).", ALPHA,
        at("spec.successfulJobsHistoryLimit"),
    ),
    gauge(
        "kube_cronjob_spec_failed_job_history_limit", "Number of failed jobs to keep (spec.failedJobsHistoryLimit).", ALPHA,
        at("spec.failedJobsHistoryLimit"),
    ),
)

RESOURCE = Resource(
    name="cronjobs",
    group="batch",
    version="v1",
    kind="CronJob",
    namespaced=True,
    identity=(NAMESPACE, name_label("cronjob")),
    families=FAMILIES,
    reads=(
        "spec.concurrencyPolicy",
        "spec.failedJobsHistoryLimit",
        "spec.schedule",
        "spec.startingDeadlineSeconds",
        "spec.successfulJobsHistoryLimit",
        "spec.suspend",
        "spec.timeZone",
        "status",
    ),
)

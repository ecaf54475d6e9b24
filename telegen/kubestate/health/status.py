"""The generic rule: from any object to its health.

The first that applies counts:

1. It is being deleted: Terminating.
2. Its controller has not processed the newest generation: InProgress.
3. `Stalled` is true: Failed; `Reconciling` is true: InProgress.
4. A condition that is bad when true, such as `Degraded`, is true: Failed.
5. The first of `SUMMARIES` that it has: Current if it is true, else InProgress.
6. The worst of the known words in status.phase, status.state and status.health.
7. Otherwise Unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from telegen.kubestate.fields import ZERO_TIME, seconds
from telegen.kubestate.health.conditions import (
    FALSE,
    TRUE,
    Condition,
    good_status,
    integer,
    read_conditions,
    worst_conditions,
)
from telegen.metrics.family import Object

CURRENT, IN_PROGRESS, FAILED, TERMINATING, UNKNOWN = "Current", "InProgress", "Failed", "Terminating", "Unknown"
STATUSES = (CURRENT, IN_PROGRESS, FAILED, TERMINATING, UNKNOWN)
SUMMARIES = ("Ready", "Available", "Healthy", "Succeeded", "Synced", "Accepted", "ReconcileSucceeded")
"""Types of the condition that sums up an object, the first one that it has counts."""
PHASE_CHARACTERS = 64
"""Longest phase that is shown."""
_WORDS = {
    CURRENT: (
        "active atlatestknown attached available bound complete completed current deployed done enabled established finished green "
        "health_ok healthy idle installed ok online provisioned ready reconciled running success successful succeeded synced up valid"
    ),
    IN_PROGRESS: (
        "binding configuring creating health_warn initializing inprogress installing installready modifying new notready outofsync "
        "pending processing progressing provisioning queued reconciling replacing requiresapproval restoring rollingout scaling "
        "scheduling starting syncing upgradeavailable upgradepending updating upgrading waiting warning yellow"
    ),
    FAILED: (
        "aborted broken crashed crashloopbackoff critical degraded error errored expired fail failed failedvalidation failure health_err "
        "invalid lost missing partiallyfailed red rejected stalled timedout timeout unavailable unhealthy unreachable upgradefailed"
    ),
    TERMINATING: "deleting destroying removing terminating uninstalling",
}
WORDS = {word: status for status, words in _WORDS.items() for word in words.split()}
"""Status by phase in lower case, without spaces, hyphens and underscores between words."""
_WORST = (FAILED, TERMINATING, IN_PROGRESS, CURRENT)


class Health(NamedTuple):
    """Health of one object.

    Attributes:
        status: one of `STATUSES`.
        conditions: all of them, each type once.
        cause: the condition that the status comes from, None if it comes from another field.
        phase: status.phase, else status.state; "" if neither is a short text.
        lag: generations that the controller has not processed, None if it shows none.
    """

    status: str
    conditions: tuple[Condition, ...]
    cause: Condition | None
    phase: str
    lag: int | None


NOTHING = Health(UNKNOWN, (), None, "", None)
"""Health of an object without any fields."""


def examine(obj: Object, elements: str = "") -> Health:
    """Return the health of an object of any shape.

    Args:
        elements: field of status whose elements have the conditions; "" for status.conditions.
    """
    status = dict_at(obj, "status")
    conditions = tuple(worst_conditions(status.get(elements)) if elements else read_conditions(status.get("conditions")))
    metadata = dict_at(obj, "metadata")
    lag = generation_lag(metadata, status, conditions)
    result, cause = _judge(metadata, status, conditions, lag)
    phase = next((text for key in ("phase", "state") if (text := status.get(key)) and _is_phase(text)), "")
    return Health(result, conditions, cause, phase, lag)


def _judge(
    metadata: Object, status: Object, conditions: tuple[Condition, ...], lag: int | None
) -> tuple[str, Condition | None]:
    if metadata.get("deletionTimestamp"):
        return TERMINATING, None
    if lag is not None and lag > 0:
        return IN_PROGRESS, None
    by_type = {condition.type: condition for condition in conditions}
    for type_, result in (("Stalled", FAILED), ("Reconciling", IN_PROGRESS)):
        if type_ in by_type and by_type[type_].status == TRUE:
            return result, by_type[type_]
    for condition in conditions:
        if condition.status == TRUE and good_status(condition.type) == FALSE:
            return FAILED, condition
    for condition in (by_type[type_] for type_ in SUMMARIES if type_ in by_type):
        return CURRENT if condition.status == TRUE else IN_PROGRESS, condition
    return _of_words(status), None


def _of_words(status: Object) -> str:
    """Return the worst status of the words in phase, state and health; a health may be a map with a status, as that of Argo CD."""
    values = [status.get(key) for key in ("phase", "state", "health")]
    words = [value.get("status") if isinstance(value, dict) else value for value in values]
    found = {known for word in words if isinstance(word, str) and _is_phase(word) and (known := word_status(word))}
    return next((result for result in _WORST if result in found), UNKNOWN)


def word_status(word: str) -> str:
    """Return the status of a phase, "" if the word is unknown."""
    lower = word.lower()
    return WORDS.get(lower) or WORDS.get(lower.translate(_SEPARATORS), "")


_SEPARATORS = str.maketrans("", "", " -_")


def generation_lag(metadata: Object, status: Object, conditions: Iterable[Condition]) -> int | None:
    """Return the number of generations that the controller has not processed; None if either generation is absent.

    The observed one is status.observedGeneration, else the lowest of the conditions.
    """
    generation, observed = integer(metadata.get("generation")), integer(status.get("observedGeneration"))
    if observed is None:
        observed = min((condition.observed for condition in conditions if condition.observed is not None), default=None)
    return None if generation is None or observed is None else max(0, generation - observed)


def unready_since(obj: Object, health: Health) -> int | None:
    """Return the time since which an object has the status that it has, in Unix seconds; None if it has no such time."""
    if health.status == TERMINATING:
        return time_of(dict_at(obj, "metadata").get("deletionTimestamp"))
    return time_of(health.cause.transition) if health.cause else None


def time_of(value: Any) -> int | None:
    """Return a time in Unix seconds, None for anything but an RFC 3339 time and for the zero time."""
    try:
        unix = seconds(value) if isinstance(value, str) else ZERO_TIME
    except ValueError:
        return None
    return None if unix == ZERO_TIME else unix


def dict_at(obj: Object, key: str) -> Object:
    """Return the map at a key; an empty one for anything else."""
    value = obj.get(key)
    return value if isinstance(value, dict) else {}


def _is_phase(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= PHASE_CHARACTERS

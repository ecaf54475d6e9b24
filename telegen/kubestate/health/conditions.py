"""Conditions of any object: tolerant reader, and the meaning of a type by its name."""

from __future__ import annotations

from typing import Any, NamedTuple

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
SHOWN = 64
"""Conditions of an object that have series."""
TYPE_BYTES = 316
"""Longest type that the API conventions allow."""
_STATUSES = {"true": TRUE, "false": FALSE}
_POSITIVE = ("Ready", "Available", "Healthy", "Synced", "Accepted", "Programmed", "ResolvedRefs", "Valid", "Established", "Succeeded")
_NEGATIVE = (
    "Degraded", "Stalled", "Failed", "Failure", "Error", "Unhealthy", "Pressure", "Denied", "InvalidRequest", "Missing", "Unavailable",
)  # fmt: skip


class Condition(NamedTuple):
    """One condition.

    Attributes:
        status: `True`, `False` or `Unknown`.
        reason: "" if it is absent or no string.
        transition: lastTransitionTime as in the object.
        observed: observedGeneration, None if it is absent or no integer.
    """

    type: str
    status: str
    reason: str
    transition: Any
    observed: int | None


def read_conditions(value: Any) -> list[Condition]:
    """Return the conditions in a value that should be a list of them.

    Elements without a type are left out, such as those of a log of phases. Of several elements of one type the last one counts.
    """
    found: dict[str, Condition] = {}
    for item in value if isinstance(value, list) else ():
        type_ = item.get("type") if isinstance(item, dict) else None
        if isinstance(type_, str) and 0 < len(type_) <= TYPE_BYTES:
            reason = item.get("reason")
            found[type_] = Condition(
                type_,
                _status(item),
                reason if isinstance(reason, str) else "",
                item.get("lastTransitionTime"),
                integer(item.get("observedGeneration")),
            )
    return list(found.values())


def worst_conditions(elements: Any) -> list[Condition]:
    """Return the conditions of the elements of a list, such as the gateways of a route; of one type the worst one counts."""
    found: dict[str, Condition] = {}
    for element in elements if isinstance(elements, list) else ():
        for condition in read_conditions(element.get("conditions")) if isinstance(element, dict) else ():
            other = found.setdefault(condition.type, condition)
            if _badness(condition) > _badness(other):
                found[condition.type] = condition
    return list(found.values())


def _badness(condition: Condition) -> int:
    return {good_status(condition.type) or TRUE: 0, UNKNOWN: 1}.get(condition.status, 2)


def _status(item: dict[str, Any]) -> str:
    """Return the status. A condition without the field is true while it is present, as those of Argo CD are."""
    return _STATUSES.get(str(item["status"]).lower(), UNKNOWN) if "status" in item else TRUE


def integer(value: Any) -> int | None:
    """Return an integer of 64 bits, None for anything else."""
    return value if type(value) is int and abs(value) < 1 << 63 else None


def good_status(type_: str) -> str:
    """Return the status that is good for a type: `True`, `False`, or "" for a type of unknown or neutral meaning."""
    if type_.startswith("Not") and type_[3:4].isupper():
        return {TRUE: FALSE, FALSE: TRUE}.get(good_status(type_[3:]), "")
    if type_.endswith(_NEGATIVE):
        return FALSE
    return TRUE if type_.endswith(_POSITIVE) else ""

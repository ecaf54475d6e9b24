"""Parameters of lists. Most have no effect on metrics; values that the API server refuses are refused here too."""

from __future__ import annotations

import re
from collections.abc import Mapping

from telegen.adapter.apis.answers import StatusError, bad_request, wants_watch, watch_refused

_NUMBERS = ("limit", "timeoutSeconds")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_MATCHES = ("Exact", "NotOlderThan")


def check_numbers(params: Mapping[str, str]) -> None:
    """Raise StatusError for a limit or a time that is not a whole number of 64 bits. An empty text is not one."""
    for name in _NUMBERS:
        value = params.get(name, "0")
        if not _NUMBER.fullmatch(value) or len(value) > 20 or not -(1 << 63) <= int(value) < 1 << 63:
            raise bad_request(f"{name}: {value[:80]!r} is not a whole number of 64 bits")


def check_list(params: Mapping[str, str], resource: str, group: str) -> None:
    """Raise StatusError for options that a list cannot have, and for a watch."""
    check_numbers(params)
    if wants_watch(params):
        raise watch_refused(resource, group)
    version, match = params.get("resourceVersion", ""), params.get("resourceVersionMatch", "")
    if match and match not in _MATCHES:
        raise _invalid("resourceVersionMatch", f"Unsupported value: {match[:80]!r}: supported values: {', '.join(_MATCHES)}")
    if match and (not version or params.get("continue") or (match, version) == ("Exact", "0")):
        raise _invalid("resourceVersionMatch", "Forbidden: it needs a resourceVersion, not 0 for Exact, and no continue")
    if "sendInitialEvents" in params:
        raise _invalid("sendInitialEvents", "Forbidden: it is for watches only")


def _invalid(field: str, problem: str) -> StatusError:
    message = f'ListOptions.meta.k8s.io "" is invalid: {field}: {problem}'
    return StatusError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": "ListOptions"})

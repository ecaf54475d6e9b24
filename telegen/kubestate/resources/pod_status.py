"""Generate functions of families about a pod itself, not its containers. Names of projections are in capitals."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, Optional

from telegen.kubestate.constructors import STATUSES as CONDITION_STATES
from telegen.kubestate.fields import at, items, seconds, text
from telegen.metrics.family import Generate, Object, Projection, Row
from telegen.metrics.label_keys import label_pairs

STATUS_REASONS = frozenset(
    {
        "Evicted",
        "NodeAffinity",
        "NodeLost",
        "PreemptionByScheduler",
        "SchedulingGated",
        "Shutdown",
        "TerminationByKubelet",
        "UnexpectedAdmissionError",
    }
)
DISRUPTION_REASONS = frozenset(
    {"PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC", "TerminationByKubelet"}
)

pod_name = text("metadata.name")
_owners, _conditions, _statuses = items("metadata.ownerReferences"), items("status.conditions"), items("status.containerStatuses")
_volumes, _claims = items("spec.volumes"), items("spec.resourceClaims")
_claim_statuses, _reason = items("status.resourceClaimStatuses"), text("status.reason")
_node_selector = at("spec.nodeSelector", {})


def info(obj: Object) -> Iterable[Row]:
    # PERF: one pass without readers; every pod has this family.
    kind = name = ""
    for ref in _owners(obj):
        # At most one owner is the controller.
        if ref.get("controller"):
            kind, name = ref.get("kind") or "", ref.get("name") or ""
            break
    spec, status = (obj.get("spec") or {}).get, (obj.get("status") or {}).get
    where = status("hostIP") or "", status("podIP") or "", spec("nodeName") or ""
    return [(*where, kind, name, spec("priorityClassName") or "", "true" if spec("hostNetwork") else "false", 1)]


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")


@lru_cache(maxsize=16384)
def _ip_family(address: str) -> str:
    """Return `4` or `6`, or "" for a malformed address. PERF: parsing takes 4 us, a regular expression 1."""
    if _IPV4.fullmatch(address):
        return "4"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    # ::ffff:10.0.0.1 is an IPv4 address in the form of IPv6.
    mapped = isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None
    return "4" if mapped else str(parsed.version)


def address(entry: dict[str, Any]) -> Row | None:
    """Return an address and its family; None if it is malformed."""
    ip = entry.get("ip") or ""
    family = _ip_family(ip)
    return (ip, family, 1) if family else None


def completion_time(obj: Object) -> int | None:
    """Return the latest end of a terminated container; other containers may still run."""
    latest = 0
    for status in _statuses(obj):
        terminated = (status.get("state") or {}).get("terminated")
        if terminated is not None:
            latest = max(latest, seconds(terminated.get("finishedAt")))
    return latest if latest > 0 else None


def overhead(resource: str, convert: Any) -> Generate:
    read = at(f"spec.overhead.{resource}")

    def generate(obj: Object) -> Any:
        quantity = read(obj)
        return None if quantity is None else convert(quantity)

    return generate


Claim = tuple[str, str, str, bool]
"""(volume, claim, is ephemeral, is read-only) of a volume that is backed by a claim."""


@Projection
def CLAIMS(obj: Object) -> tuple[Claim, ...]:
    """Project the volumes that are backed by claims; most pods have none."""
    found: list[Claim] = []
    for volume in _volumes(obj):
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            found.append((volume.get("name") or "", claim.get("claimName") or "", "false", claim.get("readOnly") or False))
        elif volume.get("ephemeral") is not None:
            # The controller of ephemeral volumes names the claim after pod and volume.
            name = volume.get("name") or ""
            found.append((name, f"{pod_name(obj)}-{name}", "true", False))
    return tuple(found)


def claims(found: Iterable[Claim]) -> Iterable[Row]:
    return [(*claim[:3], 1) for claim in found]


def claims_read_only(found: Iterable[Claim]) -> Iterable[Row]:
    """Return the claims as they are: the last element is the number."""
    return found


def resource_claims(obj: Object) -> Iterable[Row]:
    """Return claims of dynamic resources. For a claim from a template, its name is in the status once it was created."""
    resolved = {status.get("name"): status.get("resourceClaimName") or "" for status in _claim_statuses(obj)}
    rows = []
    for claim in _claims(obj):
        name, direct, template = claim.get("name") or "", claim.get("resourceClaimName"), claim.get("resourceClaimTemplateName")
        if direct is not None or template is not None:
            rows.append((name, direct if direct is not None else resolved.get(name, ""), template or "", 1))
    return rows


Condition = tuple[Optional[str], Optional[str], Optional[str]]
"""(type, status, reason): a condition without its times."""


@Projection
def CONDITIONS(obj: Object) -> tuple[Condition, ...]:
    """Project the conditions without times, which are equal for many pods."""
    return tuple([(one.get("type"), one.get("status"), one.get("reason")) for one in _conditions(obj)])


def condition_states(type_: str) -> Generate:
    """Make a generate function of three rows (true, false, unknown) for each condition of one type."""
    return lambda conditions: [
        (label, status == wanted)
        for kind, status, _ in conditions
        if kind == type_
        for label, wanted in CONDITION_STATES
    ]


@Projection
def CONDITION_TIMES(obj: Object) -> tuple[Condition, ...]:
    """Project the conditions with their times instead of reasons: (type, status, time)."""
    return tuple([(one.get("type"), one.get("status"), one.get("lastTransitionTime")) for one in _conditions(obj)])


def condition_time(type_: str, status: str) -> Generate:
    """Make a generate function of the time since which a condition has `status`."""

    def generate(conditions: Iterable[Condition]) -> int | None:
        for kind, state, time in conditions:
            if kind == type_ and state == status:
                return seconds(time)
        return None

    return generate


def status_reasons(obj: Object) -> Iterable[Row]:
    """Return the known reasons of pod, conditions and containers; `Other` if the reason of the pod is unknown."""
    own = _reason(obj)
    reasons = [condition.get("reason") for condition in _conditions(obj)]
    reasons += [((status.get("state") or {}).get("terminated") or {}).get("reason") for status in _statuses(obj)]
    # A reason may be found twice; the line writer drops the repeated series.
    rows = [(reason, 1) for reason in (own, *reasons) if reason in STATUS_REASONS]
    return [*rows, ("Other", 1)] if own and own not in STATUS_REASONS else rows


def disruption_reasons(conditions: Iterable[Condition]) -> Iterable[Row]:
    reasons = [reason for kind, _, reason in conditions if kind == "DisruptionTarget"]
    return [(reason if reason in DISRUPTION_REASONS else "Other", 1) for reason in reasons]


def unschedulable(conditions: Iterable[Condition]) -> int | None:
    """Return 1 if the pod is not scheduled. kube-state-metrics has no sample otherwise, not 0."""
    return 1 if any(kind == "PodScheduled" and status == "False" for kind, status, _ in conditions) else None


class Common(NamedTuple):
    """Fields that are equal for many pods.

    Attributes:
        restart_policy, scheduler, service_account, qos, phase: "" if absent.
        runtime_class: None if absent.
        tolerations: (field, value) pairs of each toleration, so that they can be hashed.
    """

    restart_policy: str
    scheduler: str
    service_account: str
    runtime_class: str | None
    qos: str
    phase: str
    tolerations: tuple[tuple[tuple[str, Any], ...], ...]


_new_common: Any = tuple.__new__
"""Constructor of `Common`. PERF: 0.1 us; Common(...) takes 0.4."""


@Projection
def COMMON(obj: Object) -> Common:
    """Project the fields that do not identify a pod."""
    spec, status = (obj.get("spec") or {}).get, (obj.get("status") or {}).get
    values = (
        spec("restartPolicy") or "",
        spec("schedulerName") or "",
        spec("serviceAccountName") or "",
        spec("runtimeClassName"),
        status("qosClass") or "",
        status("phase") or "",
        tuple([tuple(entry.items()) for entry in spec("tolerations") or ()]),
    )
    made: Common = _new_common(Common, values)
    return made


def tolerations(pod: Common) -> Iterable[Row]:
    return [_toleration(dict(entry)) for entry in pod.tolerations]


def _toleration(entry: dict[str, Any]) -> Row:
    get, after = entry.get, entry.get("tolerationSeconds")
    texts = get("key") or "", get("operator") or "", get("value") or "", get("effect") or ""
    return (*texts, "" if after is None else str(int(after)), 1)


def common(field: str) -> Generate:
    """Make a generate function of one sample 1 with a field of `Common` as label; None if the field is None."""
    read = attrgetter(field)

    def generate(pod: Common) -> Iterable[Row] | None:
        value = read(pod)
        return None if value is None else [(value, 1)]

    return generate


def one_of(field: str, values: Sequence[str]) -> Generate:
    """Make a generate function of one row per value of a field of `Common`, 1 on the current one; None if it is empty."""
    read = attrgetter(field)

    def generate(pod: Common) -> Iterable[Row] | None:
        current = read(pod)
        return [(value, value == current) for value in values] if current else None

    return generate


def node_selectors(obj: Object) -> Iterable[Row]:
    return [(label_pairs(_node_selector(obj), "nodeselector_"), 1)]

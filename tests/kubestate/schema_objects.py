"""Random objects that the schema of the API allows (schema.json, made by fetch_schema.py)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.kubestate.fixtures import SCHEMA

TEXTS = (
    "", "a", "web-1", "0", "-1", "true", "True", "False", "Unknown", "None", "Other", "kube-system", "10.0.0.1",
    "fd00::1", "::ffff:10.0.0.1",
    "010.1.1.1", "25%", "150%", "-5%", "x%", "99999999999999999999", "a/b", "example.com/gpu", " ", "a b", 'say "no"',
    "back\\slash",
    "two\nlines", "\r", "\t", "\x0b", "\x1b[1m", "\x85", "\u2028", "é", "漢字", "😀", "{}", 'a="b",', "#", "_", "__name__",
    "le", "x" * 300,
)  # fmt: skip
QUANTITIES = (
    "0", "1", "-1", "+1", "100m", "1500m", "0.5", ".5", "5.", "1e3", "1E3", "1e-9", "12E", "1Ei", "1n", "1u", "16Gi",
    "1.5Ki", "7Ei",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999999", "1e100", "-1e100",
    "1e-100",
    "0.000000000000000001", "9223372036854775", "9223372036854776", 0, 1, -1, 1.5,
)  # fmt: skip
TIMES = (
    "2026-01-05T08:00:00Z", "2026-11-24T23:59:59Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T12:00:00Z", "2026-03-29T01:30:00Z",
    "2026-01-05T08:00:00.123456Z",
    "2026-01-05T08:00:00+02:00", "2026-01-05T08:00:00.999999999-11:30", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
)  # fmt: skip
CONDITIONS = (
    "Ready", "Available", "Progressing", "ReplicaFailure", "Complete", "Failed", "Suspended", "FailureTarget",
    "PodScheduled", "Initialized",
    "ContainersReady", "DisruptionTarget", "Approved", "Denied", "DiskPressure", "AbleToScale", "Resizing", "Hostname",
    "InternalIP",
    "Resource", "ContainerResource", "Pods", "Object", "External",
)  # fmt: skip
REASONS = (
    "Evicted", "NodeLost", "NodeAffinity", "Shutdown", "UnexpectedAdmissionError", "BackoffLimitExceeded",
    "DeadlineExceeded", "OOMKilled",
    "CrashLoopBackOff", "MinimumReplicasAvailable", "Unschedulable", "PreemptionByScheduler", "PodFailurePolicy",
    "Something", "",
)  # fmt: skip
BY_NAME: dict[str, tuple[Any, ...]] = {
    "type": (*CONDITIONS, *TEXTS[:8]),
    "reason": (*REASONS, *TEXTS[:8]),
    "status": ("True", "False", "Unknown", "True", "False", *TEXTS[:4]),
    "resourceVersion": ("1", "123456789", "18446744073709551615", "x", "", "-1", "1e3", "١"),
    "schedule": (
        "* * * * *", "0 0 30 2 *", "*/5 1-3 * JAN mon", "@hourly", "@every 90m", "@every 1000000h", "@reboot",
        "61 * * * *", "1-70 * * * *",
        "TZ=Europe/Berlin 30 2 * * *", "CRON_TZ= 0 0 * * *", "CRON_TZ=Nowhere 0 0 * * *", "TZ=UTC", "0 0 29 2 *",
        "? ? ? ? ?",
        "@every 9999999999999h", "", "*/0 * * * *", "59 23 31 12 *",
    ),
    "timeZone": ("Europe/Berlin", "UTC", "Local", "", "Etc/GMT+12", "America/New_York", "No/Where", "../etc/x"),
    "ip": ("10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "010.1.1.1", "1", "", "fe80::1%eth0", "10.0.0.1/24", "::"),
    "restartCount": (0, 1, 2**31 - 1),
    "request": ("LS0t", ""),
}  # fmt: skip
KEYS = (
    "app", "app.kubernetes.io/name", "appName", "app_name", "app-name", "APP", "a", "a_conflict1", "team",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/", "kubernetes.io/role", "é", "0", "storageclass.kubernetes.io/is-default-class",
    "volume.beta.kubernetes.io/storage-class",
    "kubernetes.io/ingress.class", "namespace", "x" * 63,
)  # fmt: skip
AMOUNTS = (
    "cpu", "memory", "storage", "pods", "ephemeral-storage", "hugepages-2Mi", "hugepages-1Gi", "nvidia.com/gpu",
    "attachable-volumes-csi-x",
    "requests.cpu",
    "limits.memory", "count/jobs.batch", "requests.nvidia.com/gpu", "example.com/a.b-c_d", "example.com/a-b-c-d",
    "kubernetes.io/x",
    "odd", "a.b/", "count/pods",
)  # fmt: skip
NUMBERS = {
    "int32": (0, 1, -1, 2, 7, 2**31 - 1, -(2**31)),
    "int64": (0, 1, -1, 2, 7, 2**53 + 1, 2**63 - 1, -(2**63)),
}
LEAVES = {
    "byte": ("", "LS0t", "LS0tLQ==", "AAAA" * 30),
    "date-time": TIMES,
}


@dataclass(frozen=True)
class Variation:
    """Parameters of a random object.

    Attributes:
        seed: of the random numbers.
        optional: share of optional fields that are present, 0 to 1.
        null: share of the other optional fields that are null instead of absent, 0 to 1.
        longest: maximum number of elements of a list or map.
    """

    seed: int
    optional: float
    null: float
    longest: int


def random_object(resource: str, api_version: str, kind: str, variation: Variation) -> dict[str, Any]:
    """Return an object that the schema allows."""
    obj: dict[str, Any] = _Generator(variation).value({"$ref": SCHEMA[resource]["$ref"]}, resource)
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    # The server sets these on every object.
    return {**obj, "apiVersion": api_version, "kind": kind, "metadata": {**metadata, "name": metadata.get("name") or "x"}}


class _Generator:
    """State of the generation of one object."""

    def __init__(self, variation: Variation) -> None:
        self._variation, self._random = variation, random.Random(variation.seed)
        self._texts: list[str] = []

    def value(self, schema: dict[str, Any], field: str) -> Any:
        """Return a value that a schema allows for the field of this name."""
        schema = resolved(schema)
        if "oneOf" in schema:
            return self._choice(QUANTITIES) if schema.get("format") != "int-or-string" else self._choice((*NUMBERS["int32"], *TEXTS))
        kind = schema.get("type", "object")
        if kind == "object":
            return self._object(schema, field)
        if kind == "array":
            return [self.value(schema["items"], field) for _ in range(self._random.randint(0, self._variation.longest))]
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind in ("integer", "number"):
            return self._choice(BY_NAME.get(field) or NUMBERS.get(schema.get("format", ""), NUMBERS["int64"]))
        return self._text(schema, field)

    def _text(self, schema: dict[str, Any], field: str) -> str:
        if schema.get("format") in LEAVES:
            return str(self._choice(LEAVES[schema["format"]]))
        # Repeat texts now and then: lists with equal elements and references that match find more faults.
        if self._texts and self._random.random() < 0.3 and field not in BY_NAME:
            return self._random.choice(self._texts)
        text = str(self._choice((*schema["enum"], "NotYetKnown") if "enum" in schema else BY_NAME.get(field, TEXTS)))
        self._texts.append(text)
        return text

    def _object(self, schema: dict[str, Any], field: str) -> dict[str, Any]:
        inner = schema.get("additionalProperties")
        if isinstance(inner, dict):
            amounts = "oneOf" in resolved(inner)
            keys = self._random.sample(AMOUNTS if amounts else KEYS, self._random.randint(0, min(3 * self._variation.longest, 16)))
            return {key: self.value(inner, field) for key in keys}
        required, found = schema.get("required", ()), {}
        for name, property in schema.get("properties", {}).items():
            if name in required or self._random.random() < self._variation.optional:
                found[name] = self.value(property, name)
            elif self._random.random() < self._variation.null:
                found[name] = None
        return found

    def _choice(self, values: tuple[Any, ...]) -> Any:
        return self._random.choice(values)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references to a schema."""
    while True:
        if "$ref" in schema:
            schema = SCHEMA[schema["$ref"]]
        elif "allOf" in schema:
            schema = schema["allOf"][0]
        else:
            return schema

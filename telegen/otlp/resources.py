"""Resources: the sender of signals as attributes (OpenTelemetry's Resource and its environment variables)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from telegen import __version__
from telegen.otlp.attributes import Attributes, attributes
from telegen.otlp.wire import message

SERVICE = "telegen"
SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""Semantic conventions that the attributes follow."""


def resource_attributes(
    instance: str, extra: Mapping[str, str], version: bool = True, settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the attributes of a resource; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES add and override. Empty ones are left out.

    Args:
        instance: service.instance.id, which differs between agents and survives their restarts.
        extra: further attributes.
        version: add service.version.
        settings: attributes that settings name, which the variables do not override.
    """
    own = {"service.name": SERVICE, "service.instance.id": instance, **extra}
    if version:
        own["service.version"] = __version__
    # Without Resource.create: it adds telemetry.sdk.*, and no SDK makes these signals.
    named = {key: value for key, value in OTELResourceDetector().detect().attributes.items() if value}
    found = Resource(own).merge(Resource(named)).merge(Resource({key: value for key, value in (settings or {}).items() if value}))
    # All are texts. Bytes of a variable that are not UTF-8 become `?`, as protobuf takes no others.
    return {_utf8(key): _utf8(str(value)) for key, value in found.attributes.items() if value}


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def entity_attributes(values: Attributes, own: Collection[str] = ()) -> Attributes:
    """Return the attributes of a sender that the resources of entities have too.

    Without those of Kubernetes objects and containers, which describe the sender and not the entity, unless the cluster is meant.

    Args:
        own: further attributes to keep.
    """
    objects = ("k8s.", "container.")
    return {key: value for key, value in values.items() if not key.startswith(objects) or key in own or key.startswith("k8s.cluster.")}


def encode_resource(values: Attributes) -> bytes:
    """Encode a resource as field 1 of ResourceMetrics and ResourceLogs."""
    return message(1, attributes(1, values))

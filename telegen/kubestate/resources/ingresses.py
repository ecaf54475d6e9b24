"""Ingresses: networking.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Iterable

from telegen.kubestate.constructors import allowed_annotations, allowed_labels, created, resource_version
from telegen.kubestate.fields import at, items, number_text
from telegen.kubestate.resource import NAMESPACE, Resource, name_label
from telegen.metrics.family import STABLE, Object, Row, dynamic, gauge

CLASS = "kubernetes.io/ingress.class"
"""Annotation that named the class before spec.ingressClassName existed."""

_annotations, _class = at("metadata.annotations", {}), at("spec.ingressClassName", "_default")
_rules, _tls = items("spec.rules"), items("spec.tls")


def info(obj: Object) -> Iterable[Row]:
    """Return the class. The annotation has precedence over the field."""
    return [(_annotations(obj).get(CLASS, _class(obj)) or "", 1)]


def paths(obj: Object) -> Iterable[tuple[list[tuple[str, str]], int]]:
    """Return a row for each path with its backend, a service or another resource."""
    return [
        (
            [
                ("host", rule.get("host") or ""),
                ("path", path.get("path") or ""),
                ("path_type", path.get("pathType") or ""),
                *_backend(path.get("backend") or {}),
            ],
            1,
        )
        for rule in _rules(obj)
        for path in (rule.get("http") or {}).get("paths") or ()
    ]


def _backend(backend: Object) -> list[tuple[str, str]]:
    """Return the labels of a backend. A port given by name has the number 0."""
    service = backend.get("service")
    if service is not None:
        number = (service.get("port") or {}).get("number")
        return [("service_name", service.get("name") or ""), ("service_port", number_text(number))]
    resource = backend.get("resource") or {}
    # A backend with neither field has the labels of a resource, empty.
    fields = (("api_group", "apiGroup"), ("kind", "kind"), ("name", "name"))
    return [(f"resource_{label}", resource.get(field) or "") for label, field in fields]


FAMILIES = (
    gauge(
        "kube_ingress_info",
        "One series per ingress, always 1; class by the old annotation if there is one, else by the field, else _default "
        "(spec.ingressClassName).",
        STABLE, info, "ingressclass",
    ),
    allowed_annotations("kube_ingress"),
    allowed_labels("kube_ingress"),
    created("kube_ingress"),
    resource_version("kube_ingress"),
    dynamic(
        "kube_ingress_path", "One series per path, always 1; host, path and the service or resource behind it (spec.rules[].http.paths).",
        STABLE, paths, "host", "path", "path_type", "service_name", "service_port",
    ),
    gauge(
        "kube_ingress_tls", "One series per host with TLS, always 1; secret of its certificate (spec.tls[].hosts, spec.tls[].secretName).",
        STABLE,
        lambda obj: [(host, entry.get("secretName") or "", 1) for entry in _tls(obj) for host in entry.get("hosts") or ()],
        "tls_host", "secret",
    ),
)

RESOURCE = Resource(
    name="ingresses",
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    namespaced=True,
    identity=(NAMESPACE, name_label("ingress")),
    families=FAMILIES,
)

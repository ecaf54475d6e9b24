"""Attributes of requests, as the API server reads paths."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from telegen.adapter.identity.attributes import attributes_of

G = "custom.metrics.k8s.io"
CASES = [
    ("GET", f"/apis/{G}/v1beta2/namespaces/shop/pods/web-1/depth", "get", ("pods", "depth", "shop", "web-1")),
    ("HEAD", f"/apis/{G}/v1beta2/namespaces/shop/pods/%2A/depth", "get", ("pods", "depth", "shop", "*")),
    ("GET", f"/apis/{G}/v1beta2/nodes/n1/depth", "get", ("nodes", "depth", "", "n1")),
    ("GET", f"/apis/{G}/v1beta2/namespaces/shop/metrics/depth", "get", ("metrics", "", "shop", "depth")),
    ("GET", f"/apis/{G}/v1beta2/namespaces/shop", "get", ("namespaces", "", "shop", "shop")),
    ("GET", f"/apis/{G}/v1beta2/namespaces/shop/status", "get", ("namespaces", "status", "shop", "shop")),
    ("GET", "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/depth", "list", ("depth", "", "shop", "")),
    ("GET", "/apis/metrics.k8s.io/v1beta1/pods", "list", ("pods", "", "", "")),
    ("GET", "/apis/metrics.k8s.io/v1beta1/nodes/n1/", "get", ("nodes", "", "", "n1")),
    ("GET", "/apis/metrics.k8s.io/v1beta1/pods?watch=true", "watch", ("pods", "", "", "")),
    ("DELETE", "/apis/metrics.k8s.io/v1beta1/nodes/n1", "delete", ("nodes", "", "", "n1")),
    ("POST", "/apis/metrics.k8s.io/v1beta1/nodes", "create", ("nodes", "", "", "")),
    ("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/a%2Fb/pods/x", "get", ("pods", "", "a/b", "x")),
    ("GET", f"/apis/{G}/v1beta2", "get", ("", "", "", "")),
    ("GET", f"/apis/{G}/v1beta2/namespaces//pods/x/m", "get", ("", "", "", "")),
    ("GET", f"/apis%2F{G}/v1beta2/namespaces/shop/pods/x/m", "get", ("", "", "", "")),
    ("PUT", "/version", "put", ("", "", "", "")),
]


@pytest.mark.parametrize(("method", "path", "verb", "expected"), CASES)
def test_attributes(method: str, path: str, verb: str, expected: tuple[str, ...]) -> None:
    """A path gives verb, resource, subresource, namespace and name; one that is no resource's gives none."""
    plain, _, query = path.partition("?")
    segments = [unquote(segment) for segment in plain.strip("/").split("/")]
    found = attributes_of(method, segments, {"watch": "true"} if query else {})
    assert (found.verb, (found.resource, found.subresource, found.namespace, found.name)) == (verb, expected)
    fields = found.spec()
    assert list(fields) == (["resourceAttributes"] if expected[0] else ["nonResourceAttributes"])


@pytest.mark.parametrize(
    ("watch", "verb"), [("", "watch"), ("yes", "watch"), ("FALSE", "list"), ("false", "list"), ("0", "list"), (None, "list")]
)
def test_watches(watch: str | None, verb: str) -> None:
    """The parameter is read as the API server does; an object that is named is a get in any case."""
    params = {} if watch is None else {"watch": watch}
    assert attributes_of("GET", ["apis", "metrics.k8s.io", "v1", "pods"], params).verb == verb
    assert attributes_of("GET", ["apis", "metrics.k8s.io", "v1", "nodes", "n1"], params).verb == "get"


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name=web-1", "web-1"),
        ("metadata.namespace=shop,metadata.name==web-1", "web-1"),
        ("metadata.name!=web-1", ""),
        ("metadata.name=", ""),
        ("metadata.name=../x", ""),
        ("metadata.namespace=shop", ""),
        ("spec.nodeName=n1", ""),
    ],
)
def test_list_of_one_name(selector: str, name: str) -> None:
    """A list that selects one name is authorized for this object."""
    segments = ["apis", "metrics.k8s.io", "v1beta1", "namespaces", "shop", "pods"]
    found = attributes_of("GET", segments, {"fieldSelector": selector})
    assert (found.verb, found.name) == ("list", name)


def test_keys_of_answers_are_short() -> None:
    """The path of a resource is no second copy of what the attributes have: strangers choose it, and thousands are kept."""
    assert attributes_of("GET", ["apis", G, "v1beta2", "nodes", "x" * 8000, "depth"], {}).path == ""

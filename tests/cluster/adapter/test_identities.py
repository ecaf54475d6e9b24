"""Clients that come straight to the adapter's port, with certificates, tokens and headers: each is itself, or is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.adapter.cluster import HERE
from tests.cluster.adapter.cluster import Cluster
from tests.cluster.adapter.direct import REFUSED, ask
from tests.cluster.control_plane import ADMIN, Refused

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]
CASES = json.loads((HERE / "identities.json").read_text())
METRIC = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/web-1/http_inflight"
MASTERS = ("X-Remote-Group", "system:masters")
HOSTILE = {
    "two users": [("X-Remote-User", "bob"), ("X-Remote-User", "admin")],
    "underscores": [("X-Remote-User", "bob"), ("X_Remote_Group", "system:masters"), ("x_remote_user", "admin")],
    "lower case": [("x-remote-user", "bob"), ("x-remote-extra-group", "system:masters")],
    "spaces": [("X-Remote-User", "bob"), ("X-Remote-Group", " system:masters,")],
    "no user": [MASTERS],
    "empty user": [("X-Remote-User", ""), MASTERS],
    "token beside the headers": [("X-Remote-User", "bob"), ("Authorization", f"Bearer {ADMIN}")],
    "another encoding": [("X-Remote-User", "admin\u0000"), ("X-Remote-Group", "system:m\u00e4sters")],
    "long": [("X-Remote-User", "b" * 70_000), MASTERS],
    "many": [("X-Remote-User", "bob"), *[("X-Remote-Group", f"group-{number}") for number in range(2000)]],
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any], cluster: Cluster) -> None:
    """A recorded client gets the recorded status, or another one that is right as well."""
    headers = [(name, value.replace("admin-token", ADMIN)) for name, value in case["headers"]]
    certificate = cluster.authorities.clients[case["certificate"]] if case["certificate"] else None
    answer = ask(cluster, case["get"], headers, certificate)
    right = case.get("right_any") or [case["status"]]
    assert answer.status in right or (answer.status == REFUSED and 401 in right), answer
    if answer.status in (401, 403):
        assert answer.document["kind"] == "Status" and answer.document["code"] == answer.status


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers(name: str, cluster: Cluster) -> None:
    """Headers that no front proxy sends make no other user of bob: the answer is a refusal."""
    answer = ask(cluster, METRIC, HOSTILE[name], cluster.authorities.clients["proxy"])
    assert answer.status in (REFUSED, 400, 401, 403, 431), answer


SELECTORS = ("labelSelector=app+in+(", "labelSelector=a%3Db%3Dc", "labelSelector=%00", "labelSelector=" + "a" * 400, "labelSelector=-a")
WRONG = (
    *(f"metrics.k8s.io/v1beta1/namespaces/shop/pods?{one}" for one in (*SELECTORS, "fieldSelector=spec.nodeName%3Dn1")),
    *(f"custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/http_hits?{one}" for one in SELECTORS),
    *(f"custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/http_hits?metricL{one[1:]}" for one in SELECTORS),
    *(f"external.metrics.k8s.io/v1beta1/namespaces/shop/queue_depth?{one}" for one in SELECTORS),
    "custom.metrics.k8s.io/v1beta2/namespaces/shop/nothing",
    "custom.metrics.k8s.io/v1beta2/namespaces/*/http_hits",
)


@pytest.mark.parametrize("path", WRONG)
def test_bad_requests(path: str, cluster: Cluster) -> None:
    """Selectors and paths that do not parse are bad requests, through the API server as well."""
    with pytest.raises(Refused, match=": 400 "):
        cluster.raw(path)


def test_unknown_metrics(cluster: Cluster) -> None:
    """A metric, an object and a namespace that do not exist are not found; names that look like queries are only names."""
    paths = [
        f"custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/{quote(name, safe='')}" for name in ("none", 'http_hits{a="b"}', "..", "a/b")
    ]
    for path in [*paths, "external.metrics.k8s.io/v1beta1/namespaces/shop/none", "metrics.k8s.io/v1beta1/namespaces/shop/pods/none"]:
        with pytest.raises(Refused, match=": 40[04] "):
            cluster.raw(path)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_methods(method: str, cluster: Cluster) -> None:
    """Nothing can be written."""
    answer = ask(cluster, METRIC, [("X-Remote-User", "admin"), MASTERS], cluster.authorities.clients["proxy"], method=method)
    assert answer.status == 405, answer

"""The settings of the metrics APIs: of the adapter, and of the part that agents serve to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Optional

from msgspec import field

from telegen.config import text_formats
from telegen.config.section import Section, text
from telegen.config.types import Duration, Lifetime, ListenAddress, Size

ApiGroup = Literal["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"]
GROUPS: tuple[ApiGroup, ...] = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")


EXTERNAL_FAMILIES = (
    "kube_cronjob_status_active",
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_unavailable",
    "kube_job_status_active",
    "kube_job_status_failed",
    "kube_job_status_succeeded",
    "kube_node_info",
    "kube_node_status_allocatable",
    "kube_persistentvolumeclaim_status_phase",
    "kube_pod_status_phase",
    "kube_pod_status_ready",
    "kube_pod_status_unschedulable",
    "kube_service_info",
    "kube_statefulset_replicas",
)


class PrometheusServer(Section, frozen=True):
    """A Prometheus server, or one with its API."""

    url: Annotated[str, text("URL, with its path prefix, and with USER:PASSWORD@ for basic authentication.", pattern=text_formats.URL)]
    headers: Annotated[Mapping[str, str], text("Headers of each request. Values are never shown.", secret=True)] = field(
        default_factory=dict
    )
    token_file: Annotated[str, text("File with a bearer token.")] = ""
    ca_file: Annotated[str, text("CA of the server (PEM).")] = ""
    cert_file: Annotated[str, text("Client certificate (PEM).")] = ""
    key_file: Annotated[str, text("Key of the client certificate (PEM).")] = ""
    in_cluster: Annotated[bool, text("Use token and CA of the pod's account.")] = False
    kubeconfig: Annotated[str, text("Kubeconfig whose CA and credentials are used.")] = ""
    post: Annotated[bool, text("Send all queries by POST.")] = False
    timeout: Annotated[Duration, text("Time for a query.")] = Duration(10)
    max_response_size: Annotated[Size, text("Bytes of the largest answer, decompressed.")] = Size(64 << 20)


class AdapterTls(Section, frozen=True):
    """Certificates of the adapter. By default it has a CA of its own, in a Secret (docs/adapter.md)."""

    cert_file: Annotated[
        str,
        text("Serving certificate (PEM) in place of that of the own CA; followed without a restart. The caBundle is then yours to set."),
    ] = ""
    key_file: Annotated[str, text("Key of the certificate (PEM).")] = ""
    ca_lifetime: Annotated[
        Lifetime, text("Lifetime of the own CA; its successor is made after two thirds of it.", least=3600.0)
    ] = Lifetime(365 * 86400)
    lifetime: Annotated[
        Lifetime, text("Lifetime of the certificates that the own CA signs; each is renewed after two thirds of it.", least=600.0)
    ] = Lifetime(30 * 86400)
    propagation: Annotated[
        Duration,
        text("Time from the making of a CA until it signs: kubelets hand its certificate to the agents meanwhile.", least=1.0),
    ] = Duration(600)


class Adapter(Section, frozen=True):
    """The metrics APIs, which `telegen adapter` serves (docs/adapter.md)."""

    groups: Annotated[
        tuple[ApiGroup, ...], text("API groups that are served, as far as there is a source for them; an empty list serves none yet.")
    ] = GROUPS
    listen_address: Annotated[ListenAddress, text("Address of the API server's requests, with TLS.")] = ListenAddress(":10250")
    telemetry_address: Annotated[
        Optional[ListenAddress],
        text("Second address, without TLS, for the adapter's own metrics at /metrics and for the probes; null: none."),
    ] = None
    service: Annotated[
        str, text("Service of the adapter, in the namespace of its pod, that the APIServices name.", pattern=text_formats.SERVICE_NAME)
    ] = "telegen-adapter"
    agents_service: Annotated[
        str,
        text(
            "Headless Service of the agents, in the namespace of the adapter's pod; empty: no metrics of agents.",
            pattern=text_formats.OPTIONAL_SERVICE_NAME,
        ),
    ] = "telegen-agents"
    poll_interval: Annotated[Duration, text("Time between two polls of an agent.", least=1.0)] = Duration(15)
    max_staleness: Annotated[Duration, text("Age from which the usage of a pod or node is left out.", least=5.0)] = Duration(60)
    workers: Annotated[int, text("Number of processes that serve.", ge=1, le=32)] = 1
    drain: Annotated[
        Duration,
        text("Time from SIGTERM for which requests are served while /readyz fails; 2 s less than supervisor.grace_period at most."),
    ] = Duration(5)
    rules_file: Annotated[
        str, text("Rules file of prometheus-adapter; a change is applied without a restart. Empty: no metrics of Prometheus.")
    ] = ""
    prometheus: Annotated[
        tuple[PrometheusServer, ...],
        text(
            "Servers that the rules ask, each as `{url, headers, token_file, ca_file, cert_file, key_file, in_cluster, kubeconfig, "
            "post, timeout, max_response_size}`. A metric is asked of the servers that have its series, the first one that answers.",
            max_length=16,
        ),
    ] = ()
    relist_interval: Annotated[
        Duration, text("Time between two requests for the series of the rules, and for the resources of the cluster.", least=1.0)
    ] = Duration(60)
    max_age: Annotated[
        Duration, text("Age of the last sample up to which a series counts; 0s: relist_interval, but 5m at least.")
    ] = Duration(0)
    external_families: Annotated[
        tuple[str, ...],
        text(
            "kube_* families of the agents that are external metrics: FAMILY is the sum of its samples, FAMILY_count their number "
            "(docs/adapter.md).",
            max_length=256,
        ),
    ] = EXTERNAL_FAMILIES
    agent_address: Annotated[
        Optional[ListenAddress],
        text(
            "Of agents: address at which the adapter polls the usage of the node and its pods, with TLS and a client certificate; null: "
            "none."
        ),
    ] = None
    agent_tls_dir: Annotated[
        str, text("Of agents: folder with tls.crt, tls.key and ca.crt of agent_address; changes are followed without a restart.")
    ] = "/etc/telegen/adapter"
    tls: AdapterTls = field(default_factory=AdapterTls)

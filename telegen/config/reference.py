"""Generator of docs/configuration.md from the model: `python -m telegen.config.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from telegen.config.model import Config
from telegen.config.settings import is_effective, settings, value_at

_TITLE = """# Configuration

Generated from `telegen/config/model.py` by `python -m telegen.config.reference`.

The configuration is a YAML file: `telegen run --config FILE`. Environment variables override it: `TELEGEN_WEB__WORKERS=4` sets
`web.workers`. Flags override both: [migration.md](migration.md#from-kube-state-metrics). The agent reloads a changed file, and
`telegen check-config FILE` checks one. `telegen config --config FILE` prints every setting with its value and its origin, and
`telegen config --full > telegen-full.yaml` writes a file with every setting, its default and its help.
A file has at most 1 MiB, 20,000 values and 32 levels of nesting.

Durations are written `10s`, `1m30s` or `100ms`, up to `576h` (lifetimes `87600h`); sizes `512MiB`, up to `1TiB`.
`${NAME}` in a string is the value of an environment variable, which must be set and not empty. `${NAME:-default}` has a default for
both cases, which may be empty: `${NAME:-}`. `$$` is a dollar sign.
Settings marked *no effect* are accepted and checked for compatibility.
"""

_TOPICS = """
## Labels on series

    kube_metrics:
      kube_state:
        labels_on_series:
          labels: {pods: [app, "tier*"], "*": [team]}
          annotations: {deployments: [example.com/owner]}
          namespace_labels: [cost-center]
          workload: true

Every series of a pod then has `label_app`, `label_team`, `namespace_label_cost_center`, `workload` and `workload_kind`, as far as the
object has the values; names are made as in `kube_*_labels`. Values of more than 1,024 characters, and labels beyond the first 64 by name of
a list, are left out: each would stand on every series. `labels` and `annotations` name resources; the lists of `*` and of the
resource add up. The workload is the controlling owner; of a pod it is the Deployment or CronJob behind its owner, and the pod itself if it
has none. `kube_*_labels` and `kube_*_annotations` are left alone. More labels mean larger pages, and a changed value ends all series of
the object and begins new ones.

With `namespace_labels` or `namespace_annotations` each watch process watches namespaces first; without that right it goes on after 5 s.
When such a label changes, the agent takes a complete state of every resource.

## Several agents for one cluster

Each object belongs to one of `total_shards` shards: jump consistent hash over the 64-bit FNV-1a of its UID, as in kube-state-metrics.
Agents with different values of `shard` together serve every series once. When a shard is added, only the objects of the new shard move.
`pod_processes` divides the pods of one agent among its processes. `namespaces`, `node` and the other selectors apply before both.

    kube_metrics: {kube_state: {shard: 0, total_shards: 3}}

In a StatefulSet the agent finds its shard itself:

    kube_metrics:
      kube_state:
        pod: ${POD_NAME}
        pod_namespace: ${POD_NAMESPACE}

The agent watches the StatefulSet that controls its pod. The shard is the number at the end of the pod's name minus
`spec.ordinals.start`; `total_shards` is `spec.replicas`. When they change, the agent changes its shard within two seconds, and serves
the old shard until it has read the new one. A pod beyond the replicas, which is about to be deleted, serves nothing.

The agent needs the rights to list pods, and to list and watch statefulsets in its namespace; k8s/ grants them. It does not use `get`.
`telegen_shard_ordinal` and `telegen_total_shards` on /telemetry show the shard. Until the agent has read the StatefulSet it is not
ready. If the pod does not exist, or no StatefulSet controls it, the agent exits with status 4;
at a reload it keeps its old configuration instead.

## Several clusters

    kube_metrics:
      kube_state:
        clusters:
          - {name: east, kubeconfig: /etc/telegen/east.kubeconfig}
          - {name: west, kubeconfig: /etc/telegen/all.kubeconfig, context: west}

Each cluster has its own watch processes, `watch-pods@east`, and its own stores, which the agent's own metrics call `pods/@east`. The
first label of every kube_* series is `cluster`. A cluster that cannot be reached does not delay the others: its last state stays served,
and /readyz names it until it has been read once. An entry without a kubeconfig is the agent's own cluster. All selectors apply to
each cluster; `shard` and `total_shards` divide the objects of all of them. Containers are those of the agent's own node, whose cluster
is `kubernetes.cluster_name`. Leases (scope node) work with one cluster only.

## The label `cluster`

For one cluster, `kubernetes.cluster_name` adds the label to all kube_* and container_* series, so that joins between them work.
Without it there is no label `cluster`, because existing dashboards and rules would see it as new series.

`kubernetes.cluster_uid: true` uses the UID of the namespace kube-system instead, OpenTelemetry's `k8s.cluster.uid`. It is as old as the
cluster and never changes. The agent reads it once, with the rights to list and watch namespaces that k8s/ grants. Until the UID is
known the agent collects nothing and takes no Lease, because its series would have other labels; /readyz and the log name the cause,
and the agent retries. It keeps the UID until it ends, also over restarts of its processes. If a kubeconfig changes to another
cluster, send SIGHUP: the agent reads the UID and all objects again. Changed credentials are read every minute without SIGHUP.
`cluster_name` wins over `cluster_uid`. `cluster_uid` with several clusters, or without an API server, is an error.

Without the label, `telegen_cluster_info{uid}` on /telemetry shows the UID on agents that watch namespaces.
"""


def reference() -> str:
    """Return the document."""
    return "\n".join(_lines()) + "\n" + _TOPICS


def _lines() -> Iterator[str]:
    default = Config()
    section = None
    yield _TITLE.rstrip()
    for path, _, meta in settings():
        block, _, name = path.rpartition(".")
        if block != section:
            section = block
            yield from ("", f"## {block}", "", "| key | default | meaning |", "|---|---|---|")
        note = "" if is_effective(meta) else " *no effect*"
        yield f"| {name} | {_shown(value_at(default, path))} | {meta.description}{note} |"


def _shown(value: Any) -> str:
    """Format a default value as in YAML."""
    if isinstance(value, Mapping):
        return "; ".join(f"`{key}`: {', '.join(names)}" for key, names in value.items()) or "`{}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(str(item) for item in value) + "]`"
    if isinstance(value, bool) or value is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[value]
    return f"`{value}`" if str(value) else '`""`'


if __name__ == "__main__":
    sys.stdout.write(reference())

"""docs/configuration.md, made from the model: `python -m telegen.config.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from telegen.config.model import Config
from telegen.config.settings import is_effective, settings, value_at

_TITLE = """# Configuration

Made from `telegen/config/model.py` by `python -m telegen.config.reference`.
Durations are written `10s`, `1m30s` or `100ms`, sizes `512MiB`.
Settings marked *later* are accepted and checked but have no effect yet.
`${NAME}` is the value of a variable of the environment, which must be set and not empty; `${NAME:-default}` has a default for both
cases, which may be nothing: `${NAME:-}`. `$$` is a dollar sign.
"""

_TOPICS = """
## Several agents for one cluster

Each object of every kind belongs to one of `total_shards` shards: jump consistent hash over the 64-bit FNV-1a of its UID, as in
kube-state-metrics. So any number of agents can be told apart by `shard` alone, and together they serve every series once.
With one shard more, only the objects that go to the new one move. `pod_processes` divides the pods of one agent's share
among its own processes; `namespaces`, `node` and the other selections come before both.

    kube_metrics: {kube_state: {shard: 0, total_shards: 3}}

In a StatefulSet nobody counts by hand:

    kube_metrics:
      kube_state:
        pod: ${POD_NAME}
        pod_namespace: ${POD_NAMESPACE}

The agent looks for the StatefulSet that controls its pod, and watches it. Its shard is the number at the end of the pod's name, less
`spec.ordinals.start`; the total is `spec.replicas`. When they change, the shard follows within a second or two: until the
new share has been read, the old one is served. A pod that is beyond the replicas, and so about to go, serves nothing.
It needs the rights to list pods and to list and watch statefulsets in its namespace, which k8s/ grants anyway; `get` is not
used. `telegen_shard_ordinal` and `telegen_total_shards` on /telemetry say what is taken. Until the StatefulSet has been seen
the agent is not ready. A pod that is not there, or that no StatefulSet controls, ends it with status 4.

## Several clusters

    kube_metrics:
      kube_state:
        clusters:
          - {name: east, kubeconfig: /etc/telegen/east.kubeconfig}
          - {name: west, kubeconfig: /etc/telegen/all.kubeconfig, context: west}

Each cluster has watch processes of its own, `watch-pods@east`, and stores that the agent's own metrics call `pods/@east`. Every kube_*
series begins with the label `cluster`. One that cannot be reached holds nobody else up: its last state goes on being served, and
/readyz names it as long as it has never been read. An entry without a kubeconfig is the agent's own cluster. All other selections hold
for each cluster; `shard` and `total_shards` divide the objects of all of them. Containers are those of the agent's own node, which
`kubernetes.cluster_name` labels; Leases (scope node) are for one cluster.

For one cluster, `kubernetes.cluster_name` puts the same label on all kube_* and container_* series, so that joins between them hold.
Without it there is no such label: nothing is made up, as dashboards and rules that know no clusters would see new series.

Where nobody has a name to give, `kubernetes.cluster_uid: true` takes the UID of the namespace kube-system, which OpenTelemetry calls
`k8s.cluster.uid`: it is made with the cluster and lives as long. The agent asks for it once, with the rights to list and watch
namespaces that k8s/ grants anyway. Until it is known nothing is collected, not even containers, and no Lease is taken: without the label
the series would be others. /readyz and the log say what is missing, and the agent goes on asking. Then it is kept until the agent ends,
whichever of its processes end before. A kubeconfig is read again every minute for the sake of its credentials; one that has come to name
another cluster wants a SIGHUP, at which the UID is asked for anew and everything is read from there. `cluster_name` comes first where
both are set. Several clusters have names already, and without an API server there is nobody to ask: both are errors.

Without any label, `telegen_cluster_info{uid}` on /telemetry tells the same, of an agent that watches namespaces anyway: in node scope, of
the one that serves them and the next in line.
"""


def reference() -> str:
    """The document."""
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
        note = "" if is_effective(meta) else " *later*"
        yield f"| {name} | {_shown(value_at(default, path))} | {meta.description}{note} |"


def _shown(value: Any) -> str:
    """A default as one would write it in YAML."""
    if isinstance(value, Mapping):
        return "; ".join(f"`{key}`: {', '.join(names)}" for key, names in value.items()) or "`{}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(str(item) for item in value) + "]`"
    if isinstance(value, bool) or value is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[value]
    return f"`{value}`" if str(value) else '`""`'


if __name__ == "__main__":
    sys.stdout.write(reference())

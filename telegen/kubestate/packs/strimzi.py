"""Strimzi: Kafka and its resources, with the families of its example of a configuration of kube-state-metrics.

That example has numbers as labels, which makes a new series of each change. The gauges beside it have the same numbers as values.
"""

from __future__ import annotations

from collections.abc import Mapping

from telegen.kubestate.packs.described import Describing
from telegen.kubestate.packs.pack import Pack, PackResource
from telegen.kubestate.packs.specs import Path, Spec, kind, number

Labels = Mapping[str, Path]

READY: Labels = {"ready": ("status", "conditions", "[type=Ready]", "status")}
STATUS: Labels = {**READY, "generation": "status.observedGeneration"}
PLUGINS: Labels = {
    "connectorPluginsClass": "status.connectorPlugins.class",
    "connectorPluginsType": "status.connectorPlugins.type",
    "connectorPluginsVersion": "status.connectorPlugins.version",
    "replicas": "status.replicas",
    "labelSelector": "status.labelSelector",
}
KAFKA: Labels = {
    **STATUS,
    "kafka_version": "status.kafkaVersion",
    "kafka_metadata_state": "status.kafkaMetadataState",
    "kafka_metadata_version": "status.kafkaMetadataVersion",
    "cluster_id": "status.clusterId",
    "operator_last_successful_version": "status.operatorLastSuccessfulVersion",
}
TOPIC: Labels = {
    **STATUS,
    "partitions": "spec.partitions",
    "replicas": "spec.replicas",
    "topicId": "status.topicId",
    "topicName": "status.topicName",
}
NODE_POOL: Labels = {
    "generation": "status.observedGeneration",
    "node_ids": "status.nodeIds",
    "roles": "status.roles",
    "replicas": "status.replicas",
    "cluster_id": "status.clusterId",
}
POD_SET: Labels = {
    "generation": "status.observedGeneration",
    "currentPods": "status.currentPods",
    "pods": "status.pods",
    "readyPods": "status.readyPods",
}
REBALANCE: Labels = {
    **READY,
    "proposal_ready": ("status", "conditions", "[type=ProposalReady]", "status"),
    "rebalancing": ("status", "conditions", "[type=Rebalancing]", "status"),
    "template": ("metadata", "annotations", "strimzi.io/rebalance-template"),
}
CONNECTOR: Labels = {
    **STATUS,
    "autoRestartCount": "status.autoRestart.count",
    "autoRestartConnectorName": "status.autoRestart.connectorName",
    "tasksMax": "status.tasksMax",
    "topics": "status.topics",
}
MIRROR_MAKER: Labels = {
    **STATUS,
    **PLUGINS,
    "autoRestartCount": "status.autoRestartStatuses.count",
    "autoRestartConnectorName": "status.autoRestartStatuses.connectorName",
}
DEPRECATED = ("status", "conditions", "[reason=DeprecatedFields]", "type")
REPLICAS = number("status_replicas", "Replicas", "status.replicas")


def _kind(prefix: str, name: str, plural: str, labels: Labels, *gauges: Spec, group: str = "kafka") -> PackResource:
    of = Describing(f"strimzi_{prefix}", {"exported_namespace": "metadata.namespace", "deprecated": DEPRECATED, **labels})
    family = of.info("resource_info", "State of a resource of Strimzi", name="metadata.name")
    return kind(
        of.prefix, f"{group}.strimzi.io/v1", plural, name, *gauges,
        namespace="exported_namespace", label="name", older=("v1beta2",), described=(family,),
    )


PACK = Pack(
    "strimzi",
    "Kafka and its resources of Strimzi, with the families of its example of a configuration of kube-state-metrics.",
    (
        _kind("kafka", "Kafka", "kafkas", KAFKA),
        _kind(
            "kafka_topic", "KafkaTopic", "kafkatopics", TOPIC,
            number("partitions", "Partitions of the topic", "spec.partitions"),
            number("replicas", "Replicas of each partition", "spec.replicas"),
        ),
        _kind("kafka_user", "KafkaUser", "kafkausers", {**STATUS, "secret": "status.secret", "username": "status.username"}),
        _kind(
            "kafka_node_pool", "KafkaNodePool", "kafkanodepools", NODE_POOL, REPLICAS,
            number("spec_replicas", "Desired nodes of the pool", "spec.replicas"),
        ),
        _kind(
            "pod_set", "StrimziPodSet", "strimzipodsets", POD_SET,
            number("pods", "Pods of the set", "status.pods"),
            number("current_pods", "Pods of the current revision", "status.currentPods"),
            number("ready_pods", "Ready pods", "status.readyPods"),
            group="core",
        ),
        _kind("kafka_rebalance", "KafkaRebalance", "kafkarebalances", REBALANCE),
        _kind("kafka_connect", "KafkaConnect", "kafkaconnects", {**STATUS, **PLUGINS}, REPLICAS),
        _kind(
            "kafka_connector", "KafkaConnector", "kafkaconnectors", CONNECTOR,
            number("tasks_max", "Most tasks of the connector", "status.tasksMax"),
            number("auto_restarts", "Restarts of the connector by the operator", "status.autoRestart.count"),
        ),
        _kind("kafka_mm2", "KafkaMirrorMaker2", "kafkamirrormaker2s", MIRROR_MAKER, REPLICAS),
    ),
)

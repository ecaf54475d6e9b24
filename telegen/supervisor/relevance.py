"""Settings that each kind of worker reads: a reload replaces only the workers that a change concerns."""

from __future__ import annotations

from msgspec.structs import replace

from telegen.config import Config
from telegen.config.adapter_model import Adapter
from telegen.config.model import (
    Api,
    Cadvisor,
    CustomResourceState,
    Election,
    KubeMetrics,
    KubeState,
    LabelsOnSeries,
    Log,
    LogsStreaming,
    Otlp,
    SeriesLimits,
    SignalMetadata,
    Streaming,
    Supervising,
    Terminations,
    Web,
)
from telegen.kubestate.packs.registry import AUTO
from telegen.supervisor.adapter_plan import PROCESSES

_ADAPTER_KINDS = frozenset(one.kind for one in PROCESSES)


def relevant(kind: str, config: Config) -> Config:
    """Return the configuration with the default of every setting that a kind of worker does not read.

    A running worker adopts the settings of logs; see `telegen.process.log_settings`.

    Args:
        kind: a key of `workers.KINDS`.
    """
    if kind in _ADAPTER_KINDS:
        # Answers from all shards of the agents are complete.
        shards = KubeState(total_shards=config.kube_metrics.kube_state.total_shards)
        return replace(config, log=Log(), kube_metrics=KubeMetrics(kube_state=shards))
    config = replace(config, adapter=_agent_part(kind, config.adapter))
    kube = config.kube_metrics
    if kind == "web":
        pages = replace(
            _without_push(kube),
            signal_metadata=kube.signal_metadata,
            # An agent without containers serves kube_* alone to the adapter.
            cadvisor=Cadvisor(enabled=kube.cadvisor.enabled),
            election=Election(),
            kube_state=KubeState(),
            terminations=Terminations(),
        )
        return replace(config, log=Log(), api=Api(), kube_metrics=pages)
    if kind == "push":
        return replace(config, log=Log(), api=Api(), web=Web(), supervisor=Supervising(), kube_metrics=_pushed(kube))
    if kind == "events":
        sent = replace(_without_pages(kube), cadvisor=Cadvisor(), limits=SeriesLimits(), election=Election(name=kube.election.name))
        return replace(config, log=Log(), web=Web(), supervisor=Supervising(), kube_metrics=sent)
    collected = _sampled(kube) if kind == "sample" else _stored(kind, kube)
    return replace(config, log=Log(), web=Web(), supervisor=Supervising(), kube_metrics=collected)


def _sampled(kube: KubeMetrics) -> KubeMetrics:
    """The settings of the sampler, which asks the API server for the pods of its node."""
    state = KubeState(node=kube.kube_state.node, use_apiserver_cache=kube.kube_state.use_apiserver_cache)
    sampled = replace(_without_push(_without_pages(kube)), election=Election(), kube_state=state, terminations=kube.terminations)
    if kube.terminations.enabled and kube.terminations.logs and kube.logs_streaming.enabled:
        return _with_termination_logs(sampled, kube)
    return sampled


def _stored(kind: str, kube: KubeMetrics) -> KubeMetrics:
    """The settings of stores, and of the workers that decide which of them are served."""
    stored = replace(_without_push(_without_pages(kube)), cadvisor=Cadvisor())
    # The worker of custom resources takes their configuration from shared memory, and applies what has changed.
    state = replace(kube.kube_state, custom_resource_state=CustomResourceState())
    if kind != "custom":
        return replace(stored, kube_state=state)
    custom = kube.kube_state.custom_resource_state
    auto = tuple(name for name in custom.packs if name == AUTO)
    health = CustomResourceState(packs=auto, health=custom.health, health_detail=custom.health_detail, config_maps=custom.config_maps)
    state = replace(
        state,
        custom_resource_state=health,
        labels_on_series=LabelsOnSeries(),
        resources=(),
        resources_exclude=(),
        groups={},
        pod_processes=1,
    )
    return replace(stored, max_staleness=kube.max_staleness, kube_state=state)


def _agent_part(kind: str, adapter: Adapter) -> Adapter:
    """The settings of the metrics APIs that a worker of an agent reads."""
    return Adapter(agent_address=adapter.agent_address) if kind in ("web", "sample") else Adapter()


def _pushed(kube: KubeMetrics) -> KubeMetrics:
    """The settings of the push, and those that name the agent and its shard."""
    state = KubeState(node=kube.kube_state.node, track_unscheduled_pods=kube.kube_state.track_unscheduled_pods)
    return replace(
        _without_pages(kube),
        max_staleness=kube.max_staleness,
        cadvisor=Cadvisor(),
        limits=SeriesLimits(),
        election=Election(name=kube.election.name),
        kube_state=state,
        logs_streaming=LogsStreaming(),
    )


def _with_termination_logs(collected: KubeMetrics, kube: KubeMetrics) -> KubeMetrics:
    """Add the settings of the logs of ended containers."""
    logs = kube.logs_streaming
    return replace(
        collected,
        otlp=kube.otlp,
        streaming=Streaming(flush_timeout=kube.streaming.flush_timeout),
        logs_streaming=LogsStreaming(
            enabled=True,
            buffer_size=logs.buffer_size,
            flush_interval=logs.flush_interval,
            namespaces=logs.namespaces,
            namespaces_exclude=logs.namespaces_exclude,
        ),
        signal_metadata=kube.signal_metadata,
    )


def _without_push(kube: KubeMetrics) -> KubeMetrics:
    return replace(kube, otlp=Otlp(), streaming=Streaming(), logs_streaming=LogsStreaming(), signal_metadata=SignalMetadata())


def _without_pages(kube: KubeMetrics) -> KubeMetrics:
    default = KubeMetrics()
    names = ("listen_address", "telemetry_address", "metrics_path", "separate_endpoints", "max_staleness", "terminations")
    return replace(kube, **{name: getattr(default, name) for name in names})

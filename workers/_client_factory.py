"""Clients and reflector settings of all workers that watch the API server."""

from __future__ import annotations

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from telegen.api.protocols import Settings
from telegen.config import Config, NamedCluster
from workers._base import Shared


def make_client(shared: Shared, cluster: NamedCluster | None = None, read_timeout: float = 0.0) -> Client:
    """Make a client for one thread.

    Args:
        cluster: one of several clusters; None for the agent's own.
        read_timeout: of the client; 0.0 for `api.read_timeout`.
    """
    api, one = shared.config.api, cluster or NamedCluster("", shared.cluster)
    known = credentials(one.source, shared.environ, context=one.context)
    return Client(known, Timeouts(api.connect_timeout, read_timeout or api.read_timeout), api.max_response_size)


def reflector_settings(config: Config) -> Settings:
    """Settings of a reflector."""
    api = config.api
    return Settings(
        page=api.list_page_size,
        initial=api.initial_events_timeout,
        watch=(api.watch_timeout_min, api.watch_timeout_max),
        backoff=(api.backoff_initial, api.backoff_max),
        reset=api.backoff_reset,
        cached=config.kube_metrics.kube_state.use_apiserver_cache,
    )

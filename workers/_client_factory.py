"""How a worker asks the API server, by the configuration: the same for all that watch something."""

from __future__ import annotations

from telegen.api.client import Client, Timeouts
from telegen.api.credentials import credentials
from telegen.api.protocols import Settings
from telegen.config import Config, NamedCluster
from workers._base import Shared

INFINITE = float("inf")


def make_client(shared: Shared, cluster: NamedCluster | None = None, patience: float = INFINITE) -> Client:
    """A client for one thread.

    Args:
        cluster: which of several clusters is asked; None for the agent's own.
        patience: seconds of silence that are borne at the most.
    """
    api, one = shared.config.api, cluster or NamedCluster("", shared.cluster)
    known = credentials(one.source, shared.environ, context=one.context)
    return Client(known, Timeouts(api.connect_timeout, min(api.read_timeout, patience)))


def reflector_settings(config: Config) -> Settings:
    """The numbers of a reflector that takes everything."""
    api = config.api
    return Settings(
        page=api.list_page_size,
        initial=api.initial_events_timeout,
        watch=(api.watch_timeout_min, api.watch_timeout_max),
        backoff=(api.backoff_initial, api.backoff_max),
        reset=api.backoff_reset,
        cached=config.kube_metrics.kube_state.use_apiserver_cache,
    )

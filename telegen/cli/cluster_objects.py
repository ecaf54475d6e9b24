"""Kinds and objects of a running cluster, for commands that print what the agent would show of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

from telegen.api.client import Client
from telegen.api.credentials import credentials
from telegen.api.discovery import discover
from telegen.api.errors import ApiError, ProtocolError, Unreachable
from telegen.config import Config, ConfigError, detect
from telegen.config.model import KubeMetrics, KubeState
from telegen.kubestate.custom.model import Kind
from telegen.metrics.family import Object

PAGE = "100"
"""Objects per request: one page is in memory at a time."""
FAILURES = (ApiError, Unreachable, ProtocolError)


def connect(kubeconfig: str = "") -> Client:
    """Return a client for the cluster of a kubeconfig, or for the one that the agent would find.

    Raises:
        ConfigError: there is none.
    """
    config = Config(kube_metrics=KubeMetrics(enabled=True, scope="cluster", kube_state=KubeState(kubeconfig=kubeconfig)))
    source = detect(config, os.environ).cluster
    if not source:
        raise ConfigError("no cluster found; name a kubeconfig by --kubeconfig")
    return Client(credentials(source, os.environ))


def served_kinds(client: Client, groups: Collection[str] | None, without: Collection[str] = ()) -> set[Kind]:
    """Return the kinds of some groups; None for all but those of `without`.

    Raises:
        ConfigError: the API server does not answer.
    """
    try:
        served = discover(client, groups, without).resources
        return {Kind(one.group, one.version, one.plural, one.kind, one.namespaced) for one in served}
    except FAILURES as error:
        raise ConfigError(f"discovery: {error}") from error


def objects_of(client: Client, path: str, selector: Mapping[str, str]) -> Iterator[Object]:
    """Yield the objects of a collection that a selector selects.

    Raises:
        ConfigError: the API server does not answer, or refuses.
    """
    params = {"limit": PAGE, **selector}
    while True:
        try:
            page = client.get(path, params, "application/json")
        except FAILURES as error:
            raise ConfigError(f"{path}: {error}") from error
        yield from page.get("items") or ()
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return
        params = {"limit": PAGE, "continue": more, **selector}

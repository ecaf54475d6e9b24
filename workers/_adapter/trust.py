"""Authorities of the adapter's clients: a thread watches the ConfigMap that has them."""

from __future__ import annotations

import logging
import threading

from telegen.adapter.identity.trust import CONFIG_MAP
from telegen.adapter.identity.trust_store import COLLECTION, TrustStore
from telegen.api.reflector import Reflector
from telegen.kubemetrics.telemetry import Telemetry
from workers._base import Shared
from workers._client_factory import make_client, reflector_settings
from workers._reflector_metrics import ReflectorMetrics
from workers._threads import start_again

log = logging.getLogger("telegen.adapter")


class _Observer(ReflectorMetrics):
    resource = f"ConfigMap {CONFIG_MAP}"
    cure = "bind the adapter's account to the Role extension-apiserver-authentication-reader in kube-system"


def watch_trust(shared: Shared, telemetry: Telemetry) -> TrustStore:
    """Return what is trusted, and keep it in step until the process ends."""
    store = TrustStore()
    observer = _Observer(telemetry, log, CONFIG_MAP)
    settings = reflector_settings(shared.config)
    reflector = Reflector(make_client(shared), COLLECTION, store, observer, threading.Event(), settings)
    start_again("trust", reflector.run, log)
    return store

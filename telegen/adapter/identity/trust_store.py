"""The ConfigMap of the authorities as a reflector delivers it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from telegen.adapter.identity.trust import CONFIG_MAP, NAMESPACE, Trust, read_trust
from telegen.api.collection import Collection

log = logging.getLogger("telegen.adapter")
_NAME = f"{NAMESPACE}/{CONFIG_MAP}"
COLLECTION = Collection(f"/api/v1/namespaces/{NAMESPACE}/configmaps", params={"fieldSelector": f"metadata.name={CONFIG_MAP}"})


class TrustStore:
    """Authorities in force. A ConfigMap that is malformed or gone leaves it as it was.

    Attributes:
        trust: nothing is trusted before the ConfigMap is known.
        version: changes with it.
        problem: reason why client certificates cannot be checked, "" if they can.
    """

    def __init__(self) -> None:
        self.trust, self.version = Trust(), 0
        self.problem = f"ConfigMap {_NAME} is not known yet; it needs the Role extension-apiserver-authentication-reader"

    def replace(self, events: Iterable[tuple[str, Any]]) -> None:
        """Take the state of a list or of the beginning of a watch."""
        found = [obj for _, obj in events]
        for obj in found:
            self.upsert(obj)
        if not found:
            self._lost("does not exist")

    def upsert(self, obj: Any) -> None:
        """Take the ConfigMap."""
        if obj["metadata"].get("name") != CONFIG_MAP:
            return
        try:
            trust = read_trust(obj.get("data") or {})
        except ValueError as error:
            self._lost(str(error))
            return
        self.problem = ""
        if trust != self.trust:
            self.trust, self.version = trust, self.version + 1
            log.info("authorities of clients read from ConfigMap %s", _NAME)

    def delete(self, obj: Any) -> None:
        """Keep what is trusted: the API server makes the ConfigMap again."""
        self._lost("was deleted")

    def bookmark(self, resource_version: str) -> None:
        """Nothing depends on it."""

    def _lost(self, cause: str) -> None:
        kept = "; the authorities before stay in force" if self.version else ""
        log.warning("ConfigMap %s: %s%s", _NAME, cause, kept)
        if not self.version:
            self.problem = f"ConfigMap {_NAME}: {cause}"

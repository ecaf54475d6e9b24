"""The settings of the metrics APIs: of the adapter, and of the part that agents serve to it."""

from __future__ import annotations

from typing import Annotated, Optional

from telegen.config.section import Section, text
from telegen.config.types import ListenAddress


class Adapter(Section, frozen=True):
    """The metrics APIs, which `telegen adapter` serves (docs/adapter.md)."""

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

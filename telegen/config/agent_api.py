"""Names that agents and the adapter agree on: requests of the adapter to `adapter.agent_address`."""

from __future__ import annotations

USAGE, FAMILIES = "/adapter/v1/usage", "/adapter/v1/families"
"""Paths."""
CLIENT_NAME = "telegen-adapter"
"""Name in the certificate of the adapter; agents accept no other."""
MOST_FAMILIES = 32 << 20
"""Most bytes of the text of families in one answer."""

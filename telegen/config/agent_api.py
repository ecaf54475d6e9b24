"""Names that agents and the adapter agree on: requests of the adapter to `adapter.agent_address`."""

from __future__ import annotations

USAGE, FAMILIES = "/adapter/v1/usage", "/adapter/v1/families"
"""Paths."""
VERSION = 1
"""Version of the document of usage: a new one for a change that adapters of the old one would misread. Columns may change without."""
CLIENT_NAME = "telegen-adapter"
"""Name in the certificate of the adapter; agents accept no other."""
MOST_FAMILIES = 32 << 20
"""Most bytes of the text of families in one answer."""

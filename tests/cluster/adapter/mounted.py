"""Files of Secrets in pods, as the kubelet keeps them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import urllib3

from tests.cluster.control_plane import ControlPlane, Refused
from tests.cluster.repetition import repeated

PERIOD = 0.5
"""Seconds between two looks at the Secret; the kubelet takes up to a minute."""


@contextlib.contextmanager
def mounted(plane: ControlPlane, namespace: str, name: str, folder: Path) -> Iterator[None]:
    """Keep a Secret's data as files of a folder, which is empty as long as there is no Secret."""
    folder.mkdir()
    last: object = None

    def follow() -> None:
        nonlocal last
        # The kubelet tries again.
        with contextlib.suppress(Refused, urllib3.exceptions.HTTPError):
            data = plane.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data") or {}
            if data != last:
                _write(folder, data)
            last = data

    with repeated(PERIOD, follow):
        yield


def _write(folder: Path, data: dict[str, str]) -> None:
    for key, value in data.items():
        partial = folder / f".{key}"
        partial.write_bytes(base64.b64decode(value))
        partial.replace(folder / key)

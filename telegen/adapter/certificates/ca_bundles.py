"""The caBundle of the APIServices: the CAs that the API server trusts for the adapter's serving certificate."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from telegen.adapter.ownership import APISERVICES, PATH, Registration, registration
from telegen.api.client import Client
from telegen.api.errors import Conflict, NotFound

TRIES = 3
"""Reads and writes of an APIService that changes meanwhile."""


def patch_bundles(client: Client, groups: Iterable[str], service: str, bundle: str) -> list[str]:
    """Set the caBundle of the APIServices of some groups that belong to this adapter; return a line for each that does not.

    Args:
        service: NAMESPACE/NAME of the adapter's Service.

    Raises:
        ApiError, Unreachable, ProtocolError.
    """
    lines = list[str]()
    for group in groups:
        found = [_patch(client, name, service, b64encode(bundle.encode()).decode()) for name in APISERVICES[group]]
        lines += [_foreign(one) for one in found if one.object and one.service != service]
        if not any(one.object for one in found):
            lines.append(f"{group}: no APIService {' or '.join(APISERVICES[group])}; apply it, or remove the group from adapter.groups")
    return lines


def _patch(client: Client, name: str, service: str, bundle: str) -> Registration:
    for _ in range(TRIES - 1):
        try:
            return _patch_once(client, name, service, bundle)
        except (Conflict, NotFound):
            continue
    return _patch_once(client, name, service, bundle)


def _patch_once(client: Client, name: str, service: str, bundle: str) -> Registration:
    found = registration(client, name)
    is_right = found.ca_bundle == bundle and not found.insecure
    if found.service == service and not found.injected and not is_right:
        spec = {key: value for key, value in found.object["spec"].items() if key != "insecureSkipTLSVerify"}
        client.write("PUT", PATH + name, {**found.object, "spec": {**spec, "caBundle": bundle}})
    return found


def _foreign(found: Registration) -> str:
    cure = "delete it before this adapter's is applied, or remove the group from adapter.groups"
    return f"{found.name}: owned by {found.service or 'the API server itself'}; it stays as it is: {cure}"

"""Addresses and credentials of API servers.

A watch authenticates only when it begins, so the token and the CA are read again for every connection.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KUBECONFIG_AGE = 60.0
"""Seconds after which a kubeconfig, its token file and its exec plugin are read again."""


_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)?")
"""A scheme and its credentials; no RFC 6750 token has spaces or control characters."""
_READING = threading.Lock()
"""Held while the kubernetes package reads a kubeconfig: it keeps certificates in files that all its callers share, and
names a file before it has written it."""


class NoCredentials(Exception):
    """The credentials cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Cluster:
    """Address and credentials of one API server at one moment.

    Attributes:
        url: `https://10.0.0.1:443`, without a path at its end.
        headers: authentication headers.
        ca: PEM text of the trusted authorities; "" for those of the system.
        certificate, key: files of a client certificate, or "".
        verify: False when the kubeconfig switches verification off.
        proxy: URL of a proxy, or "".
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True
    proxy: str = ""

    @property
    def connection(self) -> tuple[str, str, str, str, bool, str]:
        """Key of a connection pool: a change requires new connections."""
        return (self.url, self.ca, self.certificate, self.key, self.verify, self.proxy)


Credentials = Callable[[bool], Cluster]
"""Return the current address and credentials; with True, read everything again (after a 401)."""


def credentials(
    source: str, environ: Mapping[str, str], account: Path = ACCOUNT, context: str = ""
) -> Credentials:
    """Return the provider of credentials for the cluster that `source` names.

    Args:
        source: `in-cluster`, `kubeconfig:PATH`, or a URL (no credentials: a simulated server).
        environ: KUBERNETES_SERVICE_HOST and _PORT come from here.
        account: folder with the token and the CA of the pod's account.
        context: name of a context of the kubeconfig; "" for the current one.
    """
    kind, _, rest = source.partition(":")
    if kind == "in-cluster":
        return _in_cluster(environ, account)
    if kind == "kubeconfig":
        return _Kubeconfig(rest, context)
    return lambda again: Cluster(source)


def prepare(sources: Iterable[str]) -> None:
    """Load before the fork the libraries that requests to these clusters need.

    PERF: OpenSSL's tables take 2 MB in each process that loads them by itself, the kubernetes package 20 MB and 0.2 s. Agents in
    a cluster do not need the package.

    Args:
        sources: as for `credentials`.
    """
    kinds = {source.partition(":")[0] for source in sources}
    if kinds & {"in-cluster", "kubeconfig", "https"}:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if "kubeconfig" in kinds:
        import kubernetes.client
        import kubernetes.config  # noqa: F401


def _in_cluster(environ: Mapping[str, str], account: Path) -> Credentials:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def read(again: bool) -> Cluster:
        token = _bytes(account / "token").decode("latin-1").strip()
        return Cluster(url, _authorization(f"Bearer {token}", str(account / "token")), _certificates(account / "ca.crt"))

    return read


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoCredentials(f"{path}: {error.strerror}; does the pod mount its service account?") from error


def _certificates(path: Path) -> str:
    """PEM blocks of a file. Text around them is ignored, in any encoding, as OpenSSL and Go do."""
    blocks = _PEM.findall(_bytes(path))
    if not blocks:
        raise NoCredentials(f"{path}: no certificate in PEM form")
    return "\n".join(block.decode("ascii", "replace") for block in blocks)


def _authorization(value: str, origin: str) -> dict[str, str]:
    """The Authorization header, if its value may stand in a header; the error does not contain it."""
    if not _HEADER_VALUE.fullmatch(value):
        raise NoCredentials(f"{origin}: the token contains a line break or other characters that a token cannot have")
    return {"Authorization": value}


class _Kubeconfig:
    """Provider for a kubeconfig, read by the kubernetes package, which implements contexts and exec plugins."""

    def __init__(self, path: str, context: str) -> None:
        self._path, self._context = os.path.expanduser(path), context or None
        self._read_at = float("-inf")
        self._cluster = Cluster("")

    def __call__(self, again: bool) -> Cluster:
        if again or time.monotonic() - self._read_at > KUBECONFIG_AGE:
            with _READING:
                self._cluster = self._read()
            self._read_at = time.monotonic()
        return self._cluster

    def _read(self) -> Cluster:
        # Imported here: see `prepare`.
        import yaml
        from kubernetes.client import Configuration
        from kubernetes.config import ConfigException, load_kube_config

        if not any(map(os.path.exists, self._path.split(os.pathsep))):
            raise NoCredentials(f"{self._path}: no such file")
        configuration: Any = Configuration()
        try:
            load_kube_config(  # type: ignore[no-untyped-call]
                self._path, self._context, client_configuration=configuration, persist_config=False
            )
        except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoCredentials(f"{self._path}: {' '.join(str(error).split())}; check it with kubectl") from error
        # The package keeps tokens, Basic and exec results under names that differ by version; this is where it shows them.
        header = (configuration.auth_settings().get("BearerToken") or {}).get("value")
        return Cluster(
            url=configuration.host.rstrip("/"),
            headers=_authorization(header.strip(), self._path) if header else {},
            ca=_certificates(Path(configuration.ssl_ca_cert)) if configuration.ssl_ca_cert else "",
            certificate=configuration.cert_file or "",
            key=configuration.key_file or "",
            verify=configuration.verify_ssl,
            proxy=configuration.proxy or "",
        )

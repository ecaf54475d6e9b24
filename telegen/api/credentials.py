"""Addresses and credentials of API servers.

A watch authenticates only when it begins, so the token and the CA are read again for every connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from telegen.api.cluster import Cluster, NoCredentials, authorization, read_bytes, read_certificates
from telegen.api.kubeconfig import Kubeconfig
from telegen.process.tls_warmup import warm_up_tls

__all__ = ["Cluster", "Credentials", "NoCredentials", "check", "credentials", "prepare"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

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
        return Kubeconfig(rest, context, environ)
    return lambda again: Cluster(source)


def check(source: str, environ: Mapping[str, str], account: Path = ACCOUNT, context: str = "") -> None:
    """Check what needs no request; see `credentials` for the arguments.

    Raises:
        NoCredentials: names the file that is missing or malformed, and the remedy.
    """
    provider = credentials(source, environ, account, context)
    if isinstance(provider, Kubeconfig):
        # Reading it may run an exec plugin, which may need the network.
        provider.check()
    else:
        provider(False)


def prepare(sources: Iterable[str]) -> None:
    """Load before the fork the libraries that requests to these clusters need.

    PERF: the kubernetes package takes 20 MB and 0.2 s. Agents in a cluster do not need it.

    Args:
        sources: as for `credentials`.
    """
    kinds = {source.partition(":")[0] for source in sources}
    if kinds & {"in-cluster", "kubeconfig", "https"}:
        warm_up_tls()
    if "kubeconfig" in kinds:
        import kubernetes.client
        import kubernetes.config  # noqa: F401


def _in_cluster(environ: Mapping[str, str], account: Path) -> Credentials:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def read(again: bool) -> Cluster:
        token = read_bytes(account / "token").decode("latin-1").strip()
        headers = authorization(f"Bearer {token}", str(account / "token"))
        return Cluster(url, headers, read_certificates(account / "ca.crt"))

    return read

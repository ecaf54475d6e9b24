"""Certificate authorities of a cluster with the aggregation layer, and certificates of its clients."""

from __future__ import annotations

from pathlib import Path

from tests.certificates import self_signed, signed

PROXY = "front-proxy-client"
"""The only name that the front proxy's certificate may have."""
CLIENTS = {
    "proxy": ("front-proxy", f"/CN={PROXY}"),
    "otherproxy": ("front-proxy", "/CN=somebody-else"),
    "fakeproxy": ("stranger", f"/CN={PROXY}"),
    "clientproxy": ("cluster", f"/CN={PROXY}"),
    "alicecert": ("cluster", "/O=devs/CN=alice"),
    "bobcert": ("cluster", "/CN=bob"),
    "admin": ("cluster", "/O=system:masters/CN=admin"),
}
"""Authority and subject of each certificate of identities.json."""
Pair = tuple[Path, Path]
"""Paths of a certificate and its key."""


class Authorities:
    """The authorities and certificates, as files of a folder.

    Attributes:
        clients: certificates by their names in `CLIENTS`.
        trusted: the file with the authorities of front proxies, which a rotation changes.
        proxy: certificate and key of kube-apiserver as front proxy, which a rotation changes.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._authorities = {name: self_signed(folder, name) for name in ("cluster", "front-proxy", "stranger")}
        self.clients = {
            name: signed(folder, name, f"DNS:{name}", self._authorities[authority], subject)
            for name, (authority, subject) in CLIENTS.items()
        }
        self.trusted, self.proxy = folder / "trusted.crt", (folder / "aggregator.crt", folder / "aggregator.key")
        self.trust("front-proxy")
        self.use_proxy(self.clients["proxy"])

    @property
    def cluster(self) -> Path:
        """Authority of the certificates of users."""
        return self._authorities["cluster"][0]

    def new_proxy_authority(self, name: str) -> Pair:
        """Make a further authority of front proxies; return a certificate of a front proxy by it."""
        self._authorities[name] = self_signed(self._folder, name)
        return signed(self._folder, f"{name}-client", "DNS:proxy", self._authorities[name], f"/CN={PROXY}")

    def trust(self, *names: str) -> None:
        """Let kube-apiserver name these authorities as those of front proxies."""
        _replace(self.trusted, b"".join(self._authorities[name][0].read_bytes() for name in names))

    def use_proxy(self, pair: Pair) -> None:
        """Give kube-apiserver another certificate as front proxy."""
        for place, path in zip(reversed(self.proxy), reversed(pair)):
            _replace(place, path.read_bytes())

    def settings(self, to_endpoints: bool = True) -> list[str]:
        """Return the arguments of kube-apiserver.

        Args:
            to_endpoints: send requests to endpoints of Services; False for the name or cluster IP of the Service.
        """
        return [
            f"--client-ca-file={self.cluster}",
            f"--requestheader-client-ca-file={self.trusted}",
            f"--requestheader-allowed-names={PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-uid-headers=X-Remote-Uid",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self.proxy[0]}",
            f"--proxy-client-key-file={self.proxy[1]}",
            f"--enable-aggregator-routing={str(to_endpoints).lower()}",
        ]


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(content)
    partial.replace(path)

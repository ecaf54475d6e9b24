"""Authorities and certificates of clients of the adapter, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NEW = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
Pair = tuple[Path, Path]


def authority(folder: Path, name: str, subject: str = "") -> Pair:
    """Make an authority; return the paths of certificate and key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    _run(["req", "-x509", *_NEW, "-subj", subject or f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(certificate)])
    return certificate, key


def issued(folder: Path, name: str, subject: str, by: Pair, extensions: str = "extendedKeyUsage=clientAuth", days: int = 2) -> Pair:
    """Make a certificate; return the paths of certificate and key."""
    certificate, key, request, text = (folder / f"{name}.{end}" for end in ("crt", "key", "csr", "ext"))
    text.write_text(f"{extensions}\n")
    _run(["req", *_NEW, "-utf8", "-subj", subject, "-keyout", str(key), "-out", str(request)])
    _run(["x509", "-req", "-in", str(request), "-CA", str(by[0]), "-CAkey", str(by[1]), "-CAcreateserial",
          "-days", str(days), "-extfile", str(text), "-out", str(certificate)])  # fmt: skip
    return certificate, key


class Pki:
    """The authorities and certificates of `identities.json`.

    Attributes:
        clients, proxies, others: authorities.
        pairs: certificates by the names of the cases.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients, self.proxies, self.others = (authority(folder, name) for name in ("cluster-ca", "front-proxy-ca", "other-ca"))
        self.server = authority(folder, "server", "/CN=server")
        subjects = {
            "proxy": ("/CN=front-proxy-client", self.proxies),
            "otherproxy": ("/CN=somebody-else", self.proxies),
            "fakeproxy": ("/CN=front-proxy-client", self.others),
            "clientproxy": ("/CN=front-proxy-client", self.clients),
            "alicecert": ("/O=devs/CN=alice", self.clients),
            "bobcert": ("/CN=bob", self.clients),
            "admin": ("/O=system:masters/CN=admin", self.clients),
        }
        self.pairs = {name: issued(folder, name, subject, by) for name, (subject, by) in subjects.items()}

    def trust(self) -> dict[str, str]:
        """Return the data of the ConfigMap."""
        return {
            "client-ca-file": self.clients[0].read_text(),
            "requestheader-client-ca-file": self.proxies[0].read_text(),
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-username-headers": '["X-Remote-User"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        }


def _run(arguments: list[str]) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=200)

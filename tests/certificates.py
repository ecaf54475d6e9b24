"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NEW = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def self_signed(folder: Path, name: str = "server", sans: str = "DNS:localhost,IP:127.0.0.1") -> tuple[Path, Path]:
    """Make a self-signed certificate that is its own authority; return the paths of certificate and key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    _run(["req", "-x509", *_NEW, "-subj", f"/CN={name}", "-days", "2", "-addext", f"subjectAltName={sans}",
          "-keyout", str(key), "-out", str(certificate)])  # fmt: skip
    return certificate, key


def signed(folder: Path, name: str, sans: str, authority: tuple[Path, Path], subject: str = "") -> tuple[Path, Path]:
    """Make a certificate that an authority signs; return the paths of certificate and key.

    Args:
        subject: of the certificate, such as `/O=group/CN=user`; by default `/CN=` and the name.
    """
    certificate, key, request = folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.csr"
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={sans}\n")
    _run(["req", *_NEW, "-subj", subject or f"/CN={name}", "-keyout", str(key), "-out", str(request)])
    _run(["x509", "-req", "-in", str(request), "-CA", str(authority[0]), "-CAkey", str(authority[1]), "-CAcreateserial",
          "-days", "2", "-extfile", str(extensions), "-out", str(certificate)])  # fmt: skip
    return certificate, key


def _run(arguments: list[str]) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=200)

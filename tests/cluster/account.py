"""Run a program with an account, as in a container of a pod."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.control_plane import ControlPlane

ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT = 'mount -t tmpfs tmpfs /run; mkdir -p "$1"; cp "$2"/* "$1"; shift 2; exec "$@"'
"""In a mount namespace of its own: puts the account's files where a container has them, and becomes the program."""


def with_account(command: list[str], plane: ControlPlane, files: Path, token: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs another one with an account of the cluster, and what it needs in its environment.

    Args:
        files: a folder for the files of the account; it is made.
    """
    files.mkdir(parents=True)
    (files / "token").write_text(token)
    (files / "ca.crt").write_bytes(plane.certificate)
    (files / "namespace").write_text("telegen")
    host, _, port = plane.url.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    return ["unshare", "--mount", "sh", "-ec", _MOUNT, "sh", ACCOUNT, str(files), *command], environ

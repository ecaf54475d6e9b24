"""Exec plugins of kubeconfigs: programs that print credentials (client.authentication.k8s.io)."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from telegen.api.cluster import NoCredentials
from telegen.process.os_process import die_with_parent

LIMIT = 60.0
"""Seconds for a plugin: it may ask a server that does not answer."""
_CONFIG = "client.authentication.k8s.io/exec"
"""Extension of a cluster that is handed to plugins."""


def plugin_credentials(
    entry: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path, environ: Mapping[str, str], limit: float = LIMIT
) -> dict[str, Any]:
    """Run a plugin; return its credentials as fields of a kubeconfig's user.

    Args:
        entry: `user.exec`.
        cluster: the cluster's entry, for plugins with provideClusterInfo.
        folder: of the kubeconfig; the plugin runs in it, and a command with a slash is relative to it.

    Raises:
        NoCredentials: it fails, is not over within `limit` seconds, or prints no credentials.
    """
    command, version = str(entry.get("command") or ""), str(entry.get("apiVersion") or "")
    spec: dict[str, Any] = {"interactive": False}
    if entry.get("provideClusterInfo"):
        config = [one.get("extension") for one in cluster.get("extensions") or () if one.get("name") == _CONFIG]
        spec["cluster"] = {**cluster, **({"config": config[0]} if config else {})}
    info = orjson.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec}).decode()
    variables = {str(item["name"]): str(item["value"]) for item in entry.get("env") or ()}
    arguments = [str(folder / command) if os.sep in command else command, *map(str, entry.get("args") or ())]
    try:
        return _user(_run(arguments, folder, {**environ, **variables, "KUBERNETES_EXEC_INFO": info}, limit), version)
    except (OSError, ValueError) as error:
        raise NoCredentials(f"the exec plugin {command!r} gave no credentials: {error}; run it by hand") from error


def _run(arguments: list[str], folder: Path, environ: Mapping[str, str], limit: float) -> bytes:
    """Return what the plugin prints.

    Raises:
        OSError, ValueError: it failed.
    """
    parent = os.getpid()
    # A plugin that hangs must end with the agent, and with its own children at the limit.
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environ,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise ValueError(f"no end within {limit:.0f} s") from error
    if process.returncode:
        said = " ".join(errors.decode("utf-8", "replace").split())[:200]
        raise ValueError(f"exit status {process.returncode}{f': {said}' if said else ''}")
    return output


def _user(output: bytes, version: str) -> dict[str, Any]:
    """Convert an ExecCredential.

    Raises:
        ValueError: it is none, or has no credentials.
    """
    try:
        answer = orjson.loads(output)
    except orjson.JSONDecodeError as error:
        # The message of the error has no part of the output, which may be a token.
        raise ValueError(f"its output is not JSON: {error}") from error
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, dict):
        raise ValueError("its output has no status")
    if answer.get("apiVersion") != version:
        raise ValueError(f"its output has another apiVersion than {version}")
    user = {"token": status["token"]} if status.get("token") else {}
    if status.get("clientCertificateData") and status.get("clientKeyData"):
        for field, name in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
            user[field] = base64.b64encode(str(status[name]).encode()).decode()
    if not user:
        raise ValueError("its status has neither a token nor a certificate with its key")
    return user

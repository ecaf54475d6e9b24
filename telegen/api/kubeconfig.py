"""Kubeconfigs: each field is honoured as kubectl does, or refused with its name.

| field | effect |
|---|---|
| several files in KUBECONFIG | merged; the first value of a name wins |
| cluster: server | address; needs a scheme, in any case |
| cluster: certificate-authority, -data | trusted authorities; text around PEM blocks is ignored |
| cluster: insecure-skip-tls-verify | no verification; refused together with an authority, as by kubectl |
| cluster: tls-server-name | name that the certificate is verified for |
| cluster: proxy-url | http and https, with user information; socks5 is refused |
| HTTPS_PROXY, HTTP_PROXY, NO_PROXY | without proxy-url; names, ports and CIDRs |
| cluster: disable-compression | answers are requested without compression |
| user: token, tokenFile | tokenFile wins, trimmed, read again every `KUBECONFIG_AGE` |
| user: client-certificate, client-key, -data | client certificate |
| user: exec | its token or certificate; without one no request is sent; interactiveMode Always is refused |
| user: username, password | Basic authentication |
| user: as, as-uid, as-groups, as-user-extra | impersonation headers |
| user: auth-provider | refused: kubectl removed it; use exec |

The kubernetes package merges the files and stores embedded certificates in files.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3 import HTTPHeaderDict

from telegen.api.cluster import Cluster, NoCredentials, authorization, read_bytes, read_certificates
from telegen.api.exec_plugin import plugin_credentials

KUBECONFIG_AGE = 60.0
"""Seconds after which a kubeconfig, its token file and its exec plugin are read again."""
_READING = threading.Lock()
"""Held while the kubernetes package reads a kubeconfig: it keeps certificates in files that all its callers share, and
names a file before it has written it."""


class Kubeconfig:
    """Provider of credentials from kubeconfig files; see `telegen.api.credentials.Credentials`."""

    def __init__(self, path: str, context: str, environ: Mapping[str, str]) -> None:
        self._path, self._context, self._environ = os.path.expanduser(path), context or None, environ
        self._read_at = float("-inf")
        self._cluster = Cluster("")

    def __call__(self, again: bool) -> Cluster:
        if again or time.monotonic() - self._read_at > KUBECONFIG_AGE:
            with _READING:
                self._cluster = self._read()
            self._read_at = time.monotonic()
        return self._cluster

    def check(self) -> None:
        """Check what needs no request: the file can be parsed, the files that it names exist, the exec plugin is found.

        Raises:
            NoCredentials: names the file, the field and the remedy.
        """
        with _READING, self._errors():
            loader, cluster, user = self._entries()
            base, user_base = _folder(loader._cluster), _folder(loader._user)
            for field, path in _named_files(cluster, user, base, user_base):
                if not path.is_file():
                    raise NoCredentials(f"{self._path}: {field}: {path}: no such file; correct the path, or mount the file")
            if cluster.get("certificate-authority") and not cluster.get("certificate-authority-data"):
                read_certificates(base / str(cluster["certificate-authority"]))
            command = str((user.get("exec") or {}).get("command") or "")
            if command and not _is_found(command, base, user["exec"].get("env") or ()):
                raise NoCredentials(f"{self._path}: user.exec.command: {command}: no such command; install it, or correct PATH")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of malformed content into NoCredentials."""
        import yaml
        from kubernetes.config import ConfigException

        try:
            yield
        except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoCredentials(f"{self._path}: {' '.join(str(error).split())}; check it with kubectl") from error

    def _entries(self) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Parse the files; return the loader and the entries of the cluster and of the user."""
        # Imported here: see `telegen.api.credentials.prepare`.
        from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

        if not any(os.path.exists(os.path.expanduser(path)) for path in self._path.split(os.pathsep)):
            raise NoCredentials(f"{self._path}: no such file; correct the path, or mount the file")
        merged = KubeConfigMerger(self._path).config  # type: ignore[no-untyped-call]
        loader: Any = KubeConfigLoader(merged, active_context=self._context, config_base_path=None)  # type: ignore[no-untyped-call]
        cluster, user = loader._cluster.value, loader._user.value if loader._user else {}
        cluster["server"] = _server(str(cluster.get("server") or ""))
        _refuse(cluster, user)
        return loader, cluster, user

    def _read(self) -> Cluster:
        from kubernetes.client import Configuration

        found: Any = Configuration()
        with self._errors():
            loader, cluster, user = self._entries()
            if user.get("exec"):
                user.update(plugin_credentials(user.pop("exec"), cluster, _folder(loader._cluster), self._environ))
            loader.load_and_set(found)
        return Cluster(
            url=cluster["server"],
            headers=self._headers(found, user, _folder(loader._user)),
            ca=read_certificates(Path(found.ssl_ca_cert)) if found.ssl_ca_cert else "",
            certificate=found.cert_file or "",
            key=found.key_file or "",
            verify=found.verify_ssl,
            server_name=str(cluster.get("tls-server-name") or ""),
            proxy=str(cluster.get("proxy-url") or "") or self._proxy(cluster["server"]),
            compression=not cluster.get("disable-compression"),
        )

    def _headers(self, found: Any, user: Mapping[str, Any], base: Path) -> Mapping[str, str]:
        """Headers that authenticate and impersonate."""
        if user.get("tokenFile"):
            path = base / str(user["tokenFile"])
            token = read_bytes(path).decode("latin-1").strip()
            headers = HTTPHeaderDict(authorization(f"Bearer {token}", str(path)))
        else:
            # The package keeps tokens, Basic and exec results under names that differ by version; this is where it shows them.
            value = (found.auth_settings().get("BearerToken") or {}).get("value")
            headers = HTTPHeaderDict(authorization(value.strip(), self._path) if value else {})
        for name, value in _impersonation(user):
            headers.add(name, value)
        return headers

    def _proxy(self, server: str) -> str:
        """Proxy of the environment for a server, or ""."""
        from kubernetes.client.rest import should_bypass_proxies

        variables = {name.lower(): value for name, value in self._environ.items() if name.lower().endswith("_proxy")}
        if should_bypass_proxies(server, variables.get("no_proxy", "")):
            return ""
        return variables.get(f"{urlsplit(server).scheme}_proxy", "")


def _folder(entry: Any) -> Path:
    """Folder of the file that an entry comes from: its relative paths begin there."""
    return Path(entry.path or "").absolute().parent if entry else Path()


def _named_files(cluster: Mapping[str, Any], user: Mapping[str, Any], base: Path, user_base: Path) -> Iterator[tuple[str, Path]]:
    """Yield (field, path) of each file that is read; embedded data takes the place of a file."""
    entries = (
        ("cluster", cluster, ("certificate-authority",), base),
        # The kubernetes package resolves the paths of client certificates against the folder of the cluster's file.
        ("user", user, ("client-certificate", "client-key"), base),
        ("user", user, ("tokenFile",), user_base),
    )
    for kind, entry, names, folder in entries:
        for name in names:
            if entry.get(name) and not entry.get(f"{name}-data"):
                yield f"{kind}.{name}", folder / str(entry[name])


def _is_found(command: str, base: Path, variables: Iterable[Mapping[str, str]]) -> bool:
    """True if an exec plugin can be started. A command with a slash is relative to the folder of the kubeconfig."""
    paths = [item["value"] for item in variables if item.get("name") == "PATH"]
    return shutil.which(str(base / command) if os.sep in command else command, path=paths[-1] if paths else None) is not None


def _server(address: str) -> str:
    """The server's address with its scheme in lower case."""
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in ("http", "https") or not rest:
        raise ValueError(f"cluster.server: {address!r} is not the URL of a server: https://HOST:PORT")
    return f"{scheme.lower()}://{rest}".rstrip("/")


def _refuse(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """Refuse what cannot be honoured.

    Raises:
        ValueError: names the field and the remedy.
    """
    if cluster.get("insecure-skip-tls-verify") and (cluster.get("certificate-authority") or cluster.get("certificate-authority-data")):
        raise ValueError("cluster.insecure-skip-tls-verify: cannot be combined with certificate-authority; remove one of them")
    proxy = urlsplit(str(cluster.get("proxy-url") or "http:"))
    if proxy.scheme.lower() not in ("http", "https"):
        raise ValueError(f"cluster.proxy-url: {proxy.scheme} is not supported; use an http or https proxy")
    if user.get("auth-provider"):
        raise ValueError("user.auth-provider: kubectl no longer supports it; use an exec plugin")
    if (user.get("exec") or {}).get("interactiveMode") == "Always":
        raise ValueError("user.exec.interactiveMode: Always needs a terminal, which the agent does not have")


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Impersonation headers, named as by client-go."""
    for name, key in (("Impersonate-User", "as"), ("Impersonate-Uid", "as-uid")):
        if user.get(key):
            yield name, str(user[key])
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values or ():
            yield f"Impersonate-Extra-{quote(str(key).lower(), safe='')}", str(value)

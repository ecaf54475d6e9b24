"""Requests to a running agent, with the credentials that its web configuration asks for."""

from __future__ import annotations

import argparse
import base64
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from telegen.config import ConfigError, ConfigSource
from telegen.config.document import read_document
from telegen.process.http_client import cause

TIMEOUT = 30.0
_PARTS = {"agent", "ready", "problems", "notes", "totals", "processes", "resources", "shards", "warnings"}
"""Keys of a status that are printed."""


class NoAnswer(Exception):
    """The agent cannot be reached or refuses the request."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name an agent and the credentials for it."""
    parser.add_argument(
        "url", nargs="?", default="", help="address of the agent (default: that of the configuration, on this machine)"
    )
    parser.add_argument("--config", metavar="FILE", help="configuration of the agent, for its address")
    parser.add_argument("--token-file", metavar="FILE", help="file with a bearer token, for web.auth: kubernetes")
    parser.add_argument("--user", metavar="NAME", help="user of the web configuration file; needs --password-file")
    parser.add_argument("--password-file", metavar="FILE", help="file with the password of that user")
    parser.add_argument("--ca-file", metavar="FILE", help="certificates to trust (default: those of the system)")
    parser.add_argument("--cert-file", metavar="FILE", help="client certificate with its key")
    parser.add_argument("--insecure", action="store_true", help="do not verify the agent's certificate")


class AgentClient:
    """Client of one agent."""

    def __init__(self, options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> None:
        """Prepare requests by the arguments of `add_arguments`.

        Raises:
            ConfigError: an argument or the configuration is invalid.
        """
        self.url = _url(options, environ)
        self._headers = _credentials(options)
        self._pool = urllib3.PoolManager(ssl_context=_context(options), retries=False, timeout=TIMEOUT)

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body of an answer.

        Raises:
            NoAnswer
        """
        headers = {**self._headers, "Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "telegen-cli"}
        try:
            answer = self._pool.request("GET", self.url + path, headers=headers)
        except (HTTPError, OSError) as error:
            raise NoAnswer(f"{self.url}: {cause(error)}") from error
        if answer.status != 200:
            text = answer.data.decode("utf-8", "replace").strip().partition("\n")[0][:300]
            raise NoAnswer(f"{self.url}{path}: status {answer.status}: {text}")
        return bytes(answer.data)

    def status(self) -> dict[str, Any]:
        """Return the content of /status.json.

        Raises:
            NoAnswer
        """
        try:
            found = orjson.loads(self.get("/status.json"))
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or not _PARTS <= found.keys():
            raise NoAnswer(f"{self.url}/status.json: not the status of an agent")
        return found


def _url(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if options.url:
        return (options.url if "://" in options.url else f"http://{options.url}").rstrip("/")
    config = ConfigSource(options.config, environ).load()
    address = config.kube_metrics.listen_address
    host = address.host if address.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    web_file = config.web.web_config_file
    # A file with passwords alone leaves HTTP plain. Its key may be readable for the agent only.
    scheme = "https" if web_file and read_document(web_file).data.get("tls_server_config") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}"


def _credentials(options: argparse.Namespace) -> dict[str, str]:
    if bool(options.user) != bool(options.password_file):
        raise ConfigError("--user: needs --password-file, and the other way round")
    if options.token_file:
        token = _content(options.token_file)
        # The error of the HTTP library would print it.
        if not (token.isascii() and token.isprintable()):
            raise ConfigError(f"{options.token_file}: expected a token on one line")
        return {"Authorization": f"Bearer {token}"}
    if options.user:
        pair = base64.b64encode(f"{options.user}:{_content(options.password_file)}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _context(options: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        # Python 3.13 demands extensions that the CAs of many clusters lack; curl and Prometheus do not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if options.cert_file:
            context.load_cert_chain(options.cert_file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--ca-file, --cert-file: {error}") from error
    if options.insecure:
        urllib3.disable_warnings(InsecureRequestWarning)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

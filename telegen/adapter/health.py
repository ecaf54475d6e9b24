"""Probes: /healthz, /livez and /readyz, with `?verbose` as the API server has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import falcon.asgi

Checks = Mapping[str, Callable[[], str]]
"""Checks by name. Each returns the reason why it fails, "" if it does not."""
READY = "readyz"
_TEXT = "text/plain; charset=utf-8"


class Health:
    """Answers to probes; only /readyz depends on checks: a restart cures none of them."""

    names = ("healthz", "livez", READY)

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def answer(self, name: str, is_verbose: bool, resp: falcon.asgi.Response) -> bool:
        """Answer if a path is that of a probe; return False for any other.

        Args:
            name: the path without slashes.
        """
        if name not in self.names:
            return False
        results = {check: problem() for check, problem in self._checks.items()} if name == READY else {}
        failing = [f"{check}: {problem}" for check, problem in results.items() if problem]
        lines = [f"[-]{check} failed: {problem}" if problem else f"[+]{check} ok" for check, problem in results.items()]
        result = f"{name} check {'failed' if failing else 'passed'}"
        short = f"not ready: {'; '.join(failing)}" if failing else "ok"
        resp.content_type, resp.status = _TEXT, 503 if failing else 200
        resp.text = "\n".join([*lines, result] if is_verbose else [short]) + "\n"
        return True

"""Run helm on the chart, without a cluster or on the API server of a kubeconfig."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cluster.binaries import HELM, need
from tests.cluster.kubectl import MANIFESTS, Object

CHART = MANIFESTS / "chart"
RELEASE = NAMESPACE = "telegen"
"""Name and namespace with which the chart renders the names of the other manifests."""


class Result(NamedTuple):
    """Outcome of a command.

    Attributes:
        status: exit status.
        output: standard output, and standard error of a command that failed.
    """

    status: int
    output: str


class Helm:
    """The program, and the kubeconfig of its cluster, if any."""

    def __init__(self, program: Path, kubeconfig: Path | None = None) -> None:
        self._program, self._kubeconfig = program, kubeconfig

    @classmethod
    def found(cls, kubeconfig: Path | None = None) -> Helm:
        """Return the one that `make cluster-tools` has built.

        Raises:
            Unavailable: it is not built.
        """
        return cls(*need([HELM], os.environ), kubeconfig)

    def attempt(self, *arguments: str, values: Any = None) -> Result:
        """Run it with these values, in addition to files that the arguments name."""
        given = ["--values", "-"] if values is not None else []
        command = [str(self._program), *arguments, *given, "--kubeconfig", str(self._kubeconfig or os.devnull)]
        # Its own folders, so that plugins and repositories of the user have no influence.
        environ = {**os.environ, **{f"HELM_{name}_HOME": "/nonexistent" for name in ("CACHE", "CONFIG", "DATA")}}
        done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=200, check=False, env=environ)
        return Result(done.returncode, done.stdout if done.returncode == 0 else f"{done.stderr}{done.stdout}")

    def run(self, *arguments: str, values: Any = None) -> str:
        """Run it; return its standard output.

        Raises:
            AssertionError: its exit status was not 0; the message has its output.
        """
        status, output = self.attempt(*arguments, values=values)
        assert status == 0, f"helm {' '.join(arguments)}: {output}"
        return output

    def template(self, values: Any, kubernetes: str, *arguments: str, chart: Path = CHART) -> Result:
        """Render the chart for a version of Kubernetes, without a cluster."""
        return self.attempt("template", RELEASE, str(chart), "-n", NAMESPACE, "--kube-version", kubernetes, *arguments, values=values)

    def render(self, values: Any, kubernetes: str = "1.36", chart: Path = CHART) -> list[Object]:
        """Return the objects of the chart with these values.

        Raises:
            AssertionError: the values are refused; the message has the reason.
        """
        status, output = self.template(values, kubernetes, chart=chart)
        assert status == 0, output
        return [obj for obj in yaml.safe_load_all(output) if obj]


def combinations() -> dict[str, Any]:
    """Return the values of each file in ci/ by its name."""
    return {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*-values.yaml"))}

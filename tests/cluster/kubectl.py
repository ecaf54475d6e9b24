"""Run kubectl of the default version, against API servers of every version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import KUBECTL, need

Object = dict[str, Any]
MANIFESTS = Path(__file__).parents[2] / "k8s"
VARIANTS = (MANIFESTS, *sorted(path.parent for path in MANIFESTS.glob("overlays/*/kustomization.yaml")))
"""Folders that users apply: the default one and the overlays."""
COMPONENTS = tuple(sorted(path.parent for path in MANIFESTS.glob("components/*/kustomization.yaml")))
"""Folders of components that users add to an overlay."""


class Kubectl:
    """The program, and the kubeconfig of its cluster, if any."""

    def __init__(self, program: Path, kubeconfig: Path | None = None) -> None:
        self._program, self._kubeconfig = program, kubeconfig

    @classmethod
    def found(cls, kubeconfig: Path | None = None) -> Kubectl:
        """Return the one that `make cluster-tools` has built.

        Raises:
            Unavailable: it is not built.
        """
        return cls(*need([KUBECTL], os.environ), kubeconfig)

    def run(self, *arguments: str, text: str = "") -> str:
        """Run it with `text` as standard input; return its standard output.

        Raises:
            AssertionError: its exit status was not 0; the message has its output.
        """
        target = ["--kubeconfig", str(self._kubeconfig or os.devnull)]
        command = [str(self._program), *target, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def render(self, where: Path) -> list[Object]:
        """Return the objects of a kustomization."""
        return list(yaml.safe_load_all(self.run("kustomize", str(where))))

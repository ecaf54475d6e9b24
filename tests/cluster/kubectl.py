"""Run kubectl of the default version, against API servers of every version."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cluster.binaries import KUBECTL, need

Object = dict[str, Any]
MANIFESTS = Path(__file__).parents[2] / "k8s"


class Variant(NamedTuple):
    """Manifests that users apply: folders of k8s/, and the components that change or extend them."""

    folders: tuple[str, ...]
    components: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(word.rpartition("/")[2] for word in (*self.folders, *self.components))


MODES = ("base", *sorted(f"overlays/{path.parent.name}" for path in MANIFESTS.glob("overlays/*/kustomization.yaml")))
"""Folders of which users choose one, or `overlays/node` and `overlays/cluster` together."""
VARIANTS = (Variant(("base",), ("hardened",)), *(Variant((mode,)) for mode in MODES))
"""The manifests with different pods; each has one pod template."""
COMPONENTS = tuple(sorted(path.parent.name for path in MANIFESTS.glob("components/*/kustomization.yaml")))


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
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def render(self, where: Path) -> list[Object]:
        """Return the objects of a kustomization."""
        return list(yaml.safe_load_all(self.run("kustomize", str(where))))

    def build(self, variant: Variant, **fields: Any) -> list[Object]:
        """Return the objects of a user's kustomization with these folders and components; `fields` are further fields of it."""
        with tempfile.TemporaryDirectory() as own:
            above = Path(*[".."] * (len(Path(own).resolve().parts) - 1), *MANIFESTS.resolve().parts[1:])  # Absolute paths are refused.
            kustomization = {
                "resources": [str(above / folder) for folder in variant.folders],
                "components": [str(above / "components" / name) for name in variant.components],
                **fields,
            }
            (Path(own) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
            return self.render(Path(own))

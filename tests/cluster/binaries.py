"""Build and locate the programs of tests/cluster: etcd, kube-apiservers, kubectl, kube-controller-manager, helm, Prometheus and others.

They come as Go modules whose every dependency go.sum pins, so nothing is downloaded as a binary. Each version of each
program has a folder of its own outside the tree. Only the standard library is used: this runs before there is a virtual
environment.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BUILD_TIME = 1500.0
"""Seconds that one build may take; a kube-apiserver takes 200 from nothing on two cores."""
KUBERNETES = "1.36.3"
"""Version of kube-apiserver in tests that run on one version; $KUBEBUILDER_ASSETS replaces this one."""
OTHERS = ("1.25.16", "1.37.2")
"""Further versions, for tests marked `every_version`: the oldest supported one, and the newest."""
VERSIONS = (KUBERNETES, *OTHERS)
"""Each names a folder of apiserver/. The default comes first: pytest groups tests by the position."""


class Tool(NamedTuple):
    """One program.

    Attributes:
        name: of its file.
        folder: of its go.mod.
        package: the package that is built; `./NAME` is a folder beside go.mod.
        module: the module that gives its version.
        tags: build tags, separated by commas.
        data: a folder of that module to copy beside the program.
    """

    name: str
    folder: str
    package: str
    module: str
    tags: str = ""
    data: str = ""


ETCD = Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3")
"""Storage of every version of kube-apiserver."""
KUBECTL = Tool("kubectl", "kubectl", "k8s.io/kubernetes/cmd/kubectl", "k8s.io/kubernetes")
"""Renders and applies the manifests, on every version."""
PEER = Tool("kube-state-metrics", "kube-state-metrics", "k8s.io/kube-state-metrics/v2", "k8s.io/kube-state-metrics/v2")
"""Reference for the agent's page."""
COLLECTOR = Tool("collector", "collector", ".", "go.opentelemetry.io/collector/otelcol")
"""OpenTelemetry collector with the OTLP receiver and the file exporter, as a receiver of pushes."""
HELM = Tool("helm", "helm", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3")
"""Lints, renders and installs the chart."""
_SERVER = "github.com/prometheus/prometheus"
_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
_TAGS = "netgo,remove_all_sd,enable_kubernetes_sd"
"""Of all kinds of discovery Kubernetes alone: the others would triple the build."""
PROMETHEUS = Tool("prometheus", "prometheus", f"{_SERVER}/cmd/prometheus", _SERVER, _TAGS)
"""Scrapes agents, evaluates rules, answers queries. It has no user interface."""
PROMTOOL = Tool("promtool", "prometheus", f"{_SERVER}/cmd/promtool", _SERVER, _TAGS)
"""Checks rules, scrape configurations and pages."""
OPERATOR = Tool("operator-config", "prometheus", "./operator-config", _OPERATOR, _TAGS, "example/prometheus-operator-crd")
"""Makes scrape configurations of monitors, as the operator does; beside it are the operator's CustomResourceDefinitions."""


def apiserver(kubernetes: str = KUBERNETES) -> Tool:
    """Return the kube-apiserver of a version."""
    return Tool("kube-apiserver", f"apiserver/{kubernetes}", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes")


_CONTROLLERS = "kube-controller-manager"
CONTROLLERS = Tool(_CONTROLLERS, f"apiserver/{KUBERNETES}", f"k8s.io/kubernetes/cmd/{_CONTROLLERS}", "k8s.io/kubernetes")
"""Scales by HorizontalPodAutoscalers, deletes namespaces. Being of kube-apiserver's module, most of it is in Go's cache by then."""
ASSETS = (ETCD, apiserver(), KUBECTL)
"""Programs that $KUBEBUILDER_ASSETS supplies; all others are always built."""
EVERYTHING = (*ASSETS, CONTROLLERS, PEER, COLLECTOR, PROMETHEUS, PROMTOOL, OPERATOR, HELM, *map(apiserver, OTHERS))


class Unavailable(Exception):
    """A program is absent or cannot be built here; the message gives the reason and the cure."""


def version(tool: Tool) -> str:
    """Return the version that the tool's go.mod requires."""
    text = (HERE / tool.folder / "go.mod").read_text()
    found = re.search(rf"^(?:require )?\s*{re.escape(tool.module)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise Unavailable(f"{tool.folder}/go.mod does not name {tool.module}")
    return found[1]


def place(tool: Tool, environ: Mapping[str, str]) -> Path:
    """Return the path of a program, built or not: in $KUBEBUILDER_ASSETS, else in the cache."""
    if tool in ASSETS and environ.get("KUBEBUILDER_ASSETS"):
        return Path(environ["KUBEBUILDER_ASSETS"]) / tool.name
    return _cache(environ) / f"{tool.name}-{version(tool)}{_own_source(tool)}" / tool.name


def _own_source(tool: Tool) -> str:
    """Return a digest of a program's source in this tree; "" for a package of another module."""
    if not tool.package.startswith("./"):
        return ""
    digest = hashlib.sha256()
    for path in sorted((HERE / tool.folder / tool.package).glob("*.go")):
        digest.update(path.read_bytes())
    return f"-{digest.hexdigest()[:12]}"


def _cache(environ: Mapping[str, str]) -> Path:
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telegen"
    return cache / "cluster-tools"


def missing(environ: Mapping[str, str], tools: Iterable[Tool]) -> list[Tool]:
    """Return the programs that are not built."""
    return [tool for tool in tools if not os.access(place(tool, environ), os.X_OK)]


def need(tools: Iterable[Tool], environ: Mapping[str, str]) -> list[Path]:
    """Return the paths of programs.

    Raises:
        Unavailable: one is not built.
    """
    wanted = list(tools)
    if absent := missing(environ, wanted):
        raise Unavailable(f"no {' and no '.join(str(place(tool, environ)) for tool in absent)}: run `make cluster-tools`")
    return [place(tool, environ) for tool in wanted]


class Programs(NamedTuple):
    """Paths of etcd and of the kube-apiserver of one version."""

    etcd: Path
    apiserver: Path

    @classmethod
    def found(cls, kubernetes: str = KUBERNETES) -> Programs:
        """Return those that `make cluster-tools` has built.

        Raises:
            Unavailable: one is not built.
        """
        return cls(*need((ETCD, apiserver(kubernetes)), os.environ))

    @property
    def minor(self) -> int:
        """Minor version of Kubernetes, as the program prints it."""
        printed = subprocess.run([self.apiserver, "--version"], capture_output=True, text=True, timeout=200, check=True).stdout
        return int(printed.split(".")[1])


def build(environ: Mapping[str, str]) -> None:
    """Build what is missing.

    Raises:
        Unavailable: no Go, KUBEBUILDER_ASSETS lacks a program, or a build failed.
    """
    absent = missing(environ, EVERYTHING)
    lacks = [tool.name for tool in absent if tool in ASSETS]
    if lacks and environ.get("KUBEBUILDER_ASSETS"):
        raise Unavailable(f"KUBEBUILDER_ASSETS={environ['KUBEBUILDER_ASSETS']} has no {' and no '.join(lacks)}")
    if absent and not shutil.which("go", path=environ.get("PATH")):
        raise Unavailable(
            "Go (1.26 or newer) is needed to build etcd, kube-apiserver, kubectl and the other programs; KUBEBUILDER_ASSETS may name a "
            f"folder that has etcd, kube-apiserver {KUBERNETES} and kubectl"
        )
    for tool in EVERYTHING:
        where, name = place(tool, environ), f"{tool.name} {version(tool)}"
        if tool not in absent:
            print(f"{name}: {where} is there", flush=True)
            continue
        print(f"{name}: building, which takes some minutes the first time", flush=True)
        started = time.monotonic()
        _build(tool, where, environ)
        print(f"{name}: built in {time.monotonic() - started:.0f} s: {where}", flush=True)


def _build(tool: Tool, where: Path, environ: Mapping[str, str]) -> None:
    """Build one program under a temporary name, then rename it, so that no process finds a partial file."""
    where.parent.mkdir(parents=True, exist_ok=True)
    partial = where.with_name(f".{tool.name}.{os.getpid()}")
    command = ["go", "build", "-trimpath", "-tags", tool.tags, "-ldflags", f"-s -w {_stamp(tool)}", "-o", str(partial), tool.package]
    settings = {**environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        subprocess.run(["nice", *command], cwd=HERE / tool.folder, env=settings, check=True, timeout=BUILD_TIME)
        if tool.data:
            _copy_data(tool, where.parent, settings)
        partial.replace(where)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"{tool.name} could not be built: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy_data(tool: Tool, where: Path, settings: Mapping[str, str]) -> None:
    """Copy the tool's data from its module."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", tool.module]
    found = subprocess.run(command, cwd=HERE / tool.folder, env=settings, check=True, capture_output=True, text=True, timeout=200)
    for path in (Path(found.stdout.strip()) / tool.data).iterdir():
        (where / path.name).write_bytes(path.read_bytes())


def _stamp(tool: Tool) -> str:
    """Return linker flags that set the version of Kubernetes' programs, without which it is v0.0.0, and the one that helm assumes."""
    if tool == HELM:
        major, minor = KUBERNETES.split(".")[:2]
        packages = ("chartutil", "lint/rules")
        return " ".join(f"-X {tool.module}/pkg/{one}.k8sVersion{part}" for one in packages for part in (f"Major={major}", f"Minor={minor}"))
    if tool.module != "k8s.io/kubernetes":
        return ""
    major, minor = version(tool).lstrip("v").split(".")[:2]
    values = {"gitVersion": version(tool), "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/client-go/pkg/version", "k8s.io/component-base/version")  # Old servers, 1.25 among them, read the first.
    return " ".join(f"-X {package}.{name}={value}" for package in packages for name, value in values.items())


def main() -> int:
    """Build what is missing; return the exit status."""
    try:
        build(os.environ)
    except Unavailable as error:
        print(f"tests/cluster/build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

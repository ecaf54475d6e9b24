#!/usr/bin/env python3
"""The real etcd, kube-apiserver, kubectl and kube-state-metrics: where they are, and how they are built when they are nowhere.

They come as Go modules whose every dependency go.sum pins, so nothing is downloaded as a binary. What is built is kept
outside the tree, in a folder named after the versions. Only the standard library is used: this runs before there is a
virtual environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BUILD_TIME = 1500.0
"""Seconds that one build may take; kube-apiserver takes 200 from nothing on two cores."""


class Tool(NamedTuple):
    """One program: its name as a file, the folder of its go.mod, the package that is built and the module that gives
    its version."""

    name: str
    folder: str
    package: str
    module: str


TOOLS = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    Tool("kube-apiserver", "apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes"),
)
"""The servers; their versions name the folder."""
KUBECTL = Tool("kubectl", "kubectl", "k8s.io/kubernetes/cmd/kubectl", "k8s.io/kubernetes")
"""Renders and applies the manifests; of the same version as the server."""
PEER = Tool("kube-state-metrics", "kube-state-metrics", "k8s.io/kube-state-metrics/v2", "k8s.io/kube-state-metrics/v2")
"""What the agent's page is compared with; never in $KUBEBUILDER_ASSETS."""


class Unavailable(Exception):
    """There are no programs and they cannot be built here; says why."""


def version(tool: Tool) -> str:
    """The version that the tool's go.mod asks for."""
    text = (HERE / tool.folder / "go.mod").read_text()
    found = re.search(rf"^(?:require )?\s*{re.escape(tool.module)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise Unavailable(f"{tool.folder}/go.mod does not name {tool.module}")
    return found[1]


def folder(environ: Mapping[str, str]) -> Path:
    """Where the programs are, or will be: $KUBEBUILDER_ASSETS, else a folder of the cache."""
    if environ.get("KUBEBUILDER_ASSETS"):
        return Path(environ["KUBEBUILDER_ASSETS"])
    return _cache(environ) / "_".join(f"{tool.name}-{version(tool)}" for tool in TOOLS)


def place(tool: Tool, environ: Mapping[str, str]) -> Path:
    """Where one program is, or will be."""
    where = _cache(environ) / f"{tool.name}-{version(tool)}" if tool is PEER else folder(environ)
    return where / tool.name


def _cache(environ: Mapping[str, str]) -> Path:
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telegen"
    return Path(environ.get("TELEGEN_CACHE") or cache) / "cluster-tools"


def missing(environ: Mapping[str, str], tools: Sequence[Tool] = TOOLS) -> list[Tool]:
    """The programs that are not there."""
    return [tool for tool in tools if not os.access(place(tool, environ), os.X_OK)]


def build(environ: Mapping[str, str]) -> None:
    """Build what is missing.

    Raises:
        Unavailable: no Go, KUBEBUILDER_ASSETS lacks a program, or a build failed.
    """
    everything = (*TOOLS, KUBECTL, PEER)
    absent = missing(environ, everything)
    lacks = [tool.name for tool in absent if tool is not PEER]
    if lacks and environ.get("KUBEBUILDER_ASSETS"):
        raise Unavailable(f"KUBEBUILDER_ASSETS={folder(environ)} has no {' and no '.join(lacks)}")
    if absent and not shutil.which("go", path=environ.get("PATH")):
        raise Unavailable(
            "Go (1.26 or newer) is needed to build etcd, kube-apiserver, kubectl and kube-state-metrics; KUBEBUILDER_ASSETS may name a "
            "folder that has the first three"
        )
    for tool in everything:
        where = place(tool, environ)
        if tool not in absent:
            print(f"{tool.name}: {where} is there", flush=True)
            continue
        print(f"{tool.name}: building {version(tool)}, which takes some minutes the first time", flush=True)
        started = time.monotonic()
        _build(tool, where, environ)
        print(f"{tool.name}: built in {time.monotonic() - started:.0f} s: {where}", flush=True)


def _build(tool: Tool, where: Path, environ: Mapping[str, str]) -> None:
    """Build one program beside its place and move it in when it is whole: who looks meanwhile sees all of it or
    nothing."""
    where.parent.mkdir(parents=True, exist_ok=True)
    partial = where.with_name(f".{tool.name}.{os.getpid()}")
    command = ["go", "build", "-trimpath", "-ldflags", f"-s -w {_stamp(tool)}", "-o", str(partial), tool.package]
    settings = {**environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        subprocess.run(["nice", *command], cwd=HERE / tool.folder, env=settings, check=True, timeout=BUILD_TIME)
        partial.replace(where)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"{tool.name} could not be built: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _stamp(tool: Tool) -> str:
    """Linker flags that tell Kubernetes' programs their version: they would call themselves v0.0.0, and be believed."""
    if tool.module != "k8s.io/kubernetes":
        return ""
    major, minor = version(tool).lstrip("v").split(".")[:2]
    values = {"gitVersion": version(tool), "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def main() -> int:
    """Build what is missing; the exit status."""
    try:
        build(os.environ)
    except Unavailable as error:
        print(f"tests/cluster/build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

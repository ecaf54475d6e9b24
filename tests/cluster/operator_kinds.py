"""The Prometheus operator's kinds in a test cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tests.cluster.binaries import OPERATOR, need
from tests.cluster.kubectl import Kubectl

DEFINED = ("podmonitors", "servicemonitors", "prometheusrules")


@contextlib.contextmanager
def defined(kubectl: Kubectl) -> Iterator[None]:
    """Define the kinds, as the administrator that `kubectl` is; delete them at the end."""
    (program,) = need([OPERATOR], os.environ)
    files = [word for name in DEFINED for word in ("-f", str(program.with_name(f"monitoring.coreos.com_{name}.yaml")))]
    kubectl.run("apply", "--server-side", *files)
    kubectl.run("wait", "--for=condition=established", "--timeout=30s", *files)
    yield
    kubectl.run("delete", *files)

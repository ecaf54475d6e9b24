"""The manifests as kustomize renders them."""

from __future__ import annotations

import pytest

from tests.cluster.kubectl import Kubectl


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl without a cluster."""
    return Kubectl.found()

"""The manifests as kustomize and helm render them."""

from __future__ import annotations

import pytest

from tests.cluster.helm import Helm
from tests.cluster.kubectl import Kubectl


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl without a cluster."""
    return Kubectl.found()


@pytest.fixture(scope="session")
def helm() -> Helm:
    """helm without a cluster."""
    return Helm.found()

"""The image, built once for all tests here."""

from __future__ import annotations

import pytest

from tests.image.dockerfile import Stage, build


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The last stage, built."""
    return build(tmp_path_factory.mktemp("image"))

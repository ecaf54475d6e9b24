"""What all tests share: the switch that writes wanted pages anew."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden`."""
    parser.addoption("--update-golden", action="store_true", help="write the wanted pages anew, from what is served now")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether wanted pages are to be written anew."""
    return bool(request.config.getoption("--update-golden"))

"""Options of all tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`."""
    parser.addoption("--update-golden", action="store_true", help="overwrite the expected pages with the current ones")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """True if expected pages are to be overwritten by the current ones."""
    return bool(request.config.getoption("--update-golden"))

"""The unit tests on each supported Python besides the one that runs this suite."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import PORT_RANGES
from tests.interpreter.interpreter import IMAGE, OLDEST, found

ROOT = Path(__file__).parents[2]
RUNNING = "{}.{}".format(*sys.version_info)
LIMIT = 900
"""Seconds; two minutes are usual, most of them for the packages."""
INHERITED = {"CI", "SETUP", "VIRTUAL_ENV", "PYTHONPATH"}
"""Variables that would make the inner pytest install tools or import packages of this interpreter."""


def test_versions_agree() -> None:
    """The documents, the metadata and the image name the versions that are tested."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["options"]["python_requires"] == f">={OLDEST}"
    assert settings["mypy"]["python_version"] == OLDEST
    assert set(re.findall(r"^FROM python:(\d\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) == {IMAGE}


@pytest.mark.interpreter
@pytest.mark.timeout(LIMIT + 60)
@pytest.mark.parametrize("version", [version for version in (OLDEST, IMAGE) if version != RUNNING])
def test_unit_tests_pass(version: str, tmp_path: Path) -> None:
    """Install the locked packages for that version and run the tests of `make check` with them."""
    python = found(version, os.environ)
    assert python, f"no Python {version}"
    venv = tmp_path / "venv"
    environ = {name: value for name, value in os.environ.items() if name not in INHERITED and not name.startswith("PYTEST_")}
    # Ports of its own: this suite goes on beside it.
    environ["PYTEST_XDIST_WORKER"] = f"gw{PORT_RANGES - 1}"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
        assert done.returncode == 0, done.stdout[-8000:]
        return done.stdout

    run(python, "-m", "venv", "--without-pip", venv)
    install = ("install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "-r", "requirements-dev.lock")
    run(sys.executable, "-m", "pip", "--python", venv / "bin" / "python", *install)
    output = run(venv / "bin" / "python", "-m", "pytest", "--check", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tests'}")
    assert re.search(r"\d{4} passed", output), output[-2000:]

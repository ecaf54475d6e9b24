"""Find and build the CPython of the image, for tests on machines whose distribution lacks it.

A Go module embeds it, and go.sum pins the module. Only the standard library is used: this runs before there is a virtual
environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST = "3.11"
"""Oldest version of Python that the package supports; CI runs the whole suite on it."""
IMAGE = "3.13"
"""Version of Python in the image; CI runs the tests of `make check` on it as well."""
BUILD_TIME = 900.0
"""Seconds; one minute is usual."""


class Unavailable(Exception):
    """The interpreter cannot be built here; the message gives the reason."""


def found(version: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of an interpreter: of the system, of pyenv, or the one that `build` makes."""
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python{version}")]
    if version == IMAGE:
        candidates.append(_place(environ) / "bin" / "python3")
    return next((str(path) for path in candidates if path and _runs(path)), None)


def _runs(path: str | Path) -> bool:
    """Return whether it is an interpreter: pyenv's shims exist also where they only print an error."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except OSError:
        return False


def build(environ: Mapping[str, str]) -> None:
    """Build the image's version unless it is there.

    Raises:
        Unavailable: no Go, or the build failed.
    """
    if found(IMAGE, environ):
        return
    where = _place(environ)
    where.parent.mkdir(parents=True, exist_ok=True)
    # A complete folder is renamed into place: an interrupted build leaves nothing that looks complete.
    partial = where.with_name(f".{where.name}.{os.getpid()}")
    settings = {**environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        subprocess.run(["nice", "go", "run", ".", str(partial)], cwd=HERE, env=settings, check=True, timeout=BUILD_TIME)
        partial.replace(where)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"Python {IMAGE} cannot be built: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _place(environ: Mapping[str, str]) -> Path:
    match = re.search(r"go-embed-python v0\.0\.0-(\S+)", (HERE / "go.mod").read_text())
    assert match, "go.mod names no go-embed-python"
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "telegen"
    return cache / "python" / match[1]

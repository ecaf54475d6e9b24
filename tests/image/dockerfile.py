"""Builds the Dockerfile without an engine: its steps' commands run here, on paths under a folder that stands for the
image's root."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD_TIME = 300.0
"""Seconds that a step may take; installing takes 20."""


@dataclass
class Stage:
    """One stage of the image.

    Attributes:
        root: the folder that stands for `/`.
        environ: what ENV has set.
        labels: what LABEL has set.
        entrypoint: the words of ENTRYPOINT.
        user, ports: of USER and EXPOSE.
    """

    root: Path
    workdir: str = "/"
    environ: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    user: str = ""
    ports: list[str] = field(default_factory=list)

    def here(self, path: str) -> Path:
        """A path of the image, on this machine."""
        return self.root / (Path(self.workdir) / path).relative_to("/")

    def environment(self) -> dict[str, str]:
        """The environment of a process in it."""
        # The base image's Python is the one that runs the tests.
        base = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}", "HOME": "/nowhere"}
        network = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or "PROXY" in name.upper()}
        ours = {name: self.moved(value.replace("$PATH", base["PATH"])) for name, value in self.environ.items()}
        return {**network, **base, **ours}

    def moved(self, text: str) -> str:
        """A command whose absolute paths into the image lie under its root."""
        return re.sub(r"(?<![\w.>])/(?=(?:src|dist|opt)\b)", f"{self.root}/", text)


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, the rest) of a Dockerfile, lines joined, comments gone."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = lines.replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def build(folder: Path) -> Stage:
    """Run every step; the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions((ROOT / "Dockerfile").read_text()):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            stages[name] = stage = Stage(folder / name)
            stage.root.mkdir()
        else:
            _step(stage, stages, word, rest)
    return stage


def _step(stage: Stage, stages: dict[str, Stage], word: str, rest: str) -> None:
    if word == "WORKDIR":
        stage.workdir = rest
        stage.here(".").mkdir(parents=True)
    elif word == "COPY":
        _copy(stage, stages, rest)
    elif word == "RUN":
        command = ["sh", "-ec", stage.moved(rest)]
        subprocess.run(command, cwd=stage.here("."), env=stage.environment(), check=True, timeout=BUILD_TIME)
    elif word in ("ENV", "LABEL"):
        given = stage.environ if word == "ENV" else stage.labels
        given.update({name: plain or quoted for name, quoted, plain in re.findall(r'(\S+?)=(?:"(.*?)"|(\S+))', rest)})
    elif word == "ENTRYPOINT":
        stage.entrypoint = json.loads(rest)
    elif word == "USER":
        stage.user = rest
    elif word == "EXPOSE":
        stage.ports = rest.split()
    else:
        raise AssertionError(f"{word}: the test knows no such instruction")


def _copy(stage: Stage, stages: dict[str, Stage], rest: str) -> None:
    """From the tree, or from another stage. A virtual environment names its place in its scripts, so it is moved by a
    link."""
    *sources, target = [item for item in rest.split() if not item.startswith("--")]
    origin = re.match(r"--from=(\S+)", rest)
    for source in sources:
        place = stages[origin[1]].here(source) if origin else ROOT / source
        to = stage.here(target) / place.name if target.endswith("/") else stage.here(target)
        to.parent.mkdir(parents=True, exist_ok=True)
        if origin:
            to.symlink_to(place)
        elif place.is_dir():
            shutil.copytree(place, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(place, to)

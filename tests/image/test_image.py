"""The image: its build steps succeed, and the result runs without the source tree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from telegen import __version__
from tests.harness import Agent, free_port
from tests.image.dockerfile import ROOT, Stage

pytestmark = pytest.mark.timeout(600)


def run(image: Stage, *command: str) -> str:
    """Run a command in the image, outside of the source tree; return its output."""
    done = subprocess.run(command, env=image.environment(), cwd=image.root, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_contents(image: Stage) -> None:
    """The image has the wheel and its runtime dependencies, each with metadata for bills of materials; no tests, linters or pip."""
    program = "import importlib.metadata as m; print(*sorted(d.name.lower() for d in m.distributions()))"
    names = run(image, "python", "-c", program).split()
    assert {"telegen", "falcon", "gunicorn", "msgspec", "orjson", "prometheus-client"} <= {name.replace("_", "-") for name in names}
    assert not {"pytest", "mypy", "flake8", "honcho", "pip"} & set(names)
    files = run(image, "python", "-c", "import telegen, workers; print(telegen.__file__, workers.__file__)")
    assert all("site-packages" in file and str(ROOT / "telegen") not in file for file in files.split())
    assert (Path(files.split()[0]).parent / "py.typed").exists()
    assert {"grpcio", "rich", "shtab"} <= set(names)
    assert "metric-denylist" in run(image, "telegen", "completion", "bash")


def test_bill_of_materials(image: Stage) -> None:
    """The image has a CycloneDX document of exactly the packages in it, by version."""
    program = "import importlib.metadata as m; print(*sorted({f'{d.name.lower()}=={d.version}' for d in m.distributions()}))"
    bom = json.loads(run(image, "cat", str(image.root / "opt" / "telegen" / "sbom.cdx.json")))
    assert bom["bomFormat"] == "CycloneDX"
    assert {f"{one['name'].lower()}=={one['version']}" for one in bom["components"]} == set(run(image, "python", "-c", program).split())


def test_wheels_for_arm64() -> None:
    """Every locked package has a wheel for the image's Python on linux/arm64; without one the build would need a compiler."""
    done = subprocess.run(["make", "arm64", f"VENV={Path(sys.prefix)}"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_image_without_an_engine() -> None:
    """`make image` names the engines that it can use where none is installed."""
    done = subprocess.run(["make", "image", "ENGINE="], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "image: docker, podman and buildah are not installed: install one of them, or set ENGINE"


def test_metadata(image: Stage) -> None:
    """The labels have the version, the user is unprivileged, and the `telegen` command works."""
    assert image.labels["org.opencontainers.image.version"] == __version__
    assert image.labels["org.opencontainers.image.title"] == "telegen"
    assert image.user == "65532:65532" and image.ports == ["9443"]
    assert run(image, "telegen", "version") == f"telegen {__version__}\n"


def test_the_entry_point_serves(image: Stage) -> None:
    """ENTRYPOINT with arguments starts the agent, and SIGTERM ends all its processes."""
    assert image.entrypoint == ["python", "-m", "telegen.supervisor"]
    port = free_port()
    command = [*image.entrypoint, "--demo", "--demo-pods", "20", "--host", "127.0.0.1", "--port", str(port)]
    log = image.root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=image.environment(), cwd=image.root, stderr=output)
    agent = Agent(process, port, Path(), log)
    try:
        agent.wait_ready(60)
        assert "kube_pod_info{" in agent.page()
        processes = agent.tree.processes()
        process.terminate()
        assert process.wait(60) == 0
        assert psutil.wait_procs(processes, 30)[1] == []
    finally:
        process.kill()
        process.wait(20)

"""The pages on collectors and engines beside the agent: short, and their settings are those of the agent."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import msgspec
import pytest

from telegen.config import load, not_effective

DOCS = Path(__file__).parents[2] / "docs"
PEERS = ("alloy", "collector", "victoriametrics")
SCREEN = 45
"""Lines of a terminal window."""


def blocks(name: str) -> list[str]:
    """Return the indented blocks of a page."""
    found = re.findall(r"(?:^(?:    .*)?\n)+", (DOCS / f"{name}.md").read_text(), re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in found if block.strip()]


@pytest.mark.parametrize("name", [*PEERS, "docker"])
def test_a_page_fits_on_a_screen(name: str) -> None:
    """Each page is shorter than a screen; that of a peer states what CI has tried."""
    text = (DOCS / f"{name}.md").read_text()
    assert len(text.splitlines()) < SCREEN
    assert name == "docker" or re.search(r"^(Not t|T)ried: ", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["collector", "victoriametrics"])
def test_settings_of_the_agent(name: str, tmp_path: Path) -> None:
    """The settings on a page are valid, have an effect, and push to its peer."""
    (text,) = [block for block in blocks(name) if block.startswith("kube_metrics:")]
    path = tmp_path / "telegen.yaml"
    path.write_text(text)
    config = load(str(path), {})
    assert not_effective(config) == [] and config.kube_metrics.streaming.enabled and config.kube_metrics.otlp.endpoint


def test_the_command_is_that_of_compose(tmp_path: Path) -> None:
    """`podman run` of docker.md has the mounts, the user, the port and the settings of compose.yaml."""
    (command,) = [block for block in blocks("docker") if block.startswith("podman run")]
    words = shlex.split(command.replace("\\\n", " "))
    given = [(words[at], words[at + 1]) for at in range(len(words) - 1)]
    service = msgspec.yaml.decode((DOCS / "compose.yaml").read_bytes())["services"]["telegen"]
    assert words[-1] == service["image"] and {"--privileged", "--read-only"} <= set(words)
    assert [value for flag, value in given if flag == "-v"] == [service["volumes"][0], "/:/host:ro,rslave"]
    for flag, key in {"--user": "user", "--pid": "pid"}.items():
        assert (flag, service[key]) in given
    assert ("-p", service["ports"][0]) in given and ("--tmpfs", service["tmpfs"][0]) in given
    environ = dict(value.split("=", 1) for flag, value in given if flag == "-e")
    config = load("", environ)
    assert config.kube_metrics.enabled and not config.kube_metrics.kube_state.enabled and config.kube_metrics.cadvisor.root == "/host"

"""docs/docker.md: short, and its command is that of docs/compose.yaml."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec

from telegen.config import load

DOCS = Path(__file__).parents[2] / "docs"
SCREEN = 45
"""Lines of a terminal window."""


def podman_run() -> list[str]:
    """Return the words of the command `podman run` on the page."""
    found = re.search(r"^    (podman run (?:.*\\\n)+.*)$", (DOCS / "docker.md").read_text(), re.MULTILINE)
    assert found
    return shlex.split(found[1].replace("\\\n", " "))


def test_the_page_fits_on_a_screen() -> None:
    """The page is shorter than a screen."""
    assert len((DOCS / "docker.md").read_text().splitlines()) < SCREEN


def test_the_command_is_that_of_compose() -> None:
    """`podman run` of docker.md has the mounts, the user, the port and the settings of compose.yaml."""
    words = podman_run()
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

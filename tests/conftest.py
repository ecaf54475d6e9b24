"""Options and hooks of all tests: which tests run, in which order, on which worker, and how absent tools are reported."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Generator, Iterator
from subprocess import Popen

import pytest
from hypothesis import settings
from prometheus_client import values
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

from tests import tools
from tests.tools import SETS, Tool

BUILD = pytest.StashKey[Popen[bytes]]()
ABSENT = pytest.StashKey[frozenset[str]]()
"""Names of the tools that were absent at the start of the run, in all its processes: they must sort tests in the same order."""
VM_GROUP = "vm"
# The same examples of hypothesis in each run, so that it fails for a change of the code only; --hypothesis-profile=search draws others.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")
SHARED = ("tests/cluster/adapter/",)
"""Folders whose files share one cluster."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this project."""
    parser.addoption("--update-golden", action="store_true", help="overwrite the expected pages with the pages as they are now")
    parser.addoption("--check", action="store_true", help="leave out the sets of tests that tests/tools.py lists")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for each in SETS:
        config.addinivalue_line("markers", f"{each.mark}: tests that {each.help}")
    absent: list[str] | None = getattr(config, "workerinput", {}).get("absent")
    config.stash[ABSENT] = frozenset((tool.name for tool in tools.missing(tools.everything())) if absent is None else absent)


def pytest_configure_node(node: WorkerController) -> None:
    """Give a worker the names of the absent tools."""
    node.workerinput["absent"] = sorted(node.config.stash[ABSENT])


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Return the option --update-golden."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _own_metrics() -> Iterator[None]:
    """Undo what `Telemetry` changes in prometheus_client, so that a later test does not write to files that are closed."""
    before = values.ValueClass, values.MmapedDict
    yield
    values.ValueClass, values.MmapedDict = before  # type: ignore[assignment, misc]


# --- which tests, and in which order


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folders, leave out what --check leaves out, and sort."""
    for item in items:
        for each in SETS:
            if item.nodeid.startswith(tuple(f"{folder}/" for folder in each.folders)):
                item.add_marker(each.mark)
    if config.getoption("--check"):
        config.hook.pytest_deselected(items=[item for item in items if marks(item)])
        items[:] = [item for item in items if not marks(item)]
    items.sort(key=_rank)


def marks(item: pytest.Item) -> list[str]:
    """Return the names of the sets that a test belongs to."""
    return [each.mark for each in SETS if item.get_closest_marker(each.mark)]


def _rank(item: pytest.Item) -> int:
    """Return the place of a test in the order: the longest groups first, but those that wait for a build last.

    The virtual machine comes first even while its image is built: nothing else takes as long.
    """
    names = marks(item)
    if VM_GROUP in names:
        return 0
    if item.config.stash[ABSENT].intersection(tool.name for tool in needed(item)):
        return 4
    return 1 if "cluster" in names else 2 if names else 3


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Give tests that share fixtures to one worker: those of one file, of one version of the API server, of a shared cluster, of
    the virtual machine."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, parameters = nodeid.partition("[")
        if file.startswith("tests/cadvisor/vm/"):
            return VM_GROUP
        if file.startswith(SHARED):
            return file.rpartition("/")[0]
        version = parameters.rstrip("]").partition("-")[0]
        if file.startswith("tests/cluster/") and version in tools.binaries.VERSIONS:
            return f"kube-apiserver {version}"
        return file.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    """Distribute groups in the order of collection."""
    config.option.loadscopereorder = False
    return Groups(config, log)


# --- tools


def needed(item: pytest.Item) -> tuple[Tool, ...]:
    """Return the tools that a test needs."""
    return tuple(tool for each in SETS if item.get_closest_marker(each.mark) for tool in each.tools)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start to build the absent tools. Tests that need none run meanwhile."""
    config = session.config
    if hasattr(config, "workerinput") or config.getoption("--check") or not tools.setup_is_wanted(os.environ):
        return
    if config.stash[ABSENT]:
        config.stash[BUILD] = tools.start_build()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End a build that no test waits for any more."""
    build = session.config.stash.get(BUILD, None)
    if build and build.poll() is None:
        os.killpg(build.pid, signal.SIGTERM)
        build.wait(60)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the build of a tool, outside the test's time limit."""
    while tools.missing(needed(item)) and tools.is_building():
        time.sleep(0.5)
    return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose tools are absent; fail it where they should have been installed."""
    absent = tools.missing(needed(item))
    if not absent:
        return
    names = ", ".join(tool.name for tool in absent)
    if tools.setup_is_wanted(os.environ):
        pytest.fail(f"absent: {names}; tests/tools.py lists how each is installed, {tools.LOG} has the output of the builds", pytrace=False)
    pytest.skip(f"absent: {names}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by their reasons."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section(f"{len(skipped)} tests were skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5} {reason}")
    terminalreporter.write_line(f"To install these tools and run all tests (as root on Debian, with Go): {tools.COMMAND}")

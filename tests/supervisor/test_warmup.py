"""The warm-up before the first fork."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psutil
import pytest

from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.render import renderer
from telegen.supervisor.warmup import warm_up
from telegen.supervisor.warmup_objects import SAMPLES

EVERYTHING = Selection(opt_in=[".*"], labels={"*": ["*"]}, annotations={"*": ["*"]})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for value files of prometheus_client."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def test_warm_up_leaves_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No value file, mapped or open, no process, no thread, and no error."""
    caplog.set_level(logging.ERROR)
    # Fixtures of other tests may have left processes and threads.
    threads, children = {one.id for one in psutil.Process().threads()}, set(psutil.Process().children())
    warm_up(RESOURCES, EVERYTHING, ("metadata.name",), str(folder))
    assert list(folder.glob("*.db")) == []
    open_files = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert str(folder) not in repr(open_files) + Path("/proc/self/maps").read_text()
    assert set(psutil.Process().children()) <= children
    assert {one.id for one in psutil.Process().threads()} <= threads
    assert caplog.text == ""


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_well_formed(name: str) -> None:
    """The sample objects have a resource, and every family can read them."""
    resource = RESOURCES[name]
    errors: list[str] = []
    families = selected_families(resource, EVERYTHING)
    texts = renderer(resource.identity, families, lambda family, error: errors.append(f"{family}: {error!r}"))(SAMPLES[name])
    assert errors == []
    assert sum(map(bool, texts)) > 3

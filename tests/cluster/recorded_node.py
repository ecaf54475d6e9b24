"""Recorded control files of a node's containers, with the UIDs of pods that a real API server has created, and counters that grow."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.cadvisor.trees import TREES, unpack
from tests.cluster.repetition import repeated

TREE = TREES / "v2-debian-6.1.txt"
GROWING = {"cpu.stat": 50_000, "io.stat": 4096, "net/dev": 700, "memory.events": 1}
"""Ends of the names of files with counters, and what each of their numbers grows by."""
MOUNTED = ("sys/devices", "etc")
"""Folders by which the agent recognizes mounts of the host."""
PERIOD = 1.0
"""Seconds between two growths."""
_NUMBER = re.compile(rb"(?<=[ =])\d+")


def make_node(folder: Path, uids: Mapping[str, str]) -> Path:
    """Unpack the files into a folder, with new UIDs of pods for the recorded ones; return their root."""
    text = TREE.read_text()
    for recorded, made in uids.items():
        text = text.replace(recorded, made).replace(recorded.replace("-", "_"), made.replace("-", "_"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tree.txt").write_text(text)
    root = unpack(folder / "tree.txt", folder / "root")
    for name in MOUNTED:
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def make_empty_node(folder: Path) -> Path:
    """Unpack the files of the same node without its pods; return their root."""
    root = make_node(folder, {})
    for path in [*root.glob("cgroup/kubepods*"), *root.glob("proc/[0-9]*")]:
        shutil.rmtree(path)
    return root


@contextlib.contextmanager
def growing(root: Path) -> Iterator[None]:
    """Let the counters below a root grow."""
    files = {path: step for end, step in GROWING.items() for path in root.rglob(end)}
    start, passes = {path: path.read_bytes() for path in files}, itertools.count(1)

    def grow() -> None:
        number = next(passes)
        for path, content in start.items():
            grown = _NUMBER.sub(lambda found: b"%d" % (int(found[0]) + files[path] * number), content)  # noqa: B023
            # Without truncation: the agent reads the file meanwhile.
            with path.open("r+b") as file:
                file.write(grown)

    with repeated(PERIOD, grow):
        yield

"""Control files as they should not be: each costs its own values, never the page."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cadvisor.cgroups import discovery
from telegen.cadvisor.cgroups.classification import Cgroup
from telegen.cadvisor.node import Node, Roots
from tests.cadvisor.page import Pages, sampled, timeless, v2_tree, write

ID = "ab" * 32
GOOD = {"cpu_stat": "usage_usec 1500000\n", "memory_current": "4096\n", "memory_stat": "inactive_file 96\n"}


def of(text: str, number: int = 0) -> dict[str, str]:
    """Family to value of the container with this number, without its times."""
    name = f"{number:064x}" if number else ID
    lines = [line for line in timeless(text).split("\n") if f'name="{name}"' in line and not line.endswith(" T")]
    return {line.partition("{")[0]: line.rpartition(" ")[2] for line in lines}


WHOLE = {
    "container_cpu_usage_seconds_total": "1.5",
    "container_memory_total_inactive_file_bytes": "96",
    "container_memory_usage_bytes": "4096",
    "container_memory_working_set_bytes": "4000",
}
INACTIVE = {"container_memory_working_set_bytes", "container_memory_total_inactive_file_bytes"}


def test_everything_there(tmp_path: Path) -> None:
    """A container with all its files has all its samples, in base units."""
    write(v2_tree(tmp_path) / "docker" / ID, **GOOD)
    text, errors = sampled(tmp_path)
    assert of(text) == WHOLE
    assert not errors


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"cpu_stat": None}, {"container_cpu_usage_seconds_total"}),
        ({"cpu_stat": ""}, {"container_cpu_usage_seconds_total"}),
        ({"cpu_stat": "usage_us"}, {"container_cpu_usage_seconds_total"}),
        ({"cpu_stat": "usage_usec many\n"}, {"container_cpu_usage_seconds_total"}),
        ({"memory_current": None}, {"container_memory_usage_bytes", "container_memory_working_set_bytes"}),
        ({"memory_current": "max\n"}, {"container_memory_usage_bytes", "container_memory_working_set_bytes"}),
        ({"memory_stat": None}, INACTIVE),
        ({"memory_stat": "inactive_fi"}, INACTIVE),
        ({"memory_stat": "\n\n garbage \ninactive_file\n"}, INACTIVE),
    ],
)
def test_missing_or_cut_files_cost_their_values(tmp_path: Path, files: dict[str, str], missing: set[str]) -> None:
    """A value that the kernel does not report is absent, not 0; all others are served."""
    contents = {name: content for name, content in {**GOOD, **files}.items() if content is not None}
    write(v2_tree(tmp_path) / "docker" / ID, **contents)
    text, _ = sampled(tmp_path)
    assert of(text) == {name: value for name, value in WHOLE.items() if name not in missing}


@pytest.mark.parametrize("content", ["", "4096 bytes", "0x10", "\xff\xfe"])
def test_malformed_number_is_counted(tmp_path: Path, content: str) -> None:
    """A number that is none costs the memory values of that container, and is counted."""
    write(v2_tree(tmp_path) / "docker" / ID, **{**GOOD, "memory_current": content})
    write(tmp_path / "docker" / f"{1:064x}", **GOOD)
    text, errors = sampled(tmp_path)
    assert set(of(text)) == {"container_cpu_usage_seconds_total"}
    assert of(text, 1) == WHOLE
    assert errors == {"malformed": 1}


def test_working_set_is_never_negative(tmp_path: Path) -> None:
    """More inactive page cache than usage, as two readings at two moments can give: 0."""
    write(v2_tree(tmp_path) / "docker" / ID, **{**GOOD, "memory_stat": "inactive_file 99999\n"})
    assert of(sampled(tmp_path)[0])["container_memory_working_set_bytes"] == "0"


def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    """A folder where a file should be: counted by the name of the error, the rest is there."""
    write(v2_tree(tmp_path) / "docker" / ID, cpu_stat="usage_usec 1500000\n")
    (tmp_path / "docker" / ID / "memory.stat").mkdir()
    text, errors = sampled(tmp_path)
    assert set(of(text)) == {"container_cpu_usage_seconds_total"}
    assert errors == {"EISDIR": 1}


def test_cgroup_that_vanishes_between_listing_and_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that ends during the pass has no samples; it is no error."""
    write(v2_tree(tmp_path) / "docker" / f"{1:064x}", **GOOD)

    def with_a_ghost(mount: str, raw: bool, count_error: discovery.CountError) -> Iterator[Cgroup]:
        yield from discovery.find_cgroups(mount, raw, count_error)
        yield Cgroup(f"/docker/{ID}", "container", "", ID)

    monkeypatch.setattr("telegen.cadvisor.sampler.find_cgroups", with_a_ghost)
    text, errors = sampled(tmp_path)
    assert of(text) == {} and of(text, 1) == WHOLE
    assert not errors


def test_container_that_comes_goes_and_comes_again(tmp_path: Path) -> None:
    """Series go with the cgroup at the next pass; one of the same name is read anew, not from an old open file."""
    folder = v2_tree(tmp_path) / "docker" / ID
    write(folder, **GOOD)
    pages = Pages(Node(Roots(cgroup=str(tmp_path))))
    assert of(pages.page()) == WHOLE
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert of(pages.page()) == {}
    write(folder, **{**GOOD, "memory_current": "8192\n"})
    assert of(pages.page())["container_memory_usage_bytes"] == "8192"
    pages.sampler.close()


def test_file_longer_than_one_read(tmp_path: Path) -> None:
    """io.stat of a node with a thousand devices is read to its end, when it is new and when it is kept open."""
    v2_tree(tmp_path)
    pages = Pages(Node(Roots(cgroup=str(tmp_path))))
    for size in (123_456_789, 223_456_789):
        lines = [f"8:{number} rbytes={size} wbytes={size} rios=1 wios=1 dbytes=0 dios=0\n" for number in range(1000)]
        write(tmp_path, io_stat="".join(lines))
        found = re.findall(r"^container_fs_writes_bytes_total\{.* (\d+)$", pages.page(), re.MULTILINE)
        assert found == [str(size)] * 1000
    pages.sampler.close()


def test_a_thousand_containers(tmp_path: Path) -> None:
    """Each of a thousand containers has its own numbers, and no file stays open when they are gone."""
    v2_tree(tmp_path)
    for number in range(1, 1001):
        write(tmp_path / "docker" / f"{number:064x}", **{**GOOD, "memory_current": f"{number}\n"})
    pages = Pages(Node(Roots(cgroup=str(tmp_path))))
    text = pages.page()
    assert all(of(text, number)["container_memory_usage_bytes"] == str(number) for number in (1, 500, 1000))
    assert text.count("container_memory_usage_bytes{") == 1001
    assert open_files(tmp_path) > 1000
    pages.sampler.close()
    assert open_files(tmp_path) == 0


def open_files(folder: Path) -> int:
    """Return how many descriptors of this process lead into a folder."""
    paths = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            paths.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(path.startswith(f"{folder}/") for path in paths)


def test_limit_of_open_files(tmp_path: Path) -> None:
    """Beyond the limit files are opened for each pass: nothing is lost."""
    from telegen.cadvisor.cgroups.control_files import ControlFiles

    paths = []
    for number in range(5):
        (tmp_path / str(number)).write_text(f"{number}")
        paths.append(str(tmp_path / str(number)))
    files = ControlFiles(limit=2)
    for _ in range(2):
        assert [files.read(path) for path in paths] == [b"0", b"1", b"2", b"3", b"4"]
    files.close()


def test_no_hierarchy_at_all(tmp_path: Path) -> None:
    """An empty folder, or none, has nothing to say and breaks nothing."""
    for root in (tmp_path, tmp_path / "nowhere"):
        text, errors = sampled(root)
        assert "container_scrape_error 1\n" in text and "{container=" not in text
        assert not errors


def test_depth_and_links_are_bounded(tmp_path: Path) -> None:
    """Links are not followed, and a tree deeper than any cgroup tree is left at some depth."""
    v2_tree(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    deep = tmp_path.joinpath(*["d"] * 40) / ID
    write(deep, **GOOD)
    assert of(sampled(tmp_path)[0]) == {}

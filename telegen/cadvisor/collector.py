"""A collector: the files read of each cgroup, the parser of their content, and the table of metric families.

    read(context) -> raw          bytes; compared with the previous pass
    parse(raw, context) -> R      a typed reading; only if raw has changed
    family.generate(R) -> samples the table, rendered once per reading

The type of the reading ties the three together: mypy rejects a family that uses a field which `parse` does not give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar, Union

from telegen.cadvisor.cgroups.classification import Kind
from telegen.cadvisor.cgroups.context import Context, PerCgroup
from telegen.cadvisor.cgroups.control_files import OpenFolder
from telegen.metrics.family import ALPHA, FamilyGenerator, Samples

R = TypeVar("R")
"""Reading: the parsed content of one cgroup's files, in base units. A field that the kernel does not report is None."""
Raw = TypeVar("Raw")
"""Content as read: bytes, or a tuple. Equal values mean that nothing has changed."""

ControlFile = tuple[str, str]
"""Controller and name of a control file: `("memory", "memory.stat")`."""

Contents = tuple[Optional[bytes], ...]
"""Content of each control file; None for a file that does not exist."""

ALL_KINDS: frozenset[Kind] = frozenset(("root", "slice", "pod", "container", "raw"))
ROOT: frozenset[Kind] = frozenset(("root",))
CONTAINERS: frozenset[Kind] = frozenset(("container",))


@dataclass(frozen=True)
class Family(FamilyGenerator, Generic[R]):
    """A metric family whose `generate` takes a reading of type R."""


class Families(Generic[R]):
    """Constructors of the families of one reading type; they let mypy infer the argument type of each lambda."""

    def __init__(self, reading: type[R]) -> None:
        self.reading = reading

    def gauge(self, name: str, help: str, generate: Callable[[R], Samples], *labels: str) -> Family[R]:
        """A gauge; `generate` returns a number, or rows of label values and a number."""
        return Family(name, help, "gauge", ALPHA, generate, labels)

    def counter(self, name: str, help: str, generate: Callable[[R], Samples], *labels: str) -> Family[R]:
        """A counter; `generate` as for `gauge`."""
        return Family(name, help, "counter", ALPHA, generate, labels)


@dataclass(frozen=True)
class Collector(Generic[Raw, R]):
    """One table of families and the files behind it.

    Attributes:
        name: unique; its store is `containers/NAME`.
        group: cAdvisor's name of the group that enables it (see `registry`); "" for one that is always enabled.
        families: the table.
        read: returns the raw content, None if there is nothing to show. Called for every cgroup in every pass, so it
            only reads.
        parse: returns the reading. An exception of `parse` or `read` is counted and removes this collector's samples of
            this cgroup only; ValueError and LookupError count as `malformed`.
        kinds: kinds of cgroups that are read.
        opt_in: True if the group is enabled only by name (`enabled_metrics`).
        labelled: False for families of the node, without the labels of a container. They are read once per pass, after
            all cgroups, with the context of the root.
        keep_after_exit: selects readings that stay for `KEEP_SECONDS` after the end of the cgroup, or until its pod
            ends; None keeps no reading.
    """

    name: str
    group: str
    families: tuple[Family[R], ...]
    read: Callable[[Context], Optional[Raw]]
    parse: Callable[[Raw, Context], R]
    kinds: frozenset[Kind] = ALL_KINDS
    opt_in: bool = False
    labelled: bool = True
    keep_after_exit: Optional[Callable[[R], bool]] = None


AnyCollector = Collector[Any, Any]


def already_parsed(raw: R, context: Context) -> R:
    """Return the reading unchanged: the `parse` of a collector whose `read` returns readings."""
    return raw


EVERY = 6
"""Passes between two reads of files that rarely change."""


class _Unread:
    """Marks a value that has not been read yet."""


def every_nth_pass(read: Callable[[Context], Optional[Raw]]) -> Callable[[Context], Optional[Raw]]:
    """Read a new cgroup at once, then every EVERY passes; return the last result in between."""
    last: PerCgroup[list[Union[type[_Unread], Raw, None]]] = PerCgroup(lambda context: [_Unread])

    def read_or_repeat(context: Context) -> Optional[Raw]:
        known = last(context)
        # The hash spreads the reads of all cgroups evenly over the passes.
        turn = (context.node.passes + hash(context.cgroup.id)) % EVERY
        value = known[0]
        if turn == 0 or value is _Unread:
            value = known[0] = read(context)
        return value  # type: ignore[return-value]

    return read_or_repeat


def control_files(
    v1: tuple[ControlFile, ...] = (), v2: tuple[ControlFile, ...] = (), keep_open: bool = True
) -> Callable[[Context], Optional[Contents]]:
    """Return a read function for control files.

    Its result has one item for each of `v1`, then for each of `v2`; it is None if no file exists. An item of `v1` is read
    if its controller is on a v1 hierarchy, an item of `v2` if it is on the unified one: on a hybrid host both occur.

    Args:
        keep_open: keep the files open between passes.
    """
    # Every file has a position, whether the host has it or not: `parse` can unpack the tuple by name.
    files = [(1, *file) for file in v1] + [(2, *file) for file in v2]
    names = tuple(name for _, _, name in files)
    read_file = OpenFolder.read if keep_open else OpenFolder.read_once

    def find_folders(context: Context) -> tuple[Optional[OpenFolder], ...]:
        return tuple(
            context.node.files.folder(context.folder(controller)) if context.version(controller) == version else None
            for version, controller, _ in files
        )

    folders = PerCgroup(find_folders)

    def read(context: Context) -> Optional[Contents]:
        # PERF: most of a pass is spent here: 2.3 us in the kernel per file, 0.9 around it. The lookup in `state` saves a call per
        # collector and cgroup, 1 % of a pass.
        found = zip(context.state.get(folders) or folders(context), names)
        try:
            contents = tuple([read_file(folder, name) if folder else None for folder, name in found])
        except OSError:
            # Read one by one, so that the error of one file is counted and the others are shown.
            contents = tuple(
                [context.read_path(f"{folder.path}/{name}") if folder else None for folder, name in zip(folders(context), names)]
            )
        return contents if contents.count(None) < len(contents) else None

    return read

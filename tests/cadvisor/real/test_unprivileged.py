"""Samples of an agent without privileges, as k8s/components/hardened runs it."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path

from telegen.cadvisor.node import Node
from tests.cadvisor.real.cgroups import OwnCgroup
from tests.cadvisor.real.test_cgroups import told
from tests.cadvisor.real.view import View

NOBODY = 65532
"""The user of the image."""
README = Path(__file__).parents[3] / "k8s" / "README.md"
SOCKETS = """if True:
    import socket, sys
    kept = [socket.socket() for _ in range(3)]
    print(flush=True)
    sys.stdin.readline()"""


def seen(ids: list[str]) -> list[set[str]]:
    """The families of some cgroups, as this process sees them."""
    view = View()
    try:
        everything = view.all()
        return [{key[0] for key in everything.get(id, {})} for id in ids]
    finally:
        view.close()


def seen_by_nobody(ids: list[str]) -> list[set[str]]:
    """Call `seen` without root, groups and capabilities: a child of this process drops them, so that the tree need not
    be readable for all users."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Threads of other tests do not matter to a child that only reads files.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(write, json.dumps([sorted(names) for names in seen(ids)]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        content = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return [set(names) for names in json.loads(content)]


def test_what_is_lost_without_privileges(cgroup: OwnCgroup) -> None:
    """Sockets, referenced memory, descriptors before Linux 6.2, and nothing else of a container; k8s/README.md says so."""
    told(cgroup.python(SOCKETS))
    ids = [cgroup.id, cgroup.pod, "/"]
    lost = [before - after for before, after in zip(seen(ids), seen_by_nobody(ids))]
    wanted = {"container_sockets", "container_referenced_bytes"}
    if not Node().fd_size_is_count:
        wanted.add("container_file_descriptors")
    assert lost[0] == wanted
    assert lost[1] == set() and lost[2] <= lost[0]
    listed = README.read_text().partition("## Without privileges")[2]
    rows = [line.split("|")[1] for line in listed.split("\n") if line.startswith("| `")]
    assert lost[0] <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}

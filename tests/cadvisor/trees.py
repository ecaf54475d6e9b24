"""Trees of files as single text files: what `== path` and `=! path` lines head are the files below a folder, `=> path target`
is a link."""

from __future__ import annotations

import os
import re
from pathlib import Path

TREES = Path(__file__).parent / "trees"
AGE = 1_795_465_458
"""Unix time of all files and folders that are unpacked; later than the boot of each node."""


def unpack(tree: Path, root: Path) -> Path:
    """Make the files of a tree below `root`. `=!` heads a file that ends without a newline."""
    _, *parts = re.split(r"^=([=!>]) (.+)\n", tree.read_text(), flags=re.MULTILINE)
    for mark, path, content in zip(parts[::3], parts[1::3], parts[2::3]):
        place = root / path.partition(" ")[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        if mark == ">":
            place.symlink_to(path.partition(" ")[2])
        else:
            place.write_text(content[:-1] if mark == "!" else content)
    for folder, _, names in os.walk(root, topdown=False):
        for name in (*names, ""):
            os.utime(os.path.join(folder, name), (AGE, AGE), follow_symlinks=False)
    return root

"""The files of `telegen adapter --config`: settings, and the rules file that prometheus-adapter has under the same flag."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from telegen.config import ConfigError
from telegen.config.document import MAX_BYTES, first_node, read_regular

RULES_KEYS = frozenset(("rules", "externalRules", "resourceRules"))
_MAX_VALUES = 200_000


def split_files(paths: Sequence[str]) -> tuple[str | None, str]:
    """Return the file of settings, None without one, and the rules file, "" without one.

    Raises:
        ConfigError: two files are of the same kind.
    """
    rules = [path for path in paths if is_rules_file(path)]
    settings = [path for path in paths if path not in rules]
    for kind, found in (("settings", settings), ("rules", rules)):
        if len(found) > 1:
            raise ConfigError(f"--config: {' and '.join(found)} are both files of {kind}; name one")
    return (settings[0] if settings else None), (rules[0] if rules else "")


def is_rules_file(path: str) -> bool:
    """Return True for a file with the keys of a rules file; loading reports what is wrong with any other."""
    try:
        node = first_node(read_regular(path, MAX_BYTES), path, _MAX_VALUES)
    except (OSError, ValueError, ConfigError):
        return False
    return isinstance(node, yaml.MappingNode) and any(key.value in RULES_KEYS for key, _ in node.value)

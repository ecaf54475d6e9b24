"""Loading of the configuration: file, then environment, then flags, into a validated `Config`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from telegen.config.adapter_validation import adapter_problems
from telegen.config.conversion import checked_text, convert
from telegen.config.document import Document, read_document
from telegen.config.errors import ConfigError
from telegen.config.flag import FlagValues
from telegen.config.flags import apply_flags
from telegen.config.messages import printable
from telegen.config.model import Config
from telegen.config.origins import Origins
from telegen.config.settings import is_text, value_at
from telegen.config.validation import problems as validate
from telegen.config.variables import expand, override

MAX_PROBLEMS = 100

Check = Callable[[Config], Iterable[str]]
"""Function that yields one line per problem, each beginning with the path of the setting."""


def load(path: str | None, environ: Mapping[str, str], flags: FlagValues = {}, checks: Sequence[Check] = ()) -> Config:
    """Read and validate the configuration. A flag wins over the environment, which wins over the file.

    Args:
        path: a YAML file; None for the defaults.
        environ: source of `${NAME}` in the file, and of overrides: `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` sets
            kube_metrics.listen_address.
        flags: flags of kube-state-metrics (see `telegen.config.flags`).
        checks: of the names in the configuration, whose tables this package does not know.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, of the wrong type or invalid. One line per problem.
    """
    config, _ = load_with_origins(path, environ, flags, checks)
    return config


def load_with_origins(
    path: str | None, environ: Mapping[str, str], flags: FlagValues = {}, checks: Sequence[Check] = (), may_be_empty: bool = True
) -> tuple[Config, Origins]:
    """Load as `load` does, and return the origin of each setting as well.

    Args:
        may_be_empty: see `read_document`.
    """
    document = read_document(path, may_be_empty) if path else Document()
    origins = Origins(document, environ, flags)
    problems = _Problems()
    config = Config()
    try:
        data = expand(document.data, environ, is_text, problems.report)
        override(data, environ, is_text, problems.report)
        apply_flags(data, flags, lambda key: value_at(Config(), key), problems.report)
        config = convert(checked_text(data, problems.report), problems.report)
        for check in (validate, adapter_problems, *checks):
            problems.add_unrelated(check(config))
    except _TooManyProblems:
        problems.lines["and more problems"] = None
    if problems.lines:
        raise ConfigError("\n".join(f"{printable(line)}{origins.note(line.partition(':')[0])}" for line in problems.lines))
    return config, origins


class _TooManyProblems(Exception):
    """The limit of problems is reached."""


class _Problems:
    """The problems of a configuration.

    Attributes:
        lines: the problems in order, each once.
    """

    def __init__(self) -> None:
        self.lines: dict[str, None] = {}
        self._names: set[str] = set()

    def report(self, where: str, message: str) -> None:
        """Add a problem of the setting at a path."""
        if len(self.lines) >= MAX_PROBLEMS:
            raise _TooManyProblems
        self.lines[f"{where or 'configuration'}: {message}"] = None
        self._names.add(where.partition("[")[0].rpartition(".")[2])

    def add_unrelated(self, lines: Iterable[str]) -> None:
        """Add the problems that a check has found, except those that name a setting with a problem.

        Such a setting has its default in the configuration that was checked, so the result would mislead.
        """
        names = set(self._names)
        for line in lines:
            if not names.intersection(re.findall(r"\w+", line.partition(";")[0])):
                self.report(*line.split(": ", 1))


@dataclass(frozen=True)
class ConfigSource:
    """The inputs of an agent's configuration, kept to read it again on a reload.

    Attributes:
        path, environ, flags: as for `load`.
        optional: a missing file means the defaults.
        may_be_empty: an empty file means the defaults.
    """

    path: str | None
    environ: Mapping[str, str]
    flags: FlagValues = field(default_factory=dict)
    optional: bool = False
    may_be_empty: bool = True

    def for_reloads(self) -> ConfigSource:
        """Return the source to read while the agent runs: a file that has content now may not become empty.

        Editors and scripts truncate a file before they write it; its defaults would replace every process meanwhile.
        """
        has_content = self.path is not None and os.path.isfile(self.path) and os.path.getsize(self.path) > 0
        return replace(self, may_be_empty=not has_content)

    def load(self, checks: Sequence[Check] = ()) -> Config:
        """See `load`."""
        return self.load_with_origins(checks)[0]

    def origins(self) -> Origins:
        """Return the origin of each setting, by the file as it is now.

        Raises:
            ConfigError: the file cannot be read.
        """
        missing = self.path is None or (self.optional and not os.path.exists(self.path))
        return Origins(Document() if missing else read_document(str(self.path)), self.environ, self.flags)

    def load_with_origins(self, checks: Sequence[Check] = ()) -> tuple[Config, Origins]:
        """See `load_with_origins`."""
        missing = self.path is not None and self.optional and not os.path.exists(self.path)
        return load_with_origins(None if missing else self.path, self.environ, self.flags, checks, self.may_be_empty)

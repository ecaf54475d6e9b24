"""Origin of each setting: a flag, a variable, a line of the file, or the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telegen.config.document import Document
from telegen.config.flag import FlagValues
from telegen.config.flags import flags_that_set
from telegen.config.variables import variables_that_set


@dataclass(frozen=True)
class Origins:
    """The inputs of a configuration."""

    document: Document
    environ: Mapping[str, str]
    flags: FlagValues

    def of(self, path: str) -> str:
        """Return the origin of a setting: `--port`, `TELEGEN_WEB__WORKERS`, `telegen.yaml:3` or `default`."""
        return " and ".join(self._names(path)) or self.document.place(path, exact=True) or "default"

    def note(self, path: str) -> str:
        """Return ` (set by NAME)` or ` (FILE:LINE)` for an error about the setting at `path`, "" if it has its default."""
        names = self._names(path)
        if names:
            return f" (set by {' and '.join(names)})"
        place = self.document.place(path)
        return f" ({place})" if place else ""

    def _names(self, path: str) -> list[str]:
        return flags_that_set(path, self.flags) or variables_that_set(path, self.environ)

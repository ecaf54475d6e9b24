"""`telegen completion`: completion scripts of shells, written by shtab from the parsers."""

from __future__ import annotations

import argparse

from telegen.config import ConfigError

SHELLS = ("bash", "zsh", "fish")


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a shell.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise ConfigError("telegen completion: the library shtab is missing: pip install 'telegen[completion]'") from error
    return str(shtab.complete(parser, shell))

"""Command lines whose errors are one line."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from telegen.config.messages import suggest

_NAME = re.compile(r"[\w-]+")
_UNKNOWN = re.compile("unrecognized arguments: (.*)")
_CHOICE = re.compile(r"argument ([\w-]+): invalid choice: '(.*?)' \(choose from (.*)\)")


class OneLineParser(argparse.ArgumentParser):
    """Parser that answers an error with one line and a hint, where argparse prints a screen of usage first."""

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today is ambiguous with the next option.
        super().__init__(**{"allow_abbrev": False, **options})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; an unknown argument is an error of the subcommand that it was given to."""
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            self._innermost(options).error(f"unrecognized arguments: {' '.join(rest)}")
        return options

    def _innermost(self, options: argparse.Namespace) -> OneLineParser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and getattr(options, action.dest, None) in action.choices:
                inner: OneLineParser = action.choices[getattr(options, action.dest)]
                return inner._innermost(options)
        return self

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        unknown, choice = _UNKNOWN.fullmatch(message), _CHOICE.fullmatch(message)
        if unknown:
            name = unknown[1].split()[0]
            message = f"unknown argument {name}{suggest(name.partition('=')[0], self._option_string_actions)}"
        elif choice:
            argument, given, names = choice[1], choice[2], _NAME.findall(choice[3])
            if argument.isupper():
                message = f"unknown command {given!r}{suggest(given, names)}"
            else:
                message = f"{argument}: expected {', '.join(names[:-1])} or {names[-1]}, got {given!r}"
        self.exit(2, f"{self.prog.partition(' ')[0]}: {message}; see {self.prog} --help\n")

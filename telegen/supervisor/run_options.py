"""The command line of the agent: its own options, and kube-state-metrics' flags by their own names."""

from __future__ import annotations

import argparse

from telegen import __version__
from telegen.config.flags import FLAGS, Flag, Given, read_switch


def parser() -> argparse.ArgumentParser:
    """The parser of `telegen run` and `python -m telegen.supervisor`."""
    made = argparse.ArgumentParser(
        prog="telegen run",
        description="Turn Kubernetes state and containers into metrics.",
        epilog="A flag wins over TELEGEN_* variables, which win over the file.",
        allow_abbrev=False,
    )
    made.add_argument(
        "--config", metavar="FILE", help="YAML configuration; without it the defaults, TELEGEN_* and flags apply"
    )
    made.add_argument(
        "--continue-without-config",
        nargs="?",
        const="true",
        default=False,
        type=_boolean,
        metavar="BOOL",
        help="start with the defaults while the file of --config is missing; it is taken once it is there",
    )
    made.add_argument(
        "--check", action="store_true", help="check the configuration, say what is not effective yet, and exit"
    )
    made.add_argument("--demo", action="store_true", help="serve a simulated cluster that keeps changing")
    made.add_argument(
        "--demo-pods", type=int, default=200, metavar="N", help="pods of the simulated cluster (default: 200)"
    )
    made.add_argument("--demo-rate", type=float, default=5.0, metavar="N", help="changes per second there (default: 5)")
    made.add_argument("--version", action="version", version=f"telegen {__version__}")
    group = made.add_argument_group("flags of kube-state-metrics, and the setting that each one is")
    for flag in FLAGS:
        _add(group, flag)
    return made


def _boolean(text: str) -> bool:
    try:
        return read_switch(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add(group: argparse._ArgumentGroup, flag: Flag) -> None:
    """One flag. All its occurrences are kept: some add up."""
    options = [f"--{flag.name}", *flag.aliases]
    help = flag.help.replace("%", "%%")
    if flag.switch:
        group.add_argument(*options, dest=flag.name, action="append", nargs="?", const="true", metavar="BOOL", help=help)
    else:
        group.add_argument(*options, dest=flag.name, action="append", metavar="VALUE", help=help)


def given(options: argparse.Namespace) -> Given:
    """The flags of kube-state-metrics that stand on the command line."""
    values = vars(options)
    return {flag.name: values[flag.name] for flag in FLAGS if values[flag.name]}

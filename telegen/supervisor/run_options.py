"""The command line of the agent: its own options, and the flags of kube-state-metrics under their own names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telegen import __version__
from telegen.config import ConfigSource
from telegen.config.command_line import OneLineParser
from telegen.config.flag import Flag, read_switch
from telegen.config.flags import FLAGS, OF_ADAPTER
from telegen.supervisor.config_files import split_files
from telegen.supervisor.roles import ADAPTER, AGENT, Role

RUN, ADAPTER_COMMAND = "telegen run", "telegen adapter serve"
CONFIG = "telegen config"
"""The command that has the options of `telegen run`, so that the arguments of a manifest fit, and one of its own."""
DESCRIPTIONS = {
    ADAPTER_COMMAND: "Serve the metrics APIs: metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io (docs/adapter.md).",
    CONFIG: "Print the configuration that `telegen run` has with the same options, and the origin of each value.",
}
"""By command, if it is not `telegen run`."""


@dataclass(frozen=True)
class RunOptions:
    """The parsed command line.

    Attributes:
        source: the file, the environment and the flags that the configuration comes from.
        role: the agent or the adapter.
        check: check the configuration and exit.
        demo: watch a simulated cluster, of `demo_pods` pods and `demo_rate` changes per second.
    """

    source: ConfigSource
    role: Role
    check: bool
    demo: bool
    demo_pods: int
    demo_rate: float


def parse_run_options(
    argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ, program: str = RUN
) -> RunOptions:
    """Parse the command line of `telegen run` and `python -m telegen.supervisor`.

    Args:
        argv: arguments without the program's name; None for those of this process.
        environ: the variables to load the configuration with.
        program: name in the help.

    Raises:
        SystemExit: the arguments are invalid, or --help or --version is among them.
    """
    options = parser(program).parse_args(argv)
    values = vars(options)
    flags = {flag.name: values[flag.name] for flag in _flags(program) if values[flag.name]}
    path = options.config
    if program == ADAPTER_COMMAND:
        path, rules = split_files(options.config)
        flags |= {"config": [rules]} if rules else {}
    source = ConfigSource(path, dict(environ), flags, options.continue_without_config)
    role = ADAPTER if program == ADAPTER_COMMAND else AGENT
    return RunOptions(source, role, options.check, options.demo, options.demo_pods, options.demo_rate)


def parser(program: str = RUN, add_help: bool = True) -> OneLineParser:
    """Build the parser of the command line."""
    made = OneLineParser(
        add_help=add_help,
        prog=program,
        description=DESCRIPTIONS.get(program, "Serve metrics of Kubernetes objects and of containers."),
        epilog="A flag wins over TELEGEN_* variables, which win over the file.",
        allow_abbrev=False,
    )
    if program == ADAPTER_COMMAND:
        files = "YAML configuration, or a rules file of prometheus-adapter (adapter.rules_file); may be given once for each"
        made.add_argument("--config", action="append", default=[], metavar="FILE", help=files)
    else:
        made.add_argument("--config", metavar="FILE", help="YAML configuration (default: no file; settings have their defaults)")
    made.add_argument(
        "--continue-without-config",
        nargs="?",
        const="true",
        default=False,
        type=_boolean,
        metavar="BOOL",
        help="start with the defaults while the file of --config does not exist, and load it when it appears",
    )
    if program == CONFIG:
        made.add_argument("--full", action="store_true", help="print every setting with its default and its help, and exit")
    made.add_argument("--check", action="store_true", help="check the configuration, list settings without effect, and exit")
    made.add_argument("--demo", action="store_true", help="watch a simulated cluster whose objects keep changing")
    made.add_argument(
        "--demo-pods", type=int, default=200, metavar="N", help="pods of the simulated cluster (default: 200)"
    )
    made.add_argument(
        "--demo-rate", type=float, default=5.0, metavar="N", help="changes per second of the simulated cluster (default: 5)"
    )
    made.add_argument("--version", action="version", version=f"telegen {__version__}", help="print the version and exit")
    origin = "prometheus-adapter" if program == ADAPTER_COMMAND else "kube-state-metrics"
    group = made.add_argument_group(f"flags of {origin}, each with the setting that it sets")
    for flag in _flags(program):
        _add(group, flag)
    return made


def _flags(program: str) -> Sequence[Flag]:
    """Return the flags of other programs that a command has."""
    return [flag for flag in OF_ADAPTER if flag.name != "config"] if program == ADAPTER_COMMAND else FLAGS


def _boolean(text: str) -> bool:
    try:
        return read_switch(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _add(group: argparse._ArgumentGroup, flag: Flag) -> None:
    """Add one flag. All its occurrences are kept, because the values of some flags add up."""
    options = [f"--{flag.name}", *flag.aliases]
    help = flag.help.replace("%", "%%")
    if flag.switch:
        group.add_argument(*options, dest=flag.name, action="append", nargs="?", const="true", metavar="BOOL", help=help)
    else:
        group.add_argument(*options, dest=flag.name, action="append", metavar="VALUE", help=help)

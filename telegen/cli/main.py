"""The command `telegen`: run the agent, check its configuration, or print what it would serve."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from telegen import __version__
from telegen.cadvisor.cgroups.devices import Devices
from telegen.cadvisor.cgroups.hierarchy import find_mounts
from telegen.cadvisor.identity.label_resolver import make_label_resolver
from telegen.cadvisor.identity.workloads import workload
from telegen.cadvisor.node import Node, Roots
from telegen.cadvisor.registry import NAMES, enabled_collectors
from telegen.cadvisor.root_checks import wrong_roots
from telegen.cadvisor.text_sampler import TextSampler
from telegen.cli.adapter import add_arguments as add_adapter_arguments
from telegen.cli.adapter import run as run_adapter
from telegen.cli.adapter import serving_arguments
from telegen.cli.agent_client import NoAnswer
from telegen.cli.agent_client import add_arguments as add_agent_arguments
from telegen.cli.compare import add_arguments as add_compare_arguments
from telegen.cli.compare import run as run_compare
from telegen.cli.completion import SHELLS, completion_script
from telegen.cli.custom import add_arguments as add_custom_arguments
from telegen.cli.custom import check as check_custom
from telegen.cli.custom import convert_lines, repeat_on_change
from telegen.cli.custom import role as custom_role
from telegen.cli.custom import schema_lines
from telegen.cli.custom_objects import custom_parts, in_served_versions, kind_numbers
from telegen.cli.effective_config import effective_lines, full_lines
from telegen.cli.exposition_parser import InvalidExposition
from telegen.cli.metrics_reference import documents, tables
from telegen.cli.object_reader import InvalidInput, read_objects
from telegen.cli.render import ObjectRenderer, resources_named
from telegen.cli.status import status as agent_status
from telegen.cli.top import add_top_arguments
from telegen.cli.top import live as top_live
from telegen.cli.top import once as top_once
from telegen.config import Config, ConfigError, ConfigSource
from telegen.config.command_line import OneLineParser
from telegen.config.model import KubeState
from telegen.kubestate.custom.definitions import DEFINITION
from telegen.kubestate.custom.expressions.convert import NotExpressible
from telegen.kubestate.custom.sources import CustomTables, is_custom_configuration
from telegen.kubestate.health.scope import Scope
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection
from telegen.kubestate.series_labels import LabelsText, namespace_pairs, pairs_text, series_labels
from telegen.metrics.family import Object
from telegen.supervisor.configuration import CustomConfiguration, Loaded, checks, load_all, print_check
from telegen.supervisor.run_options import ADAPTER_COMMAND, CONFIG, RUN, parse_run_options
from telegen.supervisor.run_options import parser as run_parser

OK, DIFFERENT, FAILED, UNUSABLE = 0, 1, 1, 2
"""Exit statuses: `telegen compare` returns 1 for pages that differ, `telegen sample` for wrong paths."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["run"]:
        return _run(arguments[1:], RUN)
    if arguments[:1] == ["adapter"] and (served := serving_arguments(arguments[1:])) is not None:
        return _run(served, ADAPTER_COMMAND)
    if arguments[:1] == ["config"]:
        return _guarded(lambda: print_config(arguments[1:]))
    options = _parser().parse_args(arguments)
    return _guarded(lambda: COMMANDS[options.command](options))


def _run(arguments: Sequence[str], program: str) -> int:
    """Run a supervisor until it ends."""
    # Imported here: the other subcommands need no code of processes.
    from telegen.supervisor.__main__ import main as supervise

    return supervise(arguments, program)


def _guarded(command: Callable[[], int]) -> int:
    """Run a subcommand; print its errors."""
    try:
        return command()
    except (ConfigError, NoAnswer) as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe. At exit Python flushes standard output, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _parser(with_run_options: bool = False) -> OneLineParser:
    """Build the parser; for completion it has the options of `telegen run` and `telegen config`, which parse them by themselves."""
    commands_with = (RUN, CONFIG, ADAPTER_COMMAND)
    options = {name: [run_parser(name, add_help=False)] if with_run_options else [] for name in commands_with}
    parser = OneLineParser(prog="telegen", description="Kubernetes state and container metrics.")
    parser.add_argument("--version", action="version", version=f"telegen {__version__}", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the agent (see telegen run --help)", add_help=False, parents=options[RUN])
    _add_render(commands)
    _add_sample(commands)
    listing = commands.add_parser("metrics", help="list the families that the agent can serve")
    listing.add_argument("--markdown", action="store_true", help="print a document per table, with the help of each family")
    listing.add_argument("--out", metavar="DIR", help="write the documents to this directory; needs --markdown")
    comparing = commands.add_parser(
        "compare",
        help="print the differences of two pages of metrics",
        description="telegen compare http://kube-state-metrics:8080/metrics http://telegen:9443/metrics/kubestate",
        epilog="Exit status: 0 the pages agree, 1 they differ, 2 one of them cannot be read.",
    )
    add_compare_arguments(comparing)
    commands.add_parser(
        "config",
        help="print the configuration in force and the origin of each value (options as of telegen run); --full: every setting with "
        "its default and its help",
        add_help=False,
        parents=options[CONFIG],
    )
    checking = commands.add_parser("check-config", help="check a configuration file")
    checking.add_argument("file", help="YAML configuration")
    add_custom_arguments(commands.add_parser("custom", help="check and try a configuration of custom resources"))
    add_adapter_arguments(
        commands.add_parser("adapter", help="serve the metrics APIs; check and explain their rules"), options[ADAPTER_COMMAND]
    )
    _add_status(commands)
    add_top_arguments(commands.add_parser("top", help="show a running agent and its node's containers in a terminal"))
    completing = commands.add_parser(
        "completion", help="print the completion script of a shell", description="telegen completion bash > /etc/bash_completion.d/telegen"
    )
    completing.add_argument("shell", choices=SHELLS, help="the shell")
    commands.add_parser("version", help="print the version")
    return parser


def _add_render(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add `telegen render`."""
    rendering = commands.add_parser(
        "render",
        help="print the metrics of Kubernetes objects from a file",
        description="kubectl get pods -A -o json | telegen render",
    )
    rendering.add_argument(
        "file", nargs="?", default="-",
        help="JSON or YAML, also compressed: objects, Lists, arrays or events of a watch (default: -, standard input)",
    )
    rendering.add_argument("--resources", default="", metavar="A,B", help="resources to render (default: as configured, else all)")
    rendering.add_argument("--openmetrics", action="store_true", help="print OpenMetrics 1.0 instead of text 0.0.4")
    rendering.add_argument(
        "--config", metavar="FILE", help="configuration with resources, allowlists and filters, or a CustomResourceStateMetrics file"
    )


def _add_sample(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add `telegen sample`."""
    sampling = commands.add_parser(
        "sample",
        help="print the metrics of this node's containers",
        description="Read the cgroups once, with the settings of kube_metrics.cadvisor.",
    )
    for root, usual in (("cgroup", "/sys/fs/cgroup"), ("proc", "/proc"), ("sys", "/sys")):
        sampling.add_argument(f"--{root}-root", metavar="DIR", help=f"read this directory instead of {usual}")
    sampling.add_argument("--groups", default="", metavar="A,B", help="groups of metrics to add to the default ones; all: every group")
    sampling.add_argument("--openmetrics", action="store_true", help="print OpenMetrics 1.0 instead of text 0.0.4")
    sampling.add_argument("--config", metavar="FILE", help="configuration with the settings of kube_metrics.cadvisor")


def _add_status(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add `telegen status`."""
    asking = commands.add_parser(
        "status",
        help="print the state of a running agent and of its processes",
        epilog="Exit status: 0 the agent is ready, 1 it is not, 2 it cannot be asked.",
    )
    add_agent_arguments(asking)
    asking.add_argument("--json", action="store_true", help="print /status.json")


def render(options: argparse.Namespace) -> int:
    """`telegen render`."""
    config, tables, _ = _load_for_render(options.config)
    state, name = config.kube_metrics.kube_state, config.kubernetes.cluster_name
    constant, plurals = {"cluster": name} if name else {}, dict[tuple[str, str], str]()
    try:
        wanted = [name for name in options.resources.split(",") if name] or state.resources
        excluded = () if options.resources else state.resources_exclude
        resources = [resource for resource in resources_named(wanted) if resource.name not in excluded]
        data = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
        objects = list(read_objects(data, plurals))
        scope = Scope.of(state.custom_resource_state)
        custom = custom_parts(CustomTables.decode(tables), objects, plurals, constant, scope)
        further = _further_labels(state, objects)
        # A file of custom resources alone has no setting for the starts of its counters.
        created = config.kube_metrics.openmetrics_created or bool(options.config and is_custom_configuration(options.config))
        built_in = [] if state.custom_resource_state.only else resources
        page = ObjectRenderer(built_in, Selection.of(state), constant, custom, further, created)
        served = list(in_served_versions(objects))
        for obj in served:
            page.add(obj)
        page.add_groups(served)
        for obj in kind_numbers(objects, plurals, scope):
            page.add(obj)
    except OSError as error:
        return _fail(f"{options.file}: {error.strerror}")
    except KeyError as error:
        return _fail(str(error.args[0]))
    except InvalidInput as error:
        return _fail(f"{'standard input' if options.file == '-' else options.file}: {error}")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for text in page.lines(options.openmetrics):
        sys.stdout.write(text)
    sys.stdout.flush()
    for kind, count in sorted(page.unknown.items()):
        if kind.endswith(DEFINITION):
            # It describes the other objects of the file.
            continue
        print(f"telegen: skipped {count} of {kind}: the kind is not supported or not among the resources", file=sys.stderr)
    for family, count in sorted(page.errors.items()):
        number = "1 object" if count == 1 else f"{count} objects"
        print(f"telegen: {family}: left out for {number}: {page.causes[family]}", file=sys.stderr)
    return OK


def _further_labels(state: KubeState, objects: Sequence[Object]) -> Callable[[Resource], LabelsText | None]:
    """Return the function that gives the labels of labels_on_series; those of namespaces come from the namespaces among objects."""
    added = state.labels_on_series
    texts = {
        (obj.get("metadata") or {}).get("name"): pairs_text(namespace_pairs(added, obj))
        for obj in objects
        if (obj.get("apiVersion"), obj.get("kind")) == ("v1", "Namespace")
    }
    return lambda resource: series_labels(added, resource, lambda name: texts.get(name, ""), workload)


def sample(options: argparse.Namespace) -> int:
    """`telegen sample`."""
    settings = _load(options.config).kube_metrics.cadvisor
    more = tuple(sorted(NAMES)) if options.groups == "all" else tuple(filter(None, options.groups.split(",")))
    paths = {name: path for name in ("cgroup_root", "proc_root", "sys_root") if (path := getattr(options, name))}
    settings = msgspec.structs.replace(settings, enabled_metrics=(*settings.enabled_metrics, *more), **paths)
    roots = Roots(settings.cgroup_root, settings.proc_root, settings.sys_root, settings.root)
    wrong = wrong_roots(roots)
    if wrong:
        print("\n".join(f"telegen: {line}" for line in wrong), file=sys.stderr)
    # A copy of control files without /sys still has a page, but the status shows that it lacks something.
    if not find_mounts(roots.cgroup):
        return FAILED
    labels = make_label_resolver(settings)
    node = Node(roots, settings.raw_cgroups, device=Devices(roots.proc, roots.sys), facts=labels, errors=labels.errors)
    printed = TextSampler(node, enabled_collectors(settings), labels)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    print(printed.exposition(options.openmetrics), end="", flush=True)
    printed.sampler.close()
    for reason, count in sorted(printed.sampler.errors.items()):
        print(f"telegen: skipped {count} readings: {reason}", file=sys.stderr)
    return FAILED if wrong else OK


def metrics(options: argparse.Namespace) -> int:
    """`telegen metrics`."""
    if not options.markdown:
        if options.out:
            return _fail("--out needs --markdown")
        for table in tables():
            for family in table.families:
                print(family.name)
        return OK
    if not options.out:
        print("\n".join(documents().values()), end="")
        return OK
    try:
        folder = Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents().items():
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    return OK


def compare(options: argparse.Namespace) -> int:
    """`telegen compare`."""
    try:
        lines, agree = run_compare(options)
    except InvalidExposition as error:
        return _fail(str(error))
    for line in lines:
        print(line)
    return OK if agree else DIFFERENT


CUSTOM = {"check": check_custom, "convert": convert_lines, "rbac": custom_role, "schema": schema_lines}
"""Lines of the subcommands of `telegen custom`."""


def custom(options: argparse.Namespace) -> int:
    """`telegen custom`."""
    if options.action == "render":
        if is_custom_configuration(options.file):
            # Problems are those of the file, not of the flag that stands for it below.
            list(check_custom(argparse.Namespace(file=options.file, against_cluster=False)))
        what = argparse.Namespace(file=options.objects, config=options.file, resources="", openmetrics=options.openmetrics)
        if options.watch:
            repeat_on_change((options.file, options.objects), lambda: _guarded(lambda: render(what)))
        return render(what)
    try:
        for line in CUSTOM[options.action](options):
            print(line)
    except NotExpressible as error:
        return _fail(str(error), FAILED)
    return OK


def adapter(options: argparse.Namespace) -> int:
    """`telegen adapter`."""
    lines, is_good = run_adapter(options)
    _print(lines)
    return OK if is_good else FAILED


def check_config(options: argparse.Namespace) -> int:
    """`telegen check-config`."""
    print_check(load_all(ConfigSource(options.file, os.environ)))
    return OK


def print_config(arguments: Sequence[str]) -> int:
    """`telegen config`."""
    if "--full" in arguments and not {"-h", "--help"} & set(arguments):
        if len(arguments) > 1:
            return _fail("telegen config --full prints the defaults and takes no other option")
        lines = full_lines()
    else:
        lines = effective_lines(*parse_run_options(arguments, program=CONFIG).source.load_with_origins(checks(CustomConfiguration())))
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for line in lines:
        print(line)
    sys.stdout.flush()
    return OK


def status(options: argparse.Namespace) -> int:
    """`telegen status`."""
    code, lines = agent_status(options)
    _print(lines)
    return code


def top(options: argparse.Namespace) -> int:
    """`telegen top`."""
    if options.once or not sys.stdout.isatty():
        _print(top_once(options))
    else:
        top_live(options)
    return OK


def _print(lines: Iterable[str]) -> None:
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for line in lines:
        print(line)
    sys.stdout.flush()


def completion(options: argparse.Namespace) -> int:
    """`telegen completion`."""
    _print([completion_script(_parser(with_run_options=True), options.shell)])
    return OK


def version(options: argparse.Namespace) -> int:
    """`telegen version`."""
    print(f"telegen {__version__}")
    return OK


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "render": render,
    "sample": sample,
    "metrics": metrics,
    "compare": compare,
    "adapter": adapter,
    "custom": custom,
    "check-config": check_config,
    "status": status,
    "top": top,
    "completion": completion,
    "version": version,
}
"""Function by subcommand, except `run` and `config`, which parse their own arguments."""


def _load_for_render(path: str | None) -> Loaded:
    """Load a configuration, or the defaults with a configuration of custom resources."""
    if path and is_custom_configuration(path):
        flags = {"custom-resource-state-config-file": [path], "custom-resource-state-only": ["true"]}
        return load_all(ConfigSource(None, os.environ, flags))
    return load_all(ConfigSource(path, os.environ))


def _load(path: str | None) -> Config:
    return load_all(ConfigSource(path, os.environ)).config


def _fail(message: str, status: int = UNUSABLE) -> int:
    for line in message.splitlines():
        print(f"telegen: {line}", file=sys.stderr)
    return status

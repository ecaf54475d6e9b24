"""`telegen custom`: check a configuration of custom resources, print the metrics of objects by it, and the rights that it needs."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NoReturn

import yaml

from telegen.api.client import Client
from telegen.cli.cluster_objects import connect, objects_of, served_kinds
from telegen.cli.object_selection import selected_by
from telegen.config import ConfigError
from telegen.config.custom_resources import MAX_BYTES, files_of
from telegen.config.model import CustomResourceState, Health
from telegen.kubestate.custom.expressions.aggregates import NOTHING, Aggregates
from telegen.kubestate.custom.expressions.convert import convert
from telegen.kubestate.custom.expressions.json_schema import schema
from telegen.kubestate.custom.expressions.surroundings import ReadLabels, no_labels, plain_labels
from telegen.kubestate.custom.expressions.tables import reads_namespaces
from telegen.kubestate.custom.kinds import Configured, Selected
from telegen.kubestate.custom.model import ANY, Kind, Pattern
from telegen.kubestate.custom.rights import EVERY_GROUP, health_resources, pack_resources, rights, selected_resources
from telegen.kubestate.custom.sources import CustomEntries, built_in_names, read_custom, read_together
from telegen.kubestate.health.scope import ALL, AUTO, BUILT_IN, Scope, wrong_groups
from telegen.kubestate.packs.pack import Pack
from telegen.kubestate.packs.registry import PACKS, chosen_packs
from telegen.metrics.render import renderer
from telegen.supervisor.file_watch import WatchedFiles

POLL = 0.3
"""Seconds between two looks at files that are watched."""
ROLE = "telegen-custom-resources"
ACCOUNT = {"kind": "ServiceAccount", "name": "telegen", "namespace": "telegen"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command and of its subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    checking = actions.add_parser("check", help="check a configuration: each problem with line, path, cause and cure")
    rendering = actions.add_parser("render", help="print the metrics of objects from a file")
    granting = actions.add_parser("rbac", help="print the ClusterRole with exactly the rights that a configuration needs")
    converting = actions.add_parser("convert", help="print a CustomResourceStateMetrics configuration as metrics of docs/expressions.md")
    converting.add_argument("file", metavar="FILE", help="a CustomResourceStateMetrics configuration, or a ConfigMap with one")
    actions.add_parser("schema", help="print the JSON Schema of metrics with expressions, for editors")
    packs = "add the rights of these packs, NAME or NAME=VARIANT; FILE is not needed then"
    granting.add_argument("--packs", default="", metavar="A,B", help=packs)
    granting.add_argument("--health", default="", metavar="auto|all|A,B", help="add the rights for the health of these API groups")
    for action in (checking, rendering, granting):
        nargs = "?" if action is granting else None
        help = "metrics with expressions, or a CustomResourceStateMetrics configuration"
        help += "" if action is rendering else "; or a folder of such files"
        action.add_argument("file", nargs=nargs, metavar="FILE", help=help)
    for action in (checking, granting):
        action.add_argument("--against-cluster", action="store_true", help="read the kinds, and for check the objects, of a cluster")
        action.add_argument("--kubeconfig", default="", metavar="FILE", help="kubeconfig of that cluster (default: as telegen run)")
    rendering.add_argument("objects", metavar="OBJECTS", help="JSON or YAML: objects, Lists, or a map of GROUP/VERSION/PLURAL to its List")
    rendering.add_argument("--watch", action="store_true", help="print the metrics again whenever one of the files changes")
    rendering.add_argument("--openmetrics", action="store_true", help="print OpenMetrics 1.0 instead of text 0.0.4")


def check(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of `telegen custom check`.

    Raises:
        ConfigError: one line per problem.
    """
    read = _read(options.file)
    for entry in read.metrics:
        selected_by(entry.selector)
    yield from (f"warning: {warning}" for warning in (*read.warnings, *built_in_names(read)))
    families = sum(len(entry.families) for entry in read.entries)
    families += sum(len(entry.families) + len(entry.metrics) for entry in read.metrics)
    if options.against_cluster:
        yield from _series(read, options.kubeconfig)
    yield f"{options.file}: valid: {len(read.entries) + len(read.metrics)} entries, {families} families"


def convert_lines(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of `telegen custom convert`.

    Raises:
        ConfigError: one line per problem.
    """
    return convert(_content(options.file), options.file)


def schema_lines(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of `telegen custom schema`."""
    yield json.dumps(schema(), indent=2)


def repeat_on_change(paths: tuple[str, ...], command: Callable[[], object]) -> NoReturn:
    """Call a function now, and whenever one of some files changes. It ends with an interrupt."""
    files = WatchedFiles(lambda: paths)
    command()
    while True:
        time.sleep(POLL)
        if files.changed():
            print(f"# {time.strftime('%H:%M:%S')}: changed", flush=True)
            command()


def _series(read: CustomEntries, kubeconfig: str) -> Iterator[str]:
    """Yield the number of series of each family for the objects of a cluster, and the kinds that it does not serve."""
    client, configured = connect(kubeconfig), Configured(read.entries, read.metrics)
    kinds = served_kinds(client, configured.groups)
    total, failures, labels = 0, _Failures(), _namespace_labels(client, configured)
    for kind, selected in configured.select(kinds).items():
        for part in selected.parts().values():
            objects, counts = _counts(client, kind, part, labels, failures)
            yield f"{kind.group}/{kind.version} {kind.kind}: {objects} objects, {sum(counts.values())} series"
            yield from (f"  {family}: {count}" for family, count in counts.items())
            total += sum(counts.values())
    yield from failures.lines()
    yield from (f"{pattern}: the API server does not serve this kind" for pattern in configured.absent(kinds))
    yield f"{total} series"


def _counts(client: Client, kind: Kind, part: Selected, labels: ReadLabels, failures: _Failures) -> tuple[int, Mapping[str, int]]:
    """Return the number of objects of a kind, and of series by family."""
    resources, table = part.resources(kind, {}, labels), part.aggregates(kind, {}, labels)
    renders = [(one, renderer(one.identity, one.families, failures)) for one in resources]
    aggregates = Aggregates(table.aggregates if table else (), failures)
    shown = [*resources, table.resource] if table else resources
    counts = dict.fromkeys([family.name for one in shown for family in one.families], 0)
    objects = 0
    for namespace in (part.selector.namespaces if kind.namespaced else ()) or ("",):
        for obj in objects_of(client, resources[0].path(namespace), part.selector.params):
            objects += 1
            aggregates.change(NOTHING, aggregates.contribution(obj))
            for one, render in renders:
                for family, text in zip(one.families, render(obj)):
                    counts[family.name] += text.count("\n")
    for group in aggregates.objects():
        counts[group["family"]] += 1
    return objects, counts


def _namespace_labels(client: Client, configured: Configured) -> ReadLabels:
    """Return the function that gives the labels of the namespaces of a cluster, if expressions read them."""
    if not configured.reads_namespaces:
        return no_labels
    found = {str(obj["metadata"].get("name")): plain_labels(obj) for obj in objects_of(client, "/api/v1/namespaces", {})}
    return lambda name: found.get(name, {})


class _Failures:
    """Families that were left out for objects: number of objects, and the first cause."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._causes: dict[str, str] = {}

    def __call__(self, family: str, error: Exception) -> None:
        self._counts[family] += 1
        self._causes.setdefault(family, str(error)[:200])

    def lines(self) -> Iterator[str]:
        """Yield a line per family."""
        for family, count in self._counts.items():
            yield f"warning: {family}: left out for {count} objects; the first cause: {self._causes[family]}"


def role(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of `telegen custom rbac`.

    Raises:
        ConfigError: the configuration is invalid, or the cluster does not answer.
    """
    variants = dict(part.partition("=")[::2] for part in options.packs.split(",") if part)
    names = tuple(variants)
    unknown = [name for name in names if name not in PACKS]
    if unknown:
        raise ConfigError(f"unknown pack {', '.join(unknown)}; the packs are {', '.join(PACKS)}")
    scope = _scope(options.health)
    if not (names or options.file or scope):
        raise ConfigError("name a FILE, --packs or --health")
    read = _read(options.file) if options.file else CustomEntries()
    groups, every = Configured(read.entries, read.metrics).groups, bool(scope and scope.groups is None)
    wanted = None if every else groups | (scope.groups or set() if scope else set())
    served = served_kinds(connect(options.kubeconfig), wanted, BUILT_IN - groups) if options.against_cluster else None
    patterns = [entry.pattern for entry in read.entries] + [Pattern(entry.group, ANY, entry.kind) for entry in read.metrics]
    resources = {**selected_resources(patterns, served), **pack_resources(_packs(variants)), **health_resources(scope, served)}
    if any(map(reads_namespaces, read.metrics)):
        resources["", "namespaces"] = ""
    if every and served is None:
        yield EVERY_GROUP
    yield from (f"# {group}/{resource}: {remark}" for (group, resource), remark in resources.items() if remark)
    api, metadata = "rbac.authorization.k8s.io", {"name": ROLE}
    documents = [
        {"apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rights(resources)},
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": ROLE},
            "subjects": [ACCOUNT],
        },
    ]
    yield yaml.safe_dump_all(documents, sort_keys=False).rstrip()


def _packs(variants: Mapping[str, str]) -> list[Pack]:
    """Return packs by name, with the variants of their names.

    Raises:
        ConfigError: a variant does not exist.
    """
    for name, variant in variants.items():
        if variant and variant not in PACKS[name].variants:
            raise ConfigError(f"{name}: unknown variant {variant}; the variants are {', '.join(PACKS[name].variants) or 'none'}")
    return chosen_packs(tuple(variants), variants)


def _scope(health: str) -> Scope | None:
    """Return the scope of the option --health.

    Raises:
        ConfigError: a group is not one of custom resources.
    """
    value: Health = "auto" if health == AUTO else "all" if health == ALL else tuple(filter(None, health.split(",")))
    wrong = list(wrong_groups(value))
    if wrong:
        raise ConfigError(f"--health: {wrong[0]}")
    return Scope.of(CustomResourceState(health=value))


def _read(path: str) -> CustomEntries:
    """Read a configuration, or all of a folder, as the agent does, but accept a pipe.

    Raises:
        ConfigError: one line per problem.
    """
    return read_together(partial(_read_file, file) for file in _files(path))


def _read_file(path: str) -> CustomEntries:
    return read_custom(_content(path), path)


def _files(path: str) -> list[str]:
    """Return the path of a file, or those of the files of a folder. Raises ConfigError."""
    try:
        files = files_of(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not files:
        raise ConfigError(f"{path}: no configuration in the folder; add a file whose name ends in .yaml, .yml or .json")
    return files


def _content(path: str) -> bytes:
    """Return the content of a file or a pipe, checked for its size and encoding. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        content.decode()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes")
    return content

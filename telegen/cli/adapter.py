"""`telegen adapter`: serve the metrics APIs, check their rules, and explain a metric by them."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from telegen.adapter.check import check
from telegen.adapter.cluster_objects import ClusterObjects, NoObjects
from telegen.adapter.live.explanation import Ask, AskError, LiveExplanation
from telegen.adapter.prometheus import Prometheus, PrometheusOptions, Servers
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.queries.explanation import explain
from telegen.adapter.rest_mapping import RestMapping
from telegen.adapter.rules.model import RulesFile
from telegen.adapter.rules.reading import parse_duration, read_rules
from telegen.api.discovery import ServedResource, discover
from telegen.cli.cluster_objects import FAILURES, connect
from telegen.config import ConfigError
from telegen.config.adapter_model import Adapter
from telegen.kubestate.registry import RESOURCES

Answer = TypeVar("Answer")
SERVICE, AGENTS = "telegen/telegen-adapter", "telegen-agents"


def serving_arguments(arguments: Sequence[str]) -> list[str] | None:
    """Return the arguments of `telegen adapter serve`, which is meant without an action as well; None for another action."""
    if arguments[:1] == ["serve"]:
        return list(arguments[1:])
    is_serving = not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"))
    return list(arguments) if is_serving else None


def add_arguments(parser: argparse.ArgumentParser, serving: Sequence[argparse.ArgumentParser] = ()) -> None:
    """Add the arguments of the command and of its subcommands.

    Args:
        serving: parsers of the options of `telegen adapter serve`, which parses them by itself.
    """
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser(
        "serve", help="serve; also without an action (see telegen adapter serve --help)", add_help=False, parents=list(serving)
    )
    owning = actions.add_parser(
        "check",
        help="print the owner and the state of each APIService of the metrics APIs, and a cure for what is wrong",
        epilog="Exit status: 0 each one is free or served by --service, 1 something is wrong, 2 the cluster cannot be asked.",
    )
    owning.add_argument("--kubeconfig", default="", metavar="FILE", help="kubeconfig of the cluster (default: as telegen run)")
    owning.add_argument("--service", default=SERVICE, metavar="NAMESPACE/NAME", help=f"Service of this adapter (default: {SERVICE})")
    owning.add_argument("--agents-service", default=AGENTS, metavar="NAME", help=f"Service of the agents beside it (default: {AGENTS})")
    checking = actions.add_parser(
        "check-rules",
        help="check a rules file of prometheus-adapter: a line for each rule that is refused, the reason and the cure",
        epilog="Exit status: 0 all rules are valid, 1 some are refused, 2 the file cannot be read.",
    )
    checking.add_argument("file", metavar="FILE", help="rules, externalRules and resourceRules")
    explaining = actions.add_parser(
        "explain",
        help="print the rule, series, query and values of a metric, or its source in the agents, or why it is not registered",
        epilog="Exit status: 0 the metric is registered, 1 it is not, 2 something cannot be read.",
    )
    explaining.add_argument("metric", metavar="METRIC", help="name of the metric, without its resource")
    explaining.add_argument("--rules", default="", metavar="FILE", help="rules file (default: metrics of agents only)")
    explaining.add_argument("--namespace", default="", metavar="NAME", help="namespace to show values of (default: all)")
    explaining.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help='cluster whose resources count, and whose API server is asked for the values of agents; "" for that of the agent '
        "(default: the resources of Kubernetes itself)",
    )
    _add_server_arguments(explaining)


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    servers = "server; may be repeated: the first one that has the series and answers is asked"
    parser.add_argument("--prometheus", default=[], action="append", metavar="URL", help=servers)
    parser.add_argument("--max-age", default="10m", metavar="DURATION", help="age up to which a series counts (default: 10m)")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="header of each request; may be repeated")
    parser.add_argument("--token-file", default="", metavar="FILE", help="file with a bearer token")
    parser.add_argument("--ca-file", default="", metavar="FILE", help="certificates to trust (default: those of the system)")
    parser.add_argument("--cert-file", default="", metavar="FILE", help="client certificate")
    parser.add_argument("--key-file", default="", metavar="FILE", help="key of that certificate")
    parser.add_argument("--post", action="store_true", help="send all queries by POST (default: long ones)")


def run(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Return the lines of a subcommand, and True if all is well.

    Raises:
        ConfigError: one line per problem.
    """
    return ACTIONS[options.action](options)


def _check(options: argparse.Namespace) -> tuple[list[str], bool]:
    """`telegen adapter check`."""
    if not all(options.service.partition("/")):
        raise ConfigError(f"--service: expected NAMESPACE/NAME, got {options.service[:100]!r}")
    client = connect(options.kubeconfig)
    return _asked(lambda: check(client, options.service, options.agents_service))


def _check_rules(options: argparse.Namespace) -> tuple[list[str], bool]:
    """`telegen adapter check-rules`."""
    rules = read_rules(options.file)
    lines = [*rules.problems, *(f"warning: {warning}" for warning in rules.warnings)]
    kinds = [f"{len(rules.custom)} rules", f"{len(rules.external)} external rules", *(["resource rules"] if rules.resource else [])]
    refused = f", {len(rules.problems)} refused" if rules.problems else ""
    return [*lines, f"{options.file}: {', '.join(kinds)} usable{refused}"], not rules.problems


def _explain(options: argparse.Namespace) -> tuple[list[str], bool]:
    """`telegen adapter explain`."""
    max_age = parse_duration(options.max_age)
    if not max_age:
        raise ConfigError(f"--max-age: {options.max_age!r} is no duration; write 30s, 10m or 1h30m")
    if options.rules and not options.prometheus:
        raise ConfigError("--rules: needs --prometheus, the server that the rules ask")
    backend = _backend(options, read_rules(options.rules) if options.rules else RulesFile())
    live = LiveExplanation(Adapter().external_families, None if options.kubeconfig is None else _ask(options.kubeconfig))
    with _quiet(logging.getLogger("telegen.adapter")):
        backend.relist(max_age)
        return explain(backend, live, options.metric, options.namespace)


@contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Log no problems, as they are among the lines that are printed."""
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _ask(kubeconfig: str) -> Ask:
    """Return a function that asks the API server for the values of a metric."""
    client = connect(kubeconfig)

    def ask(path: str) -> Mapping[str, Any]:
        try:
            document: Mapping[str, Any] = client.get(path, {}, "application/json")
            return document
        except FAILURES as error:
            raise AskError(f"{path}: {error}") from error

    return ask


def _backend(options: argparse.Namespace, rules: RulesFile) -> RulesBackend:
    """Return the rules over the servers and the cluster of the arguments."""
    headers = dict(_header(text) for text in options.header)
    access = PrometheusOptions(
        headers=headers,
        token_file=options.token_file,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
        post=options.post,
    )
    try:
        servers = Servers([Prometheus(url, access) for url in options.prometheus])
    except ValueError as error:
        raise ConfigError(f"--prometheus: {error}") from error
    if options.kubeconfig is None:
        built_in = [ServedResource(one.group, one.version, one.name, one.kind, one.namespaced) for one in RESOURCES.values()]
        return RulesBackend(rules, servers, NoObjects(), lambda: RestMapping(built_in))
    client = connect(options.kubeconfig)
    objects = ClusterObjects(lambda: connect(options.kubeconfig))
    return RulesBackend(rules, servers, objects, lambda: RestMapping(_asked(lambda: discover(client, None).resources)))


def _asked(ask: Callable[[], Answer]) -> Answer:
    """Return an answer of the API server. Raises ConfigError."""
    try:
        return ask()
    except FAILURES as error:
        raise ConfigError(f"API server: {error}") from error


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not text.isprintable() or not text.isascii():
        raise ConfigError(f"--header: expected NAME=VALUE, got {text[:40]!r}")
    return name.strip(), value


ACTIONS = {"check": _check, "check-rules": _check_rules, "explain": _explain}

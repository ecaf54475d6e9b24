"""From a file and the environment to a `Config`, or to errors that name the path of the key."""

from __future__ import annotations

import difflib
import os
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from telegen.config.errors import ConfigError
from telegen.config.flags import Given, apply_flags, foreign_key, origin
from telegen.config.model import GROUPS, Config, Section
from telegen.config.text_formats import in_words
from telegen.config.types import READERS, ListenAddress
from telegen.config.validation import scope_problems, selection_problems, stamp_problems
from telegen.config.variables import expand, from_environment, override

MAX_BYTES = 1 << 20

_AT = re.compile(r"(?s)(.*) - at `(?:key in )?\$\.?(.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


_WORDS = {
    "object": "a block of settings",
    "array": "a list",
    "str": "a string",
    "int": "a whole number",
    "bool": "true or false",
}
"""msgspec's words for types, and those of people who write YAML."""


def load(path: str | None, environ: Mapping[str, str], given: Given = {}) -> Config:
    """Read the configuration: the file, over it the environment, over that the flags.

    Args:
        path: a YAML file; None for the defaults.
        environ: `${NAME}` in the file comes from here, and `TELEGEN_KUBE_METRICS__LISTEN_ADDRESS` overrides
        kube_metrics.listen_address.
        given: flags of kube-state-metrics (see `telegen.config.flags`).

    Raises:
        ConfigError: the file cannot be read, or something in it is unknown, of the wrong type or impossible.
    """
    data = expand(_read(path), environ, _is_text) if path else {}
    override(data, environ, _is_text)
    apply_flags(data, given, lambda key: value_at(Config(), key))
    try:
        config = msgspec.convert(data, Config, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        raise ConfigError(_with_origin(_explain(str(error)), given, environ)) from error
    problems = [_with_origin(line, given, environ) for line in _impossible(config)]
    if problems:
        raise ConfigError("\n".join(problems))
    return config


@dataclass(frozen=True)
class Sources:
    """Where an agent's configuration comes from, each time that it is read.

    Attributes:
        path, environ, given: as for `load`.
        optional: whether the file may be missing.
    """

    path: str | None
    environ: Mapping[str, str]
    given: Given = field(default_factory=dict)
    optional: bool = False

    def load(self) -> Config:
        """See `load`."""
        missing = self.path is not None and self.optional and not os.path.exists(self.path)
        return load(None if missing else self.path, self.environ, self.given)


def _with_origin(line: str, given: Given, environ: Mapping[str, str]) -> str:
    """A complaint about a key, and the flags or else the variables that it came from, if any."""
    where = line.partition(":")[0]
    return line + (origin(where, given) or from_environment(where, environ))


def settings(
    section: type[Section] = Config, prefix: str = ""
) -> Iterator[tuple[str, msgspec.inspect.Field, msgspec.Meta]]:
    """(path, field, help) of every setting, in the order of the model."""
    hints = typing.get_type_hints(section, include_extras=True)
    for member in msgspec.structs.fields(section):
        hint = hints[member.name]
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from settings(hint, f"{prefix}{member.name}.")
        else:
            meta = next(meta for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta))
            yield prefix + member.name, member, meta  # type: ignore[misc]


def value_at(config: Config, path: str) -> Any:
    """The value of a setting by its path."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _is_text(path: str) -> bool:
    """Whether the setting at a path is a string, or the path that of an element of a list of strings."""
    kinds = {known: typing.get_args(member.type)[0] for known, member, _ in settings()}
    name, element, _ = path.partition("[")
    return kinds.get(name) == (tuple[str, ...] if element else str)


def is_effective(meta: msgspec.Meta) -> bool:
    """Whether a setting does anything yet."""
    return not (meta.extra and meta.extra.get("effective") is False)


def not_effective(config: Config) -> list[str]:
    """Paths of the settings that differ from their defaults and have no effect yet."""
    default = Config()
    return [
        path
        for path, _, meta in settings()
        if not is_effective(meta) and value_at(config, path) != value_at(default, path)
    ]


def check_names(config: Config, known: typing.Collection[str]) -> None:
    """Make sure that every resource that the configuration names exists.

    Raises:
        ConfigError: one does not.
    """
    state = config.kube_metrics.kube_state
    usual = {name for names in GROUPS.values() for name in names}
    grouped = tuple(name for names in state.groups.values() for name in names if name not in usual)
    named = [("resources", state.resources), ("groups", grouped)]
    named += [
        (key, tuple(name for name in getattr(state, key) if name != "*"))
        for key in ("labels_allowlist", "annotations_allowlist")
    ]
    problems = [
        f"kube_metrics.kube_state.{key}: unknown resource {name}{_suggest(name, known)}"
        for key, names in named
        for name in names
        if name not in known
    ]
    if problems:
        raise ConfigError("\n".join(problems))


class _Loader(yaml.SafeLoader):
    """YAML without duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base class does, after a look at the keys."""
        keys = Counter(key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge")
        for key, count in keys.items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key}: the key stands there {count} times", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _read(path: str) -> dict[str, Any]:
    """The YAML document of a file; an empty one is an empty mapping."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        data = yaml.load(content, _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(data).__name__}")
    return data


def _read_value(kind: type, value: Any) -> Any:
    """msgspec's hook for the types that YAML does not have."""
    return READERS[kind](value)


def _explain(message: str) -> str:
    """msgspec's message as `path: what is wrong`."""
    found = _AT.fullmatch(message)
    what, path = (found[1], found[2]) if found else (message, "")
    unknown = _UNKNOWN.fullmatch(what)
    if not unknown:
        for theirs, ours in _WORDS.items():
            what = what.replace(f"`{theirs}`", ours)
        what = in_words(what.replace("`", ""))
        if what.startswith("Invalid enum value"):
            what = f"expected {_choices(path)}, got {what.rpartition(' ')[2]}"
        return f"{path or 'configuration'}: {what[0].lower()}{what[1:]}"
    siblings = [
        known[len(path) + 1 if path else 0 :].split(".")[0] for known, _, _ in settings() if known.startswith(path)
    ]
    where = f"{path}.{unknown[1]}" if path else unknown[1]
    foreign = "" if path else foreign_key(unknown[1])
    if foreign:
        return f"{where}: unknown key: {foreign}"
    return f"{where}: unknown key{_suggest(unknown[1], siblings) or _suggest_place(unknown[1])}"


def _choices(path: str) -> str:
    """The words that a setting may be, with "a number" first if it may be one, too."""
    (kind,) = [typing.get_args(member.type)[0] for known, member, _ in settings() if known == path]
    words = []
    for choice in typing.get_args(kind):
        words += [choice] if isinstance(choice, str) else typing.get_args(choice) if not _is_number(choice) else ["a number"]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _is_number(kind: Any) -> bool:
    """Return true for a whole number with bounds."""
    return typing.get_args(kind)[0] is int


def _suggest(name: str, known: typing.Collection[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f", did you mean {close[0]}?" if close else ""


def _suggest_place(name: str) -> str:
    """Where a key or a block of this name belongs, unless there are many such places: who indents wrongly finds it so."""
    paths = [known.split(".") for known, _, _ in settings()]
    places = {".".join(path[: path.index(name) + 1]) for path in paths if name in path}
    return f", did you mean {' or '.join(sorted(places))}?" if 0 < len(places) <= 3 else ""


_LEAST: Mapping[str, float] = {
    "kube_metrics.cadvisor.collect_interval": 1.0,
    "kube_metrics.kube_state.flush_interval": 0.01,
    "kube_metrics.kube_state.arena_limit": 16 << 20,
    "api.connect_timeout": 0.1,
    "api.read_timeout": 0.1,
    "api.backoff_initial": 0.001,
    "api.watch_timeout_min": 1.0,
    "web.read_timeout": 1.0,
    "web.write_timeout": 1.0,
    "web.idle_timeout": 1.0,
    "supervisor.heartbeat_timeout": 3.0,
    "supervisor.grace_period": 1.0,
    "supervisor.backoff_initial": 0.01,
    "kube_metrics.streaming.interval": 1.0,
    "kube_metrics.election.lease_duration": 2.0,
    "kube_metrics.election.retry_period": 0.1,
    "kube_metrics.election.waiting_period": 1.0,
}


def _same_port(main: ListenAddress, second: ListenAddress | None) -> bool:
    """Whether two addresses get into each other's way; port 0 never does."""
    return second is not None and main.port == second.port != 0


def _impossible(config: Config) -> Iterator[str]:
    """What each setting alone, or several together, cannot be."""
    for path, least in _LEAST.items():
        value = value_at(config, path)
        if value < least:
            yield f"{path}: must be at least {type(value)(least)}, not {value}"
    state = config.kube_metrics.kube_state
    where = "kube_metrics.kube_state"
    rules: list[tuple[bool, Callable[[], str]]] = [
        (
            state.shard >= state.total_shards,
            lambda: f"{where}.shard: must be below total_shards ({state.total_shards}), not {state.shard}",
        ),
        (
            bool(state.metric_allowlist and state.metric_denylist),
            lambda: f"{where}.metric_allowlist: cannot be used with metric_denylist",
        ),
        (
            bool(state.node and state.track_unscheduled_pods),
            lambda: f"{where}.node: cannot be used with track_unscheduled_pods",
        ),
        (
            config.api.watch_timeout_min > config.api.watch_timeout_max,
            lambda: "api.watch_timeout_min: must not exceed watch_timeout_max",
        ),
        (
            config.kube_metrics.metrics_path in ("/", "/telemetry", "/healthz", "/livez", "/readyz"),
            lambda: "kube_metrics.metrics_path: is another page's",
        ),
        (
            _same_port(config.kube_metrics.listen_address, config.kube_metrics.telemetry_address),
            lambda: "kube_metrics.telemetry_address: needs another port than listen_address",
        ),
        (
            bool(config.kubernetes.cluster_uid and state.clusters),
            lambda: f"kubernetes.cluster_uid: cannot be used with {where}.clusters: each has a name there",
        ),
        ("cluster" in state.groups, lambda: f"{where}.groups.cluster: the name stands for the resources in no group"),
    ]
    yield from (message() for broken, message in rules if broken)
    yield from selection_problems(state, where)
    yield from scope_problems(config.kube_metrics)
    yield from stamp_problems(config.kube_metrics.cadvisor, "kube_metrics.cadvisor")
    counts = Counter(name for names in state.groups.values() for name in names)
    yield from (f"{where}.groups: {name} is in {count} groups" for name, count in counts.items() if count > 1)
    bad = [name for name in state.groups if not re.fullmatch("[a-z][a-z0-9-]{0,30}", name)]
    yield from (f"{where}.groups.{name}: a group is named in lower case letters, digits and -" for name in bad)

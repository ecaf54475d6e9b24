"""The flags of kube-state-metrics, under their own names: which setting each one is, or why there is none.

So the arguments of its manifest start this agent too. A flag wins over the environment, which wins over the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telegen.config.errors import ConfigError
from telegen.config.types import ListenAddress

Given = Mapping[str, Sequence[str]]
"""Flags of a command line: name without dashes to what was written each time that it stood there, in order."""

Read = Callable[[Any, Sequence[str]], Any]
"""From (the setting's value so far or None, what was written) to the setting's value, as YAML would have it. Raises
ValueError."""

_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("", "0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True)
class Flag:
    """One flag. It has a `key`, or says why it is `ignored`, or why it is `refused` and what to do instead.

    Attributes:
        name: without dashes.
        key: path of the setting.
        read: how its value is read.
        ignored: why it changes nothing here; noted in the log.
        refused: why it cannot be, and what to do; an error, unless the value switches it off.
        switch: stands without a value.
        file_key: name in the configuration file of kube-state-metrics, where it differs.
        aliases: other spellings, with their dashes.
    """

    name: str
    key: str = ""
    read: Read | None = None
    ignored: str = ""
    refused: str = ""
    switch: bool = False
    file_key: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def help(self) -> str:
        """For --help and messages: what becomes of it."""
        return self.key or (f"no effect: {self.ignored}" if self.ignored else f"refused: {self.refused}")


def _last(current: Any, texts: Sequence[str]) -> str:
    return texts[-1]


def _number(current: Any, texts: Sequence[str]) -> int:
    try:
        return int(texts[-1])
    except ValueError as error:
        raise ValueError(f"expected a whole number, got {texts[-1]!r}") from error


def read_switch(text: str) -> bool:
    """A boolean in the words that Go's flags take. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"expected true or false, got {text!r}")


def _switch(current: Any, texts: Sequence[str]) -> bool:
    return read_switch(texts[-1])


def _names(current: Any, texts: Sequence[str]) -> list[str]:
    """Comma lists; those of a repeated flag add up."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _allowlist(current: Any, texts: Sequence[str]) -> dict[str, list[str]]:
    """`pods=[app,team*],nodes=[*]`; of a repeated flag the last one counts."""
    return read_allowlist(texts[-1])


def _host(current: Any, texts: Sequence[str]) -> str:
    host = texts[-1].strip("[]")
    shown = "" if host in ("", "::") else f"[{host}]" if ":" in host else host
    return f"{shown}:{_address(current).port}"


def _port(current: Any, texts: Sequence[str]) -> str:
    host = _address(current).host
    return f"[{host}]:{_number(None, texts)}" if ":" in host else f"{host}:{_number(None, texts)}"


def _address(current: Any) -> ListenAddress:
    return ListenAddress.read(current)


def _telemetry(read: Read) -> Read:
    """Half of the address of the second listener, whose port is 8081 when nothing says otherwise."""
    return lambda current, texts: read(current or ":8081", texts)


def _verbosity(current: Any, texts: Sequence[str]) -> str:
    return "debug" if _number(None, texts) >= 4 else "info"


_STATE = "kube_metrics.kube_state"
_LISTEN, _TELEMETRY = "kube_metrics.listen_address", "kube_metrics.telemetry_address"
_STDERR = "logs go to standard error, as text or JSON (log.format)"
_NO_FILES = f"{_STDERR}; redirect them where a file is wanted"
_NO_GO = "it sizes Go's garbage collector; memory is bounded by kube_metrics.kube_state.arena_limit"
_CUSTOM = "custom resources are not watched yet; run kube-state-metrics with --custom-resource-state-only beside this agent"

FLAGS: tuple[Flag, ...] = (
    Flag("apiserver", f"{_STATE}.apiserver", _last),
    Flag(
        "auth-filter",
        refused="pages are not protected by TokenReview; put an authenticating proxy in front and listen on 127.0.0.1",
        switch=True,
    ),
    Flag("auto-gomemlimit", ignored=_NO_GO, switch=True),
    Flag("auto-gomemlimit-ratio", ignored=_NO_GO),
    Flag("custom-resource-state-config", refused=_CUSTOM, file_key="custom_resource_config"),
    Flag("custom-resource-state-config-file", refused=_CUSTOM),
    Flag("continue-without-custom-resource-state-config-file", ignored="no such file is read", switch=True),
    Flag("custom-resource-state-only", refused=_CUSTOM, switch=True),
    Flag("enable-gzip-encoding", ignored="pages are stored compressed; clients that accept gzip get it", switch=True),
    Flag("host", _LISTEN, _host),
    Flag("port", _LISTEN, _port),
    Flag("telemetry-host", _TELEMETRY, _telemetry(_host)),
    Flag("telemetry-port", _TELEMETRY, _telemetry(_port)),
    Flag("kubeconfig", f"{_STATE}.kubeconfig", _last),
    Flag("metric-allowlist", f"{_STATE}.metric_allowlist", _names),
    Flag("metric-denylist", f"{_STATE}.metric_denylist", _names),
    Flag("metric-opt-in-list", f"{_STATE}.metric_opt_in_list", _names),
    Flag(
        "metric-annotations-allowlist",
        f"{_STATE}.annotations_allowlist",
        _allowlist,
        file_key="annotations_allow_list",
    ),
    Flag("metric-labels-allowlist", f"{_STATE}.labels_allowlist", _allowlist, file_key="labels_allow_list"),
    Flag("namespaces", f"{_STATE}.namespaces", _names),
    Flag("namespaces-denylist", f"{_STATE}.namespaces_exclude", _names),
    Flag("node", f"{_STATE}.node", _last),
    Flag("track-unscheduled-pods", f"{_STATE}.track_unscheduled_pods", _switch, switch=True),
    Flag("object-limit", f"{_STATE}.object_limit", _number),
    Flag("pod", f"{_STATE}.pod", _last),
    Flag("pod-namespace", f"{_STATE}.pod_namespace", _last, file_key="namespace"),
    Flag("resources", f"{_STATE}.resources", _names),
    Flag("server-read-timeout", "web.read_timeout", _last),
    Flag("server-write-timeout", "web.write_timeout", _last),
    Flag("server-idle-timeout", "web.idle_timeout", _last),
    Flag("server-read-header-timeout", ignored="web.read_timeout bounds headers as well"),
    Flag("shard", f"{_STATE}.shard", _number),
    Flag("total-shards", f"{_STATE}.total_shards", _number),
    Flag("tls-config", refused="pages are served as plain HTTP; put a TLS proxy in front and listen on 127.0.0.1"),
    Flag(
        "use-apiserver-cache",
        f"{_STATE}.use_apiserver_cache",
        _switch,
        switch=True,
        file_key="use_api_server_cache",
    ),
    # klog's
    Flag("v", "log.level", _verbosity, aliases=("-v",)),
    Flag("vmodule", ignored=_STDERR),
    Flag("logtostderr", ignored=_STDERR, switch=True),
    Flag("alsologtostderr", ignored=_STDERR, switch=True),
    Flag("alsologtostderrthreshold", ignored=_STDERR),
    Flag("stderrthreshold", ignored=_STDERR),
    Flag("log_dir", refused=_NO_FILES),
    Flag("log_file", refused=_NO_FILES),
    Flag("log_file_max_size", ignored=_STDERR),
    Flag("log_backtrace_at", ignored=_STDERR),
    Flag("add_dir_header", ignored=_STDERR, switch=True),
    Flag("skip_headers", ignored=_STDERR, switch=True),
    Flag("skip_log_headers", ignored=_STDERR, switch=True),
    Flag("one_output", ignored=_STDERR, switch=True),
    Flag("legacy_stderr_threshold_behavior", ignored=_STDERR, switch=True),
)
"""All of them. `--config` is our own and `--continue-without-config` belongs to it: see `telegen.supervisor`."""

BY_NAME: Mapping[str, Flag] = {flag.name: flag for flag in FLAGS}


def apply_flags(data: dict[str, Any], given: Given, default: Callable[[str], Any]) -> None:
    """Put flags into a configuration, as plain YAML-like data, over what it has.

    Args:
        data: changed in place.
        default: gives a setting's default by its path.

    Raises:
        ConfigError: one line per flag that cannot be read or honoured.
    """
    problems = []
    for flag in FLAGS:
        texts = given.get(flag.name)
        if not texts:
            continue
        if flag.refused and texts[-1] not in _FALSE:
            problems.append(f"--{flag.name}: {flag.refused}")
        if flag.read is None:
            continue
        try:
            _set(data, flag, texts, default)
        except ValueError as error:
            problems.append(f"--{flag.name}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))


def _set(data: dict[str, Any], flag: Flag, texts: Sequence[str], default: Callable[[str], Any]) -> None:
    *parents, last = flag.key.split(".")
    place = data
    for at, parent in enumerate(parents):
        # An empty block of YAML is null.
        inner = place[parent] = place.get(parent) or {}
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: --{flag.name} needs a block of settings there")
        place = inner
    assert flag.read is not None
    place[last] = flag.read(place.get(last) or default(flag.key), texts)


def ignored_flags(given: Given) -> Iterator[str]:
    """A line for each flag that was given and changes nothing."""
    return (f"--{flag.name}: {flag.help}" for flag in FLAGS if flag.ignored and flag.name in given)


def origin(path: str, given: Given) -> str:
    """` (set by --NAME)` when a flag has set this key or what lies below it, else nothing."""
    key = re.split(r"[\[ ]", path)[0] + "."
    names = [f"--{flag.name}" for flag in FLAGS if flag.key and flag.name in given and key.startswith(flag.key + ".")]
    return f" (set by {' and '.join(names)})" if names else ""


def foreign_key(name: str) -> str:
    """What to say of a key at the top of a file when kube-state-metrics knows it there, else ""."""
    for flag in FLAGS:
        if name in (flag.file_key, flag.name.replace("-", "_"), flag.name):
            what = f"here it is {flag.key}" if flag.key else flag.help
            return f"it is a key of kube-state-metrics' own file: {what} (docs/migration.md)"
    return ""


def read_allowlist(text: str) -> dict[str, list[str]]:
    """Read `pods=[app,team*],nodes=[*]`.

    Raises:
        ValueError: says at which character, from 1, something else was expected.
    """
    allowed: dict[str, list[str]] = {}
    place = 0
    while text.strip():
        equals = text.find("=", place)
        name = text[place : equals if equals >= 0 else len(text)].strip()
        if equals < 0 or not name or set(name) & set("[],"):
            raise ValueError(f"character {place + 1}: expected a resource and =[...], as in pods=[app,team]")
        if text[equals + 1 : equals + 2] != "[":
            raise ValueError(f"character {equals + 2}: expected [ after {name}=")
        end = text.find("]", equals)
        if end < 0:
            raise ValueError(f"character {equals + 2}: this [ has no ]")
        allowed[name] = _items(text, equals + 2, end)
        rest = text[end + 1 :].lstrip()
        if not rest:
            break
        if rest[0] != ",":
            raise ValueError(f"character {end + 2}: expected a comma or the end after ]")
        place = len(text) - len(rest) + 1
    return allowed


def _items(text: str, start: int, end: int) -> list[str]:
    """The names between two brackets."""
    if not text[start:end].strip():
        return []
    items = []
    for item in text[start:end].split(","):
        if not item.strip() or set(item) & set("[="):
            raise ValueError(f"character {start + 1}: expected a name, got {item!r}")
        items.append(item.strip())
        start += len(item) + 1
    return items

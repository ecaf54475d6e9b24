"""The flags of kube-state-metrics under their own names, each mapped to a setting or to the reason why it has none.

The arguments of a manifest for kube-state-metrics therefore start this agent too. A flag wins over the environment, which
wins over the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from telegen.config.adapter_flags import ADAPTER_FLAGS
from telegen.config.errors import INVALID, ConfigError
from telegen.config.flag import (
    FALSE,
    Flag,
    FlagValues,
    Read,
    host_of,
    last,
    number,
    port_of,
    read_switch,
    switch,
    verbosity,
)


def _auth(current: Any, texts: Sequence[str]) -> str:
    return "kubernetes" if read_switch(texts[-1]) else "none"


def _names(current: Any, texts: Sequence[str]) -> list[str]:
    """Parse comma lists; those of a repeated flag add up."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _allowlist(current: Any, texts: Sequence[str]) -> dict[str, list[str]]:
    """Parse `pods=[app,team*],nodes=[*]`; of a repeated flag the last one counts."""
    return read_allowlist(texts[-1])


def _telemetry(read: Read) -> Read:
    """Set one half of the second listener's address, `:8081` by default as in kube-state-metrics."""
    return lambda current, texts: read(current or ":8081", texts)


_STATE = "kube_metrics.kube_state"
_LISTEN, _TELEMETRY = "kube_metrics.listen_address", "kube_metrics.telemetry_address"
_STDERR = "logs go to standard error, as text or JSON (log.format)"
_NO_FILES = f"{_STDERR}; redirect standard error to a file instead"
_NO_GO = "it tunes Go's garbage collector; kube_metrics.kube_state.arena_limit limits memory here"
_CUSTOM = f"{_STATE}.custom_resource_state"

FLAGS: tuple[Flag, ...] = (
    Flag("apiserver", f"{_STATE}.apiserver", last),
    Flag("auth-filter", "web.auth", _auth, switch=True),
    Flag("auto-gomemlimit", ignored=_NO_GO, switch=True),
    Flag("auto-gomemlimit-ratio", ignored=_NO_GO),
    Flag("custom-resource-state-config", f"{_CUSTOM}.config", last, file_key="custom_resource_config"),
    Flag("custom-resource-state-config-file", f"{_CUSTOM}.config_file", last),
    Flag("continue-without-custom-resource-state-config-file", f"{_CUSTOM}.continue_without_config_file", switch, switch=True),
    Flag("custom-resource-state-only", f"{_CUSTOM}.only", switch, switch=True),
    Flag("enable-gzip-encoding", ignored="pages are stored compressed and sent so to clients that accept gzip", switch=True),
    Flag("host", _LISTEN, host_of),
    Flag("port", _LISTEN, port_of),
    Flag("telemetry-host", _TELEMETRY, _telemetry(host_of)),
    Flag("telemetry-port", _TELEMETRY, _telemetry(port_of)),
    Flag("kubeconfig", f"{_STATE}.kubeconfig", last),
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
    Flag("node", f"{_STATE}.node", last),
    Flag("track-unscheduled-pods", f"{_STATE}.track_unscheduled_pods", switch, switch=True),
    Flag("object-limit", f"{_STATE}.object_limit", number),
    Flag("pod", f"{_STATE}.pod", last),
    Flag("pod-namespace", f"{_STATE}.pod_namespace", last, file_key="namespace"),
    Flag("resources", f"{_STATE}.resources", _names),
    Flag("server-read-timeout", "web.read_timeout", last),
    Flag("server-write-timeout", "web.write_timeout", last),
    Flag("server-idle-timeout", "web.idle_timeout", last),
    Flag("server-read-header-timeout", ignored="web.read_timeout applies to headers as well"),
    Flag("shard", f"{_STATE}.shard", number),
    Flag("total-shards", f"{_STATE}.total_shards", number),
    Flag("tls-config", "web.web_config_file", last),
    Flag(
        "use-apiserver-cache",
        f"{_STATE}.use_apiserver_cache",
        switch,
        switch=True,
        file_key="use_api_server_cache",
    ),
    # Flags of klog, the logging library of kube-state-metrics.
    Flag("v", "log.level", verbosity, aliases=("-v",)),
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
"""All flags but `--config` and `--continue-without-config`, which the agent has itself: see `telegen.supervisor.run_options`."""

BOTH = frozenset(
    ("kubeconfig", "v", "vmodule", "logtostderr", "alsologtostderr", "stderrthreshold", "log_dir", "log_file", "log_file_max_size",
     "log_backtrace_at", "add_dir_header", "skip_headers", "skip_log_headers", "one_output")
)  # fmt: skip
"""Flags that prometheus-adapter has as well."""
OF_ADAPTER = (*ADAPTER_FLAGS, *(flag for flag in FLAGS if flag.name in BOTH))
"""All flags of `telegen adapter`."""
_ALL = (*FLAGS, *ADAPTER_FLAGS)


def apply_flags(
    data: dict[str, Any], flags: FlagValues, default: Callable[[str], Any], report: Callable[[str, str], None]
) -> None:
    """Override settings by flags.

    Args:
        data: the configuration as plain YAML-like data, changed in place.
        default: returns a setting's default by its path.
        report: called with the flag and the cause for each flag whose value is invalid or that is refused.
    """
    for flag in _ALL:
        texts = flags.get(flag.name)
        if not texts:
            continue
        # Manifests often set `--flag=false` explicitly, which asks for nothing.
        if flag.refused and texts[-1] not in FALSE:
            report(f"--{flag.name}", flag.refused)
        if flag.read is None:
            continue
        try:
            _set(data, flag, texts, default)
        except ConfigError as error:
            report(*str(error).split(": ", 1))
        except ValueError as error:
            report(f"--{flag.name}", str(error))


def _set(data: dict[str, Any], flag: Flag, texts: Sequence[str], default: Callable[[str], Any]) -> None:
    *parents, last = flag.key.split(".")
    block = data
    for at, parent in enumerate(parents):
        # YAML reads a block without settings as null.
        inner = block[parent] = block.get(parent) or {}
        if not isinstance(inner, dict):
            block[parent] = INVALID
            raise ConfigError(f"{'.'.join(parents[: at + 1])}: --{flag.name} needs a block of settings here, not a value")
        block = inner
    assert flag.read is not None
    # --host and --port each set one half of an address, so a flag may need the value before.
    block[last] = flag.read(block.get(last) or default(flag.key), texts)


def ignored_flags(flags: FlagValues) -> Iterator[str]:
    """Yield a line for each flag of the command line that has no effect."""
    return (f"--{flag.name}: {flag.help}" for flag in _ALL if flag.ignored and flag.name in flags)


def flag_warnings(flags: FlagValues) -> Iterator[str]:
    """Yield a line for each flag of the command line whose value has no effect and probably was meant to have one."""
    for flag in FLAGS:
        if flag.read is _allowlist and flags.get(flag.name, [""])[-1].strip() == "*":
            yield f"--{flag.name}: * without names allows nothing, as in kube-state-metrics; *=[*] allows everything"


def flags_that_set(path: str, flags: FlagValues) -> list[str]:
    """Return the flags of the command line that set this key or one above it: `["--port"]`."""
    key = path.partition("[")[0] + "."
    return [f"--{flag.name}" for flag in _ALL if flag.key and flag.name in flags and key.startswith(flag.key + ".")]


def foreign_key(name: str) -> str:
    """Return advice for a top-level key that belongs to the configuration file of kube-state-metrics, "" for any other."""
    for flag in FLAGS:
        if name in (flag.file_key, flag.name.replace("-", "_"), flag.name):
            advice = f"use {flag.key}" if flag.key else flag.help
            return f"the key belongs to the configuration file of kube-state-metrics: {advice} (docs/migration.md)"
    return ""


def read_allowlist(text: str) -> dict[str, list[str]]:
    """Parse `pods=[app,team*],nodes=[*]`.

    Raises:
        ValueError: the text is malformed; the message gives the character, from 1, and the expected text.
    """
    allowed: dict[str, list[str]] = {}
    if text.strip() == "*":
        # Manifests of kube-state-metrics have it, where it has no effect: `flag_warnings` reports it.
        return allowed
    start = 0
    while text.strip():
        equals = text.find("=", start)
        name = text[start : equals if equals >= 0 else len(text)].strip()
        if equals < 0 or not name or set(name) & set("[],"):
            raise ValueError(f"character {start + 1}: expected a resource and =[...], as in pods=[app,team]")
        if text[equals + 1 : equals + 2] != "[":
            raise ValueError(f"character {equals + 2}: expected [ after {name}=")
        end = text.find("]", equals)
        if end < 0:
            raise ValueError(f"character {equals + 2}: [ without a closing ]")
        allowed[name] = _items(text, equals + 2, end)
        rest = text[end + 1 :].lstrip()
        if not rest:
            break
        if rest[0] != ",":
            raise ValueError(f"character {end + 2}: expected a comma or the end after ]")
        start = len(text) - len(rest) + 1
    return allowed


def _items(text: str, start: int, end: int) -> list[str]:
    """Parse the names between two brackets."""
    if not text[start:end].strip():
        return []
    items = []
    for item in text[start:end].split(","):
        if not item.strip() or set(item) & set("[="):
            raise ValueError(f"character {start + 1}: expected a name, got {item!r}")
        items.append(item.strip())
        start += len(item) + 1
    return items

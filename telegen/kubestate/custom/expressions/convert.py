"""From a configuration of kube-state-metrics to the text of the format with expressions, which gives the same pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from telegen.config.errors import ConfigError
from telegen.kubestate.custom.expressions.path_texts import write_path
from telegen.kubestate.custom.expressions.reading import read_metrics
from telegen.kubestate.custom.model import ANY, Entry, Family, Paths, Pattern
from telegen.kubestate.custom.reading import read_entries

_WIDTH = 140
_TYPES = {"gauge": "Gauge", "info": "Info", "stateset": "StateSet"}


class NotExpressible(ConfigError):
    """A part of the configuration has no equivalent."""


def convert(text: bytes, source: str) -> Iterator[str]:
    """Yield the lines of a configuration with expressions that gives the pages of a CustomResourceStateMetrics configuration.

    Args:
        source: name of the file, for messages.

    Raises:
        NotExpressible: with file, line, path, cause and cure.
        ConfigError: the configuration is invalid; one line per problem, with the same.
    """
    read = read_entries(text, source)
    lines = [f"# Metrics of {source.rpartition('/')[2]}. Beside them, metrics with expressions are possible: value instead of path."]
    # What the names of infos should end in is a warning of the new file as well.
    lines += [f"# {warning}" for warning in read.warnings if not warning.endswith("_info")]
    if b"errorLogV" in text:
        lines.append("# errorLogV: dropped. A value that is no number gives no sample and no line in the log.")
    kept = list(_kept(read.entries))
    lines += ["metrics:" if kept else "metrics: []", *(line for entry, later in kept for line in _entry_lines(entry, later))]
    _check([entry for entry, _ in kept], "\n".join(lines), source)
    yield from lines


def _kept(entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[Pattern]]]:
    """Yield each entry that no later one replaces for all its kinds, with the patterns of those that replace it for some."""
    for place, entry in enumerate(entries):
        later = [other.pattern for other in entries[place + 1 :] if _overlap(entry.pattern, other.pattern)]
        if not any(_covers(other, entry.pattern) for other in later):
            yield entry, later


def _overlap(one: Pattern, other: Pattern) -> bool:
    """Return True if two patterns can match the same kind."""
    return one.group == other.group and all(
        ANY in pair or pair[0] == pair[1] for pair in ((one.version, other.version), (one.kind, other.kind))
    )


def _covers(one: Pattern, other: Pattern) -> bool:
    """Return True if a pattern matches every kind that another one matches."""
    return one.version in (ANY, other.version) and one.kind in (ANY, other.kind)


def _entry_lines(entry: Entry, later: Sequence[Pattern]) -> Iterator[str]:
    """Yield the lines of an entry.

    Args:
        later: patterns of later entries, which replace this one for their kinds.
    """
    pattern, prefix, shared = entry.pattern, entry.prefix, _shared_labels(entry.families)
    resource: dict[str, Any] = {"group": pattern.group} if pattern.group else {}
    resource |= {"kind": pattern.kind}
    if pattern.version == ANY:
        yield "# Every served version has series of its own."
        resource["everyVersion"] = True
    else:
        resource["version"] = pattern.version
    if later:
        yield "# A later entry has the metrics of the kinds that are left out here."
        resource["without"] = [_specific(one) for one in later]
    head: dict[str, Any] = {"resource": resource, "identity": "kind", "prefix": prefix}
    head |= {"commonLabels": dict(entry.common_labels)} if entry.common_labels else {}
    head |= {"labelsFromPath": _written(shared)} if shared else {}
    yield from _dumped(head, "- ", "  ")
    if not entry.families:
        return
    yield "  metrics:"
    for family in entry.families:
        yield from _dumped(_metric(family, prefix, shared), "  - ", "    ")


def _specific(pattern: Pattern) -> dict[str, str]:
    """Return the parts of a pattern that are no `*`."""
    return {key: value for key, value in (("kind", pattern.kind), ("version", pattern.version)) if value != ANY}


def _shared_labels(families: Sequence[Family]) -> Paths:
    """Return the labels by paths from the object that all families have."""
    if not families:
        return {}
    first, *others = (family.labels_from_path for family in families)
    return {name: path for name, path in first.items() if all(labels.get(name) == path for labels in others)}


def _metric(family: Family, prefix: str, shared: Paths) -> dict[str, Any]:
    """Return a metric as it is written; keys with their defaults are left out."""
    name = family.name.removeprefix(f"{prefix}_") if prefix else family.name
    own = {label: path for label, path in family.labels_from_path.items() if label not in shared}
    metric = {
        "name": name,
        "help": family.help,
        "type": _TYPES[family.type] if family.type != "gauge" else "",
        "commonLabels": dict(family.common_labels),
        "labelsFromPath": _written(own),
        "path": write_path(family.path),
        "valueFrom": write_path(family.value_from),
        "elementLabels": _written(family.element_labels),
        "labelFromKey": family.label_from_key,
        "nilIsZero": family.nil_is_zero,
        "label": family.label_name if family.label_name != name else "",
        "states": list(family.states),
    }
    return {key: value for key, value in metric.items() if value or key == "path"}


def _written(paths: Paths) -> dict[str, Any]:
    return {name: write_path(path) for name, path in paths.items()}


def _dumped(data: Mapping[str, Any], first: str, indent: str) -> Iterator[str]:
    """Yield the lines of a map, lists and maps without others in one line."""
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=_WIDTH)
    for number, line in enumerate(text.splitlines()):
        yield f"{indent if number else first}{line}"


def _check(entries: Sequence[Entry], text: str, source: str) -> None:
    """Check that the text stands for the families of all entries.

    Raises:
        NotExpressible: it does not.
    """
    for entry in entries:
        for family in entry.families:
            if not _is_unicode([msgspec.to_builtins(family), dict(entry.common_labels)]):
                raise NotExpressible(f"{family.place}: {family.name}: characters that are not valid Unicode (lone surrogates); remove them")
    for entry, made in zip(entries, read_metrics(text.encode(), source).entries):
        for family, shown in zip(entry.families, made.families):
            if family != shown or entry.common_labels != made.common_labels:
                raise NotExpressible(f"{family.place}: {family.name} cannot be expressed in this format; write the metric anew")


def _is_unicode(value: Any) -> bool:
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False

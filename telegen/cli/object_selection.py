"""Selectors of entries, evaluated on objects of a file as an API server would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from telegen.adapter.label_selectors import SelectorError, parse_labels
from telegen.config import ConfigError
from telegen.kubestate.custom.expressions.model import Selector
from telegen.metrics.family import Object

_FIELD_TERM = re.compile(r"([^=!]+)(==?|!=)([^=!]*)")


def selected_by(selector: Selector) -> Callable[[Object], bool]:
    """Return the predicate of a selector.

    Raises:
        ConfigError: it is malformed; one line with cause and cure.
    """
    try:
        labels = parse_labels(selector.labels)
    except SelectorError as error:
        raise ConfigError(f"selector.labels: {selector.labels[:100]!r}: {error}; write it as for kubectl get --selector") from error
    fields = list(_field_terms(selector.fields))

    def selects(obj: Object) -> bool:
        namespace = _text(obj, "metadata.namespace")
        if selector.namespaces and namespace and namespace not in selector.namespaces:
            return False
        own = _at(obj, "metadata.labels")
        found = {key: str(value) for key, value in own.items()} if isinstance(own, dict) else {}
        return all(term.selects(found) for term in labels) and all((_text(obj, path) == value) == equal for path, equal, value in fields)

    return selects


def _field_terms(text: str) -> Iterator[tuple[str, bool, str]]:
    """Yield (path, is equal, value) of each term of a field selector."""
    for term in filter(None, text.split(",")):
        found = _FIELD_TERM.fullmatch(term)
        if not found:
            raise ConfigError(f"selector.fields: {term[:100]!r} is no term; write FIELD=VALUE or FIELD!=VALUE, such as metadata.name=web")
        yield found[1].strip(), found[2] != "!=", found[3].strip()


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _text(obj: Object, path: str) -> str:
    value = _at(obj, path)
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)

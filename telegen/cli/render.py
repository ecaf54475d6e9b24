"""What the agent would serve for some objects, without a cluster: the work of `telegen render`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import yaml

from telegen.kubestate.registry import RESOURCES
from telegen.kubestate.resource import Resource
from telegen.kubestate.selectors import Selection, selected_families
from telegen.metrics.family import FamilyGenerator, Object
from telegen.metrics.render import Render, renderer

_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_YAML):  # type: ignore[misc]
    """YAML whose times stay strings, as JSON has them."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _YAML.yaml_implicit_resolvers.items()
}


class Unreadable(ValueError):
    """Input that is neither JSON nor YAML, or no Kubernetes object."""


def read_objects(data: bytes) -> Iterator[Object]:
    """Objects of a JSON or YAML text: one, a List of any kind, or a stream of them.

    Raises:
        Unreadable: the text is malformed; says where.
    """
    for document in _documents(data):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise Unreadable(f"expected a Kubernetes object, got {type(document).__name__}")
        items = document.get("items")
        kind = document.get("kind") or ""
        if isinstance(items, list) and (kind.endswith("List") or not kind):
            # Lists of one kind leave kind and apiVersion away from their items.
            inner = {"kind": kind[: -len("List")], "apiVersion": document.get("apiVersion")}
            yield from ({**inner, **item} for item in items if isinstance(item, dict))
        else:
            yield document


def _documents(data: bytes) -> Iterator[Any]:
    """JSON, JSON lines, or a stream of YAML documents (of which concatenated JSON on separate lines is none)."""
    try:
        yield orjson.loads(data)
        return
    except orjson.JSONDecodeError as error:
        if data.lstrip()[:1] in (b"{", b"["):
            yield from _json_stream(data, error)
            return
    try:
        yield from yaml.load_all(data, _PlainLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Unreadable(" ".join(str(error).split())) from error


def _json_stream(data: bytes, whole: orjson.JSONDecodeError) -> Iterator[Any]:
    """Concatenated JSON values, with or without white space between them."""
    import json

    decoder = json.JSONDecoder()
    try:
        text = data.decode()
        place = 0
        while place < len(text):
            value, end = decoder.raw_decode(text, place)
            yield value
            place = end
            while place < len(text) and text[place].isspace():
                place += 1
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno} column {error.colno}: {error.msg}") from whole
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start}: not UTF-8") from whole


class Page:
    """The exposition of objects that are added one by one."""

    def __init__(
        self, resources: Iterable[Resource], selection: Selection, constant: Mapping[str, str] = {}
    ) -> None:
        """An empty page.

        Args:
            constant: labels that all samples have.
        """
        self.unknown: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._tables: dict[tuple[str, str], tuple[tuple[FamilyGenerator, ...], Render, list[list[str]]]] = {}
        for resource in resources:
            families = selected_families(resource, selection)
            render = renderer(resource.identity, families, self._count, constant)
            self._tables[resource.api_version, resource.kind] = (families, render, [[] for _ in families])

    def add(self, obj: Object) -> None:
        """Render an object; one of a kind that is not shown is counted."""
        table = self._tables.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if table is None:
            self.unknown[f"{obj.get('apiVersion')} {obj.get('kind')}"] += 1
            return
        _, render, columns = table
        for column, text in zip(columns, render(obj)):
            column.append(text)

    def lines(self, openmetrics: bool) -> Iterator[str]:
        """The page, family by family; a family has a header when there are objects of its resource."""
        for families, _, columns in self._tables.values():
            for family, texts in zip(families, columns):
                if texts:
                    yield family.header(openmetrics).decode()
                    yield from texts
        if openmetrics:
            yield "# EOF\n"

    def _count(self, family: str, error: Exception) -> None:
        self.errors[family] += 1


def resources_named(names: Iterable[str]) -> list[Resource]:
    """Resources by name, all of them when none is named, in the order of the page.

    Raises:
        KeyError: a name is unknown.
    """
    wanted = set(names) or set(RESOURCES)
    unknown = wanted - set(RESOURCES)
    if unknown:
        raise KeyError(f"unknown resource {', '.join(sorted(unknown))}; there are {', '.join(RESOURCES)}")
    return [resource for name, resource in RESOURCES.items() if name in wanted]

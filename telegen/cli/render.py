"""`telegen render`: metrics of Kubernetes objects from a file, without a cluster."""

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
    """YAML loader that keeps timestamps as strings, as they are in JSON."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _YAML.yaml_implicit_resolvers.items()
}


class InvalidInput(ValueError):
    """The input is neither JSON nor YAML, or not a Kubernetes object."""


def read_objects(data: bytes) -> Iterator[Object]:
    """Yield the objects of a JSON or YAML text: one object, a List of any kind, or a stream of them.

    Raises:
        InvalidInput: the text is malformed; the message gives the place.
    """
    for document in _documents(data):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise InvalidInput(f"expected a Kubernetes object, got {type(document).__name__}")
        items = document.get("items")
        kind = document.get("kind") or ""
        if isinstance(items, list) and (kind.endswith("List") or not kind):
            # Items of a typed list, such as PodList, have no kind and no apiVersion of their own.
            inner = {"kind": kind[: -len("List")], "apiVersion": document.get("apiVersion")}
            yield from ({**inner, **item} for item in items if isinstance(item, dict))
        else:
            yield document


def _documents(data: bytes) -> Iterator[Any]:
    """Yield the documents of JSON, concatenated JSON, or a stream of YAML. Concatenated JSON is not valid YAML."""
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
        raise InvalidInput(" ".join(str(error).split())) from error


def _json_stream(data: bytes, whole: orjson.JSONDecodeError) -> Iterator[Any]:
    """Yield concatenated JSON values, with or without white space between them."""
    import json  # only here, because orjson cannot decode a prefix

    decoder = json.JSONDecoder()
    try:
        text = data.decode()
        start = 0
        while start < len(text):
            value, start = decoder.raw_decode(text, start)
            yield value
            while start < len(text) and text[start].isspace():
                start += 1
    except json.JSONDecodeError as error:
        raise InvalidInput(f"line {error.lineno} column {error.colno}: {error.msg}") from whole
    except UnicodeDecodeError as error:
        raise InvalidInput(f"byte {error.start}: not UTF-8") from whole


class ObjectRenderer:
    """Renders objects one by one and groups their samples by family.

    Attributes:
        unknown: number of skipped objects by `apiVersion kind`.
        errors: number of malformed objects by family.
    """

    def __init__(
        self, resources: Iterable[Resource], selection: Selection, constant: Mapping[str, str] = {}
    ) -> None:
        """Prepare the families of `selection`.

        Args:
            constant: labels of every sample.
        """
        self.unknown: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._tables: dict[tuple[str, str], tuple[tuple[FamilyGenerator, ...], Render, list[list[str]]]] = {}
        for resource in resources:
            families = selected_families(resource, selection)
            render = renderer(resource.identity, families, self._count, constant)
            self._tables[resource.api_version, resource.kind] = (families, render, [[] for _ in families])

    def add(self, obj: Object) -> None:
        """Render an object, or count it as unknown if its kind is not among the resources."""
        table = self._tables.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if table is None:
            self.unknown[f"{obj.get('apiVersion')} {obj.get('kind')}"] += 1
            return
        _, render, columns = table
        for column, text in zip(columns, render(obj)):
            column.append(text)

    def lines(self, openmetrics: bool) -> Iterator[str]:
        """Yield the exposition, family by family; families of resources without objects have no header."""
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
    """Return resources by name, or all if no name is given, in the order of the registry.

    Raises:
        KeyError: a name is unknown.
    """
    wanted = set(names) or set(RESOURCES)
    unknown = wanted - set(RESOURCES)
    if unknown:
        raise KeyError(f"unknown resource {', '.join(sorted(unknown))}; choose from {', '.join(RESOURCES)}")
    return [resource for name, resource in RESOURCES.items() if name in wanted]

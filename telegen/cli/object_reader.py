"""Reader of Kubernetes objects from a file: JSON or YAML, compressed or not, as objects, lists or events of a watch."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from telegen.api.decoding import without_last_applied
from telegen.api.salvage import DECODER, prune, replace_surrogates
from telegen.metrics.family import Object

MAX_YAML_DEPTH = 200
"""Levels of a YAML document. The loader is recursive and ends the process where the stack is full."""
_EVENTS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_YAML):  # type: ignore[misc]
    """YAML loader that keeps timestamps as strings, as they are in JSON."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _YAML.yaml_implicit_resolvers.items()
}


class InvalidInput(ValueError):
    """The input is neither JSON nor YAML, or not a Kubernetes object."""


Plurals = dict[tuple[str, str], str]
"""Plural resource names by (apiVersion, kind)."""


def read_objects(data: bytes, plurals: Plurals | None = None) -> Iterator[Object]:
    """Yield the objects of a JSON or YAML text: objects, Lists, arrays, events of a watch, a map of GROUP/VERSION/PLURAL to its List,
    or a stream of these.

    A later state of an object replaces an earlier one, and an object whose last event is DELETED is left out.

    Args:
        plurals: filled with those that the keys of a map name.

    Raises:
        InvalidInput: the text is malformed; the message gives the place.
    """
    latest: dict[object, Object] = {}
    for deleted, obj in _states(_lists(_documents(_plain(data)), {} if plurals is None else plurals)):
        key = _identity(obj)
        if deleted:
            latest.pop(key, None)
        else:
            latest[key] = obj
    for obj in latest.values():
        # As the agent sees it.
        yield without_last_applied(obj) if isinstance(obj.get("metadata"), dict) else obj


def _lists(documents: Iterator[Any], plurals: Plurals) -> Iterator[Any]:
    """Yield the Lists of a map of GROUP/VERSION/PLURAL; pass other documents on."""
    for document in documents:
        if not _is_map_of_lists(document):
            yield document
            continue
        for key, listed in document.items():
            version, _, plural = key.rpartition("/")
            kind = str(listed.get("kind") or "").removesuffix("List")
            plurals[version, kind] = plural
            yield {"apiVersion": version, **listed, "kind": f"{kind}List"}


def _is_map_of_lists(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and bool(document)
        and all(isinstance(key, str) and "/" in key and isinstance(value, dict) and "items" in value for key, value in document.items())
    )


def _identity(obj: Object) -> object:
    """Return the API version, kind, namespace and name of an object. One without a name is its own identity."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        return id(obj)
    return tuple(map(str, (obj.get("apiVersion"), obj.get("kind"), metadata.get("namespace"), metadata["name"])))


def _states(documents: Iterator[Any]) -> Iterator[tuple[bool, Object]]:
    """Yield each state of an object, with True for its deletion."""
    for document in documents:
        for value in document if isinstance(document, list) else [document]:
            deleted, bookmark = False, False
            if isinstance(value, dict) and value.get("type") in _EVENTS and "object" in value:
                deleted, bookmark = value["type"] == "DELETED", value["type"] == "BOOKMARK"
                value = value["object"]
            if value is None or bookmark:
                continue
            if not isinstance(value, dict):
                raise InvalidInput(f"expected a Kubernetes object, got {type(value).__name__}")
            yield from ((deleted, obj) for obj in _unpacked(value))


def _unpacked(document: Object) -> Iterator[Object]:
    """Yield the items of a list, or the document itself if it is no list."""
    items, kind = document.get("items", ()), str(document.get("kind") or "")
    # An object may have items and a kind like WishList; a list has no name.
    metadata = document.get("metadata")
    is_named = isinstance(metadata, dict) and "name" in metadata
    if (items is None or isinstance(items, list)) and (kind.endswith("List") or not kind) and not is_named:
        # Items of a typed list, such as PodList, have no kind and no apiVersion of their own.
        inner = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")}
        yield from ({**inner, **item} for item in items or () if isinstance(item, dict))
    else:
        yield document


def _plain(data: bytes) -> bytes:
    """Decompress gzip, and convert the UTF-16 that shells of Windows write into UTF-8."""
    try:
        data = gzip.decompress(data) if data.startswith(_GZIP) else data
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"gzip: {error}") from error
    try:
        data = data.decode("utf-16").encode() if data.startswith(_UTF16) else data
    except UnicodeError as error:
        raise InvalidInput(f"UTF-16: {error}") from error
    return data.removeprefix(codecs.BOM_UTF8)


def _documents(data: bytes) -> Iterator[Any]:
    """Yield the documents of JSON, concatenated JSON, or a stream of YAML. Concatenated JSON is not valid YAML."""
    try:
        yield orjson.loads(data)
        return
    except orjson.JSONDecodeError:
        if data.lstrip()[:1] in (b"{", b"["):
            yield from _json_values(data)
            return
    try:
        _check_depth(data)
        yield from yaml.load_all(data, _PlainLoader)
    except InvalidInput:
        raise
    # The constructors of PyYAML raise these for values that their tags do not allow, such as `!!int x` or `!!bool x`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        raise InvalidInput(" ".join(str(error).split()) or type(error).__name__) from error


def _check_depth(data: bytes) -> None:
    """Raise InvalidInput for YAML that is nested too deeply. The parser of events is not recursive."""
    depth = 0
    for event in yaml.parse(data, _PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_YAML_DEPTH:
                mark: Any = event.start_mark
                raise InvalidInput(f"line {mark.line + 1}, column {mark.column + 1}: nested deeper than {MAX_YAML_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _json_values(data: bytes) -> list[Any]:
    """Decode concatenated JSON values, with or without white space between them. Values nested too deeply become null."""
    try:
        text = replace_surrogates(data).decode()
        try:
            return list(_split(text))
        except RecursionError:
            return list(_split(prune(text.encode()).decode()))
    except json.JSONDecodeError as error:
        raise InvalidInput(f"line {error.lineno} column {error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"byte {error.start}: not UTF-8") from error


def _split(text: str) -> Iterator[Any]:
    start = len(text) - len(text.lstrip())
    while start < len(text):
        value, start = DECODER.raw_decode(text, start)
        yield value
        while start < len(text) and text[start].isspace():
            start += 1

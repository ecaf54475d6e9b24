"""A YAML file of settings, read with bounds on its size, its depth and its number of values, and the line of each value."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from yaml.composer import Composer

from telegen.config.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 20_000
"""Maximum of values in a file, with aliases expanded."""
MAX_NUMBER = 64
"""Maximum of characters of a number. PyYAML needs quadratic time for long ones, and Python refuses over 4,300 digits."""

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE = "tag:yaml.org,2002:merge"

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes:
        path: of the file; "" for no file.
        data: plain YAML-like data.
        lines: line by path of the value: `kube_metrics.kube_state.resources[0]` → 7.
    """

    path: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, path: str, exact: bool = False) -> str:
        """Return `FILE:LINE` of a setting, "" if the file does not have it.

        Args:
            exact: False to return the nearest block around the setting if the file does not have the setting itself.
        """
        while path and path not in self.lines and not exact:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return f"{self.path}:{self.lines[path]}" if path in self.lines else ""


def read_document(path: str, may_be_empty: bool = True) -> Document:
    """Parse a YAML file; an empty one is an empty mapping.

    Args:
        may_be_empty: False refuses a file without any text, as one is while it is written anew.

    Raises:
        ConfigError: the file cannot be read, is no regular file, exceeds a bound, or is not a YAML mapping.
    """
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path if path.isprintable() else repr(path)}: {error}") from error
    if not may_be_empty and not content.strip():
        raise ConfigError(f"{path}: the file is empty; write {{}} into it if it is to set nothing")
    node, data = _parse(content, path)
    if node is None or data is None:
        return Document(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(data).__name__}")
    return Document(path, data, dict(_lines(node, "")))


def parse(text: str) -> Any:
    """Parse YAML text within the bounds of a file.

    Raises:
        ConfigError: the text is not valid YAML.
    """
    return _parse(text.encode("utf-8", "surrogateescape"), "")[1]


def _parse(content: bytes, path: str) -> tuple[yaml.Node | None, Any]:
    """Return the root node and the data. Raises ConfigError."""

    def load() -> tuple[yaml.Node | None, Any]:
        loader = _Loader(content)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)

    return _guarded(load, path)


def first_node(content: bytes, path: str, values: int = MAX_VALUES) -> yaml.Node | None:
    """Return the root node of the first document, None if there is none; scalars keep their spelling.

    Args:
        path: of the file, for errors; "" for none.
        values: maximum of values, with aliases expanded.

    Raises:
        ConfigError: the text is not valid YAML, or exceeds a bound.
    """

    def load(kind: type[Any]) -> Any:
        loader = kind(content, values)
        return loader.get_node() if loader.check_node() else None

    try:
        return load(_FASTEST)  # type: ignore[no-any-return]
    except (yaml.YAMLError, UnicodeDecodeError):
        # Parsed anew for the message and the line, which are those of all other files.
        return _guarded(lambda: load(_Loader), path)  # type: ignore[no-any-return]


def _guarded(load: Callable[[], Loaded], path: str) -> Loaded:
    """Return what a function loads. Raises ConfigError with file and line."""
    start = f"{path}: " if path else ""
    try:
        return load()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}: " if path and mark else start
        raise ConfigError(place + " ".join(filter(None, (error.context, error.problem)))) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(start + " ".join(str(error).split())) from error


def read_regular(path: str, limit: int) -> bytes:
    """Return the content of a regular file.

    Args:
        limit: maximum of bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a pipe, a device or a folder, it is too large, or its path has a NUL.
    """
    # Without O_NONBLOCK a pipe that has no writer would block the open for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(_checked(descriptor), "rb") as file:
        # One byte more than allowed shows that the file is too large, without reading all of it.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"larger than {limit} bytes")
    return content


def _checked(descriptor: int) -> int:
    """Return the descriptor of a regular file; close any other. Raises ValueError."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a regular file")
    return descriptor


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    """Yield the path and the line of a node and of all nodes in it."""
    if path:
        yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for at, inner in enumerate(node.value):
            yield from _lines(inner, f"{path}[{at}]")
    elif isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            where = f"{path}.{key.value}" if path else key.value
            yield from _lines(inner, where)
            # The line of the key, not of a block that begins below it.
            yield where, key.start_mark.line + 1


class _Bounded:
    """Composer with bounds. It rejects repeated keys, of which PyYAML silently keeps the last, and keys that are no text."""

    def _set_bounds(self, values: int) -> None:
        self._depth, self._values = 0, values
        self._sizes: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Build a node and check it.

        Raises:
            yaml.composer.ComposerError: a bound is exceeded, an alias refers to itself, or a key is invalid.
        """
        event = self.peek_event()  # type: ignore[attr-defined]
        mark, is_alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _error(f"more than {MAX_DEPTH} levels of nesting", mark)
        node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[misc]
        self._depth -= 1
        if node is None:
            return None
        if is_alias:
            # A node is measured when it is complete; an alias inside its own anchor comes before that.
            if id(node) not in self._sizes:
                raise _error("the alias refers to a block that contains it", mark)
            return node
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        elif node.tag in _NUMBERS and len(node.value) > MAX_NUMBER:
            raise _error(f"a number of {len(node.value)} characters; at most {MAX_NUMBER} are allowed", mark)
        self._measure(node)
        return node

    def _measure(self, node: yaml.Node) -> None:
        """Count the values and the levels in a node as if each alias was a copy: a few lines of aliases can stand for billions."""
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [value for _, value in children]
        sizes = [self._sizes[id(child)] for child in children]
        count, depth = 1 + sum(count for count, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
        if count > self._values:
            raise _error(f"more than {self._values} values, aliases included", node.start_mark)
        if depth > MAX_DEPTH:
            raise _error(f"more than {MAX_DEPTH} levels of nesting, aliases included", node.start_mark)
        self._sizes[id(node)] = count, depth

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build the value of a node.

        Raises:
            yaml.constructor.ConstructorError: the value does not fit its type, such as the date 2026-02-30.
        """
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML lets the exceptions of int(), date() and so on pass; they have no line.
            kind = node.tag.rpartition(":")[2]
            raise _error(f"{str(node.value)[:50]!r} is not a valid {kind}; put quotes around it if it is text", node.start_mark) from error


class _Loader(_Bounded, yaml.SafeLoader):
    """Loader with bounds."""

    def __init__(self, stream: bytes, values: int = MAX_VALUES) -> None:
        super().__init__(stream)
        self._set_bounds(values)


class _FastLoader(_Bounded, Composer, getattr(yaml, "CSafeLoader", object)):  # type: ignore[misc]
    """Composer with bounds on the parser of libyaml, where PyYAML has it."""

    # PERF: 1.6 MB with 180,000 scalars take 2 s, with the parser in Python 6 s.

    def __init__(self, stream: bytes, values: int = MAX_VALUES) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)
        self._set_bounds(values)


_FASTEST: type[Any] = _FastLoader if yaml.__with_libyaml__ else _Loader


def _error(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _check_keys(node: yaml.MappingNode) -> None:
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            cure = "a template like {{ .Values.x }} has to be rendered before, and text that begins with { needs quotes"
            raise _error(f"expected a name as key, got a block or a list; {cure}", key.start_mark)
        if not key.value.isprintable():
            raise _error(f"{key.value[:50]!r}: expected a name as key", key.start_mark)
    # `<<` may be repeated: it merges several mappings.
    keys = Counter(key.value for key, _ in node.value if key.tag != _MERGE)
    for name, count in keys.items():
        if count > 1:
            raise _error(f"{name[:100]}: the key appears {count} times", node.start_mark)

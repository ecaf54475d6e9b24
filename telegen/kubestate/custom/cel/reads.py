"""Fields of the object, and variables, that an expression reads: only such fields are decoded."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.kubestate.custom.cel import syntax

WHOLE_OBJECT = "object"
"""Name of the object itself; other names that are no variables are its fields."""


def reads(node: syntax.Node, variables: frozenset[str]) -> Iterator[str]:
    """Yield the paths that a tree reads, of at most two names with a dot; "" for the whole object."""
    for name, fields in _references(node, frozenset()):
        if name not in variables:
            yield ".".join((fields if name == WHOLE_OBJECT else [name, *fields])[:2])


def uses(node: syntax.Node, variables: frozenset[str]) -> Iterator[str]:
    """Yield the variables that a tree reads."""
    return (name for name, _ in _references(node, frozenset()) if name in variables)


def _references(node: syntax.Node, bound: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each name that a tree reads, with the fields after it.

    Args:
        bound: variables of macros around the tree.
    """
    root, names = _path(node)
    if isinstance(root, syntax.Name):
        if root.name not in bound:
            yield root.name, names
    elif isinstance(root, syntax.Macro):
        yield from _references(root.range, bound)
        for part in (root.body, root.condition):
            if part is not None:
                yield from _references(part, bound | {root.variable})
    else:
        for child in root.children():
            yield from _references(child, bound)


def _path(node: syntax.Node) -> tuple[syntax.Node, list[str]]:
    """Return what a chain of fields begins with, and the fields."""
    names: list[str] = []
    while isinstance(node, (syntax.Select, syntax.Has)):
        select = node.select if isinstance(node, syntax.Has) else node
        names.insert(0, select.field_name)
        node = select.operand
    return node, names

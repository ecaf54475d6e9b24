"""Fields of the object that an expression reads: only they are decoded."""

from __future__ import annotations

from collections.abc import Iterator

from telegen.kubestate.custom.cel import syntax

WHOLE_OBJECT = "object"
"""Name of the object itself; other names that are no variables are its fields."""


def reads(node: syntax.Node, variables: frozenset[str]) -> Iterator[str]:
    """Yield the paths that a tree reads, of at most two names with a dot; "" for the whole object."""
    root, names = _path(node)
    if isinstance(root, syntax.Name):
        if root.name not in variables:
            yield ".".join((names if root.name == WHOLE_OBJECT else [root.name, *names])[:2])
    elif isinstance(root, syntax.Macro):
        yield from reads(root.range, variables)
        for part in (root.body, root.condition):
            if part is not None:
                yield from reads(part, variables | {root.variable})
    else:
        for child in root.children():
            yield from reads(child, variables)


def _path(node: syntax.Node) -> tuple[syntax.Node, list[str]]:
    """Return what a chain of fields begins with, and the fields."""
    names: list[str] = []
    while isinstance(node, (syntax.Select, syntax.Has)):
        select = node.select if isinstance(node, syntax.Has) else node
        names.insert(0, select.field_name)
        node = select.operand
    return node, names

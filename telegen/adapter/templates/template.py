"""Render a template."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from telegen.adapter.templates.functions import FUNCTIONS, MAX_TEXT, STOPS_AT, text_of
from telegen.adapter.templates.lexer import TemplateError, Text
from telegen.adapter.templates.parser import parse
from telegen.adapter.templates.syntax import Block, Command, Constant, Function, Node, Operand, Path, Pipeline

MAX_STEPS = 100_000
"""Nodes and commands of one rendering; nested `range` over long lists multiply."""


class Template:
    """A parsed template.

    Attributes:
        source: the text of the template.
    """

    def __init__(self, source: str, fields: Collection[str]) -> None:
        """Parse a template.

        Args:
            fields: names of the fields that `render` gets.

        Raises:
            TemplateError: the template is not valid.
        """
        self.source = source
        self._nodes = parse(source, fields)

    def uses(self, field: str) -> bool:
        """Return True if the template prints a field outside any block."""
        wanted = Path(None, (field,))
        return any(isinstance(node, Pipeline) and node.commands == ((wanted,),) for node in self._nodes)

    def render(self, fields: Mapping[str, Any]) -> str:
        """Return the text for some values of the fields.

        Raises:
            TemplateError: an action fails with these values, or a bound is exceeded.
        """
        run = _Run(fields)
        run.nodes(self._nodes, fields)
        return "".join(run.output)


class _Run:
    """One rendering."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.output = list[str]()
        self._length = self._steps = 0
        self._variables: list[tuple[str, Any]] = [("$", root)]

    def nodes(self, nodes: Iterable[Node], dot: Any) -> None:
        """Render nodes. Variables that they declare end with them."""
        variables = len(self._variables)
        for node in nodes:
            self._step()
            if isinstance(node, Text):
                self._write(node.text)
            elif isinstance(node, Block):
                self._block(node, dot)
            else:
                value = self._pipeline(node, dot)
                if node.variables:
                    self._set(node.variables[0], value, node.declares)
                else:
                    self._write(text_of(value))
        del self._variables[variables:]

    def _block(self, node: Block, dot: Any) -> None:
        value, variables = self._pipeline(node.pipeline, dot), len(self._variables)
        if node.kind == "range":
            self._range(node, value, dot)
        else:
            if node.pipeline.variables:
                self._set(node.pipeline.variables[0], value, node.pipeline.declares)
            if value:
                self.nodes(node.body, value if node.kind == "with" else dot)
            else:
                self.nodes(node.otherwise, dot)
        del self._variables[variables:]

    def _range(self, node: Block, value: Any, dot: Any) -> None:
        """Render the body for each element; of a map in the order of its keys."""
        if not isinstance(value, (list, tuple, dict)) and value is not None:
            raise TemplateError(f"range over {text_of(value)[:40]!r}: neither a list nor a map")
        elements = sorted(value.items()) if isinstance(value, dict) else list(enumerate(value or ()))
        names, outer = node.pipeline.variables, len(self._variables)
        # As in Go, the variables hold the whole list in the branch for an empty one.
        for name in names:
            self._set(name, value, node.pipeline.declares)
        if not elements:
            return self.nodes(node.otherwise, dot)
        for element in elements:
            for name, part in zip(names, element[-len(names):] if names else ()):
                self._set(name, part, node.pipeline.declares)
            self.nodes(node.body, element[1])
            del self._variables[outer:]

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        values: tuple[Any, ...] = ()
        for command in pipeline.commands:
            values = (self._command(command, dot, values),)
        return values[0]

    def _command(self, command: Command, dot: Any, last: tuple[Any, ...]) -> Any:
        self._step()
        head = command[0]
        if not isinstance(head, Function):
            return self._operand(head, dot)
        if head.name in STOPS_AT:
            return self._first(STOPS_AT[head.name], command, dot, last)
        arguments = (*(self._operand(operand, dot) for operand in command[1:]), *last)
        try:
            return FUNCTIONS[head.name](*arguments)
        except (TypeError, IndexError) as error:
            raise TemplateError(f"{head.name}: wrong number of arguments") from error

    def _first(self, truth: bool, command: Command, dot: Any, last: tuple[Any, ...]) -> Any:
        """Return the first argument of a truth, or else the last one."""
        value, count = None, 0
        for count, operand in enumerate((*command[1:], *map(Constant, last)), 1):
            value = self._operand(operand, dot)
            if bool(value) == truth:
                break
        if not count:
            raise TemplateError("and, or: wrong number of arguments")
        return value

    def _operand(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Constant):
            return operand.value
        if isinstance(operand, Function):
            return self._command((operand,), dot, ())
        if operand.base is None:
            value = dot
        elif isinstance(operand.base, Pipeline):
            value = self._pipeline(operand.base, dot)
        else:
            value = self._variables[self._place(operand.base)][1]
        for field in operand.fields:
            if value is not None and not isinstance(value, Mapping):
                raise TemplateError(f"no field .{field} in {text_of(value)[:40]!r}")
            value = value.get(field) if value else None
        return value

    def _set(self, name: str, value: Any, declares: bool) -> None:
        if declares:
            self._variables.append((name, value))
            return
        self._variables[self._place(name)] = (name, value)

    def _place(self, name: str) -> int:
        """Return the place of a variable. One that another branch declares has no value, but is parsed."""
        place = next((place for place in range(len(self._variables) - 1, -1, -1) if self._variables[place][0] == name), None)
        if place is None:
            raise TemplateError(f"variable {name} has no value in this branch")
        return place

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise TemplateError(f"the text is longer than {MAX_TEXT} characters")
        self.output.append(text)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateError(f"more than {MAX_STEPS} steps")

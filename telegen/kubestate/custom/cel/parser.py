"""Parser of expressions, by operator precedence."""

from __future__ import annotations

from telegen.kubestate.custom.cel.errors import InvalidExpression
from telegen.kubestate.custom.cel.lexer import END, LITERAL, NAME, SYMBOL, Token, tokens
from telegen.kubestate.custom.cel.numbers import INT_MAX, UInt
from telegen.kubestate.custom.cel.syntax import (
    MAX_HEIGHT,
    Call,
    Conditional,
    Has,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Operation,
    Select,
)

MAX_NESTING = 50
"""Levels of brackets: the parser has up to 11 calls per level, and Python ends at 1,000."""
_LEVELS = (("||",), ("&&",), ("<", "<=", ">", ">=", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
"""Binary operators, from the weakest to the strongest."""
_MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3), "optMap": (2,), "optFlatMap": (2,)}
"""Numbers of arguments of each macro."""
_RESERVED = frozenset(
    "as break const continue else for function if import in let loop package namespace return var void while".split()
)
_NOW = "the value would be that of the last change of the object; show the time of the object and subtract it in the query: time() - NAME"


def parse(text: str) -> Node:
    """Parse an expression.

    Raises:
        InvalidExpression: with the column, the cause and the cure.
    """
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, all_tokens: list[Token]) -> None:
        self._tokens, self._place, self._depth = all_tokens, 0, 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind is not END
        return token

    def _accept(self, *symbols: str) -> Token | None:
        return self._take() if self._next.kind is SYMBOL and self._next.text in symbols else None

    def _expect(self, symbol: str) -> Token:
        token = self._accept(symbol)
        if token is None:
            raise InvalidExpression(f"expected {symbol}, got {self._next.text}", self._next.position)
        return token

    def whole(self) -> Node:
        """Return the tree of all tokens."""
        node = self._expression()
        if self._next.kind is not END:
            raise InvalidExpression(f"unexpected {self._next.text}; write an operator before it, or remove it", self._next.position)
        return node

    def _expression(self) -> Node:
        """Parse a conditional, or what is stronger."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise InvalidExpression(f"more than {MAX_NESTING} levels of nesting; split the expression", self._next.position)
        node = self._binary(0)
        question = self._accept("?")
        if question:
            if self._next.text == ".":
                raise InvalidExpression("? has no field before it; write an optional field as a.?b", question.position)
            yes = self._binary(0)
            self._expect(":")
            node = self._checked(Conditional(node.position, node, yes, self._expression()))
        self._depth -= 1
        return node

    def _binary(self, level: int) -> Node:
        """Parse operators from a level on; those of one level group from the left."""
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        if level < 2:
            return self._logic(node, level)
        while self._next.text in _LEVELS[level] and self._next.kind in (SYMBOL, NAME):
            operator = self._take()
            node = self._checked(Operation(operator.position, operator.text, (node, self._binary(level + 1))))
        return node

    def _logic(self, first: Node, level: int) -> Node:
        operator, operands = _LEVELS[level][0], [first]
        while self._accept(operator):
            operands.append(self._binary(level + 1))
        return self._checked(Logic(first.position, operator, tuple(operands))) if len(operands) > 1 else first

    def _unary(self) -> Node:
        """Parse an operand. As in CEL, an even number of signs, or of negations, has no effect, whatever the operand is."""
        sign = self._accept("!", "-")
        count = int(sign is not None)
        while sign and self._accept(sign.text):
            count += 1
        number = self._next
        if sign and sign.text == "-" and number.kind is LITERAL and _is_number(number.value):
            self._take()
            count -= 1
            node = self._members(Literal(sign.position, -number.value))
        else:
            node = self._members(self._primary())
        return self._checked(Operation(sign.position, sign.text, (node,))) if sign and count % 2 else node

    def _members(self, node: Node) -> Node:
        """Parse fields, indexes and calls of methods after an operand."""
        while token := self._accept(".", ".?", "[", "[?"):
            if token.text in ("[", "[?"):
                node = Index(token.position, node, self._expression(), token.text == "[?")
                self._expect("]")
            else:
                node = self._member(node, token)
            self._checked(node)
        return node

    def _member(self, operand: Node, dot: Token) -> Node:
        name = self._take()
        if name.kind is not NAME:
            raise InvalidExpression(f"expected the name of a field after {dot.text}, got {name.text}", name.position)
        if dot.text == "." and not name.text.startswith("`") and self._accept("("):
            return _method(operand, name, self._list(")"))
        return Select(name.position, operand, name.value, dot.text == ".?")

    def _primary(self) -> Node:
        token = self._take()
        if token.kind is LITERAL:
            if token.value.__class__ is int and token.value > INT_MAX:
                raise InvalidExpression(f"{token.text} is out of range; write a float, such as 1e20", token.position)
            return Literal(token.position, token.value)
        if token.kind is NAME:
            return self._named(token)
        if token.text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if token.text == "[":
            return self._checked(ListOf(token.position, tuple(self._list("]"))))
        if token.text == "{":
            return self._map(token)
        raise InvalidExpression(f"expected a value, got {token.text}", token.position)

    def _named(self, token: Token) -> Node:
        if token.text in _RESERVED:
            raise InvalidExpression(f"{token.text} is a reserved word; for a field of the object write object.{token.text}", token.position)
        if not self._accept("("):
            if self._next.text == "{" and self._next.kind is SYMBOL:
                cure = "write a map, such as {'a': 1}"
                raise InvalidExpression(f"{token.text}{{}} constructs a message, which is not supported; {cure}", token.position)
            return Name(token.position, token.value)
        arguments = self._list(")")
        if token.text == "has":
            return _has(token, arguments)
        if token.text == "now":
            raise InvalidExpression(f"now() is not supported: {_NOW}", token.position)
        return self._checked(Call(token.position, token.text, None, tuple(arguments)))

    def _map(self, brace: Token) -> Node:
        keys, values = [], []
        while not self._accept("}"):
            keys.append(self._expression())
            self._expect(":")
            values.append(self._expression())
            if not self._accept(","):
                self._expect("}")
                break
        return self._checked(MapOf(brace.position, tuple(keys), tuple(values)))

    def _list(self, closing: str) -> list[Node]:
        items: list[Node] = []
        while not self._accept(closing):
            items.append(self._expression())
            if not self._accept(","):
                self._expect(closing)
                break
        return items

    def _checked(self, node: Node) -> Node:
        if node.height > MAX_HEIGHT:
            raise InvalidExpression(f"more than {MAX_HEIGHT} operators in a row or levels of nesting; split the expression", node.position)
        return node


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, (bool, UInt))


def _has(token: Token, arguments: list[Node]) -> Node:
    select = arguments[0] if len(arguments) == 1 else None
    if not isinstance(select, Select) or select.is_optional:
        raise InvalidExpression("has() expects one field, such as has(status.phase)", token.position)
    return Has(token.position, select)


def _method(operand: Node, name: Token, arguments: list[Node]) -> Node:
    if name.text not in _MACROS:
        return Call(name.position, name.text, operand, tuple(arguments))
    if len(arguments) not in _MACROS[name.text] or not isinstance(arguments[0], Name):
        raise InvalidExpression(f"{name.text}() expects a variable and an expression: {name.text}(x, x.ready)", name.position)
    *condition, body = arguments[1:]
    return Macro(name.position, name.text, operand, arguments[0].name, body, condition[0] if condition else None)

"""The grammar of the Common Expression Language, as far as selectors of devices need it.

`parse` makes a tree of what it can read. A part that it cannot read becomes `Unreadable`, so that
the rest of an expression may still decide; one that is no expression at all is `Unreadable` too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MOST_NESTED = 40
_TOKEN = re.compile(
    r"""\s*(?://[^\n]*\n\s*)*(?:
        (?P<text>(?P<prefix>[rR]?)(?:"(?P<double>(?:[^"\\\n]|\\.)*)"|'(?P<single>(?:[^'\\\n]|\\.)*)'))
      | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
      | (?P<int>0x[0-9a-fA-F]{1,16}|[0-9]{1,19})(?!\w)
      | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)(?!["'])
      | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!?:.,()\[\]+*/%-])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?", "n": "\n", "t": "\t", "r": "\r"}
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_ARITHMETIC = frozenset("+-*/%")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a whole number, or a truth value."""

    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``base.key`` or ``base[key]``."""

    base: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``, or ``target.function(arguments)``."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator and what stands around it: ``! && || ?`` or a relation."""

    sign: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """``[item, ...]``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part that this parser does not know."""


Node = Literal | Name | Select | Call | Operation | Listing | Unreadable
_UNREADABLE = Unreadable()


def parse(expression: str) -> Node:
    """The tree of an expression."""
    try:
        parser = _Parser(_tokens(expression))
        node = parser.expression()
        parser.expect("")
    except _NotReadError:
        return _UNREADABLE
    return node


class _NotReadError(Exception):
    """The text is not of this grammar."""


Token = tuple[str, str]
"""What it is (text, float, int, name, sign or end), and its text."""


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _NotReadError
        kind = next(kind for kind in ("text", "float", "int", "name", "sign") if match[kind])
        tokens.append((kind, _text(match) if kind == "text" else match[kind]))
        place = match.end()
    return [*tokens, ("end", "")]


def _text(match: re.Match[str]) -> str:
    inside = match["double"] if match["double"] is not None else match["single"]
    if match["prefix"]:
        return inside
    if any(escape not in _ESCAPED for escape in _ESCAPE.findall(inside)):
        raise _NotReadError
    return _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], inside)


def _integer(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


class _Parser:
    """Recursive descent, one method for each level of CEL's precedence."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def expression(self) -> Node:
        self._go_deeper()
        node = self._chain("||")
        if self._take("?"):
            then = self.expression()
            self.expect(":")
            node = Operation("?", (node, then, self.expression()))
        self._depth -= 1
        return node

    def expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _NotReadError

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise _NotReadError

    def _chain(self, sign: str) -> Node:
        operands = [self._chain("&&") if sign == "||" else self._relation()]
        while self._take(sign):
            operands.append(self._chain("&&") if sign == "||" else self._relation())
        return operands[0] if len(operands) == 1 else Operation(sign, tuple(operands))

    def _relation(self) -> Node:
        node = self._sum()
        if (sign := self._next()) in _RELATIONS:
            self._place += 1
            node = Operation(sign, (node, self._sum()))
        return node

    def _sum(self) -> Node:
        node = self._unary()
        while self._next() in _ARITHMETIC:
            self._place += 1
            self._unary()
            node = _UNREADABLE
        return node

    def _unary(self) -> Node:
        if self._take("!"):
            self._go_deeper()
            node: Node = Operation("!", (self._unary(),))
            self._depth -= 1
            return node
        if self._take("-"):
            kind, number = self._token()
            if kind != "int":
                raise _NotReadError
            return Literal(-_integer(number))
        return self._member()

    def _member(self) -> Node:
        node = self._primary()
        for _ in range(_MOST_NESTED):
            if self._take("."):
                kind, name = self._token()
                if kind != "name":
                    raise _NotReadError
                if self._take("("):
                    node = Call(name, node, self._items(")"))
                else:
                    node = Select(node, Literal(name))
            elif self._take("["):
                node = Select(node, self.expression())
                self.expect("]")
            else:
                return node
        raise _NotReadError

    def _primary(self) -> Node:
        kind, text = self._token()
        node: Node = _UNREADABLE
        match kind:
            case "text":
                node = Literal(text)
            case "int":
                node = Literal(_integer(text))
            case "name" if text in ("true", "false"):
                node = Literal(text == "true")
            case "name":
                node = Call(text, None, self._items(")")) if self._take("(") else Name(text)
            case "sign" if text == "(":
                node = self.expression()
                self.expect(")")
            case "sign" if text == "[":
                node = Listing(self._items("]"))
            case "sign" | "end":
                raise _NotReadError
        return node

    def _items(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._take(end):
            if items:
                self.expect(",")
            items.append(self.expression())
        return tuple(items)

    def _next(self) -> str:
        """The sign or the word ``in`` that comes next; for anything else a blank."""
        kind, text = self._tokens[self._place]
        return text if kind in ("sign", "end") or (kind, text) == ("name", "in") else " "

    def _token(self) -> Token:
        token = self._tokens[self._place]
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def _take(self, sign: str) -> bool:
        if self._next() != sign:
            return False
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return True

"""YAML as a tree that remembers its lines, and refuses what YAML would accept in silence.

PyYAML keeps the last of two equal keys, reads a group called ``no`` as a boolean and a version
``1.10`` as 1.1. An admin has no way to notice, so here the first is an error, and for the others
the text as it was written is kept beside the value.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.composer import ComposerError
from yaml.events import AliasEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from gpuspawner.catalog.problems import Path, Problem, bare, field_name, shortened, shown
from gpuspawner.catalog.tree import Branch, Place, Scalar, described

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 50_000
"""Bounds what a few lines of nested aliases can expand to."""

_TAG: Final = "tag:yaml.org,2002:"
# `=` and a date are text here: no field of a catalog is either.
_TEXT_TAGS = frozenset(_TAG + name for name in ("str", "value", "timestamp", "merge"))
_KINDS: dict[type[Node], str] = {MappingNode: _TAG + "map", SequenceNode: _TAG + "seq"}
_INT_BOUND: Final = 2**63
_LONGEST_YAML_WORDS: Final = 200


def read_document(text: str, file: str) -> tuple[Branch | None, list[Problem]]:
    """The tree of a YAML text, and what is wrong with the text as YAML.

    The tree is None when nothing more can be said about it. Aliases are expanded and merge keys
    (``<<``) applied, each value keeping the line it was written on.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = _Lines(text)
    loader = None
    try:
        loader = _Composer(text)
        node = loader.get_single_node()
        if node is None:
            return None, [_at(Place(1, 1), file, "the catalog is empty", "it needs `profiles`")]
        builder = _Builder(file, loader, lines)
        root = builder.build(node, (), lines.of(node))
    except ReaderError as error:
        message = f"the character {_character(error)!r} is not allowed in YAML"
        return None, [_at(lines.place(error.position), file, message)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        return None, [_not_yaml(file, lines.place(mark.index if mark else 0), words)]
    except (ValueError, OverflowError) as error:
        # PyYAML lets chr() and int() speak for themselves on "\UFFFFFFFF" and %YAML 1.999...
        return None, [_not_yaml(file, lines.place(loader.index if loader else 0), str(error))]
    if not isinstance(root.value, dict):
        message = f"the catalog must be a mapping of sections, not {described(root)}"
        hint = "start with `profiles:`"
        return None, [*builder.problems, _at(root.place, file, message, hint)]
    return root, [*builder.problems]


def _at(place: Place, file: str, message: str, hint: str | None = None) -> Problem:
    return Problem(file, place.line, "", message, hint, place.column)


def _not_yaml(file: str, place: Place, words: str) -> Problem:
    said = shortened(" ".join(words.split()), _LONGEST_YAML_WORDS)
    return _at(place, file, f"this is not YAML: {said}")


def _character(error: ReaderError) -> str:
    # The stubs say str; for a text that was decoded already it is the code point.
    found: str | int = error.character
    return chr(found) if isinstance(found, int) else found


class _Lines:
    """Lines as editors count them: YAML 1.1 also breaks at U+0085, U+2028 and U+2029."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def place(self, index: int) -> Place:
        before = bisect_left(self._ends, index)
        return Place(before + 1, index - (self._ends[before - 1] if before else -1))

    def of(self, node: Node) -> Place:
        return self.place(node.start_mark.index)

    def of_entry(self, key: Node, value: Node) -> Place:
        """A block that starts below its key is looked for at the key."""
        return self.of(value if isinstance(value, ScalarNode) and value.value else key)


class _Composer(yaml.SafeLoader):
    """PyYAML's safe composer, which recurses, with a bound on the recursion."""

    depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]  # stubs lack it
        if isinstance(event, AliasEvent):
            return super().compose_node(parent, index)
        if self.depth >= MAX_DEPTH:
            words = f"values are nested more than {MAX_DEPTH} deep"
            raise ComposerError(None, None, words, self.get_mark())
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


@dataclass(slots=True)
class _Builder:
    """Turns nodes into branches; remembers what it had to refuse on the way."""

    file: str
    loader: _Composer
    lines: _Lines
    problems: dict[Problem, None] = field(default_factory=dict)
    count: int = 0
    open: list[int] = field(default_factory=list)

    def build(self, node: Node, path: Path, place: Place) -> Branch:
        self.count += 1
        if self.count > MAX_VALUES:
            words = f"aliases expand the catalog to more than {MAX_VALUES} values"
            raise ComposerError(None, None, words, node.start_mark)
        if id(node) in self.open:
            words = "the value contains itself through an alias"
            raise ComposerError(None, None, words, node.start_mark)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path, place)
        if node.tag != _KINDS[type(node)]:
            self._refuse_tag(node, path)
        self.open.append(id(node))
        try:
            if isinstance(node, MappingNode):
                return Branch(path, place, self._mapping(node, path))
            items = enumerate(node.value)
            return Branch(
                path,
                place,
                [self.build(item, (*path, n), self.lines.of(item)) for n, item in items],
            )
        finally:
            self.open.pop()

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Branch]:
        entries: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode) and key_node.tag == _TAG + "merge":
                merged.extend(self._merge_sources(value_node, path))
                continue
            key = self._key(key_node, path)
            if key is not None and key in entries:
                first = self.lines.of(entries[key][0]).line
                message = f"the key {shown(key)} is written twice"
                self._report(key_node, (*path, key), message, f"the first is on line {first}")
            elif key is not None:
                entries[key] = (key_node, value_node)
        branches = {
            key: self.build(value, (*path, key), self.lines.of_entry(key_node, value))
            for key, (key_node, value) in entries.items()
        }
        for source in merged:
            inherited = self.build(source, path, self.lines.of(source)).value
            if isinstance(inherited, dict):
                branches = {**inherited, **branches}
        return branches

    def _merge_sources(self, value: Node, path: Path) -> Iterator[Node]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        for source in sources:
            if isinstance(source, MappingNode):
                yield source
            else:
                self._report(source, path, "`<<` merges mappings only", None)

    def _key(self, node: Node, path: Path) -> str | None:
        if not isinstance(node, ScalarNode):
            self._report(node, path, "a key must be text, not a list or a mapping", None)
            return None
        key = str(node.value)
        branch = self._scalar(node, (*path, key), self.lines.of(node))
        if not isinstance(branch.value, str):
            message = f"a key must be text, not {described(branch)}"
            hint = f'quote it: "{bare(key)}"' if key else "write the key before the colon"
            self._report(node, (*path, key), message, hint)
        return key

    def _scalar(self, node: ScalarNode, path: Path, place: Place) -> Branch:
        text = str(node.value)
        fault = text_fault(text)
        if fault is not None:
            self._report(node, path, fault, None)
        return Branch(path, place, self._value(node, text, path), text)

    def _value(self, node: ScalarNode, text: str, path: Path) -> Scalar:
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        if kind in ("bool", "int", "float"):
            return self._converted(node, kind, text, path)
        if node.tag not in _TEXT_TAGS:
            self._refuse_tag(node, path)
        return text

    def _converted(self, node: ScalarNode, kind: str, text: str, path: Path) -> Scalar:
        quote = f'quote it: "{bare(text)}"'
        if kind != "bool" and ":" in text:
            self._report(node, path, f"YAML reads {bare(text)} as a number to base 60", quote)
            return text
        try:
            if kind == "bool":
                return bool(self.loader.construct_yaml_bool(node))
            if kind == "int":
                return self._bounded(node, int(self.loader.construct_yaml_int(node)), path)
            return self._bounded(node, float(self.loader.construct_yaml_float(node)), path)
        except (ValueError, IndexError, KeyError, OverflowError):
            self._report(node, path, f"{shown(text)} is not what its tag says", quote)
            return text

    def _bounded(self, node: ScalarNode, number: float, path: Path) -> int | float:
        # The comparison is false for nan also.
        if abs(number) < _INT_BOUND:
            return number
        self._report(node, path, f"the number {shown(node.value)} is out of range", None)
        return 0

    def _refuse_tag(self, node: Node, path: Path) -> None:
        self._report(node, path, f"the YAML tag {shown(node.tag)} is not allowed", "leave it out")

    def _report(self, node: Node, path: Path, message: str, hint: str | None) -> None:
        line, column = self.lines.of(node)
        self.problems[Problem(self.file, line, field_name(path), message, hint, column)] = None


def text_fault(text: str) -> str | None:
    """Kubernetes' API takes neither NUL nor half a surrogate pair, which YAML can escape."""
    for character in text:
        if "\ud800" <= character <= "\udfff" or (character < " " and character not in "\t\n\r"):
            return f"the character {character!r} is not allowed"
    return None

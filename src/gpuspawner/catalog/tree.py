"""The catalog as a tree of plain values that know where they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gpuspawner.catalog.problems import Path, bare, shown

Scalar = str | int | float | bool | None


class Place(NamedTuple):
    """Where something was written, as editors count: both from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)
"""Of what was not read from a text."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One value of the document: what it is, where it was written, and as what text.

    `path` is where the document has it, also after `edited` has closed gaps in lists.
    """

    path: Path
    place: Place
    value: Scalar | dict[str, Branch] | list[Branch]
    text: str = ""

    @property
    def line(self) -> int:
        """The line it was written on."""
        return self.place.line

    def plain(self) -> Any:
        """The value as Python's own str, int, float, bool, None, dict and list."""
        if isinstance(self.value, dict):
            return {key: branch.plain() for key, branch in self.value.items()}
        if isinstance(self.value, list):
            return [branch.plain() for branch in self.value]
        return self.value

    def leaves(self) -> Iterator[Branch]:
        """The values that hold no others, and as such each key of a mapping."""
        if isinstance(self.value, dict):
            for key, branch in self.value.items():
                yield Branch((*self.path, key), self.place, key, key)
                yield from branch.leaves()
        elif isinstance(self.value, list):
            for branch in self.value:
                yield from branch.leaves()
        else:
            yield self

    def walk(self, path: Path) -> tuple[Branch, Path]:
        """The deepest branch on `path`, and the steps that lead nowhere in the document."""
        branch = self
        for taken, step in enumerate(path):
            if isinstance(branch.value, dict) and isinstance(step, str) and step in branch.value:
                branch = branch.value[step]
            elif isinstance(branch.value, list) and step in range(len(branch.value)):
                branch = branch.value[int(step)]
            else:
                return branch, path[taken:]
        return branch, ()

    def edited(
        self,
        replaced: Mapping[Path, Branch | None],
        added: Mapping[Path, Mapping[str, Branch]],
    ) -> Branch:
        """The tree with other branches at some paths, or none for None, and with more fields.

        Both are keyed by `path` (in the document); `added` by that of the mapping they go into.
        """
        if isinstance(self.value, dict):
            named = {
                key: replaced[branch.path]
                if branch.path in replaced
                else branch.edited(replaced, added)
                for key, branch in self.value.items()
            }
            kept = {key: branch for key, branch in named.items() if branch is not None}
            return replace(self, value={**added.get(self.path, {}), **kept})
        if isinstance(self.value, list):
            items = (
                replaced[branch.path] if branch.path in replaced else branch.edited(replaced, added)
                for branch in self.value
            )
            return replace(self, value=[branch for branch in items if branch is not None])
        return self


def branch_of(plain: Any, path: Path = ()) -> Branch:
    """The tree of a value as JSON has it, which has no lines."""
    if isinstance(plain, dict):
        mapping = {str(key): branch_of(value, (*path, str(key))) for key, value in plain.items()}
        return Branch(path, NOWHERE, mapping)
    if isinstance(plain, list | tuple):
        return Branch(
            path, NOWHERE, [branch_of(value, (*path, at)) for at, value in enumerate(plain)]
        )
    return Branch(path, NOWHERE, plain, "" if plain is None else str(plain))


def described(branch: Branch) -> str:
    """What was found, in an admin's words."""
    match branch.value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return (
                "nothing"
                if not branch.text
                else f"{bare(branch.text)}, which YAML reads as nothing"
            )
        case bool():
            return f"{bare(branch.text)}, which YAML reads as a boolean"
        case int() | float():
            return f"the number {bare(branch.text)}"
        case _:
            return f"the text {shown(branch.value)}"

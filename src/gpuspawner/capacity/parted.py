"""A mapping in a form of which copies cost little."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from itertools import chain
from typing import TypeVar, overload

V = TypeVar("V")
D = TypeVar("D")
_PARTS = 64


class PartedMapping(MutableMapping[str, V]):
    """Values by name, kept in parts that copies share until one of them changes a part.

    With thousands of nodes, to give a whole copy away after each change would cost more than all
    else that is done about the change.
    """

    __slots__ = ("_count", "_own", "_parts")

    def __init__(self) -> None:
        self._parts: list[dict[str, V]] = [{} for _ in range(_PARTS)]
        # Indices of the parts that no copy has.
        self._own = set(range(_PARTS))
        self._count = 0

    def copy(self) -> PartedMapping[V]:
        """The same values; what is changed in one of the two does not change in the other."""
        new: PartedMapping[V] = PartedMapping.__new__(PartedMapping)
        new._parts, new._own, new._count = self._parts.copy(), set(), self._count
        self._own.clear()
        return new

    __copy__ = copy

    def __getitem__(self, name: str) -> V:
        return self._parts[hash(name) % _PARTS][name]

    @overload
    def get(self, key: str, /) -> V | None: ...
    @overload
    def get(self, key: str, /, default: V | D) -> V | D: ...
    def get(self, key: str, /, default: object = None) -> object:
        """As of any mapping; the inherited one would raise and catch an error for each miss."""
        return self._parts[hash(key) % _PARTS].get(key, default)

    def __contains__(self, name: object) -> bool:
        return name in self._parts[hash(name) % _PARTS]

    def __setitem__(self, name: str, value: V) -> None:
        part = self._part_to_change(name)
        self._count += name not in part
        part[name] = value

    def __delitem__(self, name: str) -> None:
        del self._part_to_change(name)[name]
        self._count -= 1

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"PartedMapping({self._whole()})"

    def items(self) -> ItemsView[str, V]:
        """All of them; to look up one after another takes several times as long."""
        return self._whole().items()

    def values(self) -> ValuesView[V]:
        """All of them; to look up one after another takes several times as long."""
        return self._whole().values()

    def _whole(self) -> dict[str, V]:
        return dict(chain.from_iterable(part.items() for part in self._parts))

    def _part_to_change(self, name: str) -> dict[str, V]:
        number = hash(name) % _PARTS
        if number not in self._own:
            self._parts[number] = self._parts[number].copy()
            self._own.add(number)
        return self._parts[number]

"""How many pods of a kind are near, by the domains of nodes that share a label's value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Near:
    """How many pods of a kind there are by domain: for certain, and perhaps besides.

    Attributes:
        keys: the labels by which any is counted.
    """

    def __init__(self, other: Near | None = None) -> None:
        self.keys: set[str] = set(other.keys) if other else set()
        self._certain: Counter[tuple[str, str]] = Counter(other._certain if other else ())
        self._perhaps: Counter[tuple[str, str]] = Counter(other._perhaps if other else ())

    def add(self, key: str, labels: Mapping[str, str], number: int, *, is_so: bool | None) -> None:
        """Count pods on a node with these labels."""
        domain = labels.get(key)
        if domain is None or is_so is False:
            return
        self.keys.add(key)
        counts = self._certain if is_so else self._perhaps
        counts[key, domain] += number
        if not counts[key, domain]:
            del counts[key, domain]

    def add_all(
        self, key: str, labels: Mapping[str, str], number: int, answers: list[bool | None]
    ) -> None:
        """Count `number` for each of some pods, of which it is so or not."""
        for is_so in (True, None):
            if times := answers.count(is_so):
                self.add(key, labels, number * times, is_so=is_so)

    def anywhere(self) -> bool | None:
        """Whether there is any in a domain; None if there may be."""
        return True if self._certain else None if self._perhaps else False

    def beside(self, key: str, labels: Mapping[str, str]) -> bool | None:
        """Whether there is one in the domain of a node with these labels."""
        domain = labels.get(key)
        if domain is None:
            return False
        if self._certain[key, domain] > 0:
            return True
        return None if self._perhaps[key, domain] > 0 else False

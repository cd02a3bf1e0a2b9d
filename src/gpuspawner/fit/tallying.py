"""Findings of many nodes summed up, so that one node can be taken out and put back."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar

from gpuspawner.capacity.parted import PartedMapping
from gpuspawner.fit.examining import Finding
from gpuspawner.fit.reasons import Hindrance
from gpuspawner.fit.transitions import Note

_K = TypeVar("_K")
_LASTING = frozenset({Hindrance.NOT_FOR_POD, Hindrance.TOO_LARGE})
_ONLY_FULL = frozenset({Hindrance.FULL})


@dataclass(slots=True)
class Tally:
    """The sums over the findings of some nodes.

    Attributes:
        total: how many nodes.
        slots: by the name of each node that takes the pod.
        room: the sum of them.
        slots_if_empty: over the nodes that are for the pod.
        closed_slots: those of them on nodes that take no pods at present.
        reasons: number of nodes by the words of the first check that refuses.
        eligible: names of the nodes that are for the pod.
        lasting: how many nodes cannot take it, whatever leaves them.
        closed: how many are for it and large enough, but take no pods at present.
        short: how many are for it, large enough and open, but full, by what they are short of.
        free: number of nodes by device and by how many are left there, zeros left out.
        devices: how many there are of each device on the nodes that are for it, zeros left out.
        held: how many of these pods hold, zeros left out.
        notes: on how many nodes that are for it something is going on.
        evictable: names of the nodes where eviction could make room.
        largest: the most of each resource that a node that is for the pod has in all, once somebody
            has found out; whoever puts or drops another node resets it.
        changes: how often anything here has changed.
    """

    total: int = 0
    slots: PartedMapping[int] = field(default_factory=PartedMapping)
    room: int = 0
    slots_if_empty: int = 0
    closed_slots: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    eligible: set[str] = field(default_factory=set)
    lasting: int = 0
    closed: int = 0
    short: dict[frozenset[str], int] = field(default_factory=dict)
    free: dict[tuple[str, int], int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    notes: dict[Note, int] = field(default_factory=dict)
    evictable: set[str] = field(default_factory=set)
    largest: Mapping[str, int] | None = None
    changes: int = 0

    def put(self, name: str, finding: Finding) -> None:
        """Count a node."""
        self._count(finding, +1)
        self.changes += 1
        if not finding.first:
            self.slots[name] = finding.slots
            self.room += finding.slots
        if Hindrance.NOT_FOR_POD not in finding.hindrances:
            self.eligible.add(name)
        if finding.evictable:
            self.evictable.add(name)

    def drop(self, name: str, finding: Finding) -> None:
        """Count a node no longer; `finding` is what it was counted by."""
        self._count(finding, -1)
        self.changes += 1
        if not finding.first:
            del self.slots[name]
            self.room -= finding.slots
        self.eligible.discard(name)
        self.evictable.discard(name)

    def exchange(self, name: str, before: Finding, finding: Finding) -> None:
        """Count a node anew on which pods came or went; `before` is what it was counted by."""
        if before.first or finding.first:
            self.drop(name, before)
            self.put(name, finding)
            return
        # It took the pod and still does: all that may differ is for how many there is room.
        self.changes += 1
        self.slots[name] = finding.slots
        self.room += finding.slots - before.slots
        if finding.free != before.free:
            self._count_free(before, -1)
            self._count_free(finding, +1)
        if finding.held != before.held:
            self._count_held(before, -1)
            self._count_held(finding, +1)

    def copy(self) -> Tally:
        """The sums as they are now."""
        return Tally(**{name: copy(getattr(self, name)) for name in self.__slots__})

    def _count(self, finding: Finding, sign: int) -> None:
        self.total += sign
        self.slots_if_empty += sign * finding.slots_if_empty
        hindrances = finding.hindrances
        if hindrances:
            for reason in finding.first:
                _add(self.reasons, reason.words, sign)
            is_lasting = not _LASTING.isdisjoint(hindrances)
            self.lasting += sign * is_lasting
            if Hindrance.CLOSED in hindrances:
                self.closed += sign * (not is_lasting)
                self.closed_slots += sign * finding.slots_if_empty
            if hindrances == _ONLY_FULL and finding.short:
                _add(self.short, finding.short, sign)
        for note in finding.notes:
            _add(self.notes, note, sign)
        for device, number in finding.devices:
            _add(self.devices, device, sign * number)
        self._count_free(finding, sign)
        self._count_held(finding, sign)

    def _count_free(self, finding: Finding, sign: int) -> None:
        for block in finding.free:
            if block[1]:
                _add(self.free, block, sign)

    def _count_held(self, finding: Finding, sign: int) -> None:
        for device, number in finding.held:
            _add(self.held, device, sign * number)


def _add(counts: dict[_K, int], key: _K, more: int) -> None:
    number = counts.get(key, 0) + more
    if number:
        counts[key] = number
    else:
        del counts[key]

"""KubeSpawner's own ``profile_list`` on one spawner, asked for and read.

Of KubeSpawner 7.0 and 7.1 this leans on ``profile_list`` (a list, a mapping, or a function of the
spawner, perhaps async) and on ``_deprecated_traits``, old names that its overrides still take.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog, Stocked, Traits, with_profile_list
from gpuspawner.pod import copied
from gpuspawner.policy import Person, open_to

_PERIOD = 60.0
"""Seconds in which the same is logged once."""
_last_logged: dict[str, float] = {}
_MOST_LOGGED = 200


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a list comes to beside a catalog."""

    given: object
    catalog: Catalog | None
    spawner_class: type[KubeSpawner]
    stocked: Stocked


_reads: deque[_Reading] = deque(maxlen=4)
"""The last readings, the newest first: a hub has one list, and for a moment two catalogs."""


class ProfileList:
    """The entries of a spawner's ``profile_list``, beside a catalog.

    Args:
        spawner: whose list it is.
    """

    def __init__(self, spawner: KubeSpawner) -> None:
        self._spawner = spawner
        self._given: object = None
        self._asked_at = -math.inf
        self._read: tuple[object, Catalog | None, Stocked] | None = None
        self._opened: tuple[Catalog, Person, Catalog] | None = None
        self.is_failing = False
        """Whether the function that gives the list has raised, so that its entries are missing."""

    @property
    def is_set(self) -> bool:
        """Whether the operator has one at all; an empty list is none."""
        return bool(self._spawner.profile_list)

    @property
    def is_function(self) -> bool:
        """Whether it has to be asked for each time."""
        return callable(self._spawner.profile_list)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the entries that are offered to nobody, as far as it was read."""
        return self._read[2].problems if self._read is not None else ()

    async def ask(self, may_be_old: float = 0.0) -> None:
        """Have the list as it is now; what the function raises that gives it is logged.

        Args:
            may_be_old: seconds for which the last answer is good enough.
        """
        now = time.monotonic()
        if not self.is_set or now - self._asked_at < may_be_old:
            return
        try:
            given = self._spawner.profile_list
            if self.is_function:
                given = await maybe_future(given(self._spawner))
        except Exception as error:  # noqa: BLE001 - the operator's own function; the catalog's profiles stay
            self._given, self.is_failing = None, True
            log_once_a_minute(self._spawner.log, f"profile_list raises {error!r}", error)
        else:
            self.is_failing = False
            if given != self._given:
                # Its own, since hooks and functions write into the one that they gave.
                self._given = copied(given)
        self._asked_at = now

    def beside(self, catalog: Catalog | None, person: Person) -> Catalog:
        """A catalog with the entries after its own profiles, and the choices open to a person.

        The list is as it was when it was last asked for.

        Args:
            catalog: None where the list is all there is.
            person: whose server it is.
        """
        if self._given is None and not self.is_function:
            self._given = copied(self._spawner.profile_list)
        given = self._given
        read = self._read
        if read is None or read[0] is not given or read[1] is not catalog:
            read = self._read = (given, catalog, self._stocked(given, catalog))
        opened = self._opened
        if opened is None or opened[0] is not read[2].catalog or opened[1] != person:
            opened = self._opened = (read[2].catalog, person, open_to(read[2].catalog, person))
        return opened[2]

    def _stocked(self, given: object, catalog: Catalog | None) -> Stocked:
        read = _read_for_all if not self.is_function else _read_of_a_function
        stocked = read(given, catalog, type(self._spawner))
        for problem in stocked.problems:
            log_once_a_minute(self._spawner.log, problem)
        return stocked


def _read(given: object, catalog: Catalog | None, spawner_class: type[KubeSpawner]) -> Stocked:
    return with_profile_list(given, catalog, traits_of(spawner_class))


def _read_of_a_function(
    given: object, catalog: Catalog | None, spawner_class: type[KubeSpawner]
) -> Stocked:
    stocked = _read(given, catalog, spawner_class)
    profiles = tuple(
        each if each.entry is None else each.of_entry(replace(each.entry, is_made=True))
        for each in stocked.catalog.profiles
    )
    return replace(stocked, catalog=stocked.catalog.model_copy(update={"profiles": profiles}))


def _read_for_all(
    given: object, catalog: Catalog | None, spawner_class: type[KubeSpawner]
) -> Stocked:
    """`_read`, once for all spawners that have the same list: each has a copy of its own."""
    for each in _reads:
        is_for = each.catalog is catalog and each.spawner_class is spawner_class
        if is_for and _are_equal(each.given, given):
            return each.stocked
    stocked = _read(given, catalog, spawner_class)
    # A copy: a hook may write into the one that its spawner has.
    _reads.appendleft(_Reading(copied(given), catalog, spawner_class, stocked))
    return stocked


def _are_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - whatever an operator put there compares as it likes
        return False


def traits_of(spawner_class: type[KubeSpawner]) -> Traits:
    """What an override may change on a spawner of a class."""
    renamed = {old: new for old, (new, _) in KubeSpawner._deprecated_traits.items()}
    return Traits(frozenset(spawner_class.class_trait_names()), renamed)


def log_once_a_minute(log: logging.Logger, words: str, error: Exception | None = None) -> None:
    """Log an error, unless the same words were logged within the last minute."""
    now = time.monotonic()
    if now - _last_logged.get(words, -_PERIOD) < _PERIOD:
        return
    if len(_last_logged) >= _MOST_LOGGED:
        _last_logged.clear()
    _last_logged[words] = now
    log.error("%s", words, exc_info=error)


def has_profile_list(config: Any, *sections: str) -> bool:
    """Whether a hub's configuration sets a ``profile_list``."""
    names = dict.fromkeys(("Spawner", "KubeSpawner", "GPUSpawner", *sections))
    return any(config[name].get("profile_list") for name in names)

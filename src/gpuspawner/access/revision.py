"""A revision: the access rules that somebody saved, over a file that said something else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from gpuspawner.catalog import AccessRule

Written = tuple[Any, ...]
"""Access rules as JSON has them; whether they can be read is another question."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to save.

    Attributes:
        access: the rules, as JSON has them.
        parent: the number of the revision that they were made from; 0 for the file itself.
        who: the name in the hub of who saves it.
        why: in their words; may be empty.
        restores: the number of the earlier revision that this one repeats, for an undo; 0 for what
            the file said before the first.
    """

    access: Written
    parent: int
    who: str
    why: str = ""
    restores: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What was saved.

    Attributes:
        number: from 1, without gaps.
        access: the rules, as JSON has them.
        who: the name in the hub of who saved it.
        when: the time of day.
        why: in their words; may be empty.
        parent: the number of the revision before, from which it was made; 0 for the file.
        base: the access rules of the file at that time.
        profiles: the slugs of the file's profiles at that time.
        restores: the number of the earlier revision that this one repeats; 0 for what the file said
            before the first.
    """

    number: int
    access: Written
    who: str
    when: datetime
    why: str
    parent: int
    base: Written
    profiles: tuple[str, ...]
    restores: int | None = None

    @property
    def base_digest(self) -> str:
        """What tells the file's access of that time from another."""
        return digest_of(self.base)


def as_written(rules: Iterable[AccessRule]) -> Written:
    """Rules as JSON has them, without what is left out in a file too."""
    return tuple(rule.model_dump(mode="json", exclude_defaults=True) for rule in rules)


def digest_of(written: Written) -> str:
    """The same for the same rules in the same order, however their fields are ordered."""
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()

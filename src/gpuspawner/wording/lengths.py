"""Lengths of time in words."""

from __future__ import annotations

from math import ceil

from gpuspawner.catalog import duration_seconds
from gpuspawner.language import gettext as _
from gpuspawner.language import ngettext

_MINUTE, _HOUR = 60, 3600
_MINUTES_OF_A_DAY, _MINUTES_OF_AN_HOUR = 24 * 60, 60


def lasting(duration: str) -> str:
    """A catalog's duration in words: ``"1 day 12 hours"``."""
    return spelled(duration_seconds(duration))


def spelled(seconds: float) -> str:
    """A length of time in words, in whole minutes rounded up: ``"1 day 12 hours"``."""
    minutes = max(1, ceil(seconds / _MINUTE))
    days, minutes = divmod(minutes, _MINUTES_OF_A_DAY)
    hours, minutes = divmod(minutes, _MINUTES_OF_AN_HOUR)
    parts = (
        (days, ngettext("{number} day", "{number} days", days)),
        (hours, ngettext("{number} hour", "{number} hours", hours)),
        (minutes, ngettext("{number} minute", "{number} minutes", minutes)),
    )
    return " ".join(words.format(number=number) for number, words in parts if number)


def briefly(seconds: float) -> str:
    """For what goes on; never "0 s", which would read as now."""
    if seconds < 2 * _MINUTE:
        return _("{number} s").format(number=max(1, round(seconds)))
    if seconds < 2 * _HOUR:
        return _("{number} min").format(number=round(seconds / _MINUTE))
    return _("{number} h").format(number=round(seconds / _HOUR))

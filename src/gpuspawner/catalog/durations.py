"""Lengths of time as an admin writes them: ``90m``, ``8h``, ``1d 12h``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

from gpuspawner.catalog.problems import refuse, shown

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60}
_DURATION = re.compile(r"(?:(?P<d>[0-9]{1,4})d)? ?(?:(?P<h>[0-9]{1,4})h)? ?(?:(?P<m>[0-9]{1,5})m)?")
_SCHEMA: Final[JsonSchemaValue] = {
    "type": "string",
    "pattern": r"^([0-9]{1,4}d)? ?([0-9]{1,4}h)? ?([0-9]{1,5}m)?$",
    "minLength": 2,
}


def duration_seconds(duration: str) -> int:
    """The seconds of a duration that was checked."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is not a duration")
    return sum(int(found[unit] or 0) * length for unit, length in _UNITS.items())


def _checked(value: Any) -> str:
    hint = "write days, hours and minutes: 90m, 8h or 1d 12h"
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise refuse(f"{shown(value)} is not a duration", hint)
    if duration_seconds(value) < _UNITS["m"]:
        raise refuse(f"{shown(value)} is less than a minute", hint)
    return value


Duration = Annotated[str, BeforeValidator(_checked), WithJsonSchema(_SCHEMA)]
"""A length of time of at least a minute, as text; `duration_seconds` reads it."""

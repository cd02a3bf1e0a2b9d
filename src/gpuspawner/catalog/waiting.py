"""What happens when everything that could serve a profile is in use: ``when_full``."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

from gpuspawner.catalog.problems import did_you_mean, one_of, refuse, shown

REFUSE: Final = "refuse"
WAIT: Final = "wait"
START_A_NODE: Final = "start-a-node"
_WORDS: Final = (REFUSE, WAIT, START_A_NODE)
_SCHEMA: Final[JsonSchemaValue] = {
    "anyOf": [
        {"type": "string", "enum": list(_WORDS)},
        {
            "type": "array",
            "items": {"type": "string", "enum": [WAIT, START_A_NODE]},
            "minItems": 1,
            "uniqueItems": True,
        },
    ]
}


def _checked(value: Any) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise refuse(f"{shown(value)} is not a choice", one_of(_WORDS))
    for index, word in enumerate(words):
        if not isinstance(word, str) or word not in _WORDS:
            hint = _meant(word)
            raise refuse(f"{shown(word)} is not a choice", hint or one_of(_WORDS))
        if word in words[:index]:
            raise refuse(f"{shown(word)} is listed twice", "write it once")
    if REFUSE in words and words is value:
        raise refuse(f"{REFUSE} goes with nothing else", f"write {REFUSE} alone, or leave it out")
    return tuple(words)


def _meant(word: object) -> str | None:
    if not isinstance(word, str):
        return None
    parts = [part.strip() for part in word.split(",")]
    if len(parts) > 1 and all(part in _WORDS for part in parts):
        return f"write a list: [{', '.join(parts)}]"
    return did_you_mean(word, _WORDS)


WhenFull = Annotated[tuple[str, ...], BeforeValidator(_checked), WithJsonSchema(_SCHEMA)]
"""One of ``refuse``, ``wait`` and ``start-a-node``, or the last two together."""

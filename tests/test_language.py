"""Words in the reader's language."""

from __future__ import annotations

import asyncio

import pytest

from gpuspawner import language
from gpuspawner.language import accepted, gettext, ngettext, speak, speaking, spoken


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, "en", id="no header"),
        pytest.param("", "en", id="an empty one"),
        pytest.param("de", "de", id="one that there is"),
        pytest.param("de-CH, de;q=0.9, en;q=0.8", "de", id="a country's German"),
        pytest.param("DE_at;q=1", "en", id="not a tag at all"),
        pytest.param("fr, de;q=0.5, en;q=0.4", "de", id="the best of those that there are"),
        pytest.param("fr, en;q=0.5, de;q=0.4", "en", id="not the first that there is, the best"),
        pytest.param("de;q=0, en;q=0.1", "en", id="one that is not wanted"),
        pytest.param("*, de;q=0.3", "en", id="any"),
        pytest.param("de;q=nan", "en", id="a quality that is no number"),
        pytest.param("de;q=7", "en", id="a quality out of bounds"),
        pytest.param("de;level=1", "de", id="another parameter"),
        pytest.param(",;=,;q,de;q=", "en", id="rubbish"),
        pytest.param("fr," * 5000 + "de", "en", id="more than anybody speaks"),
    ],
)
def test_the_language_that_is_liked_best(header: str | None, expected: str) -> None:
    assert accepted(header) == expected


def test_a_language_is_spoken_for_a_while() -> None:
    before = spoken()
    with speaking("de"), speaking("en"):
        assert spoken() == "en"
    assert spoken() == before


async def test_a_task_speaks_for_itself_and_those_it_starts() -> None:
    async def child() -> str:
        return spoken()

    async def parent() -> str:
        speak("de")
        return await asyncio.create_task(child())

    assert await asyncio.create_task(parent()) == "de"
    assert spoken() == language.ENGLISH


def test_what_is_not_translated_stays_as_it_is() -> None:
    with speaking("de"):
        assert gettext("\0 nobody says this") == "\0 nobody says this"
        assert ngettext("\0 one", "\0 many", 2) == "\0 many"

"""What people read, in their language: gettext, spoken in the language of whoever is answered.

The words stand in the code in English; ``locale/<language>/LC_MESSAGES/gpuspawner.po`` has the
others. It is read as it is, so that nothing has to be compiled when the package is built.

What many are told is kept as facts and not as words, and put into words for each: a task or a
cache that people share speaks the language of whoever came first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de")
"""Those in which every message is written; the first is the one for who asks for none of them."""
_MOST_RANGES = 20
_spoken: ContextVar[str] = ContextVar("spoken", default=ENGLISH)


def gettext(message: str) -> str:
    """A message in the language spoken; as it is, if there it has no translation."""
    # Of no message, gettext gives the head of the catalogue.
    return _translations(_spoken.get()).gettext(message) if message else ""


def gettext_noop(message: str) -> str:
    """The message as it is, marked as one that `gettext` is given where it is shown."""
    return message


def ngettext(one: str, many: str, number: int) -> str:
    """The message for `number`, by the plural rules of the language spoken."""
    return _translations(_spoken.get()).ngettext(one, many, number)


def listed(words: Sequence[str]) -> str:
    """At least one, as a list in a sentence: ``"a, b and c"``."""
    *others, last = words
    if not others:
        return last
    return gettext("{some} and {last}").format(some=", ".join(others), last=last)


def as_sentence(words: str) -> str:
    """Words with which a sentence begins."""
    return words[:1].upper() + words[1:]


def decimal(number: float, places: int) -> str:
    """A number with at most so many decimal places, and no more than it needs: ``"1.5"``."""
    return format_decimal(number, f"0.{'#' * places}", locale=_spoken.get())


def spoken() -> str:
    """The language spoken, one of `LANGUAGES`."""
    return _spoken.get()


def speak(language: str) -> None:
    """Speak a language of `LANGUAGES` from here on, in this task and those it starts."""
    _spoken.set(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language of `LANGUAGES` for a while."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def accepted(header: str | None, otherwise: str = ENGLISH) -> str:
    """The language of `LANGUAGES` that an Accept-Language header likes best (RFC 9110, 12.5.4).

    What cannot be read of it is passed over: it comes from anybody.

    Args:
        header: None if there is none.
        otherwise: the language for who likes none of `LANGUAGES`, or all.
    """
    liked = otherwise, 0.0
    for part in (header or "").split(",")[:_MOST_RANGES]:
        tag, _, parameters = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        language = otherwise if name == "*" else name
        quality = _quality(parameters)
        if language in LANGUAGES and quality > liked[1]:
            liked = language, quality
    return liked[0]


def _quality(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


@cache
def _translations(language: str) -> NullTranslations:
    if language == ENGLISH:
        return NullTranslations()
    source = files("gpuspawner") / "locale" / language / "LC_MESSAGES" / "gpuspawner.po"
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


for _language in LANGUAGES:
    # Now, since nobody should wait for it later.
    _translations(_language)
    format_decimal(0, locale=_language)

"""All that people read is in the catalogues, whole, in each language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from babel.messages import Message
from babel.messages.plurals import get_plural
from jinja2 import Environment, nodes

from .messages import SOURCE, TRANSLATED, in_code, in_order, messages_of, path_of, translated

IN_CODE = in_code()
TEMPLATES = sorted(SOURCE.glob("**/templates/**/*.html"))
_PERCENT_FIELD = re.compile(r"%\((\w+)\)s")
_EMPTY_ATTRIBUTE = re.compile(r'[\w-]+=""')
_READ_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}
_MARKS = {"_", "gettext", "ngettext"}

in_each_language = pytest.mark.parametrize("language", TRANSLATED)


def texts(entry: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The forms of a message, or of its translation."""
    return (entry,) if isinstance(entry, str) else tuple(entry or ())


def fields(text: str) -> set[str]:
    braced = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    return braced | set(_PERCENT_FIELD.findall(text))


def edges(text: str) -> tuple[bool, bool]:
    """Whether it begins and ends with a blank."""
    return text[:1].isspace(), text[-1:].isspace()


def entries(language: str) -> list[Message]:
    return messages_of(translated(language))


def test_the_code_says_something() -> None:
    """A pattern that matches nothing would let everything else pass."""
    assert len(messages_of(IN_CODE)) > 100
    assert len(TEMPLATES) > 3


@pytest.mark.parametrize("message", messages_of(IN_CODE), ids=lambda message: str(message.id)[:60])
def test_a_message_can_be_translated(message: Message) -> None:
    one, many = texts(message.id)[0], texts(message.id)[-1]
    # Of one, the number need not be said: "a GPU".
    assert fields(one) <= fields(many)
    assert len(fields(many) - fields(one)) <= 1
    assert all(name.isidentifier() for name in fields(many)), "each field has a name"
    assert edges(one) == (False, False), "blanks belong to what puts sentences together"
    assert "\n" not in one


@in_each_language
def test_each_message_is_translated_and_nothing_else(language: str) -> None:
    said = {texts(message.id) for message in messages_of(IN_CODE)}
    catalog = translated(language)
    known = {texts(message.id) for message in messages_of(catalog) if all(texts(message.string))}
    assert said - known == set(), "run python tests/messages.py, and translate these"
    assert known - said == set(), "run python tests/messages.py"
    assert not catalog.obsolete
    assert not [message.id for message in messages_of(catalog) if message.fuzzy]


@in_each_language
def test_a_translation_says_as_much(language: str) -> None:
    forms = get_plural(language).num_plurals
    for message in entries(language):
        one, many = texts(message.id)[0], texts(message.id)[-1]
        said = texts(message.string)
        assert len(said) == (1 if isinstance(message.id, str) else forms), one
        for text in said:
            assert fields(one) <= fields(text) <= fields(many), one
            assert edges(text) == edges(one), one
            assert text.endswith(".") == one.endswith("."), one


@in_each_language
def test_a_catalogue_is_in_order(language: str) -> None:
    text = path_of(language).read_text()
    assert text == in_order(translated(language), language), "run python tests/messages.py"


class Texts(HTMLParser):
    """What a page says that is not put into it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style"}
        self.found += [value or "" for name, value in attrs if name in _READ_ATTRIBUTES]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            # Attributes that stand in a macro stand in no tag.
            self.found.append(_EMPTY_ATTRIBUTE.sub("", data))


def literals(source: str) -> Iterator[str]:
    """What a template says itself."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    tokens = environment.lex(source)
    yield from Texts("".join(text for _, kind, text in tokens if kind == "data")).found
    yield from unmarked(environment.parse(source))


def unmarked(node: nodes.Node) -> Iterator[str]:
    """Words in an expression that no catalogue has: those with a blank, to tell them from names."""
    if isinstance(node, nodes.Call) and getattr(node.node, "name", "") in _MARKS:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and " " in node.value.strip():
        yield node.value
    for child in node.iter_child_nodes():
        yield from unmarked(child)


def has_words(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_template_says_nothing_itself(path: Path) -> None:
    assert [text for text in literals(path.read_text()) if has_words(text)] == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("<p>Word {{ x }}</p>", ["Word "], id="text"),
        pytest.param('<a title="Word">{{ x }}</a>', ["Word"], id="an attribute that is read"),
        pytest.param('<a class="word" href="{{ x }}">1</a>', [], id="one that is not"),
        pytest.param('{{ "two words" if x else y }}', ["two words"], id="a string"),
        pytest.param('{{ _("two words") if x else _("a %(b)s", b=c) }}', [], id="messages"),
        pytest.param("<script>word</script>{# word #}", [], id="what nobody reads"),
    ],
)
def test_what_a_template_says_is_found(source: str, said: list[str]) -> None:
    assert [text for text in literals(source) if has_words(text)] == said

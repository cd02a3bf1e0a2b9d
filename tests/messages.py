"""The messages that the code says, and the catalogues in which they are translated.

``python tests/messages.py`` puts each message of the code into each catalogue, untranslated where
it is new, and takes out what the code says no more.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po, write_po

from gpuspawner.language import ENGLISH, LANGUAGES

SOURCE = Path(__file__).parents[1] / "src" / "gpuspawner"
TRANSLATED = tuple(language for language in LANGUAGES if language != ENGLISH)
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"silent": "false"}}
_KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_noop": None}
_HEADER = """\
# The messages of gpuspawner in the language {language}.
msgid ""
msgstr ""
"Project-Id-Version: gpuspawner\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""


def path_of(language: str) -> Path:
    """Where a language's catalogue is."""
    return SOURCE / "locale" / language / "LC_MESSAGES" / "gpuspawner.po"


def translated(language: str) -> Catalog:
    """A language's catalogue as it is."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def in_code() -> Catalog:
    """The messages that the code says."""
    catalog = Catalog()
    found = extract_from_dir(SOURCE, _METHODS, _OPTIONS, keywords=_KEYWORDS)
    for _file, _line, message, _comments, _context in found:
        catalog.add(message)
    return catalog


def messages_of(catalog: Catalog) -> list[Message]:
    """Its messages, without its header."""
    return [message for message in catalog if message.id]


def in_order(catalog: Catalog, language: str) -> str:
    """A catalogue as it is kept: by message, a line each, and no line numbers: merges are small."""
    for message in messages_of(catalog):
        message.flags.clear()
    file = BytesIO()
    write_po(
        file,
        catalog,
        width=0,
        no_location=True,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
    )
    head = _HEADER.format(language=language, plural=get_plural(language).plural_forms)
    return head + file.getvalue().decode().strip("\n") + "\n"


def main() -> None:
    """Update the catalogues."""
    template = in_code()
    for language in TRANSLATED:
        catalog = translated(language)
        catalog.update(template, no_fuzzy_matching=True)
        path_of(language).write_text(in_order(catalog, language))


if __name__ == "__main__":
    main()

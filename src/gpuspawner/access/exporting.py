"""The access in force as YAML, for a pull request to whoever keeps the file."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from gpuspawner.access.revision import Revision, as_written
from gpuspawner.catalog import AccessRule, CatalogError, read_catalog

_WIDTH = 100


def as_yaml(rules: Sequence[AccessRule], text: str = "", revision: Revision | None = None) -> str:
    """The file with these rules as its ``access``, every other line as it is.

    Comments within the section itself are lost. Where the file cannot be changed in this way, the
    section alone comes back; it says so.

    Args:
        rules: in their order.
        text: of the file; empty for the section alone.
        revision: whose rules these are, to say so.
    """
    section = _section(rules, revision)
    if not text:
        return section
    changed = _with_section(text, section)
    if changed is not None and _says(changed, rules, text):
        return changed
    return f"# Put this in the place of the catalog's own access section.\n{section}"


def _section(rules: Sequence[AccessRule], revision: Revision | None) -> str:
    head = ""
    if revision is not None:
        day = revision.when.date().isoformat()
        saved = " ".join(f"Revision {revision.number}, saved by {revision.who} on {day}".split())
        head = f"# {saved}.\n"
    written = {"access": [*as_written(rules)]}
    body = yaml.safe_dump(
        written, default_flow_style=None, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    # Each rule's lists on a line of their own, and rules set in as people write them.
    first, *others = body.splitlines()
    return head + "\n".join([first, *(f"  {line}" for line in others)]) + "\n"


def _with_section(text: str, section: str) -> str | None:
    if "\r" in text:
        return None
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    for key, value in root.value:
        if key.value == "access":
            return _replaced(text, key.start_mark.line, value.end_mark, section)
    return f"{text.rstrip()}\n{section}"


def _replaced(text: str, first: int, end: yaml.Mark, section: str) -> str:
    lines = text.splitlines(keepends=True)
    # A block ends where the next key begins: comments and empty lines before that are the key's.
    last = end.line if end.column == 0 else end.line + 1
    while last > first + 1 and not _has_content(lines[last - 1]):
        last -= 1
    return "".join([*lines[:first], section, *lines[last:]])


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _says(text: str, rules: Sequence[AccessRule], before: str) -> bool:
    """Whether a changed text is the same catalog but for its access."""
    try:
        old, new = read_catalog(before), read_catalog(text)
    except CatalogError:
        return False
    return new == old.model_copy(update={"access": tuple(rules)})

"""The matrix of the admins' page: whom each row is about, and what decides each cell.

Those whom the same rules decide on share a row: a thousand groups are few kinds of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gpuspawner.access import Holder, matrix
from gpuspawner.catalog import Catalog, matches
from gpuspawner.catalog.access import has_wildcard
from gpuspawner.language import gettext as _

MOST_ROWS = 25
MOST_COLUMNS = 20
_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Search:
    """What of the matrix is asked for.

    Attributes:
        name: part of a group's or a user's name, or a pattern of all of it; empty for all.
        profile: likewise of a slug or a title.
        page: of the rows, from 1.
        columns: the page of the profiles, from 1.
    """

    name: str = ""
    profile: str = ""
    page: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """What decides on a profile.

    Attributes:
        rule: the rule's number as people count; None if no rule is about it.
        in_words: what decided, for who does not see the mark.
    """

    allowed: bool
    rule: int | None
    in_words: str


@dataclass(frozen=True, slots=True)
class Row:
    """Holders whom the same rules decide on.

    Attributes:
        kind: in words, "Group" or "Groups" for example.
        names: the first of them; none for everyone.
        more: all others.
    """

    kind: str
    names: tuple[str, ...]
    more: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A profile."""

    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The part of the matrix that was asked for.

    Attributes:
        page: which one it is, from 1, of `pages`.
        columns_page: likewise of the profiles.
        found: how many holders match.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    page: int
    pages: int
    columns_page: int
    columns_pages: int
    found: int


def present_overview(catalog: Catalog, groups: Iterable[str], search: Search) -> Overview:
    """The matrix of a catalog's access.

    Args:
        catalog: with the access in force.
        groups: that the hub knows.
        search: which part of it.
    """
    columns = [
        Column(profile.slug, profile.title)
        for profile in catalog.profiles
        if is_asked_for(search.profile, profile.slug) or is_asked_for(search.profile, profile.title)
    ]
    columns_page, columns_pages = _page(search.columns, len(columns), MOST_COLUMNS)
    shown = columns[(columns_page - 1) * MOST_COLUMNS : columns_page * MOST_COLUMNS]
    decided = matrix(catalog.access, [column.slug for column in shown], groups)
    alike: dict[tuple[str, tuple[int | None, ...]], list[Holder]] = {}
    found = 0
    for holder, rules in decided.rows.items():
        if not is_asked_for(search.name, holder.name):
            continue
        found += 1
        alike.setdefault((holder.kind, rules), []).append(holder)
    page, pages = _page(search.page, len(alike), MOST_ROWS)
    rows = [
        _row(kind, holders, [_cell(catalog, number) for number in rules])
        for (kind, rules), holders in list(alike.items())[(page - 1) * MOST_ROWS : page * MOST_ROWS]
    ]
    return Overview(tuple(shown), tuple(rows), page, pages, columns_page, columns_pages, found)


def is_asked_for(asked: str, name: str) -> bool:
    """Whether a name is one that is searched for, by a part of it or by a pattern as in rules.

    Case makes no difference, other than in rules.
    """
    asked, name = asked.casefold(), name.casefold()
    return matches(asked, name) if has_wildcard(asked) else asked in name


def _page(wanted: int, count: int, most: int) -> tuple[int, int]:
    pages = max(1, -(-count // most))
    return min(max(1, wanted), pages), pages


def _row(kind: str, holders: Sequence[Holder], cells: Sequence[Cell]) -> Row:
    names = tuple(holder.name for holder in holders)
    match kind, len(names):
        case "everyone", _n:
            return Row(_("Who is in none of these groups"), (), (), tuple(cells))
        case "group", 1:
            words = _("Group")
        case "group", _n:
            words = _("Groups")
        case _kind, 1:
            words = _("User, by name alone")
        case _kind, _n:
            words = _("Users, by name alone")
    return Row(words, names[:_MOST_NAMES], names[_MOST_NAMES:], tuple(cells))


def _cell(catalog: Catalog, number: int | None) -> Cell:
    if number is None:
        return Cell(allowed=False, rule=None, in_words=_("no rule is about it"))
    rule = catalog.access[number]
    words = _("not allowed, by rule {rule}") if rule.deny else _("allowed, by rule {rule}")
    return Cell(not rule.deny, number + 1, words.format(rule=number + 1))

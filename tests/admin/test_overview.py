"""The matrix: who shares a row, what is found, and how it is parted into pages."""

from __future__ import annotations

import pytest
from tests.access.strategies import SLUGS, catalog_of

from gpuspawner.admin import Search, present_overview
from gpuspawner.admin.overview import MOST_ROWS
from gpuspawner.catalog import AccessRule

CATALOG = catalog_of(
    [
        AccessRule(groups=("kept-out",), profiles=("a",), deny=True),
        AccessRule(groups=("bio", "hpc", "kept-out"), profiles=("a", "b")),
        AccessRule(users=("ada",), profiles=("*",)),
    ]
)


def test_groups_on_which_the_same_rules_decide_share_a_row() -> None:
    rows = present_overview(CATALOG, ["unknown-to-rules"], Search()).rows
    assert [row.names for row in rows] == [
        (),
        ("bio", "hpc"),
        ("kept-out",),
        ("unknown-to-rules",),
        ("ada",),
    ]


def test_a_cell_has_the_rule_that_decides() -> None:
    found = present_overview(CATALOG, [], Search("kept-out"))
    cells = dict(zip([column.slug for column in found.columns], found.rows[0].cells, strict=True))
    assert (cells["a"].allowed, cells["a"].rule) == (False, 1)
    assert (cells["b"].allowed, cells["b"].rule) == (True, 2)
    assert (cells["cpu"].allowed, cells["cpu"].rule) == (False, None)


@pytest.mark.parametrize(
    ("search", "rows", "columns"),
    [
        pytest.param(Search(), 4, len(SLUGS), id="all of it"),
        pytest.param(Search(name="BI"), 1, len(SLUGS), id="part of a name"),
        pytest.param(Search(name="nobody"), 0, len(SLUGS), id="nobody's name"),
        pytest.param(Search(name="?P*"), 1, len(SLUGS), id="a pattern of a name"),
        pytest.param(Search(name="B?"), 0, len(SLUGS), id="a pattern is of all of it"),
        pytest.param(Search(profile="C*"), 3, 1, id="a pattern of a profile"),
        pytest.param(Search(profile="cpu"), 3, 1, id="a profile"),
        pytest.param(Search(page=99), 4, len(SLUGS), id="beyond the last page"),
    ],
)
def test_what_is_searched_for(search: Search, rows: int, columns: int) -> None:
    found = present_overview(CATALOG, [], search)
    assert len(found.columns) == columns
    assert len(found.rows) == rows


def test_many_rows_have_pages() -> None:
    rules = [AccessRule(groups=(f"g{n:03}",), profiles=("cpu",)) for n in range(MOST_ROWS * 2)]
    catalog = catalog_of(rules)
    found = present_overview(catalog, [], Search(page=2))
    assert (found.page, found.pages, len(found.rows)) == (2, 3, MOST_ROWS)
    assert found.rows[0].names == (f"g{MOST_ROWS - 1:03}",)

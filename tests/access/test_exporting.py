"""The access in force as YAML for a pull request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given

from gpuspawner.access import Revision, as_yaml
from gpuspawner.catalog import AccessRule, read_catalog

from .strategies import RULES, SLUGS

RULE = AccessRule(groups=("bio", "no", "1.10"), users=("ä",), profiles=("cpu",), deny=True)
SECTION = """access:
  - groups: [bio, 'no', '1.10']
    users: [ä]
    profiles: [cpu]
    deny: true
"""
HEAD = "# What people start.\nprofiles:\n  - {slug: cpu, title: CPU, default: true}  # The least.\n"
OLD = "access:\n  # Gone, with what it is about.\n  - users: ['*']\n    profiles: [cpu]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", SECTION, id="the section alone"),
        pytest.param(HEAD, HEAD + SECTION, id="a file without access"),
        pytest.param(HEAD + OLD, HEAD + SECTION, id="at the end of the file"),
        pytest.param(OLD + HEAD, SECTION + HEAD, id="at its beginning, before a comment"),
        pytest.param(
            f"{OLD}\n# A comment.\n{HEAD}", f"{SECTION}\n# A comment.\n{HEAD}", id="an empty line"
        ),
        pytest.param(HEAD + "access: []\n", HEAD + SECTION, id="an empty list"),
        pytest.param(
            HEAD + "access: [\n  {users: ['*'], profiles: [cpu]},\n]\n# End.\n",
            HEAD + SECTION + "# End.\n",
            id="a list in brackets",
        ),
        pytest.param(HEAD + OLD.rstrip("\n"), HEAD + SECTION, id="a last line that has no end"),
    ],
)
def test_the_rest_of_the_file_stays(text: str, expected: str) -> None:
    assert as_yaml([RULE], text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{profiles: [{slug: cpu, title: C, default: true}]}", id="JSON"),
        pytest.param("profiles: [", id="no YAML"),
        pytest.param(
            "access: &a\n  - &x {users: ['*'], profiles: [cpu]}\n"
            + HEAD
            + "volumes: {}\n#\nnode_pools: {}\naccelerators: {}\n".replace("{}\n#", "*x\n#"),
            id="an anchor that is used below",
        ),
        pytest.param((HEAD + OLD).replace("\n", "\r\n"), id="lines of Windows"),
    ],
)
def test_a_file_that_cannot_be_changed_so_gets_the_section_alone(text: str) -> None:
    words = "# Put this in the place of the catalog's own access section.\n"
    assert as_yaml([RULE], text) == words + SECTION


def test_it_says_whose_revision_it_is() -> None:
    when = datetime(2026, 3, 4, tzinfo=UTC)
    revision = Revision(7, (), "ro\not", when, "", 6, (), ())
    assert as_yaml([RULE], HEAD, revision) == (
        f"{HEAD}# Revision 7, saved by ro ot on 2026-03-04.\n{SECTION}"
    )


@given(RULES)
def test_what_is_written_is_read_as_the_same(rules: list[AccessRule]) -> None:
    profiles = "\n".join(
        f"  - {{slug: {slug}, title: x{', default: true' if slug == 'cpu' else ''}}}"
        for slug in SLUGS
    )
    text = f"profiles:\n{profiles}\n"
    assert read_catalog(as_yaml(rules, text)).access == tuple(rules)

"""Entries of KubeSpawner's own list, for admins."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.admin import present_entries, present_entry_reasons
from gpuspawner.catalog import Catalog, with_profile_list
from gpuspawner.policy import Person

OPTIONS = {
    "size": {
        "display_name": "Size",
        "choices": {
            "small": {"display_name": "Small", "kubespawner_override": {}},
            "huge": {
                "display_name": "Huge",
                "allowed_groups": ["hpc"],
                "kubespawner_override": {},
            },
        },
    }
}


def catalog_of(**entry: Any) -> Catalog:
    return with_profile_list([{"display_name": "One", **entry}], None).catalog


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        pytest.param({}, "everyone", id="no gate"),
        pytest.param({"allowed_groups": ["a", "b"]}, "groups a and b", id="two groups"),
        pytest.param({"allowed_users": ["eve"]}, "user eve", id="a user"),
        pytest.param({"allowed_groups": []}, "nobody", id="an empty list"),
    ],
)
def test_who_may_have_an_entry(entry: dict[str, Any], who: str) -> None:
    [found] = present_entries(catalog_of(**entry))
    assert found.who == who
    assert found.is_open is (who == "everyone")


def test_a_choice_that_not_everyone_may_make_is_told() -> None:
    [found] = present_entries(catalog_of(profile_options=OPTIONS))
    assert found.choices == ("Size, Huge: group hpc",)


@pytest.mark.parametrize(
    ("entry", "allowed", "ground"),
    [
        pytest.param({}, True, "Its entry is open to everyone", id="open"),
        pytest.param({"allowed_groups": ["hpc"]}, False, "Its entry is for group hpc", id="closed"),
        pytest.param({"allowed_groups": ["bio"]}, True, "Its entry is for group bio", id="theirs"),
        pytest.param(
            {
                "profile_options": {
                    "size": {
                        "display_name": "Size",
                        "choices": {"huge": OPTIONS["size"]["choices"]["huge"]},  # type: ignore[index]
                    }
                }
            },
            False,
            "One of its options has no choice that is open to them",
            id="open, but with nothing to choose",
        ),
    ],
)
def test_why_somebody_has_an_entry(entry: dict[str, Any], allowed: bool, ground: str) -> None:
    [reason] = present_entry_reasons(catalog_of(**entry), Person("eve", frozenset({"bio"})))
    assert (reason.allowed, reason.ground, reason.rule) == (allowed, ground, None)

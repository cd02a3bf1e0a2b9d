"""Who may have what: the first rule that matches decides, and without one nothing is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.catalog import AccessRule
from gpuspawner.policy import Decision, Person, decide

from .builders import a_catalog, a_profile

ADA = Person("ada", frozenset({"hpc", "physics"}))


def a_rule(**fields: Any) -> AccessRule:
    return AccessRule(**{"profiles": ("*",), **fields})


EVERYONE = a_rule(users=("*",))
NO_ONE = a_rule(users=("*",), deny=True)


@pytest.mark.parametrize(
    ("rules", "person", "expected"),
    [
        pytest.param([], ADA, Decision("gpu", allowed=False), id="without rules nobody is allowed"),
        pytest.param(
            [a_rule(groups=("bio",))],
            ADA,
            Decision("gpu", allowed=False),
            id="a rule for others allows nothing",
        ),
        pytest.param(
            [EVERYONE], ADA, Decision("gpu", True, 0, "everyone"), id="a star allows everyone"
        ),
        pytest.param(
            [EVERYONE],
            Person("nobody"),
            Decision("gpu", True, 0, "everyone"),
            id="everyone includes a person without groups",
        ),
        pytest.param(
            [a_rule(users=("ada",))],
            ADA,
            Decision("gpu", True, 0, "user ada"),
            id="a person may be named",
        ),
        pytest.param(
            [a_rule(users=("a*",))],
            ADA,
            Decision("gpu", True, 0, "user ada"),
            id="a pattern of names is no reason to call it everyone",
        ),
        pytest.param(
            [a_rule(groups=("hpc",))],
            ADA,
            Decision("gpu", True, 0, "group hpc"),
            id="a group may be named",
        ),
        pytest.param(
            [a_rule(groups=("*",))],
            Person("nobody"),
            Decision("gpu", allowed=False),
            id="every group is not everyone: a person without groups is in none",
        ),
        pytest.param(
            [a_rule(groups=("ada",), users=("hpc",))],
            ADA,
            Decision("gpu", allowed=False),
            id="a group's name is no person's and the other way round",
        ),
        pytest.param(
            [a_rule(groups=("HPC",))],
            ADA,
            Decision("gpu", allowed=False),
            id="names differ by case",
        ),
        pytest.param(
            [a_rule(groups=("hp",))],
            ADA,
            Decision("gpu", allowed=False),
            id="the beginning of a name is not the name",
        ),
        pytest.param(
            [a_rule(groups=("x", "p*", "hpc"))],
            ADA,
            Decision("gpu", True, 0, "group physics"),
            id="of several groups the rule's order names the one it is granted by",
        ),
        pytest.param(
            [a_rule(users=("*",), profiles=("cpu",))],
            ADA,
            Decision("gpu", allowed=False),
            id="a rule about other profiles does not count",
        ),
        pytest.param(
            [a_rule(users=("*",), profiles=("cpu", "g?u"))],
            ADA,
            Decision("gpu", True, 0, "everyone"),
            id="a question mark is one character of a slug",
        ),
        pytest.param(
            [NO_ONE, EVERYONE],
            ADA,
            Decision("gpu", False, 0, "everyone"),
            id="a denial that stands first decides",
        ),
        pytest.param(
            [EVERYONE, NO_ONE],
            ADA,
            Decision("gpu", True, 0, "everyone"),
            id="a denial that stands last changes nothing",
        ),
        pytest.param(
            [a_rule(groups=("bio",), deny=True), a_rule(groups=("hpc",))],
            ADA,
            Decision("gpu", True, 1, "group hpc"),
            id="a denial for others is passed over",
        ),
        pytest.param(
            [a_rule(groups=("hpc",), deny=True), EVERYONE],
            ADA,
            Decision("gpu", False, 0, "group hpc"),
            id="a group can be kept out of what everyone may have",
        ),
    ],
)
def test_decisions(rules: list[AccessRule], person: Person, expected: Decision) -> None:
    assert decide(rules, person, "gpu") == expected


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision("gpu", allowed=False), "no access rule matches"),
        (Decision("gpu", True, 0, "group hpc"), "access rule 1 allows it to group hpc"),
        (Decision("gpu", False, 2, "everyone"), "access rule 3 denies it to everyone"),
    ],
)
def test_the_ground_of_a_decision_in_words(decision: Decision, words: str) -> None:
    assert decision.because == words


def test_a_deny_above_an_allow_keeps_one_profile_back() -> None:
    catalog = a_catalog(
        a_profile("gpu"),
        a_profile("big", count=2),
        access=[
            {"groups": ["hpc"], "profiles": ["big"], "deny": True},
            {"groups": ["hpc"], "profiles": ["*"]},
        ],
    )
    decisions = [decide(catalog.access, ADA, profile.slug) for profile in catalog.profiles]
    assert [(d.profile, d.allowed) for d in decisions] == [
        ("cpu", True),
        ("gpu", True),
        ("big", False),
    ]


def naively_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(naively_matches(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and naively_matches(pattern[1:], name[1:])


def naively_allowed(rules: Sequence[AccessRule], person: Person, profile: str) -> bool:
    for rule in rules:
        about_person = any(naively_matches(p, person.name) for p in rule.users) or any(
            naively_matches(p, group) for p in rule.groups for group in person.groups
        )
        if about_person and any(naively_matches(p, profile) for p in rule.profiles):
            return not rule.deny
    return False


NAMES = st.text("ab[]!.^$\\+", min_size=1, max_size=4)
PATTERNS = st.lists(st.text("ab*?[]!.^$\\+", min_size=1, max_size=4), max_size=3).map(tuple)
RULES = st.lists(
    st.builds(
        AccessRule,
        groups=PATTERNS,
        users=PATTERNS.filter(bool),
        profiles=PATTERNS.filter(bool),
        deny=st.booleans(),
    ),
    max_size=4,
)


@given(RULES, st.builds(Person, NAMES, st.frozensets(NAMES, max_size=3)), NAMES)
def test_it_decides_as_a_plain_reading_of_the_rules_does(
    rules: list[AccessRule], person: Person, profile: str
) -> None:
    decision = decide(rules, person, profile)
    assert decision.allowed is naively_allowed(rules, person, profile)
    assert (decision.rule is None) is (decision.grant == "")


@given(RULES, RULES, st.builds(Person, NAMES, st.frozensets(NAMES)), NAMES)
def test_rules_behind_the_deciding_one_change_nothing(
    rules: list[AccessRule], more: list[AccessRule], person: Person, profile: str
) -> None:
    decision = decide(rules, person, profile)
    if decision.rule is not None:
        assert decide([*rules, *more], person, profile) == decision

"""What stands out in rules, and what keeps them from being saved, in the language spoken."""

from __future__ import annotations

from typing import Any

import pytest

from gpuspawner.access import Fault
from gpuspawner.admin import checked, present_faults, present_problems, present_remarks
from gpuspawner.catalog import AccessRule
from gpuspawner.language import speaking

SLUGS = ("cpu", "gpu")
GOOD = {"groups": ["a"], "profiles": ["cpu"]}


def said(rule: Any, language: str) -> list[tuple[str, str, str]]:
    """Of a rule that is the second one."""
    written = [GOOD, rule]
    _, problems = checked(written, (), SLUGS)
    with speaking(language):
        found = present_problems(problems, written, SLUGS)
    return [(one.in_words, one.hint, one.detail) for one in found]


@pytest.mark.parametrize(
    ("rule", "words", "hint"),
    [
        pytest.param(
            {"groups": ["a"], "profiles": ["gpuu"]},
            "Regel 2: Der Katalog hat kein Profil gpuu.",
            "Meinten Sie gpu?",
            id="a profile that is misspelt",
        ),
        pytest.param(
            {"groups": ["a"], "profiles": ["cpu", "zzz*"]},
            "Regel 2: Der Katalog hat kein Profil zzz*.",
            "Es gibt: cpu, gpu.",
            id="a pattern that no profile matches",
        ),
        pytest.param(
            {"profiles": ["cpu"]},
            "Regel 2 nennt niemanden: Geben Sie eine Gruppe oder einen Benutzer an, oder den "
            "Benutzer * für alle.",
            "",
            id="nobody",
        ),
        pytest.param({"users": ["*"]}, "Regel 2 nennt kein Profil.", "", id="no profile"),
    ],
)
def test_what_an_admin_can_cause_is_said_in_their_language(
    rule: Any, words: str, hint: str
) -> None:
    assert said(rule, "de") == [(words, hint, "")]


def test_all_that_a_rule_lacks_is_said() -> None:
    assert [words for words, _, _ in said({}, "en")] == [
        "Rule 2 names nobody: write a group or a user, or the user * for everyone.",
        "Rule 2 names no profile.",
    ]


@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        pytest.param({**GOOD, "kubespawner_override": {}}, "unknown field", id="another field"),
        pytest.param({**GOOD, "groups": [1]}, "groups: ", id="a name that is no text"),
        pytest.param({**GOOD, "deny": "yes"}, "deny: ", id="no truth value"),
    ],
)
def test_what_the_check_alone_has_words_for_is_quoted(rule: Any, detail: str) -> None:
    [(words, hint, quoted)] = said(rule, "de")
    assert (words, hint) == ("Regel 2 kann so nicht gespeichert werden.", "")
    assert detail in quoted


@pytest.mark.parametrize("written", [[], [None], "x"])
def test_what_is_of_no_rule_is_quoted_as_well(written: Any) -> None:
    _, problems = checked([1], (), SLUGS)
    (found,) = present_problems(problems, written, SLUGS)
    assert found.detail


@pytest.mark.parametrize(
    ("fault", "language", "words"),
    [
        pytest.param(
            Fault(1, "gpuu"),
            "en",
            "Rule 2 names the profile gpuu, which the catalog does not have any more.",
            id="a profile that is gone",
        ),
        pytest.param(
            Fault(0, "gpuu", ("a", "b")),
            "de",
            "Regel 1 nennt das Profil gpuu, das der Katalog nicht mehr hat. Da eines der seither "
            "hinzugekommenen dasselbe sein kann, verwehrt sie a und b.",
            id="that was kept from people",
        ),
        pytest.param(
            Fault(2),
            "de",
            "Regel 3 kann diese Version des Hubs nicht lesen. Sie und die Regeln nach ihr erlauben "
            "nichts, bis die Regeln neu gespeichert werden.",
            id="a rule of a later version",
        ),
    ],
)
def test_a_fault_of_what_is_in_force_is_said_once(fault: Fault, language: str, words: str) -> None:
    rules = (AccessRule(groups=("hpc",), profiles=("gpuu", "cpuu")),)
    with speaking(language):
        [said] = present_faults([fault], SLUGS)
        found = present_remarks(rules, SLUGS, ["hpc"], None, [fault])
    assert said.in_words == words
    assert bool(said.hint) is bool(fault.gone)
    assert len(found) == (1 if fault.gone else 2)


def test_what_was_meant_is_said_in_the_language_of_the_page() -> None:
    rules = (AccessRule(groups=("hcp",), users=("zzz",), profiles=("cpu",)),)
    with speaking("de"):
        of_group, of_user = present_remarks(rules, SLUGS, ["hpc"], ["anna"])
    assert of_group.hint == "Meinten Sie hpc?"
    assert of_user.hint == "Es gibt: anna."

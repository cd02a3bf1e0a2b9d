"""What happens when a profile is full, as an admin writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.builders import a_catalog, a_profile

from gpuspawner.catalog import Profile, json_schema

HOUR = 3600
KNOWN = "known here: refuse, start-a-node, wait"


def the_profile(**fields: Any) -> Profile:
    profile = a_catalog(a_profile("gpu", **fields)).profile("gpu")
    assert profile is not None
    return profile


def takes(fields: dict[str, Any]) -> bool:
    """Whether the exported schema takes a profile with these fields."""
    schema = json_schema()
    profile = {"$ref": "#/$defs/Profile", "$defs": schema["$defs"]}
    return Draft202012Validator(profile).is_valid({"slug": "gpu", "title": "GPU", **fields})


@pytest.mark.parametrize(
    ("fields", "words", "longest"),
    [
        pytest.param({}, ("start-a-node",), 0, id="nothing is said"),
        pytest.param({"when_full": "refuse"}, ("refuse",), 0, id="refuse"),
        pytest.param({"when_full": ["start-a-node"]}, ("start-a-node",), 0, id="a list of one"),
        pytest.param({"when_full": "wait"}, ("wait",), HOUR, id="wait, an hour"),
        pytest.param(
            {"when_full": "wait", "wait_limit": "1d"}, ("wait",), 24 * HOUR, id="wait, for a day"
        ),
        pytest.param(
            {"when_full": ["wait", "start-a-node"], "wait_limit": "90m"},
            ("wait", "start-a-node"),
            90 * 60,
            id="both",
        ),
        pytest.param(
            {"when_full": ["start-a-node", "wait"]},
            ("start-a-node", "wait"),
            HOUR,
            id="both, the other way round",
        ),
    ],
)
def test_when_full(fields: dict[str, Any], words: tuple[str, ...], longest: int) -> None:
    profile = the_profile(**fields)
    assert profile.when_full == words
    assert profile.longest_wait == longest
    assert takes(fields)


@pytest.mark.parametrize(
    ("written", "field", "message", "hint"),
    [
        pytest.param(
            'when_full: "wait, start-a-node"',
            "",
            "'wait, start-a-node' is not a choice",
            "write a list: [wait, start-a-node]",
            id="both without brackets",
        ),
        pytest.param(
            "when_full: queue",
            "",
            "'queue' is not a choice",
            KNOWN,
            id="another word",
        ),
        pytest.param("when_full: wiat", "", "'wiat' is not a choice", "wait", id="a slip"),
        pytest.param(
            "when_full: []",
            "",
            "[] is not a choice",
            KNOWN,
            id="an empty list",
        ),
        pytest.param(
            "when_full: 5",
            "",
            "5 is not a choice",
            KNOWN,
            id="a number",
        ),
        pytest.param(
            "when_full: {wait: 1}",
            "",
            "is not a choice",
            KNOWN,
            id="a mapping",
        ),
        pytest.param(
            "when_full: [wait, 1]",
            "",
            "1 is not a choice",
            KNOWN,
            id="1 in a list",
        ),
        pytest.param(
            "when_full: [wait, wait]", "", "'wait' is listed twice", "write it once", id="twice"
        ),
        pytest.param(
            "when_full: [refuse, wait]",
            "",
            "refuse goes with nothing else",
            "write refuse alone, or leave it out",
            id="refuse and more",
        ),
        pytest.param(
            "when_full: [refuse]",
            "",
            "refuse goes with nothing else",
            "write refuse alone",
            id="refuse in a list, which the schema does not take",
        ),
        pytest.param(
            "wait_limit: 1h",
            "wait_limit",
            "nobody waits for this profile",
            "write when_full: wait",
            id="a limit where nobody waits",
        ),
        pytest.param(
            "wait_limit: 30s, when_full: wait",
            "wait_limit",
            "'30s'",
            "90m, 8h or 1d 12h",
            id="a limit in seconds",
        ),
    ],
)
def test_what_is_refused(
    refusal: Callable[..., None], written: str, field: str, message: str, hint: str
) -> None:
    text = f"- {{slug: gpu, title: GPU, {written}}}  # <-"
    refusal("profiles", text, f"profiles[1].{field or 'when_full'}", message, hint)


@pytest.mark.parametrize(
    "value", ["queue", [], ["refuse", "wait"], ["wait", "wait"], ["refuse"], 5, None]
)
def test_the_schema_takes_no_other_words(value: Any) -> None:
    assert not takes({"when_full": value})

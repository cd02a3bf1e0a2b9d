"""The fields of a rule: what cannot be taken over stays there, and is said in plain words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gpuspawner.access import PAGE
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import audit, configured, hidden, press
from .conftest import Answer, Hub, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = "hub/gpuspawner/admin/rules"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    async with running_hub(cluster, configured(cluster, PAGE)) as hub:
        yield hub


def marked(page: Answer) -> dict[str, str]:
    """The fields that are marked as wrong, with what is said of each."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page.text):
        if 'aria-invalid="true"' in tag:
            [name], [places] = (
                re.findall(r'name="(\w+)"', tag),
                re.findall('describedby="(.*?)"', tag),
            )
            said = [re.findall(f'id="{place}">(.*?)</p>', page.text) for place in places.split()]
            found[name] = " ".join(words for [words] in said)
    return found


NOBODY = "Rule 3 names nobody: write a group or a user, or the user * for everyone."


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {},
            {"groups": NOBODY, "users": NOBODY, "profiles": "Rule 3 names no profile."},
            id="nothing is written",
        ),
        pytest.param({"groups": "a"}, {"profiles": "Rule 3 names no profile."}, id="half a rule"),
        pytest.param(
            {"groups": "a", "profiles": "cpuu"},
            {"profiles": "Rule 3: the catalog has no profile cpuu. Did you mean cpu?"},
            id="a profile that is misspelt",
        ),
        *(
            pytest.param(
                {"groups": "a", "profiles": "cpu", "place": place},
                {"place": f"Rule 3: there is no place {place}; there are the places 1 to 3."},
                id=words,
            )
            for place, words in (
                ("0", "a place before the first"),
                ("9", "one after the last"),
                ("x", "no number"),
            )
        ),
    ],
)
async def test_a_new_rule_that_cannot_be_stays_open(
    hub: Hub, fields: dict[str, str], said: dict[str, str]
) -> None:
    admin = await hub.visitor(ADMIN)
    page = await press(admin, await admin.get(RULES), "new")
    assert marked(page) == {}
    answer = await press(admin, page, "close", **{"place": "3", **fields})
    assert marked(answer) == said
    assert answer.text.count("autofocus") == 1
    assert 'role="alert"' in answer.text
    assert hidden(answer)["opened"] == "2"
    assert hidden(answer)["rules"] == hidden(page)["rules"]
    for part, name in fields.items():
        assert f'name="{part}" value="{name}"' in answer.text
    # What was written can be forgotten.
    cancelled = await press(admin, answer, "cancel:2", **fields)
    assert hidden(cancelled)["opened"] == ""
    assert "cannot be saved" not in cancelled.text


async def test_a_rule_that_cannot_be_is_not_saved_and_that_is_noted(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await press(admin, await admin.get(RULES), "open:0")
    answer = await press(admin, page, "save", groups="a", place="1", why="half")
    assert answer.status == 400
    assert set(marked(answer)) == {"profiles"}
    assert hidden(answer)["why"] == "half"
    assert (await audit(hub)).code == "not-valid"
    assert (await audit(hub)).reason == "what is written of the open rule cannot be saved"


async def test_a_draft_with_a_problem_can_be_discarded(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await admin.get(RULES)
    assert "Begin anew" not in page.text
    assert "data-unsaved" not in page.text
    page = await press(admin, page, "open:0", rules='[{"groups": ["a"], "profiles": ["cpuu"]}]')
    assert "Begin anew" in page.text
    assert 'value="save"' not in page.text
    assert "data-unsaved" in page.text


async def test_a_user_who_is_searched_for_is_found_where_their_rules_are(hub: Hub) -> None:
    await hub.visitor("newcomers-7")
    admin = await hub.visitor(ADMIN)
    link = 'href="/base/hub/gpuspawner/admin/why?user=newcomers-7"'
    for asked in ("NEWCOMERS-7", "newc*"):
        page = await admin.get(f"hub/gpuspawner/admin?name={asked}")
        assert link in page.text
    page = await admin.get("hub/gpuspawner/admin?name=nobody-at-all")
    assert "No group is called like this, and no rule names such a user by name." in page.text
    page = await admin.get("hub/gpuspawner/admin?profile=no-such")
    assert "No profile is called like this." in page.text

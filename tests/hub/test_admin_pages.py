"""The admins' pages of the access on a real hub: rights, edits, undo, conflict."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from jupyterhub.handlers.base import BaseHandler
from tornado import web

from gpuspawner.access import PAGE, Draft, as_written
from gpuspawner.hub import long_pages
from gpuspawner.hub.access import in_force_of
from gpuspawner.hub.admin import base, pages
from gpuspawner.hub.admin.rights import READ, ROLE
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import READER, added, audit, configured, hidden, press
from .conftest import Hub, Visitor, cards, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "admins-9"
PAGES = ("gpuspawner/admin", "gpuspawner/admin/rules", "gpuspawner/admin/why?user=students-1")
PARTS = {"groups": "students", "users": "students-1", "profiles": "cpu"}
EVIL = '"><script>alert(1)</script>&'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    async with running_hub(cluster, configured(cluster, PAGE)) as hub:
        yield hub


@pytest.mark.parametrize("path", [*PAGES, "gpuspawner/admin/access.yaml", "api/gpuspawner/access"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param(ADMIN, 200, id="an admin may see it"),
        pytest.param(READER, 200, id="so may who has the scope to read"),
        pytest.param("students-1", 403, id="and nobody else"),
    ],
)
async def test_who_may_see_it(hub: Hub, path: str, name: str, status: int) -> None:
    await hub.visitor("students-1")
    visitor = await hub.visitor(name)
    if path.startswith("api/"):
        answer = await visitor.api("GET", path.removeprefix("api/"))
    else:
        answer = await visitor.get(f"hub/{path}")
    assert answer.status == status


@pytest.mark.parametrize(
    ("path", "slow"),
    [
        pytest.param("gpuspawner/admin", "present_history", id="what revisions have changed"),
        pytest.param("gpuspawner/admin/access.yaml", "as_yaml", id="YAML"),
        pytest.param("gpuspawner/admin/why?user=students-1", "present_reasons", id="reasons"),
    ],
)
async def test_what_takes_long_of_many_rules_is_made_off_the_event_loop(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, path: str, slow: str
) -> None:
    await hub.visitor("students-1")
    made, where = getattr(pages, slow), []

    def noted(*given: Any) -> Any:
        where.append(asyncio._get_running_loop())
        return made(*given)

    monkeypatch.setattr(pages, slow, noted)
    assert (await (await hub.visitor(ADMIN)).get(f"hub/{path}")).status == 200
    assert where == [None]


@pytest.mark.parametrize("name", [READER, "students-1"])
async def test_who_may_not_change_it_is_refused_and_that_is_noted(hub: Hub, name: str) -> None:
    visitor = await hub.visitor(name)
    answer = await visitor.post_form("hub/gpuspawner/admin/rules", {"do": "new"})
    assert answer.status == 403
    entry = await audit(hub)
    assert (entry.who, entry.action, entry.outcome, entry.code) == (
        name,
        "edit",
        "refused",
        "forbidden",
    )
    answer = await visitor.api("PUT", "gpuspawner/access", {"access": [], "parent": 0})
    assert answer.status == 403
    assert (await audit(hub)).action == "save"


async def test_a_change_needs_the_token_against_forgery(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    answer = await admin._send("POST", "hub/gpuspawner/admin/rules", data={"do": "new"})
    assert answer.status == 403
    entry = await audit(hub)
    assert (entry.who, entry.code) == (ADMIN, "no-xsrf-token")


async def test_a_change_by_nobody_is_noted_as_such(hub: Hub) -> None:
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as nobody:
        for method, path in (("POST", "gpuspawner/admin/rules"), ("PUT", "api/gpuspawner/access")):
            before = await audit(hub)
            url = f"{hub.base}hub/{path}"
            async with nobody.request(method, url, data=b"{}", headers=headers) as answer:
                assert answer.status == 403
            entry = await audit(hub)
            assert entry != before
            assert (entry.who, entry.code) == ("", "not-signed-in")


@pytest.mark.parametrize(
    ("refused", "code", "reason"),
    [
        pytest.param(None, "http-400", "Invalid unicode in _xsrf: b'\\xff'", id="what is no text"),
        pytest.param((403, "not you"), "forbidden", "not you", id="what JupyterHub forbids"),
        pytest.param((503,), "http-503", "", id="a fault"),
    ],
)
async def test_a_change_that_jupyterhub_refuses_is_noted_with_its_reason(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, refused: Any, code: str, reason: str
) -> None:
    admin = await hub.visitor(ADMIN)

    def refuse(_: object) -> None:
        raise web.HTTPError(*refused)

    if refused is not None:
        monkeypatch.setattr(BaseHandler, "_resolve_roles_and_scopes", refuse)
    await admin._send("POST", "hub/gpuspawner/admin/rules?_xsrf=%FF", data={"do": "new"})
    entry = await audit(hub)
    assert (entry.who, entry.code, entry.reason) == (ADMIN, code, reason)


async def test_an_admin_no_more_may_not_any_more(hub: Hub) -> None:
    name = "admins-5"
    visitor = await hub.visitor(name)
    assert (await visitor.get("hub/gpuspawner/admin")).status == 200
    admin = await hub.visitor(ADMIN)
    assert (await admin.api("PATCH", f"users/{name}", {"admin": False})).status == 200
    assert (await visitor.get("hub/gpuspawner/admin")).status == 403
    assert ROLE not in {role.name for role in hub.app.users[name].orm_user.roles}


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        pytest.param(["list:users"], 403, id="one for something else"),
        pytest.param([READ], 200, id="one for this"),
    ],
)
async def test_an_admins_token_may_no_more_than_it_says(
    hub: Hub, scopes: list[str], status: int
) -> None:
    admin = await hub.visitor(ADMIN)
    await admin.get("hub/gpuspawner/admin")
    token = hub.app.users[ADMIN].new_api_token(scopes=scopes)
    headers = {"Authorization": f"token {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        program = Visitor("a program", session, hub.base)
        assert (await program._send("GET", "hub/api/gpuspawner/access")).status == status
        answer = await program._send("PUT", "hub/api/gpuspawner/access", data="{}")
    assert answer.status == 403


async def test_who_may_see_it_finds_it_in_the_navigation(hub: Hub) -> None:
    for name, is_there in ((ADMIN, True), (READER, True), ("students-1", False)):
        home = await (await hub.visitor(name)).get("hub/home")
        assert ("gpuspawner/admin" in home.text) is is_there


async def test_a_rule_is_added_previewed_saved_and_undone(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    student = new_name("students")
    assert set(await cards(hub, student)) == {"cpu"}
    admin = await hub.visitor(ADMIN)
    page = await added(admin, "students", "huge")
    gains = page.text.partition('class="gpuspawner-gains"')[2]
    assert student in gains
    assert "no rule is about it" in gains
    assert "rule 3 allows it to group students" in gains
    without = await press(admin, page, "save")
    assert without.status == 400
    assert "Nothing is saved yet: say why" in without.text
    assert 'aria-invalid="true" autofocus' in without.text
    overview = await press(admin, page, "save", why=f"a course {EVIL}")
    assert "saved=" in overview.url
    assert EVIL not in overview.text
    assert "&lt;script&gt;" in overview.text
    assert set(await cards(hub, student)) == {"cpu", "huge"}
    entry = await audit(hub)
    assert (entry.who, entry.outcome, entry.reason) == (ADMIN, "done", f"a course {EVIL}")

    page = await admin.post_form("hub/gpuspawner/admin/rules", {"do": f"restore:{entry.parent}"})
    losses = page.text.partition('class="gpuspawner-losses"')[2]
    assert student in losses
    fields = {**hidden(page), "do": "save", "why": "undone"}
    path, token = "hub/gpuspawner/admin/rules", {"_xsrf": admin._xsrf}
    saved = await admin._send("POST", path, params=token, data=fields, allow_redirects=False)
    assert saved.status == 303
    assert (await admin.get("hub/" + saved.headers["Location"].partition("/hub/")[2])).status == 200
    assert set(await cards(hub, student)) == {"cpu"}


async def test_what_nobody_is_called_and_what_decides_nothing_is_pointed_out_before_saving(
    hub: Hub,
) -> None:
    await hub.visitor("students-1")
    admin = await hub.visitor(ADMIN)
    page = await added(admin, "studentss", "cpu")
    page = await added(admin, "students", "cpu", page)
    assert "Rule 3: the hub knows no group studentss." in page.text
    assert "Did you mean students?" in page.text
    assert (
        "Rule 4 never decides anything: what it says is decided above it, by rule 1." in page.text
    )
    lists = {name: page.text.partition(f'<datalist id="{name}">')[2] for name in PARTS}
    for name, value in PARTS.items():
        assert f'<option value="{value}">' in lists[name].partition("</datalist>")[0]


async def test_the_second_of_two_admins_sees_what_the_first_saved(hub: Hub) -> None:
    first, second = await hub.visitor(ADMIN), await hub.visitor(OTHER)
    ours = await added(first, "first", "cpu")
    theirs = await added(second, "second", "cpu")
    assert (await press(first, ours, "save", why="for the first")).status == 200
    answer = await press(second, theirs, "save", why="for the second")
    assert answer.status == 409
    shown = answer.text.partition('id="conflict"')[2]
    assert "for the first" in shown
    assert "group first may have cpu" in shown
    assert (await audit(hub)).code == "conflict"
    # What was written is not lost; and that it takes the other's away is said.
    assert "group second may have cpu" in answer.text
    assert "Rule 3 was: group first may have cpu; it is now: group second" in answer.text or (
        "is gone: group first may have cpu" in answer.text
    )
    assert (await press(second, answer, "save", why="both agree")).status == 200


async def test_what_another_process_saved_is_shown_before_this_one_knows_of_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, known = await hub.visitor(ADMIN), in_force_of(hub.app)
    page = await added(admin, "ours", "cpu")
    effective = (await known.fresh()).effective
    assert effective is not None
    theirs = {"groups": ["theirs"], "profiles": ["cpu"]}
    rules = (*as_written(effective.catalog.access), theirs)
    parent = effective.revision.number if effective.revision is not None else 0
    # Nobody looks into the database until the answer is there.
    monkeypatch.setattr(known._latest._polled, "_period", 1e9)
    draft = Draft(rules, parent, "grace", "elsewhere")
    saved = await asyncio.to_thread(known.store.save, draft, effective.file)
    answer = await press(admin, page, "save", why="mine")
    assert known.status.effective is effective, "it does not know as yet"
    assert answer.status == 409
    preview = answer.text.partition('id="preview"')[2].partition("</section>")[0]
    number = len(rules)
    assert f"Rule {number} was: group theirs may have cpu; it is now: group ours" in preview
    monkeypatch.undo()
    answer = await press(admin, answer, "save", why="mine, all the same")
    assert f"saved={saved.number + 1}" in answer.url


@pytest.mark.parametrize("page", ["admin", "admin/rules", "admin/why", "cluster"])
async def test_each_page_lets_the_event_loop_go_on_while_it_is_made(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    steps: list[str] = []

    async def compiled(_: object) -> None:
        steps.append("compiled")

    class InParts(long_pages.InParts):
        async def render_async(self, **values: Any) -> str:
            steps.append("made")
            return await super().render_async(**values)

    monkeypatch.setattr(base, "compiled", compiled)
    monkeypatch.setattr(base, "InParts", InParts)
    admin = await hub.visitor(ADMIN)
    assert (await admin.get(f"hub/gpuspawner/{page}")).status == 200
    assert steps == ["compiled", "made"]


async def test_what_is_written_by_people_is_never_html(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await added(admin, EVIL, "cpu")
    assert "<script>alert" not in page.text
    assert hidden(page)["rules"].count(json.dumps(EVIL)) == 1
    for path in ("rules", "why?user=%22%3E%3Cscript%3Ealert(1)", "?name=%22%3E%3Cscript%3Ealert"):
        assert "<script>alert" not in (await admin.get(f"hub/gpuspawner/admin/{path}")).text


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param('[{"users": ["*"], "profiles": ["no-such"]}]', id="an unknown profile"),
        pytest.param(
            '[{"users": ["*"], "profiles": ["cpu"], "kubespawner_override": {"image": "x"}}]',
            id="an override",
        ),
    ],
)
async def test_what_is_not_valid_is_shown_and_not_saved(hub: Hub, rules: str) -> None:
    admin = await hub.visitor(ADMIN)
    page = await admin.get("hub/gpuspawner/admin/rules")
    answer = await press(admin, page, "save", rules=rules, why="x")
    assert answer.status == 400
    assert "These rules cannot be saved as they are" in answer.text


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "[1]", "[", '"x"', "[" * 5000),
        pytest.param('[{"groups": ["\\ud800"]}]', id="half a letter"),
    ],
)
async def test_what_is_no_list_of_rules_is_refused(hub: Hub, text: str) -> None:
    admin = await hub.visitor(ADMIN)
    answer = await admin.post_form("hub/gpuspawner/admin/rules", {"rules": text, "do": "save"})
    assert answer.status == 400


async def test_the_api_saves_and_says_what_is_in_force(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    now = json.loads((await admin.api("GET", "gpuspawner/access")).text)
    rules = [*now["access"], {"groups": ["by-api"], "profiles": ["cpu"]}]
    asked = {"access": rules, "parent": now["revision"], "why": "by a program"}
    answer = await admin.api("PUT", "gpuspawner/access", asked)
    assert json.loads(answer.text) == {"revision": now["revision"] + 1}
    again = await admin.api("PUT", "gpuspawner/access", asked)
    assert (again.status, json.loads(again.text)["code"]) == (409, "conflict")
    after = json.loads((await admin.api("GET", "gpuspawner/access")).text)
    assert after["access"] == rules


async def test_why_somebody_has_something(hub: Hub) -> None:
    await hub.visitor("students-1")
    page = await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin/why?user=students-1")
    assert "Rule 1 allows it to group students" in page.text
    card = page.text.partition("Plain CPU")[2].partition("</li>")[0]
    assert "Now: free" in card
    assert "The sign-in named these groups less than a minute ago." in page.text


async def test_a_user_whom_the_hub_does_not_know_is_said_to_be_none(hub: Hub) -> None:
    await hub.visitor("students-1")
    page = await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin/why?user=student-1")
    assert page.status == 404
    assert "The hub knows no user student-1." in page.text
    assert "There is students-1." in page.text


async def test_a_link_cannot_say_that_something_was_saved(hub: Hub) -> None:
    page = await (await hub.visitor(ADMIN)).get("hub/gpuspawner/admin?saved=999")
    assert "is saved and in force" not in page.text


async def test_the_pages_speak_german(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    headers = {"Accept-Language": "de"}
    answer = await admin._send("GET", "hub/gpuspawner/admin", headers=headers)
    assert "Wer was haben darf" in answer.text
    # So does the link to them on JupyterHub's own pages.
    home = await admin._send("GET", "hub/home", headers=headers)
    assert re.search('gpuspawner/admin" lang="de">GPU-Zugang<', home.text)
    assert re.search('gpuspawner/admin" lang="en">GPU access<', (await admin.get("hub/home")).text)

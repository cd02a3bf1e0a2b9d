"""The admins' pages where things go wrong: the database, the file's drift, an undo of the first.

In a hub whose operator has a ``page.html`` of their own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from gpuspawner.access import PAGE
from gpuspawner.database import AUDIT_LOG
from gpuspawner.hub.access import in_force_of
from gpuspawner.hub.admin.rights import CLUSTER
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import READER, added, configured, database_away, hidden, press
from .conftest import HERE, Hub, running_hub
from .doors import ADMIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHER, CLUSTER_PAGE = "watchers-1", "hub/gpuspawner/cluster"
ACCESS, RULES = "hub/gpuspawner/admin", "hub/gpuspawner/admin/rules"
THEIRS = """\
{% extends "templates/page.html" %}
{% block nav_bar_left_items %}
{{ super() }}
<li class="nav-item"><a class="nav-link" href="https://docs.example/">Our manual</a></li>
<li class="nav-item"><a class="nav-link" href="{{ base_url }}gpuspawner/admin">Access</a></li>
{% endblock %}
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    directory = tmp_path_factory.mktemp("hub")
    (directory / "page.html").write_text(THEIRS)
    config = configured(cluster, PAGE)
    watchers = {"name": "watchers", "scopes": [CLUSTER], "users": [WATCHER]}
    config.JupyterHub.load_roles.append(watchers)
    config.GPUSpawner.catalog_file = str(directory / "catalog.yaml")
    write_catalog(directory, "")
    config.JupyterHub.template_paths.insert(0, str(directory))
    async with running_hub(cluster, config) as hub:
        yield hub


def write_catalog(directory: Path, more: str) -> None:
    text = (HERE / "catalog.yaml").read_text()
    (directory / "catalog.yaml").write_text(f"{text}{more}")


def directory_of(hub: Hub) -> Path:
    return Path(hub.app.config.GPUSpawner.catalog_file).parent


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the logger of the audit says."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(AUDIT_LOG)
    log.addHandler(handler)
    yield said
    log.removeHandler(handler)


async def test_the_operators_own_page_is_around_it(hub: Hub) -> None:
    page = await (await hub.visitor(ADMIN)).get(ACCESS)
    assert page.status == 200
    assert "Our manual" in page.text
    assert ">Access</a>" in page.text
    assert "Who may have what" in page.text


async def test_what_was_written_while_the_database_is_away_is_still_there(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    draft = await added(admin, "students", "huge")
    before = hidden(draft)
    with database_away(hub):
        answer = await press(admin, draft, "save", why="a <course>")
    assert answer.status == 503
    assert "nothing is saved. What you wrote is still here" in answer.text
    assert hidden(answer) == before
    assert 'value="a &lt;course&gt;"' in answer.text
    assert "What saving would change" in answer.text
    overview = await press(admin, answer, "save", why="a course")
    assert "Revision 1 is saved and in force." in overview.text


async def test_to_undo_while_the_database_is_away_is_answered_with_the_remedy(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    with database_away(hub):
        answer = await admin.post_form(RULES, {"do": "undo:1"})
        history = await admin.get(ACCESS)
    assert answer.status == 503
    assert "Try again in a moment." in answer.text
    assert "there is no history to show" in history.text


async def test_the_reason_is_kept_through_a_step(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await press(admin, await added(admin, "students", "gpu"), "up:2", why="half a reason")
    assert 'name="why" value="half a reason"' in page.text


async def test_drift_is_shown_and_can_be_passed_over_or_taken(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    assert "have changed since" not in (await admin.get(ACCESS)).text
    write_catalog(directory_of(hub), "  - {groups: [newcomers], profiles: [cpu]}\n")
    async with asyncio.timeout(5):
        while "have changed since" not in (page := await admin.get(ACCESS)).text:  # noqa: ASYNC110 - as people do
            await asyncio.sleep(0.1)
    assert "Rule 3 is new: group newcomers may have cpu" in page.text

    page = await admin.get(RULES)
    assert "Nothing for anybody. But the file&#39;s rules have changed" in page.text
    overview = await press(admin, page, "save", why="seen")
    assert "Revision 2 is saved and in force." in overview.text
    assert "have changed since" not in overview.text
    assert "newcomers" not in hidden(await admin.get(RULES))["rules"]

    page = await admin.post_form(RULES, {"do": "restore:0"})
    assert "These are the file&#39;s rules, as now." in page.text
    assert "newcomers" in hidden(page)["rules"]
    export = await admin.get(f"{ACCESS}/access.yaml")
    assert "Revision 2, saved by admins-0 on " in export.text
    assert "profiles: [huge]" in export.text


async def test_to_undo_the_first_is_the_file_as_it_was_then(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    page = await admin.post_form(RULES, {"do": "undo:1"})
    assert "These are the rules that the file had when revision 1 was saved." in page.text
    assert "The file has others by now." in page.text
    rules = json.loads(hidden(page)["rules"])
    assert [rule["profiles"] for rule in rules] == [["cpu"], ["gpu", "huge"]]
    assert "newcomers" not in hidden(page)["rules"]
    overview = await press(admin, page, "save", why="as it was")
    assert "(as the file was before revision 1)" in overview.text
    assert 'value="undo:3"' in overview.text


async def test_any_revision_can_be_gone_back_to(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    overview = await admin.get(ACCESS)
    assert {f'value="restore:{number}"' in overview.text for number in (1, 2)} == {True}
    page = await admin.post_form(RULES, {"do": "restore:1"})
    assert "These are the rules of revision 1." in page.text
    assert "They are not in force before you save them." in page.text
    overview = await press(admin, page, "save", why="again")
    assert "(as revision 1)" in overview.text
    page = await admin.post_form(RULES, {"do": "undo:4"})
    assert "those of revision 3" in page.text
    assert (await admin.post_form(RULES, {"do": "undo:99"})).status == 404


async def test_each_change_and_each_refusal_is_a_line_and_a_row(hub: Hub, lines: list[str]) -> None:
    admin, reader = await hub.visitor(ADMIN), await hub.visitor(READER)
    store = in_force_of(hub.app).store
    before = await asyncio.to_thread(store.entries, 500)
    page = await added(admin, "audited", "cpu")
    await press(admin, page, "save", why='quoted "words"\nand a line')
    await press(admin, page, "save", why="too late")
    await press(reader, page, "save", why="not mine to save")
    await press(admin, await admin.get(RULES), "save", why="x", rules='[{"profiles": ["cpu"]}]')
    await admin._send("POST", RULES, data={"do": "save"})
    entries = (await asyncio.to_thread(store.entries, 500))[: -len(before)][::-1]
    assert [(entry.who, entry.outcome, entry.code) for entry in entries] == [
        (ADMIN, "done", ""),
        (ADMIN, "refused", "conflict"),
        (READER, "refused", "forbidden"),
        (ADMIN, "refused", "not-valid"),
        (ADMIN, "refused", "no-xsrf-token"),
    ]
    assert lines == [entry.line() for entry in entries]
    assert json.loads(lines[0])["changes"] == ["rule 4 is new: group audited may have cpu"]
    assert all("\n" not in line for line in lines)


async def test_a_profile_that_is_gone_is_told_of_once_in_the_language_of_the_page(hub: Hub) -> None:
    admin = await hub.visitor(ADMIN)
    file = directory_of(hub) / "catalog.yaml"
    good = file.read_text()
    file.write_text(good.replace("huge", "vast"))
    headers, words = (
        {"Accept-Language": "de"},
        "nennt das Profil huge, das der Katalog nicht mehr hat",
    )
    async with asyncio.timeout(5):
        while words not in (page := await admin._send("GET", ACCESS, headers=headers)).text:  # noqa: ASYNC110 - as people do
            await asyncio.sleep(0.1)
    assert page.text.count("Profil huge") == len(re.findall(words, page.text))
    assert "access rule" not in page.text
    assert "kein Profil huge" not in (await admin._send("GET", RULES, headers=headers)).text
    file.write_text(good)


async def test_a_broken_file_is_told_of_on_the_cluster_s_page_as_far_as_one_may_know(
    hub: Hub,
) -> None:
    admin, watcher = await hub.visitor(ADMIN), await hub.visitor(WATCHER)
    file = directory_of(hub) / "catalog.yaml"
    good = file.read_text()
    assert "not valid" not in (await admin.get(CLUSTER_PAGE)).text
    file.write_text(f"{good}\nsecret-of-the-file: 7\n")
    async with asyncio.timeout(5):
        while "not valid since 20" not in (page := await admin.get(CLUSTER_PAGE)).text:  # noqa: ASYNC110 - as people do
            await asyncio.sleep(0.1)
    assert "secret-of-the-file" in page.text
    assert "The profiles are what it said before; who may have them is what revision" in page.text
    plain = (await watcher.get(CLUSTER_PAGE)).text
    assert "The catalog&#39;s file is not valid at the moment." in plain
    assert "secret-of-the-file" not in plain
    assert "revision" not in plain
    file.write_text(good)

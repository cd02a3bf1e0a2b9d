"""A link that makes a choice on the spawn page: it opens a form, and starts nothing."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urljoin

import pytest

from .conftest import Answer, Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

_IMPORTED = re.compile(r'^import .* from "([^"]+)";$', re.MULTILINE)
"""Of a script that is a module."""


class Form(HTMLParser):
    """What a browser makes of the page: what is chosen in the form, and what it is told."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.profile = self.action = self.notice = ""
        self.images: set[str] = set()
        self.addresses: set[str] = set()
        self._is_notice = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if given.get("name") == "profile" and "checked" in given:
            self.profile = given["value"]
        if tag == "option" and "selected" in given:
            self.images.add(given["value"])
        if given.get("id") == "spawn_form":
            self.action = given["action"]
        self.addresses |= {
            given[name] for name in ("href", "src", "data-live-url") if name in given
        }
        self._is_notice = given.get("class") == "gpuspawner-notice"

    def handle_data(self, data: str) -> None:
        if self._is_notice:
            self.notice += data

    def handle_endtag(self, _: str) -> None:
        self._is_notice = False


async def opened(hub: Hub, name: str, query: str) -> Answer:
    visitor = await hub.visitor(name)
    answer = await visitor.get(f"hub/gpuspawner/choose{query}")
    assert not hub.pods_of(name)
    assert name not in hub.app.users or not hub.app.users[name].spawner.active
    return answer


NOT_OFFERED = (
    "What the link asks for is not offered to you. Ask whoever sent it, or the people who run "
    "this hub. Plain CPU is chosen instead."
)
FOLLOWED = "The link that you followed asks for {}."
NEVER = "Three GPUs, which the link asks for, cannot be started now. One GPU is chosen instead."


@pytest.mark.parametrize(
    ("query", "profile", "image", "notice"),
    [
        pytest.param("", "cpu", "stable", "", id="no choice"),
        pytest.param("?profile=gpu", "gpu", "stable", FOLLOWED.format("One GPU"), id="a profile"),
        pytest.param(
            "?profile=gpu&image=nightly",
            "gpu",
            "nightly",
            FOLLOWED.format("One GPU"),
            id="one of its images",
        ),
        pytest.param(
            "?profile=huge",
            "gpu",
            "stable",
            NEVER,
            id="one that never fits",
        ),
        pytest.param(
            "?profile=gone",
            "cpu",
            "stable",
            NOT_OFFERED,
            id="one that there is not",
        ),
        pytest.param(
            "?profile=gpu&image=gone",
            "cpu",
            "stable",
            NOT_OFFERED,
            id="an image that there is not",
        ),
        pytest.param(
            "?profile=gpu&profile=cpu&opt-profile=gpu&next=//evil.example",
            "cpu",
            "stable",
            FOLLOWED.format("Plain CPU"),
            id="much at once",
        ),
        pytest.param(
            "?profile=" + quote("<script>alert(1)</script>" * 50),
            "cpu",
            "stable",
            NOT_OFFERED,
            id="no name at all",
        ),
    ],
)
async def test_it_opens_the_form_with_that_choice_and_starts_nothing(
    hub: Hub, new_name: Callable[[str], str], *, query: str, profile: str, image: str, notice: str
) -> None:
    name = new_name("gpu-users")
    answer = await opened(hub, name, query)
    assert answer.status == 200
    form = Form(answer.text)
    assert (form.profile, form.images, form.notice) == (profile, {image}, notice)
    assert "alert(1)" not in answer.text
    assert form.action.partition("?")[0] == f"/base/hub/spawn/{name}"


async def test_the_form_that_it_opens_starts_what_is_chosen(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    form = Form((await opened(hub, name, "?profile=gpu&image=nightly")).text)
    visitor = await hub.visitor(name)
    fields = {"profile": form.profile, "profile-option-gpu--image": form.images.pop()}
    path = form.action.removeprefix("/base/").partition("?")[0]
    await visitor.post_form(path, fields)
    await hub.cluster.wait_until(lambda: bool(hub.pods_of(name)), 10)
    [pod] = hub.pods_of(name)
    assert pod["spec"]["containers"][0]["image"] == "example/torch:2"
    await hub.stop_server(name)


async def test_what_is_not_allowed_reads_as_what_does_not_exist(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    hidden = Form((await opened(hub, name, "?profile=gpu")).text)
    missing = Form((await opened(hub, name, "?profile=gone")).text)
    assert hidden.notice == missing.notice != ""
    assert hidden.profile == missing.profile == "cpu"


async def test_it_is_for_a_named_server_where_it_says_so(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await opened(hub, name, "?profile=gpu&server=second")
    form = Form(answer.text)
    assert form.profile == "gpu"
    assert form.action.partition("?")[0] == f"/base/hub/spawn/{name}/second"
    assert "Start the server second" in answer.text
    assert any(address.endswith("choose?profile=gpu&server=second") for address in form.addresses)


async def test_the_log_has_the_link_that_was_followed(
    hub: Hub, new_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.access")
    access_log = logging.getLogger("tornado.access")
    access_log.addHandler(caplog.handler)
    try:
        await opened(hub, new_name("gpu-users"), "?profile=gpu&image=nightly")
    finally:
        access_log.removeHandler(caplog.handler)
    assert any(
        "/base/hub/gpuspawner/choose?profile=gpu&image=nightly" in record.getMessage()
        for record in caplog.records
    )


async def test_a_server_of_no_name_is_refused(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    assert (await opened(hub, name, "?server=..%2F..%2Fother")).status == 404


async def test_whoever_is_not_signed_in_gets_there_after_they_are(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(new_name("gpu-users"))
    visitor.session.cookie_jar.clear()
    answer = await visitor.get("hub/gpuspawner/choose?profile=gpu&image=nightly")
    assert "/hub/login" in answer.url
    assert "gpuspawner%2Fchoose%3Fprofile%3Dgpu%26image%3Dnightly" in answer.text


async def test_nothing_can_be_sent_to_it(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    answer = await visitor.post_form("hub/gpuspawner/choose", {"profile": "gpu"})
    assert answer.status == 405
    assert not hub.pods_of(name)


async def test_all_that_the_page_asks_for_is_there_under_the_base_url(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(new_name("gpu-users"))
    page = (await visitor.get("hub/spawn")).text
    ours = {each for each in Form(page).addresses if "gpuspawner" in each and "choose" not in each}
    assert {re.sub(r".*/", "", each) for each in ours} >= {"form.css", "form.js"}
    found, unread = set(ours), list(ours)
    while unread:
        address = unread.pop()
        answer = await visitor.get(address.removeprefix("/base/"))
        assert answer.status == 200, address
        assert answer.headers["Cache-Control"] in ("no-cache", "no-store")
        imported = {urljoin(address, path) for path in _IMPORTED.findall(answer.text)} - found
        unread += imported
        found |= imported
    assert {re.sub(r".*/", "", each) for each in found} >= {"words.js", "cards.js"}


class Patience:
    """JupyterHub's form waits a second for a start, which on a busy machine is short."""

    ensure_future = staticmethod(asyncio.ensure_future)

    @staticmethod
    async def wait(starts: list[Any], timeout: float) -> Any:  # noqa: ASYNC109 - its name there
        assert timeout == 1
        return await asyncio.wait(starts, timeout=30)


async def test_a_form_that_is_shown_again_after_a_refusal_has_its_style_and_script(
    hub: Hub, new_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub.handlers.pages.asyncio", Patience)
    name = new_name("gpu-users")
    visitor = await hub.visitor(name)
    await visitor.get("hub/spawn")
    answer = await visitor.post_form(f"hub/spawn/{name}", {"profile": "huge"})
    assert "cannot be started" in answer.text
    found = {address.rpartition("/")[2] for address in Form(answer.text).addresses}
    assert {"form.css", "form.js"} <= found

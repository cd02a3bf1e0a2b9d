"""Words in the language of whoever asked for a server, from the click on."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import cast

import pytest
import pytest_asyncio

from gpuspawner.simcluster.apiserver.faults import Refuse
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import HERE, Answer, Hub, Visitor, configuration, running_hub
from .doors import API, FORM, Door
from .reasons import QUOTA
from .test_pending import WAITS, Event, begin, cancel, catalog_in, events, progress_path

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAITS_IN = {
    "en": WAITS,
    "de": "Ihr Server wartet auf einen Knoten der Art, die er braucht: Derzeit gibt es keinen.",
}
CLICK_IN = {"en": "Cancel and choose again", "de": "Abbrechen und neu auswählen"}
TITLES_IN = {"en": "A place on a node", "de": "Platz auf einem Knoten"}
LASTS_IN = {
    "en": "Your server will run for 12 hours at most; what is not saved by then is lost.",
    "de": "Ihr Server läuft höchstens 12 Stunden; was bis dahin nicht gespeichert ist, geht",
}
SAYS_IN = {"en": "What the cluster says", "de": "Was der Cluster meldet"}
REFUSED_IN = {
    "en": "Three GPUs cannot be started.",
    "de": "„Three GPUs“ kann nicht gestartet werden.",
}
QUOTA_IN = {
    "en": "the quota 'gpus' allows 2 GPUs in this namespace, 2 are used",
    "de": "das Kontingent „gpus“ erlaubt in diesem Namespace 2 GPUs, davon sind 2 belegt",
}
ASKING = {"en": "fr, en-GB;q=0.8, de;q=0.5", "de": "de-CH, de;q=0.9, en;q=0.8"}
BOTH = pytest.mark.parametrize("language", ["de", "en"])


def only(language: str, words: dict[str, str], text: str) -> bool:
    """Whether `text` has the words in a language, and not in the other one."""
    return all((words[each] in text) == (each == language) for each in words)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimCluster]:
    description = ClusterDescription.parse((HERE / "cluster.yaml").read_text())
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    c = configuration(cluster, catalog_in(tmp_path_factory.mktemp("catalog")))
    async with running_hub(cluster, c) as hub:
        yield hub


@pytest.fixture
def not_waiting(hub: Hub) -> Iterator[None]:
    """As the Zero to JupyterHub chart configures it: the page comes at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(hub.app.tornado_settings, "slow_spawn_timeout", 0)
        yield


async def who_asks_in(hub: Hub, name: str, language: str) -> Visitor:
    visitor = await hub.visitor(name)
    visitor.session.headers["Accept-Language"] = ASKING[language]
    return visitor


def our_part(page: Answer) -> str:
    """What the page of a start under way has of ours."""
    found = re.search(r'<main class="container">(.*)</main>', page.text, re.DOTALL)
    assert found, page.text
    return found[1]


async def first_of_ours(hub: Hub, name: str) -> Event:
    async with aclosing(cast("AsyncGenerator[Event, None]", events(hub, name))) as told:
        async for event in told:
            if "steps" in event:
                return event
    raise AssertionError("no event came")


@pytest.mark.usefixtures("not_waiting")
async def test_two_starts_at_the_same_time_each_speak_their_own_language(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    names = {language: new_name("gpu-users") for language in ("de", "en")}
    for language, name in names.items():
        await who_asks_in(hub, name, language)
    await asyncio.gather(*(begin(hub, name, "v100") for name in names.values()))
    spawners = {language: hub.app.users[name].spawner for language, name in names.items()}
    await hub.cluster.wait_until(
        lambda: all(each.stage.sentence in WAITS_IN.values() for each in spawners.values()), 30
    )
    # The page of each is of the start's language, whoever looks at it.
    for language, name in names.items():
        admin = await who_asks_in(hub, "admins-0", "en" if language == "de" else "de")
        for visitor in (hub.visitors[name], admin):
            page = await visitor.get(f"hub/spawn-pending/{name}")
            part = our_part(page)
            assert f'lang="{language}"' in part
            for words in (WAITS_IN, CLICK_IN, TITLES_IN, LASTS_IN, SAYS_IN):
                assert only(language, words, part)
        first = await first_of_ours(hub, name)
        assert first["message"] == WAITS_IN[language]
        assert only(language, TITLES_IN, json.dumps(first["steps"], ensure_ascii=False))
        assert only(language, SAYS_IN, first["html_message"])
    for language, name in names.items():
        visitor = hub.visitors[name]
        told = events(hub, name, progress_path(await visitor.get(f"hub/spawn-pending/{name}")))
        await anext(told)
        await cancel(visitor, name)
        *_, last = [event async for event in told]
        words = {"en": "The start was cancelled.", "de": "Der Start wurde abgebrochen."}
        assert only(language, words, last["message"])


@BOTH
@pytest.mark.parametrize("door", [FORM, API], ids=lambda door: door.title)
async def test_a_refusal_is_in_the_language_of_who_asked(
    hub: Hub, new_name: Callable[[str], str], door: Door, language: str
) -> None:
    name = new_name("gpu-users")
    await who_asks_in(hub, name, language)
    answer = await door.knock(hub, name, {"profile": "huge"})
    words = json.loads(answer.text)["message"] if door.is_api else answer.text
    assert only(language, REFUSED_IN, words)
    assert words.endswith(" [never-fits]") == door.is_api
    assert answer.headers["X-GPUSpawner-Refusal"] == "never-fits"
    assert "Accept-Language" in answer.headers["Vary"]


async def test_what_is_remembered_for_all_is_told_to_each_in_their_language(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    """One dry run for the people of a profile, which the first of them waits for."""
    fault = hub.cluster.faults.add(
        Refuse(403, "Forbidden", QUOTA), verb="create", resource="pods", times=None
    )
    try:
        for language in ("de", "en", "de"):
            name = new_name("gpu-users")
            await who_asks_in(hub, name, language)
            answer = await FORM.knock(hub, name, {"profile": "gpu"})
            assert only(language, QUOTA_IN, answer.text.replace("&#39;", "'"))
    finally:
        hub.cluster.faults.remove(fault)


async def test_a_program_that_asks_for_no_language_is_answered_in_english(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    answer = await API.knock(hub, name, {"profile": "huge"})
    assert only("en", REFUSED_IN, answer.text)


@BOTH
async def test_an_error_of_the_api_is_in_the_language_of_who_asked(
    hub: Hub, new_name: Callable[[str], str], language: str
) -> None:
    visitor = await who_asks_in(hub, new_name("gpu-users"), language)
    answer = await visitor.api("GET", f"gpuspawner/offers?user={visitor.name}&server=nope")
    words = {
        "en": "There is no server of that name",
        "de": "Es gibt keinen Server mit diesem Namen",
    }
    assert (answer.status, json.loads(answer.text)["message"]) == (404, words[language])
    assert answer.headers["Vary"] == "Accept-Language"


async def test_a_form_may_not_be_kept_for_another_language(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(new_name("gpu-users"))
    page = await visitor.get("hub/spawn")
    assert "Accept-Language" in page.headers["Vary"]


@BOTH
@pytest.mark.parametrize("path", ["hub/spawn", "hub/spawn/{name}/second"], ids=["own", "named"])
async def test_a_form_is_in_the_language_of_who_asked_also_after_a_refusal(
    hub: Hub, new_name: Callable[[str], str], path: str, language: str
) -> None:
    name = new_name("gpu-users")
    visitor = await who_asks_in(hub, name, language)
    path = path.format(name=name)
    for page in (
        await visitor.get(path),
        await visitor.post_form(path, {"profile": "huge"}),
    ):
        assert f'<main class="container" lang="{language}">' in page.text


async def test_who_asks_for_no_language_is_answered_in_the_hubs(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(name := new_name("nobody"))
    words = {
        "en": "No server profile is open to",
        "de": "Diesem Konto steht kein Serverprofil offen",
    }
    for language in ("en", "de"):
        hub.app.users[name].spawner.default_language = language
        answer = await visitor.api("GET", "gpuspawner/offers")
        assert only(language, words, json.loads(answer.text)["message"])
        page = await visitor.get("hub/spawn")
        assert only(language, words, page.text)

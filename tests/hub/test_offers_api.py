"""What the spawn page shows, as JSON: to whom, of whom, and nothing that is not their business."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from jsonschema import Draft202012Validator
from jupyterhub import orm

from gpuspawner.hub.offers import STARTING
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import HERE, Answer, Hub, cards, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = yaml.safe_load((HERE.parents[1] / "docs" / "openapi.yaml").read_text())
HOSTILE = "</script><script>alert(1)</script>&lt;' \""
OFFERS = "gpuspawner/offers"
CODES = {400: "bad-request", 404: "not-found"}
ADMINS_TOKEN, LOOKERS_TOKEN = "a-token-of-a-service-that-starts", "a-token-of-one-that-looks"
SECRETS = f"""
  - slug: odd
    title: {json.dumps(HOSTILE)}
    description: {json.dumps(HOSTILE)}
    accelerator: gpu
    env: {{TOKEN: secret-in-env}}
    volumes: [data]
    kubespawner_override: {{extra_labels: {{secret: secret-in-override}}}}
    images:
      - {{slug: a, title: {json.dumps(HOSTILE)}, image: "secret-registry/x:1"}}
access:
  - groups: [secret-group]
    profiles: ["*"]
  - groups: [gpu-users]
    profiles: [odd]
"""
DATA = """volumes:
  data:
    mount_path: /secret-mount
    nfs: {server: secret-server, path: /secret-export}
"""


def catalog_in(directory: Path) -> Path:
    """The catalog of the tests, with a profile that has much to hide."""
    catalog = directory / "catalog.yaml"
    text = (HERE / "catalog.yaml").read_text()
    text = text.replace("volumes:\n", DATA, 1)
    catalog.write_text(text.replace("access:\n", SECRETS.lstrip("\n"), 1))
    return catalog


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    c = configuration(cluster, catalog_in(tmp_path_factory.mktemp("catalog")))
    c.JupyterHub.services = [
        {"name": "starts", "api_token": ADMINS_TOKEN},
        {"name": "looks", "api_token": LOOKERS_TOKEN},
    ]
    c.JupyterHub.load_roles = [
        {"name": "starter", "scopes": [STARTING], "services": ["starts"]},
        {"name": "looker", "scopes": ["read:servers"], "services": ["looks"]},
    ]
    async with running_hub(cluster, c) as hub:
        yield hub


@dataclass
class Caller:
    """A program with a token; with none if it is empty."""

    hub: Hub
    token: str

    async def get(self, query: str = "", language: str = "") -> Answer:
        headers = {"Authorization": f"token {self.token}"} if self.token else {}
        headers |= {"Accept-Language": language} if language else {}
        url = f"{self.hub.base}hub/api/{OFFERS}{query}"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
            return Answer(response.status, await response.text(), url, response.headers)


async def caller(hub: Hub, name: str, *scopes: str) -> Caller:
    """A program with a token of a person's, for all that they may unless `scopes` are given."""
    visitor = await hub.visitor(name)
    body = {"scopes": list(scopes)} if scopes else {}
    answer = await visitor.api("POST", f"users/{name}/tokens", body)
    assert answer.status in (200, 201), answer.text
    return Caller(hub, json.loads(answer.text)["token"])


def conforms(answer: Answer) -> Any:
    """The JSON of an answer, which is as the description says."""
    schema = "Presentation" if answer.status == 200 else "Error"
    described = DOCUMENT["paths"][f"/{OFFERS}"]["get"]["responses"]
    assert str(answer.status) in described
    assert answer.headers["Content-Type"].startswith("application/json")
    for name, header in DOCUMENT["components"]["headers"].items():
        Draft202012Validator(header["schema"]).validate(answer.headers[name])
    value = json.loads(answer.text)
    reference = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    Draft202012Validator(reference).validate(value)
    return value


def refused(answer: Answer, status: int, code: str) -> str:
    """The words of a refusal, of which the code is as well in the header."""
    value = conforms(answer)
    assert (answer.status, value["status"], value["code"]) == (status, status, code)
    assert answer.headers["X-GPUSpawner-Refusal"] == code
    return str(value["message"])


def slugs(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [offer["slug"] for offer in conforms(answer)["offers"]]


async def test_it_says_what_the_page_says(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("gpu-users")
    page = await cards(hub, name)
    visitor = await hub.visitor(name)
    value = conforms(await visitor.api("GET", OFFERS))
    assert value["freshness"]["state"] == "live"
    told = {
        offer["slug"]: (
            offer["standing"],
            " ".join(offer["availability"].split()),
            offer["can_start"] or offer["can_wait"],
        )
        for offer in value["offers"]
    }
    assert told == page
    assert list(told) == ["cpu", "gpu", "huge", "odd"]


async def test_each_sees_what_their_own_groups_allow(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    student = await caller(hub, new_name("students"))
    assert slugs(await student.get()) == ["cpu"]
    nobody = await caller(hub, new_name("nobody"))
    words = refused(await nobody.get(), 403, "nothing-allowed")
    assert words.startswith("No server profile is open to this account")


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        pytest.param((f"{STARTING}!user",), True, id="to start servers"),
        pytest.param(("servers!user",), True, id="all that is done to servers"),
        pytest.param(("read:servers!user",), False, id="only to read servers"),
        pytest.param(("read:users:name!user",), False, id="nothing of servers"),
    ],
)
async def test_a_token_has_to_be_one(
    hub: Hub, new_name: Callable[[str], str], *, scopes: tuple[str, ...], may: bool
) -> None:
    name = new_name("students")
    program = await caller(hub, name, *scopes)
    for query in ("", f"?user={name}"):
        answer = await program.get(query)
        if may:
            assert slugs(answer) == ["cpu"]
        else:
            refused(answer, 403, "forbidden")


async def test_without_credentials_nothing_is_told(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    await hub.visitor(name)
    for token in ("", "no-such-token"):
        answers = [
            await Caller(hub, token).get(query) for query in ("", f"?user={name}", "?user=x")
        ]
        assert {refused(answer, 403, "forbidden") for answer in answers} == {
            "Missing or invalid credentials."
        }


async def test_nobody_learns_of_others_not_even_that_they_exist(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    other, name = new_name("gpu-users"), new_name("students")
    await hub.visitor(other)
    program = await caller(hub, name)
    there, absent = await program.get(f"?user={other}"), await program.get("?user=absent")
    assert refused(there, 404, "not-found") == refused(absent, 404, "not-found")
    assert there.text == absent.text


async def test_a_slash_makes_nobody_a_server_of_ones_own(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("students")
    program = await caller(hub, name)
    other = orm.User(name=f"{name}/other")
    hub.app.db.add(other)
    hub.app.db.commit()
    refused(await program.get(f"?user={name}%2Fother"), 404, "not-found")
    hub.app.db.delete(other)
    hub.app.db.commit()


async def test_an_admin_sees_what_others_can_start(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name, admin = new_name("gpu-users"), new_name("admins")
    own = await (await caller(hub, name)).get()
    program = await caller(hub, admin)
    theirs = await program.get(f"?user={name}")
    assert conforms(theirs)["offers"] == conforms(own)["offers"]
    refused(await program.get(), 403, "nothing-allowed")
    refused(await program.get("?user=absent"), 404, "not-found")


async def test_a_service_says_whose(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    await hub.visitor(name)
    starts, looks = Caller(hub, ADMINS_TOKEN), Caller(hub, LOOKERS_TOKEN)
    assert slugs(await starts.get(f"?user={name}")) == ["cpu"]
    assert "?user=NAME" in refused(await starts.get(), 404, "not-found")
    refused(await looks.get(f"?user={name}"), 403, "forbidden")


async def test_to_ask_makes_no_server(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    program = await caller(hub, name)
    refused(await program.get("?server=not-yet"), 404, "not-found")
    assert set(hub.app.users[name].orm_spawners) == {""}
    assert not hub.pods_of(name)


async def test_a_named_server_that_runs_has_offers_as_well(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    name = new_name("gpu-users")
    program, visitor = await caller(hub, name), await hub.visitor(name)
    answer = await visitor.api("POST", f"users/{name}/servers/second", {"profile": "cpu"})
    assert answer.status in (201, 202), answer.text
    assert slugs(await program.get("?server=second")) == ["cpu", "gpu", "huge", "odd"]
    of_it = await caller(hub, name, f"{STARTING}!server={name}/second")
    assert slugs(await of_it.get("?server=second")) == ["cpu", "gpu", "huge", "odd"]
    refused(await of_it.get(), 404, "not-found")
    await hub.stop_server(name, "second")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        pytest.param("?user=a&user=b", 400, "Say once which user", id="two people"),
        pytest.param("?server=a&server=b", 400, "Say once which server", id="two servers"),
        pytest.param("?user=%FF", 400, "Invalid unicode", id="what is no text"),
        pytest.param("?user=", 404, "There is no user", id="an empty name"),
        pytest.param("?user=%00", 404, "", id="a NUL"),
        pytest.param("?server=a%2Fb", 404, "There is no server", id="a slash"),
        pytest.param("?user=" + "x" * 2000, 404, "There is no user", id="a very long name"),
        pytest.param("?user=x!user%3Dy", 404, "", id="a filter of scopes"),
    ],
)
async def test_what_cannot_be_a_name(
    hub: Hub, new_name: Callable[[str], str], query: str, status: int, said: str
) -> None:
    for group in ("students", "admins"):
        program = await caller(hub, new_name(group))
        assert refused(await program.get(query), status, CODES[status]).startswith(said)


async def test_other_methods_are_refused_in_the_same_form(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    visitor = await hub.visitor(new_name("students"))
    answer = await visitor.api("DELETE", OFFERS)
    assert (answer.status, json.loads(answer.text)["code"]) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, OPTIONS"


async def test_what_is_written_comes_as_it_is_and_is_no_page(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    answer = await (await caller(hub, new_name("gpu-users"))).get()
    [odd] = [offer for offer in conforms(answer)["offers"] if offer["slug"] == "odd"]
    assert odd["title"] == odd["description"] == odd["images"][0]["title"] == HOSTILE
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


WORDS_IN = {
    "en": ("1 CPU core", "There is no server of that name"),
    "de": ("1 CPU-Kern", "Es gibt keinen Server mit diesem Namen"),
}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        pytest.param("", "en", id="for none"),
        pytest.param("fr, de-CH;q=0.9, en;q=0.1", "de", id="for one that there is"),
    ],
)
async def test_the_words_are_in_the_language_that_is_asked_for(
    hub: Hub, new_name: Callable[[str], str], asked: str, language: str
) -> None:
    fact, error = WORDS_IN[language]
    program = await caller(hub, new_name("students"))
    answer = await program.get(language=asked)
    [cpu] = conforms(answer)["offers"]
    assert fact in cpu["facts"]
    failed = await program.get("?server=nope", language=asked)
    assert refused(failed, 404, "not-found") == error
    assert {each.headers["Content-Language"] for each in (answer, failed)} == {language}


async def test_nothing_is_told_that_is_not_theirs(hub: Hub, new_name: Callable[[str], str]) -> None:
    other, name, admin = new_name("gpu-users"), new_name("gpu-users"), new_name("admins")
    await hub.start_server(other, "gpu")
    await hub.cluster.wait_until(lambda: len(hub.pods_of(other)) == 1, 30)
    programs = (await caller(hub, name), ""), (await caller(hub, admin), f"?user={name}")
    for program, query in programs:
        answer = await program.get(query)
        told = [offer["volumes"] for offer in conforms(answer)["offers"] if offer["slug"] == "odd"]
        assert told == [[{"name": "data", "read_only": False, "after_stop": "kept"}]]
        for hidden in ("secret", "example/torch", "FRAMEWORK", "gpu-0", "plain-0", other, admin):
            assert hidden not in answer.text
    await hub.visitors[other].api("DELETE", f"users/{other}/server")


async def test_without_a_catalog_it_says_so(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    program = await caller(hub, name)
    hub.app.users[name].spawner.catalog_file = "/secret/no-such-catalog.yaml"
    answer = await program.get()
    assert "cannot be read" in refused(answer, 503, "no-catalog")
    assert "secret" not in answer.text


async def test_the_hook_of_the_page_runs_here_too(hub: Hub, new_name: Callable[[str], str]) -> None:
    name = new_name("students")
    program = await caller(hub, name)
    spawner, heard = hub.app.users[name].spawner, []
    spawner.auth_state_hook = lambda *given: heard.append(given)
    assert slugs(await program.get()) == ["cpu"]
    assert heard == [(spawner, None)]


async def test_a_hook_that_fails_is_not_the_persons_fault(
    hub: Hub, new_name: Callable[[str], str]
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("secret")

    name = new_name("students")
    program = await caller(hub, name)
    hub.app.users[name].spawner.auth_state_hook = failing
    answer = await program.get()
    assert "find the reason in its log" in refused(answer, 503, "misconfigured")
    assert "secret" not in answer.text

from __future__ import annotations

import aiohttp
import pytest

from gpuspawner.simcluster.apiserver.access import AccessRules, Rule
from gpuspawner.simcluster.apiserver.requestinfo import read_request

HUB = "system:serviceaccount:jhub:hub"


@pytest.fixture
def access() -> AccessRules:
    return AccessRules(
        {"secret": HUB},
        [
            Rule(("get", "list", "watch"), ("nodes",), users=(HUB,)),
            Rule(("*",), ("pods", "pods/log"), namespaces=("jhub",)),
        ],
    )


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="no header"),
        pytest.param("Bearer wrong", id="an unknown token"),
        pytest.param("Basic secret", id="another scheme"),
    ],
)
async def test_who_is_not_known_is_401(api: aiohttp.ClientSession, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    async with api.get("/api/v1/nodes", headers=headers) as response:
        assert response.status == 401
        status = await response.json()
    assert (status["kind"], status["reason"], status["message"]) == (
        "Status",
        "Unauthorized",
        "Unauthorized",
    )


async def code(api: aiohttp.ClientSession, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with api.get("/api/v1/nodes", headers=headers) as response:
        return response.status


async def test_a_rotated_token_replaces_the_old_one(
    api: aiohttp.ClientSession, access: AccessRules
) -> None:
    assert await code(api, "secret") == 200
    access.rotate(HUB, "fresh")
    assert (await code(api, "secret"), await code(api, "fresh")) == (401, 200)


async def test_a_denial_is_403_with_its_details(api: aiohttp.ClientSession) -> None:
    headers = {"Authorization": "Bearer secret"}
    async with api.get("/api/v1/pods", headers=headers) as response:
        assert response.status == 403
        status = await response.json()
    assert (status["reason"], status["details"]) == ("Forbidden", {"kind": "pods"})


@pytest.mark.parametrize(
    ("method", "url", "words"),
    [
        pytest.param("GET", "/api/v1/nodes", None, id="an allowed list"),
        pytest.param("GET", "/api/v1/nodes?watch=1", None, id="an allowed watch"),
        pytest.param("POST", "/api/v1/namespaces/jhub/pods", None, id="allowed in its namespace"),
        pytest.param("GET", "/api/v1/namespaces/jhub/pods/p/log", None, id="a subresource"),
        pytest.param("GET", "/version", None, id="a path that is no resource"),
        pytest.param(
            "GET",
            "/api/v1/pods",
            f'pods is forbidden: User "{HUB}" cannot list resource "pods" in API group "" at the '
            "cluster scope",
            id="one namespace is not the cluster",
        ),
        pytest.param(
            "GET",
            "/api/v1/pods?watch=true",
            f'pods is forbidden: User "{HUB}" cannot watch resource "pods" in API group "" at the '
            "cluster scope",
            id="watching is a verb of its own",
        ),
        pytest.param(
            "DELETE",
            "/api/v1/nodes/n1",
            f'nodes "n1" is forbidden: User "{HUB}" cannot delete resource "nodes" in API group "" '
            "at the cluster scope",
            id="only the verbs of the rule",
        ),
        pytest.param(
            "DELETE",
            "/api/v1/namespaces/other/pods/p",
            f'pods "p" is forbidden: User "{HUB}" cannot delete resource "pods" in API group "" in '
            'the namespace "other"',
            id="another namespace",
        ),
        pytest.param(
            "PATCH",
            "/api/v1/namespaces/jhub/pods/p/status",
            f'pods "p" is forbidden: User "{HUB}" cannot patch resource "pods/status" in API group '
            '"" in the namespace "jhub"',
            id="a subresource needs a rule of its own",
        ),
        pytest.param(
            "GET",
            "/apis/storage.k8s.io/v1/storageclasses",
            f'storageclasses.storage.k8s.io is forbidden: User "{HUB}" cannot list resource '
            '"storageclasses" in API group "storage.k8s.io" at the cluster scope',
            id="a resource of a group",
        ),
    ],
)
def test_rules(access: AccessRules, method: str, url: str, words: str | None) -> None:
    path, _, query = url.partition("?")
    request = read_request(method, path, query)
    if words is None:
        access.authorize(HUB, request)
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the words are compared in full
        access.authorize(HUB, request)
    assert str(caught.value) == words


async def test_rules_change_while_the_server_runs(
    api: aiohttp.ClientSession, access: AccessRules
) -> None:
    access.rules.clear()
    assert await code(api, "secret") == 403
    access.rules.append(Rule())
    assert await code(api, "secret") == 200


def test_parameters_are_decoded_once() -> None:
    found = read_request("GET", "/api/v1/pods", "labelSelector=a+in%20(b%2Bc)&continue=x%3D%26")
    assert found.query == {"labelSelector": "a in (b+c)", "continue": "x=&"}


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "pods", "", "")),
        ("GET", "/api/v1/pods?watch=0", ("list", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", ("get", "pods", "a", "p")),
        ("PUT", "/api/v1/namespaces/a/pods/p/status", ("update", "pods/status", "a", "p")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("deletecollection", "pods", "a", "")),
        ("GET", "/api/v1/namespaces", ("list", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces", "", "a")),
        ("PUT", "/api/v1/namespaces/a/status", ("update", "namespaces/status", "", "a")),
        (
            "POST",
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            ("create", "priorityclasses", "", ""),
        ),
        ("GET", "/api/v1/namespaces/a/nodes", ("get", "", "", "")),
        ("POST", "/api/v1/unknown", ("post", "", "", "")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_request_asks_for(
    method: str, url: str, expected: tuple[str, str, str, str]
) -> None:
    path, _, query = url.partition("?")
    found = read_request(method, path, query)
    assert (found.verb, found.resource_path, found.namespace, found.name) == expected


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        pytest.param({"verb": "list", "resource": "nodes"}, True, id="as a rule says"),
        pytest.param({"verb": "delete", "resource": "nodes"}, False, id="another verb"),
        pytest.param(
            {"verb": "create", "resource": "pods", "namespace": "jhub"}, True, id="a namespace"
        ),
        pytest.param({"verb": "list", "resource": "pods"}, False, id="all namespaces"),
        pytest.param(
            {"verb": "list", "resource": "csinodes", "group": "storage.k8s.io"},
            False,
            id="a resource that is not served",
        ),
    ],
)
async def test_an_account_can_ask_what_it_may(
    api: aiohttp.ClientSession, attributes: dict[str, str], allowed: bool
) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    headers = {"Authorization": "Bearer secret"}
    review = {"spec": {"resourceAttributes": attributes}}
    async with api.post(path, json=review, headers=headers) as response:
        assert response.status == 201
        assert (await response.json())["status"]["allowed"] is allowed
    async with api.post(path, json={}, headers=headers) as response:
        assert response.status == 400
    async with api.post(path, json=review) as response:
        assert response.status == 401

"""The ClusterRole that we ship, and nothing more, is enough; and what is missing is named."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from kubernetes_asyncio.client import Configuration
from tests.controlplane.kube import Api, Object, as_user, until
from tests.controlplane.servers import make_account
from tests.controlplane.watching import watching

from gpuspawner.capacity.freshness import Permission
from gpuspawner.capacity.kinds import KINDS, Kind
from gpuspawner.capacity.objects import ClusterObjects
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.capacity.watching import ClusterWatch

ROLE = Path(__file__).parents[2] / "helm-values" / "clusterrole.yaml"
RBAC = "rbac.authorization.k8s.io"
NODES_AND_PODS = {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list", "watch"]}
TABLES = [field.name for field in fields(ClusterObjects)]


def rules_without(verb: str, resource: str) -> list[Object]:
    """Our rules, each resource by itself, less one verb on one of them."""
    role = next(iter(yaml.safe_load_all(ROLE.read_text())))
    return [
        copy.deepcopy(rule) | {"resources": [plural], "verbs": verbs}
        for rule in role["rules"]
        for plural in rule["resources"]
        if (verbs := [one for one in rule["verbs"] if (one, plural) != (verb, resource)])
    ]


class Watcher:
    """Watches as a service account that has only the rules that it is given."""

    def __init__(self, api: Api, namespace: str, configuration: Configuration) -> None:
        self._api = api
        self._namespace = namespace
        self._configuration = configuration
        self._path = ""

    @asynccontextmanager
    async def __call__(
        self, rules: list[Object], *, streams: bool = True
    ) -> AsyncIterator[ClusterWatch]:
        async with watching(await self.account(rules), streams=streams) as watch:
            yield watch

    async def account(self, rules: list[Object]) -> Configuration:
        """A configuration for an account that has these rules and no others."""
        token = await make_account(self._api, self._namespace, "hub")
        await self.grant(rules)
        return as_user(self._configuration, token)

    async def grant(self, rules: list[Object]) -> None:
        """Bind the account to a role with these rules and no others."""
        metadata = {"name": f"{self._namespace}-hub"}
        path = f"/apis/{RBAC}/v1"
        role = {"metadata": metadata, "rules": rules}
        await self._api.create_for_now(f"{path}/clusterroles", role)
        subject = {"kind": "ServiceAccount", "name": "hub", "namespace": self._namespace}
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": metadata["name"]}
        self._path = f"{path}/clusterroles/{metadata['name']}"
        binding = {"metadata": metadata, "roleRef": reference, "subjects": [subject]}
        await self._api.create_for_now(f"{path}/clusterrolebindings", binding)

    async def regrant(self, rules: list[Object]) -> None:
        """Give the role other rules."""
        await self._api.patch(self._path, {"rules": rules})


@pytest.fixture
def watched_with(api: Api, namespace: str, configuration: Configuration) -> Watcher:
    return Watcher(api, namespace, configuration)


async def is_live(watch: ClusterWatch) -> None:
    async def live() -> bool:
        return watch.freshness().is_live

    await until(live)


async def is_denied(watch: ClusterWatch, *missing: Permission) -> None:
    async def denied() -> bool:
        return watch.freshness().missing == missing

    await until(denied)
    assert watch.freshness().state == "denied"
    assert not watch.freshness().is_live


@pytest.mark.parametrize(
    "streams",
    [
        pytest.param(True, id="with streaming lists"),
        pytest.param(False, id="with lists in pages"),
    ],
)
async def test_our_cluster_role_is_enough(watched_with: Watcher, *, streams: bool) -> None:
    async with watched_with(rules_without("", ""), streams=streams) as watch:
        await is_live(watch)
        assert watch.freshness().missing == ()


@pytest.mark.parametrize("resource", ["nodes", "pods"])
async def test_without_watch_it_is_named_and_nothing_is_live(
    watched_with: Watcher, resource: str
) -> None:
    async with watched_with(rules_without("watch", resource)) as watch:
        await is_denied(watch, Permission("watch", resource))


@pytest.mark.parametrize("resource", ["nodes", "pods"])
async def test_without_list_it_is_named_and_nothing_is_live(
    watched_with: Watcher, resource: str
) -> None:
    async with watched_with(rules_without("list", resource), streams=False) as watch:
        await is_denied(watch, Permission("list", resource))


@pytest.mark.parametrize("resource", ["nodes", "pods"])
async def test_a_streaming_list_needs_no_right_to_list(
    watched_with: Watcher, resource: str
) -> None:
    async with watched_with(rules_without("list", resource)) as watch:
        await is_live(watch)


async def test_a_right_that_is_granted_later_is_made_use_of(watched_with: Watcher) -> None:
    async with watched_with([]) as watch:

        async def both_are_named() -> bool:
            return {missing.resource for missing in watch.freshness().missing} == {"nodes", "pods"}

        await until(both_are_named)
        assert (watch.freshness().state, watch.freshness().age) == ("denied", None)
        await watched_with.regrant(rules_without("", ""))
        await is_live(watch)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_kind_that_is_hidden_is_named_and_unknown(
    api: Api, namespace: str, configuration: Configuration, *, kind: Kind
) -> None:
    rules = [
        {"apiGroups": [one.group], "resources": [one.plural], "verbs": ["list", "watch"]}
        for one in KINDS
        if one is not kind
    ]
    watcher = Watcher(api, namespace, configuration)
    user = await watcher.account([NODES_AND_PODS, *rules])
    cluster = SharedCluster(user, namespace)
    try:

        async def is_named() -> bool:
            return cluster.hidden().keys() == {kind.name}

        await until(is_named)
        assert kind.plural in cluster.hidden()[kind.name]
        await is_live(cluster.watch)

        async def all_else_is_known() -> bool:
            objects = cluster.snapshot().objects
            return [name for name in TABLES if getattr(objects, name) is None] == [kind.table]

        await until(all_else_is_known)
    finally:
        await cluster.stop()

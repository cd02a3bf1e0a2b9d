"""A namespace's quota, of the real API server and of simcluster alike.

It is refused in a dry run, which consumes nothing.
"""

from __future__ import annotations

from tests.controlplane.kube import Answer, Api, Object, until
from tests.controlplane.servers import Server

GPU = "requests.nvidia.com/gpu"


def a_pod(name: str) -> Object:
    """A pod with a GPU, of a scheduler that is not there."""
    resources = {"limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "main", "image": "example.invalid/image", "resources": resources}
    spec = {"containers": [container], "schedulerName": "nobody"}
    return {"metadata": {"name": name}, "spec": spec}


class Quota:
    """A ResourceQuota of two GPUs in a namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"

    async def set(self) -> None:
        quota = {"metadata": {"name": "gpus"}, "spec": {"hard": {GPU: "2"}}}
        await self._api.create(self._quotas, quota)
        await self.is_used("0")

    async def is_used(self, amount: str) -> None:
        """Wait until the controller has counted this much."""

        async def counted() -> bool:
            return await self.used() == amount

        await until(counted)

    async def used(self) -> str | None:
        status = (await self._api.get(f"{self._quotas}/gpus"))["status"]
        used = status.get("used", {}).get(GPU)
        return None if used is None else str(used)

    async def ask(self, name: str, **query: str) -> Answer:
        return await self._api.ask("POST", self._pods, a_pod(name), **query)

    async def end(self, name: str) -> None:
        await self._api.delete(f"{self._pods}/{name}", gracePeriodSeconds="0")


async def test_a_dry_run_says_that_the_quota_is_used_up(server: Server) -> None:
    quota = Quota(server.api, server.namespace)
    await quota.set()
    for name in ("first", "second"):
        assert (await quota.ask(name)).code == 201
    answer = await quota.ask("third", dryRun="All")
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["details"] == {"name": "third", "kind": "pods"}
    assert answer.message == (
        'pods "third" is forbidden: exceeded quota: gpus, '
        f"requested: {GPU}=1, used: {GPU}=2, limited: {GPU}=2"
    )
    await quota.end("first")
    await quota.is_used("1")
    assert (await quota.ask("third", dryRun="All")).code == 201


async def test_a_dry_run_consumes_nothing(server: Server) -> None:
    quota = Quota(server.api, server.namespace)
    await quota.set()
    for _ in range(5):
        assert (await quota.ask("p", dryRun="All")).code == 201
    assert (await quota.ask("first")).code == 201
    assert (await quota.ask("second")).code == 201
    await quota.is_used("2")

"""Putting a state into a cluster, and asking its scheduler about a pod."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.controlplane.generating import MARK, State
from tests.controlplane.kube import Api, Object, until

VOLUMES = "/api/v1/persistentvolumes"
MOST_SLOTS = 12
"""How many pods of a kind are started at most to count how many fit."""


@dataclass(frozen=True)
class Ruling:
    """What the scheduler did with a pod, or said of it."""

    fits: bool
    reasons: dict[str, int]
    message: str = ""


class Bench:
    """A namespace and the nodes of a run."""

    def __init__(self, api: Api, namespace: str, mark: str) -> None:
        self.api = api
        self.namespace = namespace
        self.pods = f"/api/v1/namespaces/{namespace}/pods"
        self._claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        self._mark = mark

    async def lay(self, state: State) -> None:
        """Make the cluster what `state` says."""
        for node in state.nodes:
            made = await self.api.create_for_now("/api/v1/nodes", node)
            # A real cluster lets the node's creator set only what the kubelet would not.
            if "allocatable" not in made["status"]:
                path = f"/api/v1/nodes/{made['metadata']['name']}/status"
                await self.api.patch(path, {"status": node["status"]})
        await self._provide(state)
        for standing in state.standing:
            path = f"{self.pods}/{standing.pod['metadata']['name']}"
            await self.api.create(self.pods, standing.pod)
            if standing.phase:
                await self.api.patch(f"{path}/status", {"status": {"phase": standing.phase}})
            if standing.deleted:
                assert (await self.api.delete(path)).code == 200
        for pod in state.evicting:
            # It is bound, or waits for those that are evicted, which here never end.
            await self.rule(pod)
        if state.evicting:
            await rest()

    async def clear(self) -> None:
        """Take away pods and nodes."""
        await self.api.delete(self.pods, gracePeriodSeconds="0")
        for below in ("/api/v1/nodes/", f"{self._claims}/", f"{VOLUMES}/"):
            await self.api.forget(below)

        async def is_empty() -> bool:
            return not (await self.api.get(self.pods))["items"]

        await until(is_empty)

    async def _provide(self, state: State) -> None:
        """Create volumes and claims, and wait for those that find each other."""
        for volume in state.volumes:
            await self.api.create_for_now(VOLUMES, volume)
        for claim in state.claims:
            await self.api.create_for_now(self._claims, claim)
            if claim["spec"]["volumeName"] != "absent":
                await self._bound(claim["metadata"]["name"])

    async def _bound(self, claim: str) -> None:
        async def is_bound() -> bool:
            found = await self.api.get(f"{self._claims}/{claim}")
            return bool(found["status"]["phase"] == "Bound")

        await until(is_bound)

    async def recorded(self) -> Object:
        """The state as the API server has it, in the format of recorded verdicts."""
        nodes = await self.api.get("/api/v1/nodes", labelSelector=f"{MARK}={self._mark}")
        objects = [
            {"apiVersion": "v1", "kind": kind} | item
            for path, kind in (
                (VOLUMES, "PersistentVolume"),
                (self._claims, "PersistentVolumeClaim"),
            )
            for item in (await self.api.get(path))["items"]
        ]
        pods = await self.api.get(self.pods)
        return {"nodes": nodes["items"], "pods": pods["items"], "objects": objects}

    async def terminating(self) -> set[str]:
        """The pods that are being deleted; those that a candidate evicts among them."""
        pods = (await self.api.get(self.pods))["items"]
        names = (pod["metadata"] for pod in pods if "deletionTimestamp" in pod["metadata"])
        return {metadata["name"] for metadata in names}

    async def rule(self, pod: Object) -> Ruling:
        """Create a pod and wait for what the scheduler makes of it."""
        name = pod["metadata"]["name"]
        await self.api.create(self.pods, pod)

        async def ruling() -> Ruling | None:
            now = await self.api.get(f"{self.pods}/{name}")
            if now["spec"].get("nodeName"):
                return Ruling(fits=True, reasons={})
            for condition in now["status"].get("conditions", ()):
                if condition["type"] == "PodScheduled" and condition["reason"] == "Unschedulable":
                    message = condition["message"]
                    return Ruling(fits=False, reasons=histogram(message), message=message)
            return None

        return await until(ruling)

    async def remove(self, *names: str) -> None:
        """Delete pods and wait until they are gone."""
        for name in names:
            await self.api.delete(f"{self.pods}/{name}", gracePeriodSeconds="0")

    async def slots(self, pod: Object) -> int:
        """How many such pods fit one after another, counted up to `MOST_SLOTS`."""
        names: list[str] = []
        try:
            while len(names) < MOST_SLOTS:
                names.append(f"{pod['metadata']['name']}-{len(names)}")
                another = pod | {"metadata": pod["metadata"] | {"name": names[-1]}}
                if not (await self.rule(another)).fits:
                    return len(names) - 1
            return MOST_SLOTS
        finally:
            await self.remove(*names)


def histogram(message: str) -> dict[str, int]:
    """The reasons in the first sentence of the scheduler's message, and their counts.

    A reason for which it looks at no node has no count; 0 stands for it.
    """
    sentence = message.split(". ", 1)[0].removesuffix(".")
    _, _, reasons = sentence.partition(": ")
    if reasons and not reasons[0].isdigit():
        return {reasons: 0}
    parts = (part.split(" ", 1) for part in reasons.split(", ") if part)
    return {words: int(count) for count, words in parts}


async def rest() -> None:
    """Let the scheduler hear of everything that was written; nothing tells when it has."""
    await asyncio.sleep(1)

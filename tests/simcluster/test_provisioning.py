"""Claims of a class that does not wait get a volume of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gpuspawner.capacity.model import read_claim
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import (
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    STORAGECLASSES,
)
from gpuspawner.simcluster.provisioning import Provisioner
from gpuspawner.simcluster.storage.store import Store

CLASSES = {"nfs": "Immediate", "local": "WaitForFirstConsumer"}


@pytest.fixture
async def provisioned(store: Store) -> AsyncIterator[Store]:
    for name, mode in CLASSES.items():
        cls = {"metadata": {"name": name}, "provisioner": "x", "volumeBindingMode": mode}
        store.create(STORAGECLASSES, None, cls)
    task = asyncio.create_task(Provisioner(store).run())
    yield store
    task.cancel()
    await asyncio.wait([task])


def claim(store: Store, name: str, storage_class: str) -> Callable[[], Object]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": storage_class,
    }
    obj = {"metadata": {"name": name}, "spec": spec}
    store.create(PERSISTENTVOLUMECLAIMS, "default", obj)
    return lambda: store.get(PERSISTENTVOLUMECLAIMS, "default", name)


async def test_a_claim_is_bound_to_a_volume_of_its_own(
    provisioned: Store, eventually: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    waits, gone = claim(provisioned, "waits", "local"), claim(provisioned, "gone", "no-such-class")
    one, two = claim(provisioned, "one", "nfs"), claim(provisioned, "two", "nfs")
    await eventually(lambda: all(c()["status"].get("phase") == "Bound" for c in (one, two)))
    volumes, _ = provisioned.list(PERSISTENTVOLUMES)
    held = {volume["metadata"]["name"]: volume["spec"]["claimRef"]["name"] for volume in volumes}
    assert {one()["spec"]["volumeName"]: "one", two()["spec"]["volumeName"]: "two"} == held
    assert all(volume["status"]["phase"] == "Bound" for volume in volumes)
    assert read_claim(one()).is_bound
    assert not any("volumeName" in other()["spec"] for other in (waits, gone))

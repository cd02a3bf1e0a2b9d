"""Every reason to refuse a start, how it comes about, and what is to be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubespawner import KubeSpawner

from gpuspawner import in_force
from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS, RESOURCEQUOTAS
from gpuspawner.simcluster.apiserver.faults import Drop, Refuse

from .conftest import HERE, NAMESPACE, Hub
from .doors import Options

PROFILES = [
    {"slug": "large", "title": "Most of a node", "cpu": 30, "memory": "1Gi"},
    {"slug": "vast", "title": "More than a node", "cpu": 64, "memory": "1Gi"},
    {
        "slug": "odd-env",
        "title": "An environment of numbers",
        "kubespawner_override": {"environment": {"OMP_NUM_THREADS": 4}},
    },
    {
        "slug": "odd-pod",
        "title": "A pod of nonsense",
        "kubespawner_override": {"extra_pod_config": {"nope": 1}},
    },
    {
        "slug": "odd-class",
        "title": "A class of pods that is not there",
        "kubespawner_override": {"priority_class_name": "no-such"},
    },
    {
        "slug": "waits",
        "title": "A scheduler that is not there",
        "kubespawner_override": {"scheduler_name": "nobody"},
    },
]
QUOTA = (
    'pods "jupyter-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, '
    "used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2"
)
MARKUP = "<script>alert(1)</script>"
CHOOSE = "Choose one of those on the spawn page"
NEAREST = "The nearest that can be started is Plain CPU (free"
SEE_THE_LOG = "The people who run this hub find the reason in its log."

Moment = Callable[[Hub, str], AbstractAsyncContextManager[None]]


def no_moment(hub: Hub, name: str) -> AbstractAsyncContextManager[None]:
    """What makes the refusal is there for as long as the hub is."""
    del hub, name
    return nullcontext()


@dataclass(frozen=True)
class Reason:
    """Why a start is refused, and what is to be told.

    Attributes:
        title: what is the matter.
        options: what is asked for.
        words: each of them is to be read.
        group: of who asks.
        lasting: makes it so on a hub, for all who ask.
        moment: makes it so for one who asks, and ends it.
        default: the default profile of the hub, which must not ask for a GPU, and what is told of
            it to who asks for nothing; None if nobody can be refused so without asking.
    """

    title: str
    status: int
    code: str
    options: Options
    words: tuple[str, ...]
    group: str = "gpu-users"
    lasting: Callable[[Hub], AbstractAsyncContextManager[None]] = lambda _: nullcontext()
    moment: Moment = no_moment
    default: tuple[str, tuple[str, ...]] | None = None


@asynccontextmanager
async def gpus_taken(hub: Hub) -> AsyncIterator[None]:
    taken = {
        "gpu-1": {"nvidia.com/gpu": "2", "cpu": "4"},
        "plain-1": {"cpu": "4"},
    }
    for node, amounts in taken.items():
        hub.cluster.store.create(PODS, "default", a_pod(node, amounts, nodeName=node))
    await told(hub, "none of 2 free")
    try:
        yield
    finally:
        for node in taken:
            hub.cluster.store.delete(PODS, "default", node, grace_seconds=0)


@asynccontextmanager
async def quota_used_up(hub: Hub) -> AsyncIterator[None]:
    hard = {"requests.nvidia.com/gpu": "2", "requests.cpu": "40"}
    quota = {"metadata": {"name": "g"}, "spec": {"hard": hard}}
    hub.cluster.store.create(RESOURCEQUOTAS, NAMESPACE, quota)
    # On no node, so that the GPUs themselves are free.
    pod = a_pod("hog", {"nvidia.com/gpu": "2", "cpu": "20"}, nodeSelector={"no": "node"})
    hub.cluster.store.create(PODS, NAMESPACE, pod)
    await told(hub, "the quota 'g'")
    try:
        yield
    finally:
        hub.cluster.store.delete(PODS, NAMESPACE, "hog", grace_seconds=0)
        hub.cluster.store.delete(RESOURCEQUOTAS, NAMESPACE, "g")


def a_pod(name: str, amounts: dict[str, str], **spec: Any) -> Object:
    container = {"name": "x", "image": "x", "resources": {"limits": amounts, "requests": amounts}}
    metadata = {"name": name, "annotations": {"of": "somebody else"}}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}}


async def told(hub: Hub, words: str) -> None:
    """Wait until the form says what the cluster has come to."""
    visitor = await hub.visitor("gpu-users-0")

    async def is_told() -> bool:
        return words in unescape((await visitor.get("hub/spawn")).text)

    await hub.cluster.wait_until(is_told, 20)


@asynccontextmanager
async def catalog_broken(hub: Hub, name: str) -> AsyncIterator[None]:
    """As after a restart of a hub that has the class alone."""
    del name
    good = rewrite(hub, "profiles: [nonsense")
    try:
        yield
    finally:
        rewrite(hub, good)


def rewrite(hub: Hub, text: str) -> str:
    """Replace the catalog, and let the hub read it anew; the text that it had."""
    file = Path(hub.app.config.GPUSpawner.catalog_file)
    before = file.read_text()
    file.write_text(text)
    in_force.forget()
    return before


@asynccontextmanager
async def quota_at_create(hub: Hub, name: str) -> AsyncIterator[None]:
    """Others use the quota up between the dry run and the pod."""
    del name
    create = KubeSpawner._make_create_pod_request

    async def create_too_late(self: KubeSpawner, *args: Any, **kwargs: Any) -> Any:
        hub.cluster.faults.add(Refuse(403, "Forbidden", QUOTA), verb="create", resource="pods")
        return await create(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KubeSpawner, "_make_create_pod_request", create_too_late)
        yield


@asynccontextmanager
async def cluster_away(hub: Hub, name: str) -> AsyncIterator[None]:
    del name
    injection = hub.cluster.faults.add(Drop(), times=None)
    hub.cluster.faults.sever()
    try:
        yield
    finally:
        hub.cluster.faults.remove(injection)
    reflectors = KubeSpawner.reflectors.values()
    await hub.cluster.wait_until(lambda: not any(each.failure for each in reflectors), 20)


@asynccontextmanager
async def cancelled(hub: Hub, name: str) -> AsyncIterator[None]:
    """As soon as there is a pod."""
    visitor = await hub.visitor(name)

    async def cancel() -> None:
        await hub.cluster.wait_until(lambda: hub.pods_of(name), 20)
        [pod] = hub.pods_of(name)
        server = pod["metadata"]["labels"].get("hub.jupyter.org/servername", "")
        await visitor.post_form(f"hub/gpuspawner/cancel/{name}/{server}", {"then": "home"})

    cancelling = asyncio.create_task(cancel())
    try:
        yield
    finally:
        await cancelling


REASONS = [
    Reason(
        "a profile of another group",
        403,
        "not-allowed",
        {"profile": "gpu"},
        ("The profile 'gpu' is not open to this account.", CHOOSE),
        group="students",
        default=("large", ("the default one is not open to this account", CHOOSE)),
    ),
    Reason(
        "all are taken",
        503,
        "busy",
        {"profile": "gpu"},
        ("One GPU cannot be started now. Busy: none of 2 free", NEAREST),
        lasting=gpus_taken,
        default=("large", ("Most of a node cannot be started now. Busy: ", NEAREST)),
    ),
    Reason(
        "nothing is open to the person",
        403,
        "not-allowed",
        {"profile": "cpu"},
        ("open to this account",),
        group="nobody",
        default=("cpu", ("open to this account",)),
    ),
    Reason(
        "a catalog that cannot be read",
        503,
        "no-catalog",
        {"profile": "cpu"},
        ("The list of server profiles cannot be read at the moment.", SEE_THE_LOG),
        moment=catalog_broken,
        default=("cpu", ("cannot be read at the moment", SEE_THE_LOG)),
    ),
    Reason(
        "no node is large enough",
        422,
        "never-fits",
        {"profile": "huge"},
        (
            "Three GPUs cannot be started. Never fits: asks for 3 Test GPU, "
            "the largest node offers 2.",
            "The nearest that can be started is One GPU (2 of 2 free",
        ),
        default=("vast", ("More than a node cannot be started. Never fits: asks for 64 CPU",)),
    ),
    Reason(
        "a quota that is known to be used up",
        503,
        "quota",
        {"profile": "gpu"},
        ("One GPU cannot be started now. Busy: the quota 'g' allows 2", NEAREST),
        lasting=quota_used_up,
        default=("large", ("Most of a node cannot be started now. Busy: the quota 'g'", NEAREST)),
    ),
    Reason(
        "a quota that only the pod meets",
        503,
        "quota",
        {"profile": "gpu"},
        ("One GPU: The quota 'gpus' allows 2",),
        moment=quota_at_create,
        default=("cpu", ("Plain CPU: The quota 'gpus' allows 2",)),
    ),
    Reason(
        "a profile that contradicts the configuration",
        503,
        "misconfigured",
        {"profile": "odd-env"},
        ("An environment of numbers cannot be started", "contradict each other", SEE_THE_LOG),
        default=("odd-env", ("An environment of numbers cannot be started", SEE_THE_LOG)),
    ),
    Reason(
        "a pod that cannot be made",
        503,
        "misconfigured",
        {"profile": "odd-pod"},
        ("A pod of nonsense: ", SEE_THE_LOG),
        default=("odd-pod", ("A pod of nonsense: ", SEE_THE_LOG)),
    ),
    Reason(
        "a pod that the cluster does not accept",
        503,
        "misconfigured",
        {"profile": "odd-class"},
        ("A class of pods that is not there: ", SEE_THE_LOG),
        default=("odd-class", ("A class of pods that is not there: ", SEE_THE_LOG)),
    ),
    Reason(
        "a cluster that does not answer",
        503,
        "unreachable",
        {"profile": "cpu"},
        ("Plain CPU: The cluster does not answer at the moment", "Try again in a minute."),
        moment=cluster_away,
        default=("cpu", ("Plain CPU: The cluster does not answer at the moment",)),
    ),
    Reason(
        "a start that is cancelled",
        409,
        "cancelled",
        {"profile": "waits"},
        ("The start was cancelled.",),
        moment=cancelled,
        default=("waits", ("The start was cancelled.",)),
    ),
    Reason(
        "a profile that is not in the catalog",
        403,
        "not-allowed",
        {"profile": "no-such"},
        ("The profile 'no-such' is not open to this account.", CHOOSE),
    ),
    Reason(
        "options that are meant to do harm",
        403,
        "not-allowed",
        {"profile": MARKUP + "{username}%s\r\n\x00" * 500},
        ("The profile '<script>", "is not open to this account.", CHOOSE),
    ),
]


def catalog_with(default: str) -> str:
    """The tests' catalog and more, in which `default` is what starts if nothing is asked for."""
    catalog = yaml.safe_load((HERE / "catalog.yaml").read_text())
    catalog["profiles"] += PROFILES
    catalog["access"].append(
        {"groups": ["gpu-users"], "profiles": ["odd-*", "waits", "large", "vast"]}
    )
    for profile in catalog["profiles"]:
        profile["default"] = profile["slug"] == default
    return yaml.safe_dump(catalog)

"""What the hub knows of the cluster and of its servers at one moment."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterhub import orm
from jupyterhub.user import User

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.catalog import Catalog, CatalogError, Profile
from gpuspawner.cluster import ClusterWait, Holder, Look, PodKey, Watched, rfc3339
from gpuspawner.language import gettext as _
from gpuspawner.rights import Grant, mounts_claims
from gpuspawner.selection import SelectionError, read_selection
from gpuspawner.spawner import GPUSpawner

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NOBODY = Snapshot(0, {})
_NO_WATCH = Freshness("starting")
_TURN = 0.01
"""Seconds after which the event loop gets its turn."""


async def look_at(handler: Any, catalog: Catalog | None) -> Look:
    """What is known now; the first look at the cluster is waited for.

    Args:
        handler: of JupyterHub, which knows everybody.
        catalog: in force; None if it cannot be read.
    """
    spawner = _any_spawner(handler)
    cluster = await spawner.watched_cluster() if spawner is not None else None
    holders = await holders_of(handler.users.values(), catalog)
    return Look(
        taken=datetime.now(UTC),
        snapshot=cluster.snapshot() if cluster else _NOBODY,
        freshness=spawner.freshness() if spawner else _NO_WATCH,
        doubtful=frozenset(held.node for held in cluster.watch.unreadable()) if cluster else (),
        watches=_watches(cluster) if cluster else {},
        holders=holders,
        catalog=catalog,
        homes=spawner is None or spawner.storage_pvc_ensure or mounts_claims(spawner.volumes),
        grant=Grant(namespace=_own_namespace(spawner)),
        namespace=_namespace_of_servers(spawner),
    )


def _any_spawner(handler: Any) -> GPUSpawner | None:
    """Of whoever asks, else of anybody: the cluster is the same for all."""
    user = handler.current_user
    if not isinstance(user, User):
        known = handler.db.query(orm.User).first()
        user = handler.users[known] if known is not None else None
    spawner = user.get_spawner("") if user is not None else None
    return spawner if isinstance(spawner, GPUSpawner) else None


def _watches(cluster: SharedCluster) -> dict[str, Watched]:
    return {name: _watched(cluster, name) for name in cluster.watch.resources}


def _watched(cluster: SharedCluster, name: str) -> Watched:
    health = cluster.watch.health_of(name)
    freshness = cluster.watch.freshness_of(name)
    return Watched(freshness, health.served, health.lists, health.failures)


def _namespace_of_servers(spawner: GPUSpawner | None) -> str:
    if spawner is None or spawner.enable_user_namespaces:
        return ""
    return str(spawner.namespace)


def _own_namespace(spawner: GPUSpawner | None) -> str:
    """The hub's own, which need not be that of its servers."""
    with suppress(OSError):
        return os.environ.get("POD_NAMESPACE") or _OWN_NAMESPACE.read_text().strip()
    return str(spawner.namespace) if spawner is not None else Grant().namespace


async def holders_of(users: Iterable[Any], catalog: Catalog | None) -> dict[PodKey, Holder]:
    """The servers that are up, or on their way, by their pods.

    To read a ``profile_list`` for each takes long: the event loop has its turns meanwhile.

    Args:
        users: of JupyterHub.
        catalog: in force; None if it cannot be read.
    """
    theirs = [(user.name, one) for user in users for one in user.spawners.values()]
    found, began = {}, time.monotonic()
    for name, spawner in theirs:
        if time.monotonic() - began > _TURN:
            await asyncio.sleep(0)
            began = time.monotonic()
        if isinstance(spawner, GPUSpawner) and spawner.active:
            found[spawner.namespace, spawner.pod_name] = _holder(name, spawner, catalog)
    return found


def _holder(name: str, spawner: GPUSpawner, catalog: Catalog | None) -> Holder:
    slug, title, asks = _profile(spawner, catalog)
    started = spawner.orm_spawner.started
    pending = {"spawn": "starting", "stop": "stopping"}
    return Holder(
        user=name,
        server=spawner.name,
        profile=slug,
        title=title,
        asks_for_devices=asks,
        since=started,
        phase=pending.get(spawner.pending or "", "running"),  # type: ignore[arg-type] # is one
        in_line=_wait(spawner),
        awaits_node_of=spawner.pool_to_grow if spawner.pending == "spawn" else "",
    )


def _wait(spawner: GPUSpawner) -> ClusterWait | None:
    wait = spawner.wait
    if wait is None:
        return None
    return ClusterWait(rfc3339(datetime.fromtimestamp(wait.since, UTC)), wait.number)


def _profile(spawner: GPUSpawner, catalog: Catalog | None) -> tuple[str, str, bool | None]:
    """Slug, title and whether it asks for devices, as far as that can be told."""
    profile = _profile_in(catalog, spawner)
    if profile is None:
        # It may be an entry of KubeSpawner's own list.
        with suppress(CatalogError):
            profile = _profile_in(spawner.catalog, spawner)
    if profile is None:
        # The catalog may have had it once.
        asked = spawner.user_options.get("profile")
        slug = asked if isinstance(asked, str) else ""
        return slug, slug or _("unknown"), None
    if profile.accelerator:
        return profile.slug, profile.title, True
    # An override may ask for devices all the same.
    return profile.slug, profile.title, None if profile.kubespawner_override else False


def _profile_in(catalog: Catalog | None, spawner: GPUSpawner) -> Profile | None:
    with suppress(SelectionError):
        return read_selection(spawner.user_options, catalog).profile if catalog else None
    return None

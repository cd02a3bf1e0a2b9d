"""What is said of the cluster to those who run the hub: facts for the page and for programs.

`docs/openapi.yaml` describes them, and a test holds it to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuspawner.capacity.freshness import State

UnitState = Literal["free", "ours", "others", "unhealthy", "reconfiguring", "closed", "unknown"]
KindState = Literal["live", "starting", "stale", "denied", "not-served"]
Phase = Literal["running", "starting", "stopping"]
Unit = Literal["gpu", "slice", "share"]
PoolGrowth = Literal["can", "full", "failed", "unhealthy", "unknown"]


@dataclass(frozen=True, slots=True)
class ClusterUnits:
    """So many units of one node that are alike.

    Attributes:
        state: what can be said of them.
        profile: slug of the profile by which a server of this hub has them; empty for all else, and
            where it is not known by which.
    """

    state: UnitState
    profile: str
    count: int


@dataclass(frozen=True, slots=True)
class ClusterDevices:
    """The devices of one kind on one node.

    Attributes:
        resource: such as nvidia.com/gpu.
        title: what the catalog calls it; the resource where it does not.
        unit: what one of them is: a whole GPU, an isolated slice, a share of what others use, too.
        unhealthy: how many the device plugin does not hand out, also those that somebody has.
        units: all of them, in runs.
    """

    resource: str
    title: str
    unit: Unit
    unhealthy: int
    units: tuple[ClusterUnits, ...]


@dataclass(frozen=True, slots=True)
class ClusterClaimable:
    """The devices of one driver on one node that are had by claims (Dynamic Resource Allocation).

    Attributes:
        driver: whose they are, such as gpu.nvidia.com.
        count: how many; null if that cannot be told of what the driver publishes.
        in_use: how many of them a claim has got; null if it is not known.
    """

    driver: str
    count: int | None
    in_use: int | None


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node with devices, or one that is meant to have some.

    Attributes:
        closed: why it takes no pods at present: "cordoned", "not ready", "not reachable".
        transition: such as "MIG reconfiguration"; empty if it goes through nothing.
        devices: by resource; empty while it offers none.
        claimable: by driver; not among `devices`.
    """

    name: str
    closed: tuple[str, ...]
    transition: str
    devices: tuple[ClusterDevices, ...]
    claimable: tuple[ClusterClaimable, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterGroup:
    """Nodes of one make.

    Attributes:
        title: of the catalog's pool, else the GPU's product, else what the catalog calls it.
        nodes: in the order of their names.
    """

    title: str
    nodes: tuple[ClusterNode, ...]


@dataclass(frozen=True, slots=True)
class ClusterPlain:
    """All nodes without devices, together.

    Attributes:
        nodes: how many.
        closed: how many of them take no pods at present.
        cpu: cores that pods can be given.
        cpu_used: cores that pods have asked for; null if it is not known.
        memory: in bytes.
        memory_used: likewise.
    """

    nodes: int
    closed: int
    cpu: float
    cpu_used: float | None
    memory: int
    memory_used: int | None


@dataclass(frozen=True, slots=True)
class ClusterHeld:
    """So many devices of one kind, which a server has or a new node offers."""

    resource: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class ClusterPool:
    """A pool that the catalog describes, of which there may be no node.

    Attributes:
        name: in the catalog.
        title: what people read; that of the group which its nodes are in.
        nodes: how many it has; null if that is not known.
        most: how many it may have; null if no limit is known.
        devices: what a new node offers.
        cpu: cores of a new node.
        memory: of a new node, in bytes.
        autoscaler_group: its name in the autoscaler's status; empty if the catalog names none.
        growth: whether it can grow at present. "can" only where its autoscaler reports nothing
            against it; "unknown" where no report is known.
        awaited_by: how many starts under way of this hub were promised a new node of it and are on
            none yet, as far as this hub knows since it began; null if that cannot be told.
    """

    name: str
    title: str
    nodes: int | None
    most: int | None
    devices: tuple[ClusterHeld, ...]
    cpu: float
    memory: int
    autoscaler_group: str
    growth: PoolGrowth
    awaited_by: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterWait:
    """A place in line.

    Attributes:
        since: when the server was asked for, in UTC, as in RFC 3339.
        place: its number among those who may take the same room, as whoever waits reads it; null
            if it is not known at this moment.
    """

    since: str
    place: int | None


@dataclass(frozen=True, slots=True)
class ClusterQuota:
    """What one ResourceQuota allows of one thing to the pods of a namespace together.

    Attributes:
        name: of the quota.
        resource: as the quota names it, such as requests.nvidia.com/gpu.
        hard: what it allows, as Kubernetes writes amounts.
        used: how much of that is taken, likewise; null if it is not known.
        scoped: whether it counts some pods alone, by its scopes.
    """

    name: str
    resource: str
    hard: str
    used: str | None
    scoped: bool


@dataclass(frozen=True, slots=True)
class ClusterHolding:
    """A server of this hub that has devices, or asks for some.

    Attributes:
        user: whose it is.
        server: its name; empty for the default one.
        profile: slug of what was asked for; empty if it is not known.
        title: what people read.
        since: when its start began, in UTC, as in RFC 3339; null if that is not known.
        phase: as the hub sees it.
        in_line: where its start waits for room; null if it does not.
        node: where it is, or is expected; null if there is none yet, or it is not known.
        held: its devices; null if they are not known.
    """

    user: str
    server: str
    profile: str
    title: str
    since: str | None
    phase: Phase
    in_line: ClusterWait | None
    node: str | None
    held: tuple[ClusterHeld, ...] | None


@dataclass(frozen=True, slots=True)
class ClusterKind:
    """How the watch of one kind of object fares.

    Attributes:
        resource: as in RBAC.
        state: "not-served" where the cluster has no such kind, "starting" before the first list.
        age: seconds since what is known of it was last right; null if it never was.
        missing: the verbs that are not allowed.
        unreadable: how many objects exist that could not be read.
        error: what went wrong last; empty if nothing.
        needed: whether what the catalog and the configuration say depends on it.
        purpose: what it is looked at for.
        restarts: how often it was listed anew since this hub began to watch.
        failures: how many attempts have failed since.
    """

    resource: str
    state: KindState
    age: float | None
    missing: tuple[str, ...]
    unreadable: int
    error: str
    needed: bool
    purpose: str
    restarts: int
    failures: int


@dataclass(frozen=True, slots=True)
class ClusterFreshness:
    """How far all of it can be trusted.

    Attributes:
        state: of nodes and pods together. Unless it is "live", every unit is unknown.
        age: seconds since the cluster was last known to be so; null if it never was.
        reason: why it is not live; empty if it is.
    """

    state: State
    age: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster at one moment.

    Attributes:
        taken: when this was said, in UTC, as in RFC 3339.
        groups: null if the nodes are not known.
        plain: likewise.
        pools: those that the catalog describes, in its order.
        quotas: of the namespace of this hub's servers; null if they are not known, or each user has
            a namespace of their own.
        holdings: of this hub's servers alone.
        without_devices: how many more servers of this hub there are.
        claims_hidden: whether devices are served by Dynamic Resource Allocation, which are not
            among the units.
        claims_unknown: whether it is not known which devices it serves, so that a node said to have
            none may have some.
        shared_drivers: drivers of such devices that are of no one node, and not with any.
        kinds: nodes and pods first.
        manifest: what grants the rights that are missing, as YAML; empty if none is.
    """

    taken: str
    freshness: ClusterFreshness
    groups: tuple[ClusterGroup, ...] | None
    plain: ClusterPlain | None
    pools: tuple[ClusterPool, ...]
    quotas: tuple[ClusterQuota, ...] | None
    holdings: tuple[ClusterHolding, ...]
    without_devices: int
    claims_hidden: bool
    claims_unknown: bool
    shared_drivers: tuple[str, ...]
    kinds: tuple[ClusterKind, ...]
    manifest: str

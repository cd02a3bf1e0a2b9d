"""Every metric by its name, with its labels and what it says; docs/metrics.md is made of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gpuspawner.offers import Standing

MOST_PROFILES: Final = 200
"""How many profiles of the catalog have a label of their own; others are counted as `OTHER`."""
MOST_LISTED: Final = 50
"""The same for entries of ``profile_list``, which a function may make up as people come."""
MOST_PRODUCTS: Final = 20
"""How many GPU products stand for the pool of nodes that are in none of the catalog's."""
OTHER: Final = "other"
NO_POOL: Final = "none"
"""The pool of a node that is in none and does not say which GPU it has."""

STANDINGS: Final = tuple(standing.value for standing in Standing)
STARTED, REFUSED, FAILED, CANCELLED = OUTCOMES = ("started", "refused", "failed", "cancelled")
UNDECIDED: Final = "undecided"
REASONS: Final = (
    "busy",
    "configuration",
    "crash",
    "deleted",
    "device",
    "image",
    "line-full",
    "misconfigured",
    "never-fits",
    "no-answer",
    "no-catalog",
    "node",
    "not-allowed",
    "nothing-allowed",
    "quota",
    "sign-in-ended",
    "sign-in-unanswered",
    "timeout",
    UNDECIDED,
    "unreachable",
    "volume-claim",
    OTHER,
)
"""The codes of refusals. `UNDECIDED`: whether there is room depends on where others go."""
FREE, USED, UNUSABLE = DEVICE_STATES = ("free", "used", "unusable")

_START_BUCKETS = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
_WAIT_BUCKETS = (60, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric.

    Attributes:
        name: as Prometheus has it, with ``_total`` for a counter.
        help: what it says, for operators.
        bounds: how many different series there are at most, in words.
        buckets: upper bounds in seconds, of a histogram.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: str = "one"
    buckets: tuple[float, ...] = ()


def _gauge(name: str, text: str, *labels: str, bounds: str = "one") -> Family:
    return Family(f"gpuspawner_{name}", "gauge", text, labels, bounds)


def _counter(name: str, text: str, *labels: str, bounds: str = "one") -> Family:
    return Family(f"gpuspawner_{name}_total", "counter", text, labels, bounds)


_PROFILES = "profiles"
_KINDS = "kinds of objects that are watched"

BUILD_INFO = _gauge("build_info", "Always 1; the version of gpuspawner is in its label.", "version")
PROFILE_STANDING = _gauge(
    "profile_standing",
    "1 for where a profile stands for anyone who may have it, apart from their own home volume; 0 "
    "for every other standing. unknown while the cluster is not known, nobody was offered the "
    "profile since the hub started, or the last look is older than two minutes: each scrape begins "
    "one, which the next scrape shows.",
    "profile",
    "standing",
    bounds="profiles x 7",
)
OFFERS_SHOWN = _counter(
    "offers_shown",
    "Offers on spawn pages as they were opened and in answers of the REST API, by where they stood "
    "for whoever asked. What an open page is told later is not counted.",
    "profile",
    "standing",
    bounds="profiles x 7",
)
STARTS = _counter(
    "starts",
    "Starts of servers by how they ended: started (the notebook answers), refused (no pod was "
    "made), failed (a pod was made), cancelled (by the person). The profile is empty where none "
    "was asked for that the person may have.",
    "profile",
    "outcome",
    bounds="profiles x 4",
)
REFUSALS = _counter(
    "refusals",
    "Starts that ended with a reason for the person, by its code; undecided is busy where it "
    "depends on servers that are being started. Not counted: starts that the person cancelled.",
    "reason",
    bounds=str(len(REASONS)),
)
START_DURATION = Family(
    "gpuspawner_start_duration_seconds",
    "histogram",
    "Time from asking for a server until its start succeeded, with the time in line. Starts that a "
    "restart of the hub has interrupted after their pod was made are left out.",
    ("profile",),
    "profiles x 13",
    _START_BUCKETS,
)
LINE_WAIT = Family(
    "gpuspawner_line_wait_seconds",
    "histogram",
    "Time from asking for a server until it left the line, for whichever reason. Servers that "
    "never were in line are left out.",
    ("profile",),
    "profiles x 12",
    _WAIT_BUCKETS,
)
LINE_LENGTH = _gauge("line_length", "Servers that wait in line for room at this moment.")
LINE_OLDEST = _gauge(
    "line_oldest_wait_seconds",
    "For how long the server that came first has waited in line; absent while none waits.",
)
DEVICES = _gauge(
    "devices",
    "Devices of the resources that accelerators of the catalog name, by node pool: free (on nodes "
    "that take pods, asked for by none), used (asked for by pods, or promised to starts), unusable "
    "(unhealthy, or free on a node that takes no pods). The pool is the name in the catalog's "
    "node_pools, else the node's GPU product. Absent while not known, which is never 0.",
    "resource",
    "node_pool",
    "state",
    bounds="accelerators' resources x (pools + 22) x 3",
)
DEVICES_KNOWN = _gauge(
    "devices_known",
    "Whether gpuspawner_devices has every node: 0 while the cluster is not known, or a node or pod "
    "cannot be read. Absent until somebody needed the cluster.",
)
CLUSTER_LIVE = _gauge(
    "cluster_live",
    "Whether nodes and pods are known as of at most 40 s ago, so that offers can be judged. Absent "
    "until somebody needed the cluster.",
)
WATCH_AGE = _gauge(
    "watch_age_seconds",
    "For how long what is known of a kind of objects has not been confirmed by the API server. "
    "Absent while nothing is known of it.",
    "resource",
    bounds=_KINDS,
)
WATCH_RESTARTS = _counter(
    "watch_restarts",
    "Full lists of a kind of objects after the first one; one in 5 to 6 hours is planned.",
    "resource",
    bounds=_KINDS,
)
WATCH_FAILURES = _counter(
    "watch_failures",
    "Failed attempts to list or watch a kind of objects, also where permission is missing or the "
    "API server does not have the kind.",
    "resource",
    bounds=_KINDS,
)
WATCH_MISSING = _gauge(
    "watch_missing_permissions",
    "How many of the verbs list and watch the API server refuses for a kind of objects.",
    "resource",
    bounds=_KINDS,
)
CATALOG_VALID = _gauge(
    "catalog_valid",
    "Whether the catalog's file is valid as it is. While it is not, the last good one stays in "
    "force, and the log and the admins' page say why. A scrape has the file looked at, which the "
    "next scrape shows.",
)
CATALOG_INVALID_SINCE = _gauge(
    "catalog_invalid_since_timestamp_seconds",
    "When the catalog's file was first found not to be valid; absent while it is.",
)
CATALOG_SINCE = _gauge(
    "catalog_in_force_since_timestamp_seconds",
    "When the catalog of the file that is in force came into force in this process.",
)
CATALOG_INFO = _gauge(
    "catalog_info",
    "Always 1; of what is in force: the SHA-256 of the catalog's file, where the access is kept "
    "(git or page), and the number of the access revision (empty for the file's own).",
    "sha256",
    "mode",
    "revision",
)
DATABASE_UP = _gauge(
    "database_up",
    "Whether the access rules could be read from the hub's database when it was last asked. A "
    "scrape has it asked, which the next scrape shows. Absent unless access_mode is page.",
)
DATABASE_DOWN_SINCE = _gauge(
    "database_down_since_timestamp_seconds",
    "When the database was first found not to answer; absent while it does.",
)
ERRORS = _counter(
    "metrics_errors", "Scrapes in which a part of these metrics was left out; the log says why."
)

FAMILIES: Final = (
    BUILD_INFO,
    PROFILE_STANDING,
    OFFERS_SHOWN,
    STARTS,
    REFUSALS,
    START_DURATION,
    LINE_WAIT,
    LINE_LENGTH,
    LINE_OLDEST,
    DEVICES,
    DEVICES_KNOWN,
    CLUSTER_LIVE,
    WATCH_AGE,
    WATCH_RESTARTS,
    WATCH_FAILURES,
    WATCH_MISSING,
    CATALOG_VALID,
    CATALOG_INVALID_SINCE,
    CATALOG_SINCE,
    CATALOG_INFO,
    DATABASE_UP,
    DATABASE_DOWN_SINCE,
    ERRORS,
)

"""What the API server's words on a pod that it does not admit come to, for a person.

Its messages can name other people, webhooks and service accounts, so nothing is passed on but what
is read out of the few forms below, of ``plugin/resourcequota`` and ``plugin/limitranger``. Both
look at amounts alone, so what they say of one pod is true of every pod that asks for as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gpuspawner.errors import QuantityError
from gpuspawner.quantity import format_amount, is_bytes, parse_amount

_EXCEEDED = re.compile(
    r"exceeded quota: (?P<name>[a-z0-9.-]+), "
    r"requested: (?P<requested>\S*), used: (?P<used>\S*), limited: (?P<limited>\S*)"
)
_UNSAID = re.compile(r"failed quota: (?P<name>[a-z0-9.-]+): must specify (?P<what>[^\]]+)")
_LIMIT = re.compile(
    r"(?P<bound>max|min)imum (?P<resource>[\w./-]+) usage per (?P<of>Container|Pod) "
    r"is (?P<amount>[0-9][\w.]*?)[.,] "
)
_OF_A_WEBHOOK = "admission webhook "


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One resource of a quota that does not suffice; amounts in the unit of `parse_amount`.

    Attributes:
        resource: as the quota names it, such as ``requests.nvidia.com/gpu``.
        requested: what the pod would add.
        used: what is taken already.
        limited: what the quota allows in all.
    """

    resource: str
    requested: int
    used: int
    limited: int


@dataclass(frozen=True, slots=True)
class ExceededQuota:
    """A ResourceQuota that a pod would exceed."""

    name: str
    shortfalls: tuple[Shortfall, ...]

    @property
    def is_too_small(self) -> bool:
        """Whether the pod asks for more than the quota allows in all."""
        return any(short.requested > short.limited for short in self.shortfalls)


@dataclass(frozen=True, slots=True)
class Denial:
    """That a pod is not admitted.

    Attributes:
        words: why, in words that anybody may read.
        quota: whether it is a quota that is used up and others can free: not one that is too
            small for the pod.
    """

    words: str
    quota: bool = False


def read_denial(message: str) -> Denial | None:
    """What the `message` of a refusing Status says of the pod; None if it is no such form."""
    if message.startswith(_OF_A_WEBHOOK):
        return None
    exceeded = read_exceeded_quota(message)
    if exceeded is not None:
        return Denial(quota_words(exceeded), quota=not exceeded.is_too_small)
    unsaid = _UNSAID.search(message)
    if unsaid is not None:
        what = sorted({each.partition(" for: ")[0] for each in unsaid["what"].split("; ")})
        return Denial(f"the quota {unsaid['name']!r} wants every pod to set {' and '.join(what)}")
    limits = [_limit_words(match) for match in _LIMIT.finditer(message)]
    return Denial("; ".join(dict.fromkeys(limits))) if limits else None


def read_exceeded_quota(message: str) -> ExceededQuota | None:
    """The quota that `message` says is exceeded, with the amounts that can be read; else None."""
    match = _EXCEEDED.search(message)
    if match is None:
        return None
    requested, used, limited = (
        dict(pair.partition("=")[::2] for pair in match[group].split(","))
        for group in ("requested", "used", "limited")
    )
    shortfalls = []
    for resource in limited:
        try:
            amounts = [
                parse_amount(resource_of(resource), amount[resource])
                for amount in (requested, used, limited)
            ]
        except (KeyError, QuantityError):
            continue
        shortfalls.append(Shortfall(resource, *amounts))
    return ExceededQuota(match["name"], tuple(shortfalls))


def quota_words(exceeded: ExceededQuota) -> str:
    """For example "the quota 'hub' allows 4 nvidia.com/gpu in this namespace, 4 are used"."""
    if not exceeded.shortfalls:
        return f"the quota {exceeded.name!r} of this namespace is used up"
    first, *others = exceeded.shortfalls
    words = f"the quota {exceeded.name!r} allows {_allowed(first)} in this namespace{_taken(first)}"
    return "; ".join([words, *(f"it allows {_allowed(each)}{_taken(each)}" for each in others)])


def resource_of(name: str) -> str:
    """The resource that a quota counts as `name`: ``requests.cpu`` and ``limits.cpu`` are cpu."""
    return name.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")


def _allowed(short: Shortfall) -> str:
    resource = resource_of(short.resource)
    unit = f"of {resource}" if is_bytes(resource) else resource
    limits = " in limits" if short.resource.startswith("limits.") else ""
    return f"{format_amount(resource, short.limited)} {unit}{limits}"


def _taken(short: Shortfall) -> str:
    resource = resource_of(short.resource)
    used, requested = (format_amount(resource, amount) for amount in (short.used, short.requested))
    if short.requested > short.limited:
        return f" and this needs {requested}"
    words = f", {used} {'is' if used == '1' else 'are'} used"
    return words if short.used >= short.limited else f"{words} and this needs {requested}"


def _limit_words(match: re.Match[str]) -> str:
    bound = "at most" if match["bound"] == "max" else "at least"
    return (
        f"this namespace wants {bound} {match['amount']} {match['resource']} "
        f"for each {match['of'].lower()}"
    )

"""What the API server's words on a pod that it does not admit come to, for a person.

Its messages can name other people, webhooks and service accounts, so nothing is passed on but what
is read out of the few forms below, of ``plugin/resourcequota`` and ``plugin/limitranger``. Both
look at amounts alone, so what they say of one pod is true of every pod that asks for as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gpuspawner.device_names import devices
from gpuspawner.errors import QuantityError
from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, listed, ngettext
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

    @property
    def words(self) -> str:
        """For example "the quota 'hub' allows 4 GPUs in this namespace, 4 are used; ..."."""
        if not self.shortfalls:
            return _("the quota '{name}' of this namespace is used up").format(name=self.name)
        first, *others = self.shortfalls
        said = [_first_of(self.name, first), *map(_another, others)]
        if not self.is_too_small:
            said.append(_("it frees up as servers in this namespace end"))
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class UnsaidAmounts:
    """A ResourceQuota that counts what a pod does not set, such as ``limits.memory``."""

    name: str
    resources: tuple[str, ...]

    @property
    def words(self) -> str:
        """For example "the quota 'hub' wants every pod to set cpu and memory"."""
        words = _("the quota '{name}' wants every pod to set {resources}")
        return words.format(name=self.name, resources=listed(self.resources))


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of a LimitRange that a pod is beyond.

    Attributes:
        is_most: whether there may be no more; else no less.
        of: for what it is: ``"Container"`` or ``"Pod"``.
        amount: as the LimitRange has it.
    """

    is_most: bool
    of: str
    resource: str
    amount: str

    @property
    def words(self) -> str:
        """For example "this namespace wants at most 2 cpu for each container"."""
        words = _(_LIMIT_WORDS[self.of, self.is_most])
        return words.format(amount=self.amount, resource=self.resource)


_LIMIT_WORDS = {
    ("Container", True): gettext_noop(
        "this namespace wants at most {amount} {resource} for each container"
    ),
    ("Container", False): gettext_noop(
        "this namespace wants at least {amount} {resource} for each container"
    ),
    ("Pod", True): gettext_noop("this namespace wants at most {amount} {resource} for each pod"),
    ("Pod", False): gettext_noop("this namespace wants at least {amount} {resource} for each pod"),
}


@dataclass(frozen=True, slots=True)
class Denial:
    """That a pod is not admitted.

    Attributes:
        reasons: at least one. They are facts, since many people are told of the same denial.
    """

    reasons: tuple[ExceededQuota | UnsaidAmounts | Limit, ...]

    @property
    def words(self) -> str:
        """Why, in words that anybody may read."""
        return "; ".join(dict.fromkeys(reason.words for reason in self.reasons))

    @property
    def quota(self) -> bool:
        """Whether it is a quota that is used up and others can free, and that is large enough."""
        return any(
            isinstance(reason, ExceededQuota) and not reason.is_too_small for reason in self.reasons
        )


def read_denial(message: str) -> Denial | None:
    """What the `message` of a refusing Status says of the pod; None if it is no such form."""
    if message.startswith(_OF_A_WEBHOOK):
        return None
    exceeded = read_exceeded_quota(message)
    if exceeded is not None:
        return Denial((exceeded,))
    unsaid = _UNSAID.search(message)
    if unsaid is not None:
        what = sorted({each.partition(" for: ")[0] for each in unsaid["what"].split("; ")})
        return Denial((UnsaidAmounts(unsaid["name"], tuple(what)),))
    limits = tuple(
        Limit(match["bound"] == "max", match["of"], match["resource"], match["amount"])
        for match in _LIMIT.finditer(message)
    )
    return Denial(limits) if limits else None


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


def resource_of(name: str) -> str:
    """The resource that a quota counts as `name`: ``requests.cpu`` and ``limits.cpu`` are cpu."""
    return name.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")


def _first_of(name: str, short: Shortfall) -> str:
    """What of a quota does not suffice, with its name."""
    allowed, used, needed = _amounts(short)
    if short.requested > short.limited:
        words = _("the quota '{name}' allows {allowed} in this namespace and this needs {needed}")
        return words.format(name=name, allowed=allowed, needed=needed)
    if short.used >= short.limited:
        words = ngettext(
            "the quota '{name}' allows {allowed} in this namespace, {used} is used",
            "the quota '{name}' allows {allowed} in this namespace, {used} are used",
            _number(used),
        )
        return words.format(name=name, allowed=allowed, used=used)
    words = ngettext(
        "the quota '{name}' allows {allowed} in this namespace, {used} is used and this needs "
        "{needed}",
        "the quota '{name}' allows {allowed} in this namespace, {used} are used and this needs "
        "{needed}",
        _number(used),
    )
    return words.format(name=name, allowed=allowed, used=used, needed=needed)


def _another(short: Shortfall) -> str:
    """What of the same quota does not suffice, either."""
    allowed, used, needed = _amounts(short)
    if short.requested > short.limited:
        return _("it allows {allowed} and this needs {needed}").format(
            allowed=allowed, needed=needed
        )
    if short.used >= short.limited:
        words = ngettext(
            "it allows {allowed}, {used} is used",
            "it allows {allowed}, {used} are used",
            _number(used),
        )
        return words.format(allowed=allowed, used=used)
    words = ngettext(
        "it allows {allowed}, {used} is used and this needs {needed}",
        "it allows {allowed}, {used} are used and this needs {needed}",
        _number(used),
    )
    return words.format(allowed=allowed, used=used, needed=needed)


def _amounts(short: Shortfall) -> tuple[str, str, str]:
    """What is allowed, with the resource; what is used, and what is needed."""
    resource = resource_of(short.resource)
    used, needed = (format_amount(resource, amount) for amount in (short.used, short.requested))
    return allowed_by(short.resource, short.limited), used, needed


def allowed_by(name: str, amount: int) -> str:
    """An amount of what a quota counts as `name`: ``"8 GPUs"``, ``"64 GiB of memory"``."""
    resource, allowed = resource_of(name), format_amount(resource_of(name), amount)
    is_limit = name.startswith("limits.")
    if "/" in resource and not is_limit:
        return devices(resource, amount)
    if resource == "cpu" and not is_limit:
        # What is not one whole core is several: "0.5 CPU cores".
        number = 1 if amount == _ONE_CORE else 2
        return ngettext("{amount} CPU core", "{amount} CPU cores", number).format(amount=allowed)
    if is_bytes(resource):
        words = _("{amount} of {resource} in limits") if is_limit else _("{amount} of {resource}")
    else:
        words = _("{amount} {resource} in limits") if is_limit else "{amount} {resource}"
    return words.format(amount=allowed, resource=_(_NAMES.get(resource, resource)))


def _number(amount: str) -> int:
    """By which the verb goes: of what is written "1" one is used, of "1 GiB" some are."""
    return 1 if amount == "1" else 2


_ONE_CORE = 1000
_NAMES = {
    "ephemeral-storage": gettext_noop("ephemeral-storage"),
    "memory": gettext_noop("memory"),
    "storage": gettext_noop("storage"),
}

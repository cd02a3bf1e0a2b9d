"""What a pod's containers ask for, summed as the scheduler sums it.

The rule is that of ``k8s.io/component-helpers/resource``: containers and restartable init
containers (sidecars) are summed; an ordinary init container counts with the sidecars started
before it, and the largest of these moments wins; pod-level cpu, memory and hugepages replace that
result; the runtime's overhead is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from gpuspawner.capacity import wire
from gpuspawner.errors import MalformedObjectError
from gpuspawner.quantity import parse_amount

Resources = Mapping[str, int]
"""Resource name to amount: thousandths of a core for ``cpu``, whole units for all else."""

NOTHING: Resources = MappingProxyType({})

Part = tuple[Resources, bool]
"""What one container asks for, and whether it is a sidecar (``restartPolicy: Always``)."""


def amounts_of(quantities: Mapping[str, str | float] | None) -> dict[str, int]:
    """Exact amounts.

    Raises:
        MalformedObjectError: a quantity does not parse.
    """
    try:
        return {name: parse_amount(name, text) for name, text in (quantities or {}).items()}
    except ValueError as error:  # QuantityError, or an integer of thousands of digits
        raise MalformedObjectError(str(error)) from error


def asked_by(resources: wire.Resources | None) -> Resources:
    """What one container requests; a limit stands in where it does not, as the API server does."""
    if resources is None:
        return NOTHING
    return {**amounts_of(resources.limits), **amounts_of(resources.requests)}


@lru_cache(maxsize=4096)
def asked_by_raw(raw: bytes) -> Resources:
    """`asked_by` of JSON text, which thousands of pods share; the result is shared, too.

    Raises:
        MalformedObjectError: it is not a container's resources.
    """
    if raw == b"null":
        return NOTHING
    return MappingProxyType(dict(asked_by(wire.decode(raw, wire.Resources))))


def effective_requests(
    containers: Iterable[Resources],
    init_containers: Iterable[Part] = (),
    pod_level: wire.Resources | None = None,
    overhead: Mapping[str, str | float] | None = None,
) -> dict[str, int]:
    """What the scheduler counts for a pod.

    Raises:
        MalformedObjectError: a quantity does not parse.
    """
    running: dict[str, int] = {}
    for asked in containers:
        _add(running, asked)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for asked, is_sidecar in init_containers:
        if is_sidecar:
            _add(running, asked)
            _add(sidecars, asked)
            needs = dict(sidecars)
        else:
            needs = dict(asked)
            _add(needs, sidecars)
        raise_to(peak, needs)
    raise_to(running, peak)
    if pod_level is not None:
        running.update(of_the_whole(pod_level, running))
    if overhead:
        _add(running, amounts_of(overhead))
    return running


def is_pod_level(name: str) -> bool:
    """Whether a resource can be given for a pod as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def raise_to(total: dict[str, int], floor: Resources) -> None:
    """Let each amount of `total` be at least that of `floor`."""
    for name, amount in floor.items():
        total[name] = max(total.get(name, 0), amount)


def of_the_whole(resources: wire.Resources, containers: Resources) -> dict[str, int]:
    """What a pod asks as a whole; a limit stands in where neither it nor a container requests."""
    limits = amounts_of(resources.limits).items()
    asked = {name: amount for name, amount in limits if name not in containers}
    asked.update(amounts_of(resources.requests))
    return {name: amount for name, amount in asked.items() if is_pod_level(name)}


def _add(total: dict[str, int], more: Resources) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount

"""What a pod that was planned says of the entry of KubeSpawner's list that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gpuspawner.catalog import Amounts, Catalog, Profile, is_extended_resource
from gpuspawner.errors import QuantityError
from gpuspawner.pod.plan import PodPlan
from gpuspawner.quantity import parse_amount


def as_planned(profile: Profile, catalog: Catalog, planned: PodPlan) -> Profile:
    """A profile with the amounts and the device that its pod asks for, to be shown to people.

    An entry says these by KubeSpawner's traits alone. Its ``accelerator`` counts only where the
    pod asks for that device; a profile of the catalog is as it was.
    """
    if profile.entry is None:
        return profile
    shown: dict[str, Any] = {
        "cpu": _amounts("cpu", planned),
        "memory": _amounts("memory", planned),
    }
    name = profile.entry.accelerator
    if name is not None:
        count = planned.request.requests.get(catalog.accelerators[name].resource, 0)
        if count:
            shown |= {"accelerator": name, "count": count}
    return profile.model_copy(update=shown)


def extended_resources(planned: PodPlan) -> dict[str, int]:
    """How many it asks for of what device plugins offer."""
    requests = planned.request.requests
    return {name: n for name, n in requests.items() if n and is_extended_resource(name)}


def _amounts(resource: Literal["cpu", "memory"], planned: PodPlan) -> Amounts:
    resources = _notebook(planned.manifest).get("resources") or {}
    return Amounts.model_construct(
        guarantee=_text(resource, (resources.get("requests") or {}).get(resource)),
        limit=_text(resource, (resources.get("limits") or {}).get(resource)),
    )


def _notebook(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    containers: list[Mapping[str, Any]] = manifest["spec"].get("containers") or [{}]
    return containers[0]


def _text(resource: str, amount: Any) -> str | None:
    try:
        return str(amount) if parse_amount(resource, str(amount)) > 0 else None
    except QuantityError:
        return None

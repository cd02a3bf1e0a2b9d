"""A dry run of a pod: what is sent, and what the API server's answer says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gpuspawner.capacity.denials import Denial, read_denial
from gpuspawner.capacity.model import PodRequest, read_request
from gpuspawner.errors import MalformedObjectError

_IDENTITY = frozenset(
    {"namespace", "name", "uid", "labels", "claims", "claims_to_make", "claims_may_appear"}
)
"""What is a person's own in a `PodRequest`, and never taken from another's dry run."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The pod would be admitted, as this request."""

    request: PodRequest


@dataclass(frozen=True, slots=True)
class Refused:
    """The pod would not be admitted, by a quota or a LimitRange.

    Attributes:
        denial: why.
        detail: the API server's own words, for the log only.
    """

    denial: Denial
    detail: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The API server did not say.

    Attributes:
        why: for the log only, as is `detail`.
        detail: the API server's own words; empty if there are none.
    """

    why: str
    detail: str = dataclasses.field(default="", compare=False)


Admission: TypeAlias = Admitted | Refused | NotKnown


@dataclass(frozen=True, slots=True)
class Change:
    """What admission made of a pod, so that it can be done to another of the same profile."""

    fields: Mapping[str, Any]

    def of(self, request: PodRequest) -> Admitted:
        """The same done to `request`."""
        return Admitted(dataclasses.replace(request, **self.fields))


Answer: TypeAlias = Change | Refused | NotKnown


def without_name(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The pod to send: its name is left to the API server, so that a pod of that name may exist."""
    metadata = dict(manifest.get("metadata") or {})
    prefix = metadata.pop("name", None) or "gpuspawner"
    for field in ("namespace", "uid", "resourceVersion"):
        metadata.pop(field, None)
    metadata["generateName"] = f"{prefix}-"
    return {**manifest, "apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def read_change(manifest: Mapping[str, Any], body: bytes) -> Change | NotKnown:
    """How the pod in an answer of 201 differs from the one that was sent."""
    asked = read_request(manifest)
    try:
        pod = json.loads(body)
        # Names that follow from the pod's own, as a generic ephemeral volume's, are no change.
        pod["metadata"]["name"] = asked.name
        admitted = read_request(pod)
    except (KeyError, TypeError, ValueError, MalformedObjectError):
        return NotKnown("an answer that is not a pod")
    names = {field.name for field in dataclasses.fields(PodRequest)} - _IDENTITY
    return Change(
        {
            name: getattr(admitted, name)
            for name in sorted(names)
            if getattr(admitted, name) != getattr(asked, name)
        }
    )


def read_refusal(body: bytes) -> Refused | NotKnown:
    """What a refusal says, if it is of amounts; any other tells nothing about the pod itself."""
    try:
        message = str(json.loads(body)["message"])
    except (KeyError, TypeError, ValueError):
        return NotKnown("a refusal that is not the API server's")
    denial = read_denial(message)
    if denial is None:
        return NotKnown("the API server gave no verdict on the pod", message)
    return Refused(denial, message)

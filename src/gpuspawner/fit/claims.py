"""The claims that a pod mounts, as the scheduler's volume plugins look them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gpuspawner.capacity.model import NewClaim, PersistentVolumeClaim, PodRequest, StorageClass
from gpuspawner.capacity.node_states import NodeState
from gpuspawner.capacity.objects import ClusterObjects, Objects
from gpuspawner.fit.reasons import Blocked, Reasons, unknown

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A claim that a pod mounts.

    Attributes:
        claim: as it is, or as it will be made.
        is_new: it is made with the pod.
        is_ephemeral: it belongs to a generic ephemeral volume of the pod.
    """

    claim: PersistentVolumeClaim
    is_new: bool = False
    is_ephemeral: bool = False


def mounted(request: PodRequest, objects: ClusterObjects) -> tuple[Mounted, ...] | Blocked | None:
    """The claims of a pod, in its order; None if it is not known which there are.

    A claim that will be made is taken for made: with it the pod is created.
    """
    if objects.claims is None:
        return None
    to_make = {new.claim.name: new for new in request.claims_to_make}
    found = []
    for name in request.claims:
        new = to_make.get(name)
        claim = objects.claims.get((request.namespace, name))
        if claim is not None:
            found.append(Mounted(claim, is_ephemeral=new is not None and new.is_ephemeral))
        elif new is not None:
            made = _made(new, request.namespace, objects.storage_classes)
            found.append(Mounted(made, is_new=True, is_ephemeral=new.is_ephemeral))
        elif request.claims_may_appear:
            return None
        else:
            return Blocked(f'persistentvolumeclaim "{name}" not found')
    return tuple(found)


def uncertain(what: str) -> Callable[[NodeState], Reasons]:
    """A check that cannot tell of any node; `what` is what is not known."""
    reasons = unknown(what)
    return lambda _: reasons


class LastOf(Generic[A, R]):
    """A function that remembers its last result, for an argument that is the same object."""

    def __init__(self, function: Callable[[A], R]) -> None:
        self._function = function
        self._last: tuple[A, R] | None = None

    def __call__(self, argument: A) -> R:
        """The result of the function, which must not be changed."""
        last = self._last
        if last is None or last[0] is not argument:
            last = self._last = (argument, self._function(argument))
        return last[1]


def _made(new: NewClaim, namespace: str, classes: Objects[StorageClass]) -> PersistentVolumeClaim:
    claim = replace(new.claim, namespace=namespace)
    if new.uses_default_class:
        return replace(claim, storage_class=_default_class(classes))
    return claim


def _default_class(classes: Objects[StorageClass]) -> str:
    """The default class as the API server picks it: the newest, then the first by name."""
    default = sorted(
        (cls for cls in (classes or {}).values() if cls.is_default), key=lambda cls: cls.name
    )
    return max(default, key=lambda cls: cls.created).name if default else ""

"""Volumes whose content is a Secret or a ConfigMap. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.nodes.containers import MissingObjectError

_SOURCES = (("secret", "secretName"), ("configMap", "name"))

DataLookup = Callable[[str, str], Mapping[str, str]]
"""The data of a (``secret`` or ``configmap``, name), or a MissingObjectError."""


def mount_failures(pod: Object, lookup: DataLookup) -> Iterator[str]:
    """A kubelet's words for each volume of `pod` that cannot be mounted now.

    Projected volumes are not looked into, nor are the keys that a volume picks.
    """
    for volume in pod["spec"].get("volumes") or ():
        for kind, name_field in _SOURCES:
            source = volume.get(kind)
            if source is None or source.get("optional"):
                continue
            try:
                lookup(kind.lower(), source[name_field])
            except MissingObjectError as error:
                yield f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'

"""The scheduler's words, and what they come to for a person. Its names of objects are left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gpuspawner.language import gettext as _
from gpuspawner.language import gettext_noop, ngettext
from gpuspawner.offers import Offer
from gpuspawner.wording.amounts import name_of

_INSUFFICIENT = "Insufficient "


def on_nodes(words: str, number: int, offer: Offer) -> str:
    """Why so many nodes do not take a pod, by the scheduler's words."""
    if words.startswith(_INSUFFICIENT):
        text = ngettext(
            "{number} node has too little left of {resource}",
            "{number} nodes have too little left of {resource}",
            number,
        )
        resource = name_of(words.removeprefix(_INSUFFICIENT), offer)
        return text.format(number=number, resource=resource)
    told = next((told for known, told in _REASONS.items() if known in words), None)
    return f"{number} {words}" if told is None else told(number).format(number=number)


def nowhere(words: str) -> str:
    """Why a pod could go to no node, by the scheduler's words."""
    told = next((told for known, told in _BLOCKED if re.search(known, words)), None)
    return words if told is None else _(told)


def _not_meant(number: int) -> str:
    return ngettext(
        "{number} node is not meant for it", "{number} nodes are not meant for it", number
    )


def _out_of_reach(number: int) -> str:
    return ngettext(
        "{number} node cannot reach its storage", "{number} nodes cannot reach its storage", number
    )


def _apart(number: int) -> str:
    return ngettext(
        "{number} node runs something that it must keep apart from",
        "{number} nodes run something that it must keep apart from",
        number,
    )


def _no_device(number: int) -> str:
    return ngettext(
        "{number} node has no such device free",
        "{number} nodes have no such device free",
        number,
    )


_REASONS: Mapping[str, Callable[[int], str]] = {
    "free ports": lambda number: ngettext(
        "{number} node has a network port in use that it needs",
        "{number} nodes have a network port in use that it needs",
        number,
    ),
    "max volume count": lambda number: ngettext(
        "{number} node takes no more volumes", "{number} nodes take no more volumes", number
    ),
    "Too many pods": lambda number: ngettext(
        "{number} node takes no more pods", "{number} nodes take no more pods", number
    ),
    "missing required label": _not_meant,
    "topology spread": lambda number: ngettext(
        "{number} node has its share of such servers",
        "{number} nodes have their share of such servers",
        number,
    ),
    "anti-affinity": _apart,
    "pod affinity rules": lambda number: ngettext(
        "{number} node runs nothing that it must be close to",
        "{number} nodes run nothing that it must be close to",
        number,
    ),
    "volume zone": _out_of_reach,
    "PersistentVolume's node affinity": _out_of_reach,
    "persistent volumes to bind": lambda number: ngettext(
        "{number} node has no volume that suits it",
        "{number} nodes have no volume that suits it",
        number,
    ),
    "non-existent pv": lambda number: ngettext(
        "{number} node refused, since its volume is gone",
        "{number} nodes refused, since its volume is gone",
        number,
    ),
    "ReadWriteOncePod": lambda number: ngettext(
        "{number} node refused, since another server uses its storage",
        "{number} nodes refused, since another server uses its storage",
        number,
    ),
    "cannot allocate all claims": _no_device,
    "invalid resource pools": _no_device,
    "resourceclaim not available": _no_device,
    "were unschedulable": lambda number: ngettext(
        "{number} node is closed to new servers",
        "{number} nodes are closed to new servers",
        number,
    ),
    "untolerated taint": _not_meant,
    "NodeAffinity": _not_meant,
    "node affinity/selector": _not_meant,
    "node name": _not_meant,
}
"""By a part of the words, the most telling first."""

_BLOCKED = (
    ("bound to non-existent|^persistentvolume ", gettext_noop("its storage is gone")),
    ("is being deleted", gettext_noop("what it needs is just being deleted")),
    ("was not created for", gettext_noop("its storage belongs to another pod")),
    (
        "unbound immediate",
        gettext_noop("its storage has not been made yet"),
    ),
    ("^persistentvolumeclaim ", gettext_noop("its storage does not exist")),
    ("device class", gettext_noop("the cluster has no devices of the kind it asks for")),
    ("in use", gettext_noop("the devices set aside for it are in use")),
    ("^could not find ResourceClaim", gettext_noop("the devices set aside for it do not exist")),
)
"""By a pattern of the words, the most telling first."""

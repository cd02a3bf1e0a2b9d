"""The cluster's own words, without names that are not for this person.

KubeSpawner's pods are named after their users, and events name pods, claims, nodes, cloud
projects, addresses and paths. So a word is kept only if it is an amount, a resource, or one that
Kubernetes' own messages use; and even such a word goes from a place where Kubernetes puts a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gpuspawner.starting.vocabulary import BEFORE, WITH_SIGNS, WORDS

OWN = "your server"
REMOVED = "\N{HORIZONTAL ELLIPSIS}"

_PLACES = (
    (re.compile(r"\bpod\(s\) (?!in different namespaces)\S+(?:(?<=,) \S+)*"), "other pods"),
    (re.compile(r"\b[Pp]reempted by (?:a )?(?:pod )?\S+"), "preempted by another pod"),
    (re.compile(r"\bassigned \S+ to \S+"), f"assigned {OWN} to a node"),
    (re.compile(r"\bfor pod \S+"), f"for {OWN}"),
    (re.compile(r"\bon node:? \S+"), "on a node"),
    (
        re.compile(
            r"\b(exceeded quota:|in (?:flavor|ClusterQueue|different namespaces)|find node) [^,;]+"
        ),
        rf"\1 {REMOVED}",
    ),
    (re.compile(r"\{[^}]*\}"), f"{{{REMOVED}}}"),
    (re.compile(r"\[[^\]]*\]"), f"[{REMOVED}]"),
)
"""Where a name stands, with what is put there."""

_QUOTED = re.compile(r'"([^"]*)"')
_FIXED = "|".join(rf"{word} (?=(?:{after})\b)" for word, after in BEFORE.items())
_WORD = re.compile(rf"(?P<fixed>\d+ (?=bytes\b)|{_FIXED})|[^\s,;()=]+")
_LETTERS = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_PART = re.compile(r"[A-Z]?[a-z']+|[A-Z]+(?![a-z])")
"""Of a reason such as ``FailedScheduling``."""
_AMOUNT = re.compile(
    r"x?\d{1,4}(?:\.\d+)?(?:(?:/|->)\d+|[KMGTP]i?B?|[km%])?"  # More digits may be a person's.
    r"|(?:\d+(?:\.\d+)?(?:h|ms|us|µs|ns|m|s))+"
)
_RESOURCE = re.compile(
    r"(?:(?:requests|limits)\.)?(?:nvidia\.com/(?:gpu|mig-\dg\.\d+gb)(?:\.shared)?|amd\.com/gpu"
    r"|gpu\.intel\.com/(?:i915|xe)|cpu|memory|ephemeral-storage|hugepages-\d+[MG]i)"
)
_EDGES = "\"'.:!?[]{}"


def clean(text: str, pod: Mapping[str, Any]) -> str:
    """`text` in one line, with ``…`` in place of names.

    Args:
        text: the words of an event or a condition.
        pod: whose it is, in JSON: its name becomes ``your server``, its images stay.
    """
    own = str((pod.get("metadata") or {}).get("name") or "")
    images = _images(pod)
    text = " ".join(text.split())
    for place, instead in _PLACES:
        text = place.sub(instead, text)
    text = _QUOTED.sub(lambda quoted: _quoted(quoted[1], own, images), text)
    text = _WORD.sub(lambda word: word[0] if word["fixed"] else _word(word[0], own, images), text)
    return re.sub(rf"{REMOVED}(?:,? {REMOVED})+", REMOVED, text)


def _quoted(inner: str, own: str, images: frozenset[str]) -> str:
    if inner in images:
        return f'"{inner}"'
    return OWN if inner and inner == own else REMOVED


def _word(word: str, own: str, images: frozenset[str]) -> str:
    core = word.strip(_EDGES)
    if own and own in (core, core.rpartition("/")[2]):
        return word.replace(core, OWN)
    is_fine = (
        core in images
        or core.lower() in WITH_SIGNS
        or _is_known(core)
        or any(shape.fullmatch(core) for shape in (_AMOUNT, _RESOURCE))
        or not core.strip(REMOVED)
    )
    return word if is_fine else word.replace(core, REMOVED)


def _is_known(word: str) -> bool:
    """Whether it, or all that a word such as ``FailedMount`` is made of, is in the vocabulary."""
    if not _LETTERS.fullmatch(word):
        return False
    return word.lower() in WORDS or all(part.lower() in WORDS for part in _PART.findall(word))


def _images(pod: Mapping[str, Any]) -> frozenset[str]:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return frozenset(str(one["image"]) for one in containers if one.get("image"))

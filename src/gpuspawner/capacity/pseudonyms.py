"""A recording without the names of people: they are replaced, each always by the same.

Names are replaced by where they stand, and so that those of a kind keep their order: a verdict on
the state is the same as before.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_Rename = Callable[[str, str], str]
"""Takes what a name is the name of, and the name."""

_POD, _CLAIM, _DEVICES, _VOLUME, _HANDLE = "pod", "claim", "devices", "volume", "handle"
_NAMESPACE, _PERSON, _SERVER, _WORD, _MESSAGE = "namespace", "person", "server", "word", "message"

_ALWAYS_THERE = ("kube-system", "default")
_PEOPLES_LABELS = {"hub.jupyter.org/username": _PERSON, "hub.jupyter.org/servername": _SERVER}
_OF_NODES = ("topology.kubernetes.io/", "failure-domain.beta.kubernetes.io/")
_NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"
_KUBESPAWNERS = re.compile(r"(?:jupyter|claim)-(.+?)(?:--.*)?")
_LEAST_PART = 3
_TOKEN = re.compile(r"[A-Za-z0-9](?:[\w.@-]*[A-Za-z0-9])?(?P<slash>/)?")

_Places = tuple[tuple[str, str], ...]
"""What stands at a path; a list on the path stands for each of its items."""

_OF_PODS: _Places = (
    (_POD, "metadata.name"),
    (_NAMESPACE, "metadata.namespace"),
    (_WORD, "spec.volumes.name"),
    (_CLAIM, "spec.volumes.persistentVolumeClaim.claimName"),
    (_DEVICES, "spec.resourceClaims.resourceClaimName"),
    (_WORD, "spec.resourceClaims.resourceClaimTemplateName"),
)
_OF_ALL: _Places = ((_NAMESPACE, "metadata.namespace"),)
_OF_OBJECTS: Mapping[str, _Places] = {
    "ResourceQuota": ((_WORD, "metadata.name"),),
    "ResourceClaim": ((_DEVICES, "metadata.name"),),
    "PersistentVolumeClaim": ((_CLAIM, "metadata.name"), (_VOLUME, "spec.volumeName")),
    "PersistentVolume": (
        (_VOLUME, "metadata.name"),
        (_CLAIM, "spec.claimRef.name"),
        (_NAMESPACE, "spec.claimRef.namespace"),
        (_HANDLE, "spec.csi.volumeHandle"),
    ),
    "VolumeAttachment": (
        (_WORD, "metadata.name"),
        (_VOLUME, "spec.source.persistentVolumeName"),
    ),
}
_TERMS = tuple(
    f"spec.affinity.{affinity}.{terms}DuringSchedulingIgnoredDuringExecution{term}"
    for affinity in ("podAffinity", "podAntiAffinity")
    for terms, term in (("required", ""), ("preferred", ".podAffinityTerm"))
)
_SPREADS = "spec.topologySpreadConstraints"
_TEMPLATES = "spec.volumes.ephemeral.volumeClaimTemplate"


def without_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with the names of pods, claims, volumes, namespaces and people replaced.

    Labels of anything but nodes are replaced if a person's name is in them, and so is what
    selectors over them ask for. What is about nodes stays: their names and labels, selectors over
    them, taints; so do the names of classes and of kube-system and default.
    """
    found: dict[str, set[str]] = {}

    def collect(what: str, name: str) -> str:
        found.setdefault(what, set()).add(name)
        return name

    _renamed(state, collect)
    return _renamed(state, _pseudonyms(state, found))


def _renamed(state: Mapping[str, Any], rename: _Rename) -> dict[str, Any]:
    """A copy of the state with every name as `rename` gives it."""
    nodes = state.get("nodes", [])
    new: dict[str, Any] = {
        "nodes": nodes,
        **copy.deepcopy({key: value for key, value in state.items() if key != "nodes"}),
    }
    for pod in _pods(new):
        _rename_pod(pod, rename)
    for holder in (new, *new.get("candidates", ())):
        for obj in holder.get("objects", ()):
            _rename_at(obj, (*_OF_ALL, *_OF_OBJECTS.get(obj.get("kind"), ())), rename)
            _rename_labels(obj, "metadata.labels", rename)
            _rename_selector(obj, "spec.selector", rename)
    for candidate in new.get("candidates", ()):
        _rename_at(candidate, ((_MESSAGE, "message"),), rename)
    return new


def _pods(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from state.get("pods", ())
    for candidate in state.get("candidates", ()):
        yield candidate["pod"]


def _rename_pod(pod: dict[str, Any], rename: _Rename) -> None:
    _rename_at(pod, _OF_PODS, rename)
    _rename_labels(pod, "metadata.labels", rename)
    _rename_labels(pod, f"{_TEMPLATES}.metadata.labels", rename)
    _rename_selector(pod, f"{_TEMPLATES}.spec.selector", rename)
    for path in (*_TERMS, _SPREADS):
        _rename_selector(pod, f"{path}.labelSelector", rename)
    for path in _TERMS:
        _rename_at(pod, ((_NAMESPACE, f"{path}.namespaces"),), rename)
        _rename_selector(pod, f"{path}.namespaceSelector", rename)


def _rename_at(obj: Any, places: _Places, rename: _Rename) -> None:
    for what, path in places:
        *way, last = path.split(".")
        for holder in _holders(obj, way):
            value = holder.get(last)
            if isinstance(value, str) and value:
                holder[last] = rename(what, value)
            elif isinstance(value, list):
                holder[last] = [rename(what, one) for one in value]


def _rename_selector(obj: Any, path: str, rename: _Rename) -> None:
    _rename_labels(obj, f"{path}.matchLabels", rename)
    for expression in _holders(obj, f"{path}.matchExpressions".split(".")):
        what = _meaning(expression.get("key", ""))
        if what and expression.get("values"):
            expression["values"] = [rename(what, value) for value in expression["values"]]


def _rename_labels(obj: Any, path: str, rename: _Rename) -> None:
    for labels in _holders(obj, path.split(".")):
        for key, value in labels.items():
            if (what := _meaning(key)) and value:
                labels[key] = rename(what, value)


def _meaning(label: str) -> str:
    """What the value of a label is the name of; empty if it tells of a node."""
    if label == _NAME_OF_NAMESPACE:
        return _NAMESPACE
    return "" if label.startswith(_OF_NODES) else _PEOPLES_LABELS.get(label, _WORD)


def _holders(obj: Any, way: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objects at the end of a path."""
    here = [obj]
    for step in way:
        here = [value for one in here for value in _each(one.get(step))]
    yield from here


def _each(value: Any) -> list[dict[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _pseudonyms(state: Mapping[str, Any], found: Mapping[str, set[str]]) -> _Rename:
    given = {what: _numbered(what, names) for what, names in found.items() if what != _MESSAGE}
    given.setdefault(_NAMESPACE, {}).update(zip(_ALWAYS_THERE, _ALWAYS_THERE, strict=True))
    given[_PERSON] = _numbered(_PERSON, found.get(_PERSON, set()) | _people(found))
    given[_WORD] = _telling(found.get(_WORD, set()), given[_PERSON])
    given.setdefault(_CLAIM, {}).update(_ephemeral(state, given))

    def rename(what: str, name: str) -> str:
        if what == _MESSAGE:
            return _TOKEN.sub(lambda token: _in_message(token, given), name)
        return given[what].get(name, name)

    return rename


def _numbered(what: str, names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Pseudonyms in the order of the names, none of which is taken."""
    names, taken = sorted(names), set(taken)
    width = len(str(len(names) + len(taken)))
    numbers = (f"{what}-{number:0{width}}" for number in range(len(names) + len(taken)))
    free = (pseudonym for pseudonym in numbers if pseudonym not in taken)
    return dict(zip(names, free, strict=False))


def _people(found: Mapping[str, set[str]]) -> set[str]:
    """People by the names that KubeSpawner gives to their pods and claims."""
    names = found.get(_POD, set()) | found.get(_CLAIM, set())
    return {match[1] for name in names if (match := _KUBESPAWNERS.fullmatch(name))}


def _telling(words: set[str], people: Mapping[str, str]) -> dict[str, str]:
    """Of words those that have a person's name in them, or the first part of one."""
    spellings = {part.lower() for person in people for part in (person, re.split(r"\W", person)[0])}
    parts = {part for part in spellings if len(part) >= _LEAST_PART}
    telling = {
        word
        for word in words
        if spellings.intersection(re.split(r"[\W_]+", word.lower()))
        or any(part in word.lower() for part in parts)
    }
    same = {word: people[word] for word in telling if word in people}
    return same | _numbered(_WORD, telling - same.keys(), taken=words - telling)


def _ephemeral(
    state: Mapping[str, Any], given: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    """The claims of generic ephemeral volumes, which are named after their pods."""
    for pod in _pods(state):
        name = (pod.get("metadata") or {}).get("name", "")
        for volume in _holders(pod, ("spec", "volumes")):
            if volume.get("ephemeral") is not None:
                word = volume.get("name", "")
                new = f"{given[_POD].get(name, name)}-{given[_WORD].get(word, word)}"
                yield f"{name}-{word}", new


def _in_message(token: re.Match[str], given: Mapping[str, Mapping[str, str]]) -> str:
    """A word of the scheduler's; a namespace is told by the name that comes after it."""
    slash = token["slash"] or ""
    name = token[0].removesuffix("/")
    for what in (_NAMESPACE,) if slash else (_POD, _CLAIM, _DEVICES, _VOLUME):
        if name in given.get(what, ()):
            return given[what][name] + slash
    people = given[_PERSON]
    for part in sorted((part for part in people if part in name), key=len, reverse=True):
        name = re.sub(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", people[part], name)
    return name + slash

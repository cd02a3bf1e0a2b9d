"""The ``{names}`` that KubeSpawner expands with ``str.format`` when it makes a pod.

It expands env, volumes, mounts, labels, annotations, containers and extra pod configuration. A
brace that is not one of its names raises there, so that every start of the profile fails; it is
refused here. The names are those of ``KubeSpawner._expand_user_properties`` (7.0, 7.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Any, Final

from gpuspawner.catalog.problems import Finding, near_miss, shown

NAMES: Final = frozenset(
    {
        "escaped_servername",
        "escaped_user_server",
        "escaped_username",
        "hubnamespace",
        "namespace",
        "pod_name",
        "pvc_name",
        "safe_servername",
        "safe_user_server",
        "safe_username",
        "servername",
        "unescaped_servername",
        "unescaped_username",
        "user_server",
        "userid",
        "username",
    }
)
"""What may stand between braces."""

RAW_NAMES: Final = frozenset({"unescaped_username", "unescaped_servername"})
"""What people choose freely: in a path, a user called ``../..`` would leave the directory."""

_DOUBLE_IT: Final = "double a brace that is meant literally: {{ or }}"


def template_fault(text: str, *, is_path: bool = False) -> Finding | None:
    """Why KubeSpawner could not expand `text`, or must not because it is a path."""
    try:
        fields = [
            (name, bool(spec or conversion))
            for _, name, spec, conversion in Formatter().parse(text)
            if name is not None
        ]
    except ValueError:
        return Finding((), f"the braces in {shown(text)} do not pair up", _DOUBLE_IT)
    for name, is_formatted in fields:
        if name not in NAMES or is_formatted:
            meant = near_miss(name, NAMES)
            hint = f"did you mean {{{meant}}}? Else {_DOUBLE_IT}" if meant else _DOUBLE_IT
            return Finding((), f"KubeSpawner cannot expand the braces in {shown(text)}", hint)
        if is_path and name in RAW_NAMES:
            safe = name.replace("unescaped_", "")
            words = f"{{{name}}} in a path lets a person named '../..' leave it"
            return Finding((), words, f"use {{{safe}}}")
    return None


def template_faults(value: Any, *, is_path: bool = False) -> Iterator[Finding]:
    """The faults of every text within lists and mappings, at its path; keys are not expanded."""
    match value:
        case str():
            fault = template_fault(value, is_path=is_path)
            if fault is not None:
                yield fault
        case dict():
            for key, item in value.items():
                for fault in template_faults(item, is_path=is_path):
                    yield fault.beneath((str(key),))
        case list() | tuple():
            for index, item in enumerate(value):
                for fault in template_faults(item, is_path=is_path):
                    yield fault.beneath((index,))


def expanded_example(text: str) -> str:
    """A text with a harmless value in each pair of braces, to check its syntax."""
    return text.format_map(dict.fromkeys(NAMES, "x"))

"""``profile_options`` of an entry of KubeSpawner's ``profile_list``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gpuspawner.catalog.gating import access_of, gate_faults, meant_gate
from gpuspawner.catalog.options import (
    UNLISTED,
    OptionChoice,
    ProfileOption,
    UnlistedChoice,
    value_faults,
)
from gpuspawner.catalog.problems import Finding, Path, RefusedError, shown, sound

_SECTION: Final = "profile_options"
_OTHER: Final = "Other..."
ReadOverride = Callable[[object], dict[str, Any]]


def options_of(options: object, read_override: ReadOverride) -> tuple[ProfileOption, ...]:
    """The options, in their order.

    Args:
        options: as they stand in the entry; None if there are none.
        read_override: checks a ``kubespawner_override``.

    Raises:
        RefusedError: with what is wrong with the first of them that has a mistake.
    """
    if options is None:
        return ()
    found = _mapping(options, (_SECTION,))
    return tuple(
        _option(name, part, (_SECTION, str(name)), read_override) for name, part in found.items()
    )


def _option(name: Any, part: Any, path: Path, read_override: ReadOverride) -> ProfileOption:
    if not isinstance(name, str) or not name or name == "profile" or name.endswith(f"--{UNLISTED}"):
        hint = f"use text other than 'profile' that does not end in '--{UNLISTED}'"
        raise RefusedError([Finding(path, f"{shown(name)} cannot be an option's name", hint)])
    option = _mapping(part, path)
    # A gate here would be meant to close something, and nothing of it would be closed.
    sound(None, _misplaced(option, path))
    title = _text(option, "display_name", name, path)
    written = option.get("choices")
    choices = {} if written is None else _mapping(written, (*path, "choices"))
    unlisted = _unlisted(option.get("unlisted_choice"), path, title, read_override)
    if not choices and unlisted is None:
        message = "there is nothing to choose"
        raise RefusedError([Finding(path, message, "write choices, or enable unlisted_choice")])
    return ProfileOption(
        name,
        title,
        tuple(
            _choice(key, choice, (*path, "choices", str(key)), read_override)
            for key, choice in choices.items()
        ),
        unlisted,
    )


def _choice(key: Any, part: Any, path: Path, read_override: ReadOverride) -> OptionChoice:
    # Forms and links have texts only, and YAML reads an unquoted 1 as a number.
    slug = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    if not isinstance(slug, str) or not slug:
        raise RefusedError([Finding(path, f"{shown(key)} cannot be a choice's key", "quote it")])
    choice = _mapping(part, path)
    sound(None, (fault.beneath(path) for fault in gate_faults(choice)))
    return OptionChoice(
        slug,
        _text(choice, "display_name", slug, path),
        bool(choice.get("default")),
        access_of(choice),
        _override(choice, path, read_override),
    )


def _unlisted(
    part: Any, above: Path, title: str, read_override: ReadOverride
) -> UnlistedChoice | None:
    path = (*above, "unlisted_choice")
    if part is None:
        return None
    unlisted = _mapping(part, path)
    sound(None, (fault.beneath(path) for fault in gate_faults(unlisted)))
    if not unlisted.get("enabled"):
        return None
    pattern = _text(unlisted, "validation_regex", "", path)
    try:
        re.compile(pattern)
    except re.error as error:
        message = f"{shown(pattern)} is not a regular expression: {error}"
        raise RefusedError([Finding((*path, "validation_regex"), message)]) from error
    override = _override(unlisted, path, read_override)
    sound(None, (f.beneath((*path, "kubespawner_override")) for f in value_faults(override)))
    return UnlistedChoice(
        _text(unlisted, "display_name", title, path),
        _text(unlisted, "display_name_in_choices", _OTHER, path),
        pattern,
        _text(unlisted, "validation_message", "", path),
        access_of(unlisted),
        override,
    )


def _misplaced(option: Mapping[Any, Any], path: Path) -> Iterator[Finding]:
    for key in option:
        if isinstance(key, str) and meant_gate(key):
            yield Finding((*path, key), "an option cannot be gated", "write it in its choices")


def _override(part: Mapping[Any, Any], path: Path, read: ReadOverride) -> dict[str, Any]:
    try:
        return read(part.get("kubespawner_override"))
    except RefusedError as error:
        raise RefusedError(finding.beneath(path) for finding in error.findings) from error


def _mapping(part: Any, path: Path) -> Mapping[Any, Any]:
    if not isinstance(part, Mapping):
        raise RefusedError([Finding(path, f"expected a mapping, found {shown(part)}")])
    return part


def _text(part: Mapping[Any, Any], key: str, otherwise: str, path: Path) -> str:
    text = part.get(key)
    if text is None or text == "":
        return otherwise
    if not isinstance(text, str):
        raise RefusedError([Finding((*path, key), f"expected text, found {shown(text)}")])
    return text

"""Pydantic's errors in an admin's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gpuspawner.catalog.problems import Finding, Path, RefusedError, bare, did_you_mean, near_miss
from gpuspawner.catalog.schema import known_fields
from gpuspawner.catalog.tree import Branch, described

_Words = tuple[str, str | None]


def findings_of(error: ValidationError, root: Branch) -> Iterator[Finding]:
    """Each error of a validation of `root.plain()`, at its path in that tree."""
    for details in error.errors(include_url=False):
        path = details["loc"]
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, RefusedError):
            for finding in cause.findings:
                yield finding.beneath(path)
        else:
            branch, _ = root.walk(path)
            message, hint = _words(details, path, branch)
            yield Finding(path, message, hint, _unless(path))


def _words(details: ErrorDetails, path: Path, branch: Branch) -> _Words:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown_field(path)
    if kind == "missing":
        return "is required", None
    if kind in _EXPECTED:
        expected, hint = _EXPECTED[kind]
        return f"expected {expected}, found {described(branch)}", hint(branch)
    if kind == "literal_error":
        return _not_a_choice(details.get("ctx", {}), branch)
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**details.get("ctx", {})), None
    return "cannot be used here", None


def _unless(path: Path) -> tuple[Path, ...]:
    # The one field whose place another can take.
    return ((*path[:-1], "shared_memory"),) if path[-1:] == ("mount_path",) else ()


def _unknown_field(path: Path) -> _Words:
    *parent, name = path
    return "unknown field", did_you_mean(str(name), known_fields(tuple(parent)))


def _not_a_choice(context: dict[str, Any], branch: Branch) -> _Words:
    expected = str(context.get("expected", ""))
    choices = [choice for choice in expected.replace(" or ", ", ").split(", ") if choice]
    meant = near_miss(str(branch.value), [choice.strip("'") for choice in choices])
    hint = f"did you mean {meant!r}?" if meant else None
    return f"expected {expected}, found {described(branch)}", hint


def _quote(branch: Branch) -> str | None:
    if isinstance(branch.value, bool | int | float) or (branch.value is None and branch.text):
        return f'quote it: "{bare(branch.text)}"'
    return "give it a value, or leave the field out" if branch.value is None else None


def _unquote(branch: Branch) -> str | None:
    is_number = isinstance(branch.value, str) and branch.value.isdecimal()
    return f"leave the quotes out: {bare(branch.text)}" if is_number else None


def _true_or_false(branch: Branch) -> str | None:
    return "write true or false, without quotes" if isinstance(branch.value, str) else None


def _as_list(branch: Branch) -> str | None:
    if branch.value is None:
        return "leave the field out, or write [] for none"
    scalar = not isinstance(branch.value, dict | list)
    return f"write [{bare(branch.text)}]" if scalar and len(branch.text) < 40 else None  # noqa: PLR2004


def _as_mapping(branch: Branch) -> str | None:
    if branch.value is None:
        return "leave the field out, or write {} for none"
    return (
        "write `name: value`, one a line, without '-'" if isinstance(branch.value, list) else None
    )


_EXPECTED: dict[str, tuple[str, Callable[[Branch], str | None]]] = {
    "string_type": ("text", _quote),
    "int_type": ("a whole number", _unquote),
    "bool_type": ("true or false", _true_or_false),
    "tuple_type": ("a list", _as_list),
    "dict_type": ("a mapping", _as_mapping),
    "model_type": ("a mapping", _as_mapping),
}

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "string_too_short": "is empty",
    "too_short": "needs at least {min_length} of them, found {actual_length}",
    "too_long": "takes at most {max_length} of them, found {actual_length}",
}

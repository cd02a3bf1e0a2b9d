"""Who may have an entry of KubeSpawner's ``profile_list``, or a choice: keys beside KubeSpawner's.

``allowed_groups`` is what the field calls it. What has neither key is open to everyone, as in
KubeSpawner; a key that could only be meant for one of them closes it, and is never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from gpuspawner.catalog.access import AccessRule
from gpuspawner.catalog.problems import Finding, shown

GATES: Final = ("allowed_groups", "allowed_users")
_LIST: Final = 'write a list of names, such as ["gpu-users"]; * and ? are wildcards'
_CLOSE: Final = 0.8
_LONGEST_KEY: Final = 80
_OF_THE_CATALOG: Final = {
    "access": GATES[0],
    "group": GATES[0],
    "groups": GATES[0],
    "user": GATES[1],
    "users": GATES[1],
}
"""What closes a profile of the catalog: who knows these writes them here, too."""


def access_of(part: Mapping[Any, Any], slug: str = "*") -> AccessRule:
    """Who may have an entry or a choice that has no `gate_faults`.

    Args:
        part: the entry or the choice.
        slug: of the entry.
    """
    groups, users = (part.get(gate) for gate in GATES)
    if groups is None and users is None:
        users = ["*"]
    # Not validated: a list of nobody is a rule for nobody.
    return AccessRule.model_construct(
        groups=tuple(groups or ()), users=tuple(users or ()), profiles=(slug,)
    )


def gate_faults(part: Mapping[Any, Any]) -> Iterator[Finding]:
    """Keys of the wrong shape, and keys that were probably meant for one of `GATES`."""
    for gate in GATES:
        if gate in part and not _is_list_of_names(part[gate]):
            yield Finding((gate,), f"expected a list of names, found {shown(part[gate])}", _LIST)
    for key in part:
        if isinstance(key, str) and key not in GATES and (meant := meant_gate(key)):
            yield Finding((key,), "unknown key", f"did you mean {meant!r}?")


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(name, str) and name.strip() for name in value
    )


def meant_gate(key: str) -> str | None:
    """Which of `GATES` a key is, or was probably meant for; None if for none of them."""
    if len(key) > _LONGEST_KEY:
        return None
    folded = key.casefold().replace("-", "_")
    if folded in _OF_THE_CATALOG:
        return _OF_THE_CATALOG[folded]
    close = get_close_matches(folded, GATES, n=1, cutoff=_CLOSE)
    if close:
        return close[0]
    return GATES[0] if folded.lstrip("_").startswith("allow") else None

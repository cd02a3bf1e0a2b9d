"""Why an image could not be pulled, told from what the container runtime said.

Kubernetes hands on the runtime's text as it is. containerd, CRI-O and Docker each word it their own
way, and quote the registry, whose words are those of the OCI distribution specification's error
codes ("manifest unknown", "denied", "toomanyrequests").
"""

from __future__ import annotations

import re
from enum import Enum


class PullFailure(Enum):
    """What is wrong, and so what a person can do about it."""

    NOT_FOUND = "not found"
    DENIED = "denied"
    OTHER_PLATFORM = "other platform"
    RATE_LIMITED = "rate limited"
    NO_SPACE = "no space"
    UNANSWERED = "unanswered"
    """A registry, a proxy or a name server that fails: the next attempt may succeed."""

    @property
    def is_final(self) -> bool:
        """Whether the next attempt ends in the same way, unless somebody changes something."""
        return self in (PullFailure.NOT_FOUND, PullFailure.DENIED, PullFailure.OTHER_PLATFORM)


_QUOTED = re.compile(r'"[^"]*"|https?://\S+')
"""References and addresses, in which a tag may be called anything."""
_TAG = re.compile(r":[^/:]*$")
_SAYS = (
    # What passes comes first: a registry that is overloaded may refuse a token with a 401, too.
    (PullFailure.RATE_LIMITED, r"toomanyrequests|too many requests|\b429\b|rate limit"),
    (PullFailure.NO_SPACE, r"no space left on device"),
    (
        PullFailure.UNANSWERED,
        r"timeout|timed out|time-out|deadline exceeded|connection (refused|reset)|\beof\b"
        r"|no such host|name resolution|no route to host|network is unreachable"
        r"|\b50[0-9]\b|service unavailable|internal server error|bad gateway",
    ),
    (PullFailure.OTHER_PLATFORM, r"no match for platform|no image found .* for architecture"),
    (PullFailure.OTHER_PLATFORM, r"no matching manifest for"),
    (
        PullFailure.DENIED,
        r"unauthorized|\b401\b|\b403\b|forbidden|access (to the resource is )?denied"
        r"|insufficient_scope|authorization failed|no basic auth credentials",
    ),
    (
        PullFailure.NOT_FOUND,
        # What is merely "not found" may also be a layer that the node itself has lost.
        r"manifest unknown|name unknown|repository name not known|manifest for .*not found"
        r"|failed to resolve reference.* not found",
    ),
)


def pull_failure(message: str, image: str) -> PullFailure:
    """What `message`, said of a failed pull of `image`, comes to."""
    name = re.escape(_TAG.sub("", image.partition("@")[0]))
    said = _QUOTED.sub("", message)
    # containerd also writes the reference out in full, with its registry, and without quotes.
    said = re.sub(rf"(?<!\S)(?:\S*/)?{name}(?:[:@]\S*)?(?!\S)", "", said) if name else said
    for failure, pattern in _SAYS:
        if re.search(pattern, said, re.IGNORECASE):
            return failure
    return PullFailure.UNANSWERED

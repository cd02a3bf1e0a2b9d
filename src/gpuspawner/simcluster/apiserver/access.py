"""Who may do what: bearer tokens and allow rules, refused in Kubernetes' own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.status import ApiError
from gpuspawner.simcluster.apiserver.requestinfo import RequestInfo

ANYONE = "system:anonymous"


@dataclass(frozen=True, slots=True)
class Rule:
    """What some users may do; there are no deny rules, as in RBAC.

    Args:
        verbs: such as `list`; `*` is every verb.
        resources: such as `pods` or `pods/log`, with `*` as a wildcard.
        namespaces: where; None is everywhere and the only way to cluster-wide requests.
        users: whom the rule is for; None is every user.
        groups: the API groups; `*` is every group.
    """

    verbs: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ("*",)
    namespaces: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ("*",)

    def allows(self, user: str, request: RequestInfo) -> bool:
        """Say whether the rule lets a user make a request for a resource."""
        group = request.resource.group if request.resource else ""
        return (
            (self.users is None or user in self.users)
            and (self.namespaces is None or request.namespace in self.namespaces)
            and _matches(self.verbs, request.verb)
            and _matches(self.resources, request.resource_path)
            and _matches(self.groups, group)
        )


def _matches(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


class AccessRules:
    """Tokens and rules, both of which may be changed while the server runs.

    Args:
        tokens: users by bearer token; None lets everyone in as `system:anonymous`.
        rules: what is allowed.
    """

    def __init__(
        self, tokens: Mapping[str, str] | None = None, rules: Iterable[Rule] = (Rule(),)
    ) -> None:
        self.tokens: dict[str, str] | None = None if tokens is None else dict(tokens)
        self.rules: list[Rule] = list(rules)

    def rotate(self, user: str, token: str) -> None:
        """Give a user a new token; the old ones are refused from now on."""
        others = {have: name for have, name in (self.tokens or {}).items() if name != user}
        self.tokens = {**others, token: user}

    def authenticate(self, authorization: str | None) -> str:
        """Return the user of an Authorization header.

        Raises:
            ApiError: 401 when there is no bearer token or it is not known.
        """
        if self.tokens is None:
            return ANYONE
        scheme, _, token = (authorization or "").partition(" ")
        user = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def may(self, user: str, request: RequestInfo) -> bool:
        """Say whether a user may make a request; paths that are no resource are open to all."""
        return request.resource is None or any(rule.allows(user, request) for rule in self.rules)

    def authorize(self, user: str, request: RequestInfo) -> None:
        """Raise ApiError 403 unless a rule allows the request."""
        if not self.may(user, request):
            raise _denied(user, request)


def _denied(user: str, request: RequestInfo) -> ApiError:
    resource = request.resource
    if resource is None:
        words = f'forbidden: User "{user}" cannot {request.verb} path "{request.path}"'
        return ApiError(403, "Forbidden", words, {})
    details: Object = {"kind": resource.plural}
    if request.name:
        details["name"] = request.name
    if resource.group:
        details["group"] = resource.group
    named = f' "{request.name}"' if request.name else ""
    scope = (
        f'in the namespace "{request.namespace}"' if request.namespace else ("at the cluster scope")
    )
    return ApiError(
        403,
        "Forbidden",
        f'{resource.qualified}{named} is forbidden: User "{user}" cannot {request.verb} resource '
        f'"{request.resource_path}" in API group "{resource.group}" {scope}',
        details,
    )

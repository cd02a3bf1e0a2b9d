"""What the hub's account must be allowed, and for what.

The kinds are those of `gpuspawner.capacity.kinds`, which the hub watches and of which it says what
is missing; helm-values/clusterrole.yaml is what `as_yaml` gives for everything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gpuspawner.capacity.kinds import KINDS, Kind, Purpose
from gpuspawner.catalog import Catalog, all_overrides

LOOK = ("list", "watch")
RBAC = "rbac.authorization.k8s.io"
_WIDTH = 98
_CLAIM_KEYS = frozenset({"persistentVolumeClaim", "persistent_volume_claim", "ephemeral"})
_DEVICE_KEYS = frozenset({"resourceClaims", "resource_claims"})

EVERYTHING = frozenset(Purpose) - {Purpose.ADMISSION}

_NODES_AND_PODS = "Anybody's pod may hold a GPU: without these two nothing is known to be free."
_WHY: Mapping[Purpose, str] = {
    Purpose.QUOTAS: (
        "Quotas: how many more servers they admit. Without, that number is left out, and a quota "
        "that is used up is noticed by a dry run, up to a minute late."
    ),
    Purpose.VOLUMES: (
        "Homes and other volumes: where they can be attached. Without, whoever mounts one reads "
        '"unknown", with the right that is missing.'
    ),
    Purpose.DEVICES: (
        "Devices of Dynamic Resource Allocation; clusters without it do not serve these. Without, "
        'pods with claims read "unknown", and GPUs that only DRA could serve count as not there.'
    ),
    Purpose.POOLS: (
        "Whether a pool that is scaled from zero can grow at present (node_pools in the catalog). "
        "Without, it is taken to be able to, up to its most_nodes."
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule of a role grants.

    Attributes:
        group: of the API; empty for the core.
        resources: their plurals.
        why: what it is for.
        names: the only objects it is about; empty for all.
        namespace: where those are; empty for everywhere, or where the role is.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    namespace: str = ""

    def manifest(self) -> dict[str, Any]:
        """A PolicyRule in JSON."""
        names = {"resourceNames": list(self.names)} if self.names else {}
        return {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            **names,
            "verbs": list(self.verbs),
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """To whom the rights are granted, and under what name.

    Attributes:
        namespace: of the hub and its servers.
        account: the hub's ServiceAccount.
    """

    namespace: str = "jupyterhub"
    account: str = "hub"
    name: str = "gpuspawner"


def purposes_of(catalog: Catalog, *, homes: bool = True, dra: bool = False) -> frozenset[Purpose]:
    """What the cluster is looked at for with this catalog.

    Args:
        catalog: what people can start.
        homes: whether servers mount claims that the hub's configuration names.
        dra: whether a DeviceClass may stand for an accelerator's resource.
    """
    overrides = [one for profile in catalog.profiles for one in all_overrides(profile)]
    mounted = {name for profile in catalog.profiles for name in profile.volumes}
    claims = any(
        catalog.volumes[name].claim is not None or catalog.volumes[name].ephemeral is not None
        for name in mounted
    )
    needed = {
        Purpose.QUOTAS: True,
        Purpose.VOLUMES: homes or claims or _has_key(overrides, _CLAIM_KEYS),
        Purpose.DEVICES: dra or _has_key(overrides, _DEVICE_KEYS),
        Purpose.POOLS: any(pool.autoscaler_group for pool in catalog.node_pools.values()),
    }
    return frozenset(purpose for purpose, is_needed in needed.items() if is_needed)


def mounts_claims(volumes: Any) -> bool:
    """Whether any of KubeSpawner's ``volumes`` is a claim."""
    return _has_key(volumes, _CLAIM_KEYS)


def cluster_rules(purposes: Iterable[Purpose] = EVERYTHING) -> tuple[Rule, ...]:
    """What the hub must be allowed to see in all namespaces; nothing is written by it."""
    wanted = frozenset(purposes)
    found: dict[tuple[Purpose, str], list[Kind]] = {}
    for kind in KINDS:
        if kind.purpose in wanted:
            found.setdefault((kind.purpose, kind.group), []).append(kind)
    first = Rule("", ("nodes", "pods"), LOOK, _NODES_AND_PODS)
    return (first, *(_rule(kinds) for kinds in found.values()))


def namespace_rules(*, homes: bool = True) -> tuple[Rule, ...]:
    """What KubeSpawner must be allowed where the servers are."""
    pods = "Servers are pods. Before one is made, a dry run asks how it would be admitted."
    events = "What a start waits for, and why it fails, is told by events."
    claims = "Homes that KubeSpawner makes (storage_pvc_ensure) and deletes with their people."
    rules = [
        Rule("", ("pods",), ("create", "delete", *LOOK), pods),
        Rule("", ("events",), LOOK, events),
    ]
    if homes:
        rules.append(Rule("", ("persistentvolumeclaims",), ("create", "delete", "get"), claims))
    return tuple(rules)


def manifests(
    grant: Grant, cluster: Iterable[Rule], namespaced: Iterable[Rule] = ()
) -> tuple[dict[str, Any], ...]:
    """A ClusterRole and a Role with their bindings, in JSON; no Role without `namespaced`."""
    of_cluster = _role("ClusterRole", grant, cluster), _binding("ClusterRole", grant)
    rules = tuple(namespaced)
    if not rules:
        return of_cluster
    return (*of_cluster, _role("Role", grant, rules), _binding("Role", grant))


def as_yaml(grant: Grant, cluster: Iterable[Rule], namespaced: Iterable[Rule] = ()) -> str:
    """`manifests` as one file for ``kubectl apply``, each rule with what it is for."""
    parts = [
        _commented(_CLUSTER_HEAD, ""),
        *_role_lines("ClusterRole", grant, cluster),
        "---",
        *_binding_lines("ClusterRole", grant),
    ]
    rules = tuple(namespaced)
    if rules:
        parts += [
            "---",
            _commented(_NAMESPACE_HEAD, ""),
            *_role_lines("Role", grant, rules),
            "---",
            *_binding_lines("Role", grant),
        ]
    return "\n".join(parts) + "\n"


_CLUSTER_HEAD = (
    "What the hub must be allowed to see beyond its own namespace; it is all to look, and nothing "
    "is written by it. The subject at the end must be the hub's ServiceAccount. Only the first "
    "rule is indispensable; what is lost without each of the others stands above it. "
    "`gpuspawner rbac CATALOG` prints what one catalog needs, for any account and namespace."
)
_NAMESPACE_HEAD = (
    "What KubeSpawner does where the servers are. The Helm chart's own Role grants it already (and "
    "secrets and services, for internal_ssl and services_enabled)."
)


def _rule(kinds: list[Kind]) -> Rule:
    kind = kinds[0]
    _, _, name = kind.parameters.get("fieldSelector", "").partition("metadata.name=")
    return Rule(
        group=kind.group,
        resources=tuple(one.plural for one in kinds),
        verbs=LOOK,
        why=_WHY[kind.purpose],
        names=(name,) if name else (),
        namespace=kind.namespace,
    )


def _has_key(value: Any, keys: frozenset[str]) -> bool:
    """Whether a key occurs anywhere within lists and mappings."""
    if isinstance(value, Mapping):
        return not keys.isdisjoint(value) or any(_has_key(one, keys) for one in value.values())
    return isinstance(value, list | tuple) and any(_has_key(one, keys) for one in value)


def _metadata(kind: str, grant: Grant) -> dict[str, str]:
    where = {} if kind.startswith("Cluster") else {"namespace": grant.namespace}
    return {"name": grant.name, **where}


def _role(kind: str, grant: Grant, rules: Iterable[Rule]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(kind, grant),
        "rules": [rule.manifest() for rule in rules],
    }


def _binding(kind: str, grant: Grant) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "name": grant.account, "namespace": grant.namespace}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": _metadata(kind, grant),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": grant.name},
        "subjects": [subject],
    }


def _head_lines(kind: str, grant: Grant) -> Iterator[str]:
    yield f"apiVersion: {RBAC}/v1"
    yield f"kind: {kind}"
    yield "metadata:"
    for key, value in _metadata(kind, grant).items():
        yield f"  {key}: {value}"


def _role_lines(kind: str, grant: Grant, rules: Iterable[Rule]) -> Iterator[str]:
    yield from _head_lines(kind, grant)
    yield "rules:"
    last = ""
    for rule in rules:
        # Two rules for one purpose are said once what for.
        if rule.why != last:
            yield _commented(rule.why, "  ")
        last = rule.why
        first, *others = (
            f"{key}: [{', '.join(one or _EMPTY for one in values)}]"
            for key, values in rule.manifest().items()
        )
        yield f"  - {first}"
        yield from (f"    {line}" for line in others)


_EMPTY = '""'


def _binding_lines(kind: str, grant: Grant) -> Iterator[str]:
    yield from _head_lines(f"{kind}Binding", grant)
    yield "roleRef:"
    yield f"  apiGroup: {RBAC}"
    yield f"  kind: {kind}"
    yield f"  name: {grant.name}"
    yield "subjects:"
    yield "  - kind: ServiceAccount"
    yield f"    name: {grant.account}"
    yield f"    namespace: {grant.namespace}"


def _commented(words: str, indent: str) -> str:
    head = f"{indent}# "
    return textwrap.fill(words, _WIDTH, initial_indent=head, subsequent_indent=head)

"""``gpuspawner rbac``: what the hub's account must be allowed, and whether it is."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gpuspawner.capacity.transport import TransportError
from gpuspawner.cli.catalogs import load_or_exit
from gpuspawner.cli.connecting import UNCHECKED, Found, Where, cluster_options, found, json_option
from gpuspawner.cli.printing import Column, coloured, print_json, print_table, print_words
from gpuspawner.rights import (
    EVERYTHING,
    Grant,
    Rule,
    as_yaml,
    cluster_rules,
    manifests,
    namespace_rules,
    purposes_of,
)

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_CREATED = 201
_PATIENCE = 10.0
_AT_ONCE = 8
_MISSING = 1
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource.

    Attributes:
        namespace: where; empty for everywhere.
        name: of the one object; empty for all.
        allowed: null if nobody could say.
        reason: why it could not be said; else empty.
    """

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    allowed: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RbacReport:
    """What ``gpuspawner rbac --json`` prints.

    Attributes:
        manifests: for ``kubectl apply``.
        cluster: the API server that was asked; null without ``--check``.
        rights: what it said of each; null without ``--check``.
    """

    manifests: tuple[dict[str, Any], ...]
    cluster: str | None
    rights: tuple[Right, ...] | None


def _name(_: click.Context, option: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a name in Kubernetes", param=option)
    return value


@click.command()
@click.argument("catalog", required=False, type=click.Path(path_type=Path))
@click.option(
    "--namespace", "-n", default="jupyterhub", show_default=True, callback=_name, help="The hub's."
)
@click.option(
    "--service-account", default="hub", show_default=True, callback=_name, help="The hub's."
)
@click.option(
    "--name", default="gpuspawner", show_default=True, callback=_name, help="Of the roles."
)
@click.option("--no-homes", is_flag=True, help="Servers mount no claims but the catalog's.")
@click.option("--dra", is_flag=True, help="DeviceClasses stand for devices of the catalog.")
@click.option(
    "--check", is_flag=True, help="Ask a cluster instead whether this account has the rights."
)
@cluster_options
@json_option
def rbac(  # noqa: PLR0913 - one for each option
    *,
    catalog: Path | None,
    service_account: str,
    name: str,
    no_homes: bool,
    dra: bool,
    check: bool,
    where: Where,
    as_json: bool,
) -> None:
    """Print the roles that the hub needs for CATALOG, for `kubectl apply -f -`; all, without one.

    With --check a cluster is asked whether the account of the kubeconfig, or of the pod in which
    this runs, has these rights. In the hub's pod that is the hub's own account; an admin's account
    may have them while the hub's has not.

    The exit status is 0; with --check 1 if a right is missing, and 3 if that could not be asked.
    """
    purposes, namespace = EVERYTHING, where.namespace or ""
    if catalog is not None:
        purposes = purposes_of(load_or_exit(catalog).catalog, homes=not no_homes, dra=dra)
    grant = Grant(namespace, service_account, name)
    of_cluster, of_namespace = cluster_rules(purposes), namespace_rules(homes=not no_homes)
    made = manifests(grant, of_cluster, of_namespace)
    if not check:
        if as_json:
            print_json(RbacReport(made, None, None))
        else:
            click.echo(as_yaml(grant, of_cluster, of_namespace), nl=False)
        return
    wanted = [*_rights(of_cluster, ""), *_rights(of_namespace, namespace)]
    address, rights = asyncio.run(_checked(where, wanted))
    if as_json:
        print_json(RbacReport(made, address, tuple(rights)))
    else:
        _print(address, rights)
    sys.exit(_status(rights))


def _rights(rules: Iterable[Rule], namespace: str) -> Iterator[Right]:
    for rule in rules:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or ("",):
                    place = rule.namespace or namespace
                    yield Right(verb, rule.group, resource, place, name, allowed=None)


def _status(rights: Iterable[Right]) -> int:
    answers = {right.allowed for right in rights}
    if False in answers:
        return _MISSING
    return UNCHECKED if None in answers else 0


async def _checked(where: Where, wanted: Iterable[Right]) -> tuple[str, list[Right]]:
    async with found(where) as cluster:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def asked(right: Right) -> Right:
            async with turn:
                return await _asked(cluster, right)

        return cluster.address, await asyncio.gather(*map(asked, wanted))


async def _asked(cluster: Found, right: Right) -> Right:
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "namespace": right.namespace,
        "name": right.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    allowed, reason = None, ""
    try:
        async with cluster.transport.post(
            _REVIEWS, {}, review, answer_within=_PATIENCE, silence=_PATIENCE
        ) as response:
            body = await response.body()
            if response.status == _CREATED:
                allowed = bool(json.loads(body)["status"]["allowed"])
            else:
                reason = f"the review was answered with HTTP {response.status}"
    except TransportError as error:
        reason = str(error)
    except (ValueError, KeyError, TypeError):
        reason = "the answer is no review"
    return Right(
        verb=right.verb,
        group=right.group,
        resource=right.resource,
        namespace=right.namespace,
        name=right.name,
        allowed=allowed,
        reason=reason,
    )


def _print(address: str, rights: list[Right]) -> None:
    missing = [right for right in rights if right.allowed is False]
    unsaid = [right for right in rights if right.allowed is None]
    print_words(f"The account with which the cluster at {address} was asked:")
    if not missing and not unsaid:
        print_words(f"all of the {len(rights)} rights are there.")
        return
    print_words("")
    rows = [
        (
            right.verb,
            f"{right.resource}.{right.group}" if right.group else right.resource,
            right.namespace or "everywhere",
            coloured("missing", "denied")
            if right.allowed is False
            else coloured(f"could not be checked: {right.reason}", "unknown"),
        )
        for right in (*missing, *unsaid)
    ]
    print_table((Column("VERB"), Column("RESOURCE"), Column("WHERE"), Column("")), rows)
    print_words("", "Without --check the roles that grant them are printed.")

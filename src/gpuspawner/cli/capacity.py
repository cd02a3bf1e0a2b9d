"""``gpuspawner capacity``: the devices of each node, and how many of each profile fit where."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.text import Text

from gpuspawner.catalog import AccessRule, Catalog, Written
from gpuspawner.cli.catalogs import load_or_exit
from gpuspawner.cli.connecting import (
    UNCHECKED,
    Where,
    cluster_options,
    json_option,
    namespace_option,
    recorded_option,
)
from gpuspawner.cli.printing import (
    Column,
    coloured,
    count,
    print_json,
    print_table,
    print_words,
)
from gpuspawner.cli.reports import Now, Source, now, told
from gpuspawner.inventory import NodeDevices, devices_in
from gpuspawner.offers import Offer
from gpuspawner.pod import is_device, is_known_device
from gpuspawner.policy import Person

_MOST_NODES = 4
"""How many nodes are named in a cell of a table."""


@dataclass(frozen=True, slots=True)
class DevicesReport:
    """The devices of one kind on one node.

    Attributes:
        free: null if it is not known. Where the node is closed, nothing can have them.
        closed: why the node takes no pods at present; empty if it takes some.
        transition: such as "MIG reconfiguration"; empty if it goes through nothing.
    """

    node: str
    resource: str
    allocatable: int
    used: int
    free: int | None
    unhealthy: int
    closed: tuple[str, ...]
    transition: str


@dataclass(frozen=True, slots=True)
class ProfileFits:
    """How many servers of a profile fit.

    Attributes:
        slots: how many, one after another; null if that is not known.
        slots_if_empty: how many if nothing else ran on the nodes that are for it.
        nodes: how many on each node that takes it now.
    """

    slug: str
    title: str
    slots: int | None
    slots_if_empty: int
    nodes: dict[str, int]
    now: Now


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """What ``gpuspawner capacity --json`` prints.

    Attributes:
        catalog: null if none was named; then `profiles` is empty.
        nodes: how many nodes the cluster has; null, as `devices`, if they are not known.
    """

    source: Source
    catalog: str | None
    nodes: int | None
    devices: tuple[DevicesReport, ...] | None
    profiles: tuple[ProfileFits, ...]


@click.command()
@click.option(
    "--catalog",
    "file",
    type=click.Path(path_type=Path),
    help="Say as well how many of each of its profiles fit, and where.",
)
@recorded_option
@click.option("--all", "is_all", is_flag=True, help="All extended resources, not GPUs alone.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The hub's jupyterhub_config.py, which is run, for the pods that it makes.",
)
@cluster_options
@namespace_option
@json_option
def capacity(  # noqa: PLR0913 - one for each option
    *,
    file: Path | None,
    recorded: Path | None,
    is_all: bool,
    config: Path | None,
    where: Where,
    as_json: bool,
) -> None:
    """List the GPUs and slices of each node of a cluster: live, or as it was recorded.

    Nothing is created. What cannot be read is unknown: it is never taken for free.

    The exit status is 0; 1 if the catalog is not valid; 3 if the cluster could not be asked, or its
    nodes and pods are not known.
    """
    written = load_or_exit(file) if file is not None else None
    report = asyncio.run(_report(written, where, recorded, config, is_all=is_all))
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report.source.state != "live":
        sys.exit(UNCHECKED)


def _shown(catalog: Catalog | None, *, is_all: bool) -> Callable[[str], bool]:
    def is_shown(resource: str) -> bool:
        if is_all:
            return "/" in resource and not resource.startswith("kubernetes.io/")
        return is_known_device(resource) if catalog is None else is_device(resource, catalog)

    return is_shown


async def _report(
    written: Written | None,
    where: Where,
    recorded: Path | None,
    config: Path | None,
    *,
    is_all: bool,
) -> CapacityReport:
    from gpuspawner.cli.looking import looking  # noqa: PLC0415 - imports the hub, in a second

    person = Person("")
    catalog = written.catalog if written else None
    is_shown = _shown(catalog, is_all=is_all)
    async with looking(where, recorded, person, config) as look:
        offers = [] if catalog is None else await look.offers(_open_to_all(catalog), person)
        is_known = look.freshness.is_live
        found = devices_in(look.snapshot, is_shown, look.doubtful) if is_known else None
        return CapacityReport(
            source=look.source,
            catalog=written.file if written else None,
            nodes=len(look.snapshot.nodes) if is_known else None,
            devices=None if found is None else tuple(map(_devices, found)),
            profiles=tuple(map(_fits, offers)),
        )


def _open_to_all(catalog: Catalog) -> Catalog:
    everyone = AccessRule(users=("*",), profiles=("*",))
    return catalog.model_copy(update={"access": (everyone,)})


def _devices(found: NodeDevices) -> DevicesReport:
    return DevicesReport(
        node=found.node,
        resource=found.resource,
        allocatable=found.allocatable,
        used=found.used,
        free=found.free,
        unhealthy=found.unhealthy,
        closed=found.closed,
        transition=found.transition.value if found.transition else "",
    )


def _fits(offer: Offer) -> ProfileFits:
    verdict = offer.verdict
    return ProfileFits(
        slug=offer.profile.slug,
        title=offer.profile.title,
        slots=verdict.slots if verdict else None,
        slots_if_empty=verdict.slots_if_empty if verdict else 0,
        nodes=dict(sorted(verdict.nodes.items())) if verdict else {},
        now=now(offer),
    )


def _print(report: CapacityReport) -> None:
    notes = report.source.notes if report.catalog else ()
    print_words(report.source.words, *notes)
    if report.devices is None or report.nodes is None:
        print_words("", _not_known(report.source))
        return
    print_words("")
    if report.devices:
        columns = (
            Column("NODE"),
            Column("RESOURCE"),
            *(Column(title, is_number=True) for title in ("ALL", "USED", "FREE", "UNHEALTHY")),
            Column("STATE"),
        )
        print_table(columns, [_row(one) for one in report.devices])
    others = report.nodes - len({one.node for one in report.devices})
    print_words(f"{count(others, 'node')} {'has' if others == 1 else 'have'} none.")
    if report.profiles:
        print_words("")
        columns = (Column("PROFILE", is_whole=True), Column("NOW"), Column("WHERE"))
        print_table(columns, [_profile_row(one) for one in report.profiles])


def _not_known(source: Source) -> str:
    return f"What its nodes have is unknown: {source.reason}."


def _row(one: DevicesReport) -> tuple[str, ...]:
    free = "unknown" if one.free is None else "0" if one.closed else str(one.free)
    state = ", ".join([*one.closed, *([one.transition] if one.transition else [])])
    counts = (str(one.allocatable), str(one.used), free, str(one.unhealthy))
    return (one.node, one.resource, *counts, state)


def _profile_row(one: ProfileFits) -> tuple[str | Text, ...]:
    places = [f"{node}: {slots}" for node, slots in one.nodes.items()]
    more = len(places) - _MOST_NODES
    where = ", ".join(places[:_MOST_NODES]) + (f" and {more} more" if more > 0 else "")
    return (one.slug, coloured(told(one.now), one.now.standing), where)

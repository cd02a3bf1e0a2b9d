"""``gpuspawner explain``: what one person is offered, why, and whether it could be started now."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from gpuspawner.catalog import Written
from gpuspawner.cli.catalogs import load_or_exit
from gpuspawner.cli.connecting import (
    UNCHECKED,
    Where,
    cluster_options,
    json_option,
    namespace_option,
    recorded_option,
)
from gpuspawner.cli.printing import Column, coloured, print_json, print_table, print_words
from gpuspawner.cli.reports import Now, Source, now, told
from gpuspawner.explaining import Explanation, explained, unnamed_groups
from gpuspawner.offers import Offer
from gpuspawner.policy import Person


@dataclass(frozen=True, slots=True)
class DecidingRule:
    """The access rule that decides.

    Attributes:
        index: in the catalog's ``access``, from 0.
        line: where it stands in the file.
        grant: the group or user by which it applies, such as ``"group staff"``.
        pattern: how it names the profile.
    """

    index: int
    line: int
    grant: str
    pattern: str


@dataclass(frozen=True, slots=True)
class ExplainedProfile:
    """One profile.

    Attributes:
        rule: what decides; null if no rule is about both the person and the profile.
        later: indexes of further rules about both, which decide nothing.
        now: null without a cluster, and for what is denied.
    """

    slug: str
    title: str
    allowed: bool
    because: str
    rule: DecidingRule | None
    later: tuple[int, ...]
    now: Now | None


@dataclass(frozen=True, slots=True)
class ExplainReport:
    """What ``gpuspawner explain --json`` prints.

    Attributes:
        user: empty if only groups were named.
        unnamed_groups: those that no access rule is about, and what was perhaps meant by each.
        source: null without a cluster: then only the catalog was asked.
    """

    catalog: str
    user: str
    groups: tuple[str, ...]
    unnamed_groups: dict[str, str | None]
    source: Source | None
    profiles: tuple[ExplainedProfile, ...]


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.argument("user", required=False, default="")
@click.option("--groups", default="", metavar="A,B", help="Of the person; by default none.")
@click.option("--cluster", "is_live", is_flag=True, help="Say also what could be started now.")
@recorded_option
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The hub's jupyterhub_config.py, which is run, for the pods that it makes.",
)
@cluster_options
@namespace_option
@json_option
def explain(  # noqa: PLR0913 - one for each option
    *,
    catalog: Path,
    user: str,
    groups: str,
    is_live: bool,
    recorded: Path | None,
    config: Path | None,
    where: Where,
    as_json: bool,
) -> None:
    """Say which profiles of CATALOG the person USER is offered, and by which access rule.

    Groups are known to the sign-in alone, so name them with --groups; USER can be left out then.
    With --cluster or --recorded it is said as well whether each could be started, as the spawn page
    says it; nothing is created.

    The exit status is 0; 1 if the catalog is not valid; 3 if the cluster could not be asked, or its
    nodes and pods are not known.
    """
    if not user and not groups:
        raise click.UsageError("name a USER, or groups with --groups")
    if is_live and recorded is not None:
        raise click.UsageError("--cluster and --recorded exclude each other")
    written = load_or_exit(catalog)
    names = tuple(sorted({name for part in groups.split(",") if (name := part.strip())}))
    person = Person(user, frozenset(names))
    source: Source | None = None
    offers: Mapping[str, Offer] = {}
    if is_live or recorded is not None:
        source, offers = asyncio.run(_offered(written, person, where, recorded, config))
    profiles = tuple(_profile(one, written, offers) for one in explained(written.catalog, person))
    report = ExplainReport(
        catalog=str(catalog),
        user=user,
        groups=names,
        unnamed_groups=dict(unnamed_groups(written.catalog, person)),
        source=source,
        profiles=profiles,
    )
    if as_json:
        print_json(report)
    else:
        _print(report)
    if source is not None and source.state != "live":
        sys.exit(UNCHECKED)


async def _offered(
    written: Written, person: Person, where: Where, recorded: Path | None, config: Path | None
) -> tuple[Source, Mapping[str, Offer]]:
    from gpuspawner.cli.looking import looking  # noqa: PLC0415 - imports the hub, in a second

    async with looking(where, recorded, person, config) as look:
        offers = await look.offers(written.catalog, person)
        return look.source, {offer.profile.slug: offer for offer in offers}


def _profile(one: Explanation, written: Written, offers: Mapping[str, Offer]) -> ExplainedProfile:
    decision, rule = one.decision, None
    if decision.rule is not None:
        line = written.place(("access", decision.rule)).line
        rule = DecidingRule(decision.rule, line, decision.grant, one.pattern)
    offer = offers.get(one.profile.slug)
    return ExplainedProfile(
        slug=one.profile.slug,
        title=one.profile.title,
        allowed=decision.allowed,
        because=decision.because,
        rule=rule,
        later=one.later,
        now=None if offer is None else now(offer),
    )


def _print(report: ExplainReport) -> None:
    who = report.user or "Somebody"
    groups = f"in {', '.join(report.groups)}" if report.groups else "in no group"
    click.echo(f"{who}, {groups}; {report.catalog}")
    for group, meant in report.unnamed_groups.items():
        hint = f"; did you mean {meant!r}?" if meant else "."
        print_words(f"No access rule is about the group {group!r}{hint}")
    if report.source is None:
        print_words("Only the catalog was asked; --cluster asks what could be started now.")
    else:
        print_words(report.source.words, *report.source.notes)
        if report.source.reason:
            print_words(f"Its nodes and pods are unknown: {report.source.reason}.")
    offered = [one for one in report.profiles if one.allowed]
    denied = [one for one in report.profiles if not one.allowed]
    if offered:
        _print_offered(offered, with_now=report.source is not None)
    else:
        print_words("", "Nothing is offered.")
    if denied:
        columns = (Column("DENIED", is_whole=True), Column("BY"))
        print_words("")
        print_table(columns, [(one.slug, _by(one)) for one in denied])


def _print_offered(offered: list[ExplainedProfile], *, with_now: bool) -> None:
    print_words("")
    columns = [Column("OFFERED", is_whole=True), Column("BY")]
    if not with_now:
        print_table(columns, [(one.slug, _by(one)) for one in offered])
        return
    columns.append(Column("NOW"))
    rows = []
    for one in offered:
        said = one.now
        rows.append((one.slug, _by(one), coloured(told(said), said.standing) if said else ""))
    print_table(columns, rows)


def _by(one: ExplainedProfile) -> str:
    if one.rule is None:
        return "no access rule"
    return f"rule {one.rule.index + 1}, line {one.rule.line}: {one.rule.grant}"

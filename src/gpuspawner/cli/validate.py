"""``gpuspawner validate``: catalogs checked by themselves, and against a cluster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from gpuspawner.catalog import (
    CatalogError,
    Existing,
    Problem,
    Remark,
    Severity,
    Written,
    advice_on,
    remarks_against,
)
from gpuspawner.cli.catalogs import load_for_kubespawner
from gpuspawner.cli.connecting import (
    UNCHECKED,
    NotAskedError,
    Where,
    cluster_options,
    found,
    json_option,
    namespace_option,
    read_recording,
    recorded_option,
)
from gpuspawner.cli.printing import count, print_json

_INVALID = 1


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is to be said of a catalog.

    Attributes:
        severity: error, warning, hint, or unchecked for what could not be looked at.
        line: from 1; null if the file could not be read.
        column: the same.
        field: such as ``profiles[2].cpu.limit``; empty for the file as a whole.
        hint: what to do about it, or null.
    """

    severity: Severity
    file: str
    line: int | None
    column: int | None
    field: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """One catalog.

    Attributes:
        result: "valid", "invalid", or "unchecked" if no fault was found but not all was looked at.
        profiles: how many it has; null if it cannot be read.
    """

    file: str
    result: Literal["valid", "invalid", "unchecked"]
    profiles: int | None
    problems: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """What ``gpuspawner validate --json`` prints.

    Attributes:
        cluster: the API server or the recording they were checked against; null if none was.
        not_asked: why the cluster could not be asked; null if it was.
        status: the exit status.
    """

    cluster: str | None
    not_asked: str | None
    files: tuple[FileReport, ...]
    status: int


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--cluster", "is_live", is_flag=True, help="Check also that the cluster has what they name."
)
@recorded_option
@cluster_options
@namespace_option
@json_option
def validate(
    *, files: tuple[Path, ...], is_live: bool, recorded: Path | None, where: Where, as_json: bool
) -> None:
    """Check catalogs; every problem is printed, with its line and what was probably meant.

    With --cluster or --recorded it is checked as well that there are the labels, devices, claims,
    RuntimeClasses, StorageClasses and PriorityClasses that they name. Nothing is created. What the
    account may not see is said to be unchecked.

    The exit status is 0 if nothing is wrong (there may be warnings and hints), 1 if something is,
    2 for a wrong command line, and 3 if nothing was found wrong but not all could be checked.
    """
    if is_live and recorded is not None:
        raise click.UsageError("--cluster and --recorded exclude each other")
    cluster, existing, not_asked = None, None, None
    try:
        if is_live:
            cluster, existing = asyncio.run(_asked(where))
        elif recorded is not None:
            cluster, existing = str(recorded), _as_recorded(recorded, where)
    except NotAskedError as error:
        not_asked = error.message
    reports = tuple(_report(file, existing, is_unasked=not_asked is not None) for file in files)
    report = ValidateReport(cluster, not_asked, reports, _status(reports))
    if as_json:
        print_json(report)
    else:
        _print(report)
    sys.exit(report.status)


async def _asked(where: Where) -> tuple[str, Existing]:
    from gpuspawner.cli.existing import ask  # noqa: PLC0415 - only if a cluster is asked

    async with found(where) as cluster:
        return cluster.address, await ask(cluster.transport, cluster.namespace)


def _as_recorded(file: Path, where: Where) -> Existing:
    from gpuspawner.cli.existing import recorded_existing  # noqa: PLC0415 - as above

    return recorded_existing(read_recording(file), where.namespace or "default")


def _report(file: Path, existing: Existing | None, *, is_unasked: bool) -> FileReport:
    try:
        written = load_for_kubespawner(file)
    except CatalogError as error:
        problems = tuple(_said("error", problem) for problem in error.problems)
        return FileReport(str(file), "invalid", None, problems)
    remarks = sorted(_remarks(written, existing), key=lambda one: one.line or 0)
    severities = {one.severity for one in remarks}
    result: Literal["valid", "invalid", "unchecked"] = "valid"
    if "error" in severities:
        result = "invalid"
    elif is_unasked or "unchecked" in severities:
        result = "unchecked"
    return FileReport(str(file), result, len(written.catalog.profiles), tuple(remarks))


def _remarks(written: Written, existing: Existing | None) -> Iterator[Said]:
    remarks: list[Iterable[Remark]] = [advice_on(written.catalog)]
    if existing is not None:
        remarks.append(remarks_against(written.catalog, existing))
    for several in remarks:
        for one in several:
            yield _said(one.severity, written.problem(one.finding))


def _said(severity: Severity, problem: Problem) -> Said:
    return Said(
        severity=severity,
        file=problem.file,
        line=problem.line,
        column=problem.column,
        field=problem.field,
        message=problem.message,
        hint=problem.hint,
    )


def _status(reports: Iterable[FileReport]) -> int:
    results = {report.result for report in reports}
    if "invalid" in results:
        return _INVALID
    return UNCHECKED if "unchecked" in results else 0


def _print(report: ValidateReport) -> None:
    for one in report.files:
        for said in one.problems:
            click.echo(_line(said), err=True)
        if one.result == "invalid":
            continue
        words = f"valid, {count(one.profiles or 0, 'profile')}"
        if one.result == "unchecked":
            number = sum(said.severity == "unchecked" for said in one.problems)
            what = f"{count(number, 'thing')}" if number else "the cluster"
            words = f"valid by itself, {count(one.profiles or 0, 'profile')}; {what} not checked"
        click.echo(f"{one.file}: {words}")
    if report.not_asked is not None:
        click.echo(f"could not be checked: {report.not_asked}", err=True)


def _line(said: Said) -> str:
    place = said.file if said.line is None else f"{said.file}:{said.line}"
    prefix = f"{said.severity}: " if said.severity in ("warning", "hint") else ""
    words = f"{prefix}{said.message}" + (f"; {said.hint}" if said.hint else "")
    return f"{place}: {said.field}: {words}" if said.field else f"{place}: {words}"

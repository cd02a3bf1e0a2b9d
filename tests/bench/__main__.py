"""``python -m tests.bench``: what the product costs, beside the alternatives on the same data."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import click

from .report import goals, report
from .running import Plan, run


def _sizes(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError as error:
        raise click.BadParameter("write numbers of nodes such as 100,1000") from error
    if min(sizes) < 1:
        raise click.BadParameter("a cluster has at least one node")
    return sizes


@click.command()
@click.option("--sizes", default="100,1000,5000", show_default=True, callback=_sizes, help="Nodes.")
@click.option("--quick", is_flag=True, help="Run everything once and briefly; figures mean little.")
@click.option("--no-form", is_flag=True, help="Leave out the spawn forms, which need hubs.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write all figures there.")
@click.option("--check", is_flag=True, help="Exit with 1 if a goal that is not a time is missed.")
@click.option("--repeats", default=3, show_default=True, help="Processes for each first sync.")
def main(
    *,
    sizes: tuple[int, ...],
    quick: bool,
    no_form: bool,
    target: Path | None,
    check: bool,
    repeats: int,
) -> None:
    """Measure the watch of the cluster and the spawn form, and print tables and goals."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    plan = Plan(sizes, repeats=repeats)
    if quick:
        plan = replace(
            plan,
            repeats=1,
            changes=4,
            seconds=1.5,
            forms=3,
            models_up_to=0,
            at_once=4,
            in_a_hub=False,
        )
    if no_form:
        plan = replace(plan, forms=0)
    results = asyncio.run(run(plan))
    click.echo(report(results), nl=False)
    if target is not None:
        target.write_text(json.dumps(results, indent=1) + "\n")
    if check and not all(goal.reached for goal in goals(results) if goal.is_ratio):
        sys.exit(1)


if __name__ == "__main__":
    main()

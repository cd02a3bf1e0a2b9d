"""``python -m tests.bench.access``: pages of a hub with a thousand groups and a hundred profiles.

Each is asked for beside JupyterHub's own home page in turn, so that the ratio of the two holds on
any machine. Times are the hub's, from the request to the end of the answer. CPU, which others on
the machine do not lengthen much, and blocks of the event loop include what the client of the
measurement computes, which is in the same process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import click
import tests.conftest  # noqa: F401 - a kubeconfig, before the client looks for one
from jupyterhub import orm
from tests.hub.access_edits import configured, hidden, press
from tests.hub.conftest import HERE, Answer, Hub, Visitor, running_hub
from tests.hub.doors import ADMIN

from gpuspawner.access import PAGE
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .measuring import Ticker
from .report import table

GOAL, BLOCK = 0.2, 0.05
"""Seconds of the hub's time for a page, and for which its event loop may be kept from others."""
PERSON = "members-1"
OF_PERSON = 50
Ask = Callable[[], Awaitable[Answer]]


def catalog(groups: int, profiles: int) -> str:
    """A rule for each group, with a tenth of the profiles."""
    pick = random.Random(1)
    slugs = [f"p{number}" for number in range(profiles)]
    some = max(1, profiles // 10)
    written = {
        "profiles": [
            {"slug": s, "title": f"Profile {s}", "cpu": 1, "memory": "1Gi", "default": s == "p0"}
            for s in slugs
        ],
        "access": [
            {"groups": [f"g{number}"], "profiles": pick.sample(slugs, some)}
            for number in range(groups)
        ],
    }
    return json.dumps(written)


def fill(hub: Hub, groups: int) -> None:
    """A user for each group, and a person who is in many."""
    db = hub.app.db
    known = [orm.Group(name=f"g{number}") for number in range(groups)]
    db.add_all(known)
    for number, group in enumerate(known):
        user = orm.User(name=f"u{number}")
        db.add(user)
        user.groups = [group]
    hub.app.users[PERSON].orm_user.groups = known[:: max(1, groups // OF_PERSON)][:OF_PERSON]
    db.commit()


class Timed:
    """What requests took the hub, and how long the loop was blocked meanwhile."""

    def __init__(self, hub: Hub, rounds: int) -> None:
        self._rounds = rounds
        self._took: float | None = None
        self.rows: list[list[str]] = []
        self.slow: list[str] = []
        settings = hub.app.tornado_settings
        settings["log_function"] = self._note

    def _note(self, handler: Any) -> None:
        self._took = handler.request.request_time()

    async def row(self, words: str, ask: Ask, beside: Ask, status: int = 2) -> None:
        """Measure one kind of request and another, in turn; the first of each is not counted."""
        times: tuple[list[float], list[float]] = [], []
        cpu: list[float] = []
        block = 0.0
        for _ in range(self._rounds + 1):
            for found, one in zip(times, (ask, beside), strict=True):
                async with Ticker() as ticker:
                    began = time.process_time()
                    answer = await one()
                    worked = time.process_time() - began
                if one is ask:
                    if answer.status // 100 != status:
                        raise click.ClickException(f"{words}: {answer.status} {answer.text[:300]}")
                    cpu.append(worked)
                    block = max(block, ticker.longest_own if times[0] else 0.0)
                found.append(self._took or 0.0)
        ours, theirs = (sorted(found[1:]) for found in times)
        p95 = ours[max(0, -(-len(ours) * 95 // 100) - 1)]
        middle = statistics.median(ours)
        ratio = middle / statistics.median(theirs)
        figures = middle, p95, statistics.median(cpu[1:]), block
        self.rows.append([words, *(f"{1000 * each:.0f} ms" for each in figures), f"{ratio:.1f} x"])
        logging.warning("%s: %s", words, self.rows[-1][1:])
        self.slow += [words] * (p95 > GOAL or block > BLOCK)


async def measured(groups: int, profiles: int, rounds: int) -> Timed:
    """Ask for each page of a hub of that size."""
    with tempfile.TemporaryDirectory(prefix="gpuspawner-bench-") as name:
        directory = Path(name)
        path = directory / "catalog.yaml"
        path.write_text(catalog(groups, profiles))
        description = ClusterDescription.load(HERE / "cluster.yaml")
        async with SimCluster(description, state_dir=directory) as cluster:
            config = configured(cluster, PAGE)
            config.GPUSpawner.catalog_file = str(path)
            config.ConfigurableHTTPProxy.command += ["--log-level", "error"]
            database = f"sqlite:///{directory}/hub.sqlite"
            async with running_hub(cluster, config, database) as hub:
                return await _measure(hub, groups, rounds)


async def _measure(hub: Hub, groups: int, rounds: int) -> Timed:
    admin, person = await hub.visitor(ADMIN), await hub.visitor(PERSON)
    fill(hub, groups)
    timed = Timed(hub, rounds)
    for visitor, words, path in _pages(admin, person):
        await timed.row(words, _getting(visitor, path), _getting(visitor, "hub/home"))
    rules = await admin.get("hub/gpuspawner/admin/rules")
    home = _getting(admin, "hub/home")
    deleted = await press(admin, rules, "delete:3")
    await timed.row(
        "a step of an edit, with its preview", _pressing(admin, rules, "delete:3"), home
    )
    all_gone = [{"users": ["*"], "profiles": ["*"]}]
    await timed.row(
        "the same, where everybody gains much",
        _pressing(admin, rules, "new", rules=json.dumps(all_gone)),
        home,
    )
    drafts = _drafts(rules, deleted)
    await timed.row("to save", lambda: _saved(admin, next(drafts)), home, 3)
    return timed


def _pages(admin: Visitor, person: Visitor) -> Iterator[tuple[Visitor, str, str]]:
    yield person, f"the spawn page of somebody in {OF_PERSON} groups", "hub/spawn"
    yield person, "the same, as JSON", "hub/api/gpuspawner/offers"
    yield admin, "the matrix", "hub/gpuspawner/admin"
    yield admin, "the rules", "hub/gpuspawner/admin/rules"
    yield admin, "why somebody has something", f"hub/gpuspawner/admin/why?user={PERSON}"
    yield admin, "the access, as JSON", "hub/api/gpuspawner/access"


def _getting(visitor: Visitor, path: str) -> Ask:
    return lambda: visitor.get(path)


def _pressing(visitor: Visitor, page: Answer, button: str, **fields: str) -> Ask:
    # Read before: what the client computes would count as the hub's.
    sent = {**hidden(page), **fields, "do": button}
    return lambda: visitor.post_form("hub/gpuspawner/admin/rules", sent)


def _drafts(*pages: Answer) -> Iterator[dict[str, str]]:
    """The rules of one page and of the other, in turn, each made from the revision before."""
    both = [hidden(page) for page in reversed(pages)]
    parent = 0
    while True:
        yield {**both[parent % 2], "parent": str(parent)}
        parent += 1


async def _saved(admin: Visitor, fields: dict[str, str]) -> Answer:
    return await admin._send(
        "POST",
        "hub/gpuspawner/admin/rules",
        params={"_xsrf": admin._xsrf},
        data={**fields, "do": "save", "why": "to measure"},
        allow_redirects=False,
    )


@click.command()
@click.option("--groups", default=1000, show_default=True)
@click.option("--profiles", default=100, show_default=True)
@click.option("--rounds", default=20, show_default=True, help="Requests of each kind.")
@click.option("--check", is_flag=True, help="Exit with 1 if something takes too long.")
def main(*, groups: int, profiles: int, rounds: int, check: bool) -> None:
    """Measure the pages that show the access, and print a table."""
    logging.disable(logging.INFO)
    timed = asyncio.run(measured(groups, profiles, rounds))
    click.echo(f"{groups} groups, rules and users, {profiles} profiles; {rounds} requests each")
    heads = ["", "median", "p95", "CPU", "longest block", "beside the home page"]
    for line in table([heads, *timed.rows]):
        click.echo(line.rstrip())
    goals = f"{1000 * GOAL:.0f} ms, and the loop is blocked for {1000 * BLOCK:.0f} ms at most"
    click.echo(f"At most {goals}: {', '.join(timed.slow) + ' not' if timed.slow else 'reached'}")
    if check and timed.slow:
        sys.exit(1)


if __name__ == "__main__":
    main()

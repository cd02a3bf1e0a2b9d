"""``python -m tests.bench.pages``: what open spawn pages cost a hub while its cluster churns.

The hub is a process on a cluster of its own, on which pods come and go. So many people open their
spawn page; between two lots of questions to the hub they close and open their streams, so that
both are measured in the same run, in turn.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import click

from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .hubs import NAMESPACE, Hub, a_hub
from .people import Person
from .report import Figures, table

GPU = "nvidia.com/gpu"
QUESTIONS = {"GET /hub/api/": "/hub/api/", "the spawn form": "/hub/spawn"}
_PATIENCE = 120.0
_SETTLE = 3.0
"""Seconds after streams were opened or closed before anything is measured."""
_CHANGES_EVERY = 0.5
"""Seconds: a pod starts, or ends."""
_AT_ONCE = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        pages: that are open, each of another person.
        nodes: with GPUs of two kinds, and without.
        rounds: of no page and all pages, in turn.
        seconds: of each.
    """

    pages: int = 300
    nodes: int = 100
    rounds: int = 4
    seconds: float = 12.0


@dataclass
class Reader:
    """A page in a browser, which only listens.

    Attributes:
        changed: when it heard last that a card has changed.
    """

    person: Person
    session: aiohttp.ClientSession
    url: str
    events: int = 0
    cards: int = 0
    octets: int = 0
    changed: dict[str, float] = field(default_factory=dict)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Until cancelled."""
        headers = {"Accept": "text/event-stream"}
        async with self.session.get(self.url, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"no stream: {answer.status} {await answer.text()}")
            async for line in answer.content:
                if not line.startswith(b"data:"):
                    continue
                self.events += 1
                self.octets += len(line)
                for card in json.loads(line.removeprefix(b"data:")).get("cards", ()):
                    self.cards += 1
                    self.changed[card["slug"] + card["html"]] = time.perf_counter()
                self.opened.set()


class Churn:
    """Pods that come and go on the nodes, each of which changes what is free."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self._number = 0

    async def run(self) -> None:
        """Until cancelled; at the end the pods are gone."""
        try:
            while True:
                self.step()
                await asyncio.sleep(_CHANGES_EVERY)
        finally:
            if self._number % 2:
                self.step()

    def step(self) -> None:
        """A pod starts, or ends."""
        store, name = self._cluster.store, "neighbour"
        if self._number % 2:
            store.delete(PODS, "default", name, grace_seconds=0)
        else:
            store.create(PODS, "default", a_pod(name, "a100-0"))
        self._number += 1


def a_pod(name: str, node: str) -> dict[str, Any]:
    """A pod of one GPU on a node."""
    container = {"name": "x", "image": "x", "resources": {"limits": {GPU: "1"}}}
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [container]}}


async def run(plan: Plan) -> Figures:
    """All figures."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(
            a_hub("gpuspawner", _description(plan), start_timeout=15)
        )
        log.info("%d people sign in", plan.pages)
        readers = await _readers(hub, plan.pages, stack)
        await readers[0].person.sign_in()
        found: dict[str, Any] = {"open": [], "none": []}
        for number in range(plan.rounds):
            log.info("round %d of %d", number + 1, plan.rounds)
            found["none"].append(await _measured(hub, readers[0].session, plan))
            async with _open(readers) as opening:
                before = _sums(readers)
                figures = await _measured(hub, readers[0].session, plan)
                after = _sums(readers)
                told = {name: after[name] - before[name] for name in after}
                late = await _lateness(hub, readers)
                found["open"].append(figures | {"told": told, "late": late, "opening": opening})
        return {"pages": plan.pages, "nodes": plan.nodes, **found}


async def _readers(hub: Hub, pages: int, stack: AsyncExitStack) -> list[Reader]:
    readers, gate = [], asyncio.Semaphore(_AT_ONCE)
    for number in range(pages):
        session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**18,
        )
        await stack.enter_async_context(session)
        name = f"person-{number}"
        url = f"{hub.base}/hub/gpuspawner/live/{name}"
        readers.append(Reader(Person(name, session, hub.base), session, url))

    async def sign_in(reader: Reader) -> None:
        async with gate:
            await reader.person.sign_in()

    await asyncio.gather(*(sign_in(reader) for reader in readers))
    return readers


@asynccontextmanager
async def _open(readers: list[Reader]) -> AsyncIterator[float]:
    """All pages are open; gives the seconds until each had heard something."""
    began = time.perf_counter()
    tasks = []
    for reader in readers:
        reader.opened.clear()
        tasks.append(asyncio.create_task(reader.listen()))
    try:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*(reader.opened.wait() for reader in readers))
        yield time.perf_counter() - began
        for task in tasks:
            if task.done():
                task.result()
                raise RuntimeError("a stream has ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _measured(hub: Hub, session: aiohttp.ClientSession, plan: Plan) -> Figures:
    """Seconds of each answer, asked one at a time, while pods come and go."""
    churn = asyncio.create_task(Churn(hub.cluster).run())
    await asyncio.sleep(_SETTLE)
    times: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    cpu, began = hub.cpu(), time.perf_counter()
    while time.perf_counter() - began < plan.seconds:
        for name, path in QUESTIONS.items():
            asked = time.perf_counter()
            async with session.get(f"{hub.base}{path}") as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{path}: {answer.status}")
            times[name].append(time.perf_counter() - asked)
            # As people do, and so that the hub's own tasks come to their turn in between.
            await asyncio.sleep(0.02)
    lasted = time.perf_counter() - began
    share = (hub.cpu() - cpu) / lasted
    churn.cancel()
    with suppress(asyncio.CancelledError):
        await churn
    return {"times": times, "cpu": share, "lasted": lasted}


async def _lateness(hub: Hub, readers: list[Reader]) -> list[float]:
    """Seconds from a change of the cluster until each page has heard of it."""
    await asyncio.sleep(_SETTLE)
    for reader in readers:
        reader.changed.clear()
    began = time.perf_counter()
    for number in range(3):
        hub.cluster.store.create(PODS, "default", a_pod(f"late-{number}", "a100-0"))
    try:
        async with asyncio.timeout(_PATIENCE):
            while not all(reader.changed for reader in readers):  # noqa: ASYNC110 - many streams
                await asyncio.sleep(0.01)
        return sorted(min(reader.changed.values()) - began for reader in readers)
    finally:
        for number in range(3):
            hub.cluster.store.delete(PODS, "default", f"late-{number}", grace_seconds=0)
        await asyncio.sleep(_SETTLE)


def _sums(readers: Iterable[Reader]) -> dict[str, int]:
    names = ("events", "cards", "octets")
    return {name: sum(getattr(reader, name) for reader in readers) for name in names}


def report(results: Figures) -> str:
    """All tables, as plain text."""
    return "\n".join(line.rstrip() for line in _lines(results)) + "\n"


def _lines(results: Figures) -> Iterator[str]:
    yield (
        f"{results['pages']} open pages of as many people, {results['nodes']} nodes, a pod that "
        f"starts or ends each {_CHANGES_EVERY:g} s"
    )
    rows = [["time of an answer", "no page: median", "p95", "all open: median", "p95", "asked"]]
    for name in QUESTIONS:
        row, asked = [name], []
        for side in ("none", "open"):
            times = [one for figures in results[side] for one in figures["times"][name]]
            asked.append(str(len(times)))
            row += [_ms(statistics.median(times)), _ms(_percentile(times, 95))]
        rows.append([*row, " / ".join(asked)])
    yield from table(rows)
    yield ""
    opened = results["open"]
    lasted = sum(figures["lasted"] for figures in opened)
    late = [seconds for figures in opened for seconds in figures["late"]]
    told = {
        name: sum(figures["told"][name] for figures in opened)
        for name in ("events", "cards", "octets")
    }
    none = statistics.mean(figures["cpu"] for figures in results["none"])
    all_open = statistics.mean(figures["cpu"] for figures in opened)
    opening = max(figures["opening"] for figures in opened)
    yield from table(
        [
            ["", "no page", "all open"],
            ["CPU of the hub, of one core", f"{none:.1%}", f"{all_open:.1%}"],
            ["events a second", "", f"{told['events'] / lasted:.0f}"],
            ["cards a second", "", f"{told['cards'] / lasted:.0f}"],
            ["bytes a second", "", f"{told['octets'] / lasted:.0f}"],
            ["from a change to half of the pages", "", f"{statistics.median(late):.1f} s"],
            ["from a change to the last page", "", f"{max(late):.1f} s"],
            ["all pages opened at once have their cards within", "", f"{opening:.1f} s"],
        ]
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _description(plan: Plan) -> ClusterDescription:
    room = {"cpu": "64", "memory": "256Gi", "pods": "110"}
    taint = {"key": GPU, "value": "true", "effect": "NoSchedule"}
    pools = [
        {
            "name": model,
            "node_name": f"{model}-{{index}}",
            "first_index": 0,
            "count": max(1, plan.nodes // 4),
            "labels": {"gpu-model": model},
            "taints": [taint],
            "capacity": {**room, GPU: "4"},
        }
        for model in ("a100", "t4")
    ]
    plain = {"name": "plain", "node_name": "plain-{index}", "count": max(1, plan.nodes // 2)}
    return ClusterDescription.model_validate(
        {
            "name": "pages",
            "namespaces": [NAMESPACE, "kube-system", "default"],
            "node_pools": [*pools, {**plain, "capacity": room}],
        }
    )


@click.command()
@click.option("--pages", default=Plan().pages, show_default=True, help="Open pages.")
@click.option("--nodes", default=Plan().nodes, show_default=True, help="Of the cluster.")
@click.option(
    "--rounds", default=Plan().rounds, show_default=True, help="Of none and all, in turn."
)
@click.option("--seconds", default=Plan().seconds, show_default=True, help="Of each round.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write all figures there.")
def main(*, pages: int, nodes: int, rounds: int, seconds: float, target: Path | None) -> None:
    """Measure a hub's answers with no spawn page open and with many, and print tables."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    results = asyncio.run(run(Plan(pages, nodes, rounds, seconds)))
    click.echo(report(results), nl=False)
    if target is not None:
        target.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

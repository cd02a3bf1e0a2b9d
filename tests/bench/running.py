"""The run of the bench: one server for each size, one process for each measurement."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from .forms import forms

ROOT = Path(__file__).parents[2]
log = logging.getLogger(__name__)

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        repeats: processes for each subject's first sync.
        changes: of the probe, to time an event.
        seconds: the steady state's.
        forms: of each hub; 0 for none.
        models_up_to: nodes beyond which the client's models are not waited for.
        at_once: processes at the same time; more than one measures nothing but that it works.
        in_a_hub: whether the measured processes load what a hub does, for its memory is what the
            garbage collector walks.
    """

    sizes: tuple[int, ...]
    pods_per_node: int = 20
    seed: int = 1
    repeats: int = 3
    changes: int = 40
    seconds: float = 35.0
    forms: int = 40
    models_up_to: int = 100
    at_once: int = 1
    in_a_hub: bool = True


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a process measures: a server of so many nodes."""

    plan: Plan
    size: int
    url: str


async def run(plan: Plan) -> Figures:
    """All figures: by size, by measurement, by subject."""
    sizes = {str(size): await run_size(plan, size) for size in plan.sizes}
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    return {"plan": asdict(plan), "machine": machine, "sizes": sizes}


async def run_size(plan: Plan, size: int) -> Figures:
    """All figures of one size. The form is measured at the largest."""
    log.info("%d nodes: preparing", size)
    async with _server(plan, size) as url:
        site = _Site(plan, size, url)
        syncs = await _first_syncs(site)
        traced = await _child(site, "gpuspawner", "traced", 0)
        # A hundredth of the nodes see a pod change each second; a node reports every 5 minutes.
        await _control(url, "start", pods=size / 100, nodes=size / 300)
        names = ("gpuspawner", "kubespawner")
        steady = await asyncio.gather(
            *(_child(site, name, "steady", plan.seconds) for name in names)
        )
        figures = {
            "sync": syncs,
            "traced": {"gpuspawner": traced},
            "steady": dict(zip(names, steady, strict=True)),
        }
        if plan.forms and size == max(plan.sizes):
            log.info("%d nodes: spawn forms", size)
            figures["forms"] = await forms(url, plan.forms)
        return figures


async def _first_syncs(site: _Site) -> dict[str, list[Figures]]:
    plan = site.plan
    # The reflector lists twice before it watches, which takes a minute at 5,000 nodes.
    jobs = [("gpuspawner", plan.changes)] * plan.repeats
    jobs += [("kubespawner", 0 if i else plan.changes) for i in range(plan.repeats)]
    jobs += [("list", 0)] * plan.repeats + [("pages", 0)]
    if site.size <= plan.models_up_to:
        jobs += [("models", 0)]
    if plan.at_once == 1:
        # Lists are compressed for the first who asks.
        await _child(site, "list", "sync", 0)
    limit = asyncio.Semaphore(plan.at_once)
    # The probe is one pod: it serves one subject at a time.
    probing = asyncio.Lock() if plan.at_once > 1 else limit

    async def job(name: str, changes: int) -> tuple[str, Figures]:
        async with probing if changes else limit:
            return name, await _child(site, name, "sync", changes)

    done = await asyncio.gather(*(job(*each) for each in jobs))
    return _grouped(done)


def _grouped(done: Iterable[tuple[str, Figures]]) -> dict[str, list[Figures]]:
    groups: dict[str, list[Figures]] = {}
    for name, figures in done:
        groups.setdefault(name, []).append(figures)
    return groups


@asynccontextmanager
async def _server(plan: Plan, size: int) -> AsyncIterator[str]:
    arguments = (str(number) for number in (size, plan.pods_per_node, plan.seed))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.apiserver", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the server has no pipes")
    try:
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


async def _child(site: _Site, name: str, what: str, amount: float) -> Figures:
    log.info("%d nodes: %s, %s", site.size, name, what)
    arguments = [name, what, site.url, str(amount)] + ["in-a-hub"] * site.plan.in_a_hub
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.child", *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{name}, {what}: ended with {process.returncode}")
    figures: Figures = json.loads(output)
    return figures


async def _control(url: str, path: str, **parameters: float) -> None:
    words = {name: str(value) for name, value in parameters.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/control/{path}", params=words) as answer,
    ):
        answer.raise_for_status()

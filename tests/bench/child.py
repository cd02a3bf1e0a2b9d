"""One measurement in a process of its own.

``python -m tests.bench.child NAME WHAT URL AMOUNT [in-a-hub]``, where WHAT is
``sync`` with AMOUNT changes to follow, ``traced``, or ``steady`` for AMOUNT seconds. It writes
one line of JSON to standard output. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import aiohttp

from gpuspawner.capacity.model import Pod, read_pod
from gpuspawner.fit import StandingVerdicts, judge

from .cluster import ClusterData, rendered
from .measuring import Ticker, peak, resident, seconds_a_call
from .subjects import (
    PROFILES,
    Listing,
    ModelListing,
    Subject,
    Watching,
    WatchingSubject,
    without_quotas,
)

Figures = dict[str, Any]
_PROBES_EVERY = 0.05
_UPDATING = 1.5
_BURST = 20
"""Seconds after which enough nodes have changed."""


class Control:
    """The other entrance of the bench's API server."""

    def __init__(self, url: str, client: str) -> None:
        self._url = url
        self._client = client

    async def get(self, path: str, **parameters: str) -> Any:
        return await self._ask("GET", path, parameters)

    async def post(self, path: str, **parameters: str) -> Any:
        return await self._ask("POST", path, parameters)

    async def requests(self) -> dict[str, int]:
        """What this client has asked for, by verb and resource."""
        counts = await self.get("counts")
        mine = f"{self._client} "
        return {key.removeprefix(mine): n for key, n in counts.items() if key.startswith(mine)}

    async def watched(self) -> None:
        """Wait until the client has both watches open."""
        async with asyncio.timeout(600):
            while (await self.get("size", client=self._client))["watching"] < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def _ask(self, method: str, path: str, parameters: dict[str, str]) -> Any:
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, f"{self._url}/control/{path}", params=parameters) as answer,
        ):
            answer.raise_for_status()
            return await answer.json(content_type=None)


async def first_sync(subject: Subject, control: Control) -> Figures:
    """From nothing to all nodes and pods."""
    size = await control.get("size")
    before = resident()
    async with Ticker() as ticker:
        worked, began = time.process_time(), time.perf_counter()
        await subject.sync()
        worked, took = time.process_time() - worked, time.perf_counter() - began
        await asyncio.sleep(0)
        # The first look at what was listed may block the loop as well.
        known = subject.pods()
    # The probe of another child may be among them in a quick run.
    if not 0 < known <= size["pods"] + 1:
        raise RuntimeError(f"{known} pods are known, of {size['pods']}")
    kept = resident() - before
    return {
        "pods": size["pods"],
        "cpu": worked,
        "seconds": took,
        "resident": kept,
        # The kernel keeps its highest mark less exactly than what is in memory now.
        "peak": max(kept, peak() - before),
        "block": ticker.longest,
        "own_block": ticker.longest_own,
    }


async def traced(subject: Subject, control: Control) -> Figures:
    """What is kept after the first sync, by Python's own count."""
    size = await control.get("size")
    tracemalloc.start()
    await subject.sync()
    gc.collect()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"pods": size["pods"], "kept": kept, "most": most}


async def events(subject: WatchingSubject, control: Control, count: int) -> Figures:
    """How long after a change of a pod was sent it is seen, and a verdict reflects it."""
    await control.watched()
    subject.mark()
    probing = asyncio.create_task(control.post("probe", count=str(count), every=str(_PROBES_EVERY)))
    seen: list[tuple[int, float, float]] = []
    grace = time.monotonic() + 60
    while not probing.done() or (len(seen) < 2 and time.monotonic() < grace):
        step = subject.seen()
        if step > 0 and (not seen or seen[-1][0] != step):
            at = time.monotonic()
            judged = subject.judged()
            if judged != step:
                raise RuntimeError(f"the verdict says {judged}, and {step} was seen")
            seen.append((step, at, time.monotonic()))
        await asyncio.sleep(0)
    return latencies(await probing, seen)


def latencies(sent: list[tuple[int, float]], seen: list[tuple[int, float, float]]) -> Figures:
    """The medians; a change that the next one overtook counts from when that was seen."""
    to_seen, to_verdict = [], []
    pending = list(sent)
    for step, at, judged in seen:
        steps = [step for step, _ in pending]
        upto = steps.index(step) + 1 if step in steps else 0
        for _, moment in pending[:upto]:
            to_seen.append(at - moment)
            to_verdict.append(judged - moment)
        pending = pending[upto:]
    if not to_seen:
        raise RuntimeError(f"none of {len(sent)} changes of the probe was seen")
    return {
        "event_to_index": statistics.median(to_seen),
        "event_to_verdict": statistics.median(to_verdict),
        "slowest_verdict": max(to_verdict),
        "missed": len(pending),
    }


async def steady(subject: Subject, control: Control, seconds: float) -> Figures:
    """A while of ordinary changes, which the caller has begun."""
    await subject.sync()
    await control.watched()
    asked, worked, began = await control.requests(), time.process_time(), time.perf_counter()
    # No ticker: of an idle process it would be the greater part.
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    worked = time.process_time() - worked
    now = await control.requests()
    minutes = took / 60
    done = {key: count - asked.get(key, 0) for key, count in now.items()}
    return {
        "requests_a_minute": sum(done.values()) / minutes,
        "lists": sum(count for key, count in done.items() if key.startswith("list ")),
        "cpu_a_minute": worked / minutes,
    }


def reading(subject: Watching) -> Figures:
    """Verdicts on all of it: afresh, read again, and after one pod has changed on one node."""
    snapshot = subject.watch.snapshot()
    standing = StandingVerdicts()
    afresh = [seconds_a_call(partial(judge, profile, snapshot), 0.2) for profile in PROFILES]
    for profile in PROFILES:
        standing.verdict(profile, snapshot)
    read = [seconds_a_call(partial(standing.verdict, p, snapshot), 0.05) for p in PROFILES]
    # Those of one index only: generations of two are not to be compared.
    standing, index = StandingVerdicts(), without_quotas()
    index.replace_nodes(state.node for state in snapshot.nodes.values())
    index.replace_pods(pod for state in snapshot.nodes.values() for pod in state.pods)
    for profile in PROFILES:
        standing.verdict(profile, index.snapshot())
    snapshots: list[float] = []
    updates: list[float] = []
    ends_at = time.perf_counter() + _UPDATING
    for pod in _new_pods(len(snapshot.nodes)):
        index.put_pod(pod)
        began = time.perf_counter()
        changed = index.snapshot()
        taken = time.perf_counter()
        for profile in PROFILES:
            standing.verdict(profile, changed)
        snapshots.append(taken - began)
        updates.append((time.perf_counter() - taken) / len(PROFILES))
        if time.perf_counter() > ends_at:
            break
    bursts: list[float] = []
    for some in _bursts(len(snapshot.nodes)):
        for pod in some:
            index.put_pod(pod)
        changed = index.snapshot()
        taken = time.perf_counter()
        for profile in PROFILES:
            standing.verdict(profile, changed)
        bursts.append((time.perf_counter() - taken) / len(PROFILES) / len(some))
    return {
        "judge": statistics.mean(afresh),
        "read": statistics.mean(read),
        "form": sum(read),
        "update": statistics.median(updates),
        "burst": statistics.median(bursts),
        "snapshot": statistics.median(snapshots),
    }


def _bursts(nodes: int) -> Iterator[list[Pod]]:
    """Some pods at a time, of which each changes another node."""
    pods = _new_pods(nodes, seed=3)
    size = min(_BURST, nodes)
    while len(some := list(islice(pods, size))) == size:
        yield some


def _new_pods(nodes: int, seed: int = 2) -> Iterator[Pod]:
    """A few hundred notebook servers more, each on another node."""
    data = ClusterData(nodes, 0, seed=seed)
    for node in range(0, nodes, max(1, nodes // 300)):
        yield read_pod(rendered(data.notebook(seed * 1_000_000 + node, node)))


def subject_of(name: str, url: str) -> Subject:
    """The subject of a name, for a server."""
    if name == "kubespawner":
        # Here, since the others need not wait for it in a quick run.
        from .reflectors import Reflecting  # noqa: PLC0415

        return Reflecting(url)
    kinds: dict[str, Callable[[str], Subject]] = {
        "gpuspawner": Watching,
        "pages": Watching,
        "list": Listing,
        "models": ModelListing,
    }
    return kinds[name](url)


async def measure(name: str, what: str, url: str, amount: float) -> Figures:
    """What the command line asks for."""
    client = f"{name}-{what}-{os.getpid()}"
    subject, control = subject_of(name, f"{url}/{client}"), Control(url, client)
    try:
        if what == "traced":
            return await traced(subject, control)
        if what == "steady":
            return await steady(subject, control, amount)
        figures = await first_sync(subject, control)
        figures["form"] = figures["cpu"]
        if isinstance(subject, WatchingSubject):
            figures["form"] = seconds_a_call(subject.judged, 0.2) * len(PROFILES)
            if amount:
                figures |= await events(subject, control, int(amount))
        if isinstance(subject, Watching) and amount:
            figures |= reading(subject)
        return figures
    finally:
        await subject.aclose()


def main(name: str, what: str, url: str, amount: str, *where: str) -> None:
    """Measure, and write the figures."""
    logging.disable(logging.CRITICAL)
    if where == ("in-a-hub",):
        # The garbage collector walks all that a hub has loaded.
        importlib.import_module("jupyterhub.app")
        importlib.import_module("gpuspawner.spawner")
    figures = asyncio.run(measure(name, what, url, float(amount)))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

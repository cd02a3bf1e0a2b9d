"""``python -m tests.bench.race``: more people than GPUs, at a hub of each spawner.

Each hub is a process on a cluster of its own, configured alike, and people ask as browsers do: by
the spawn form, and then by the events that the page of a pending start is fed from. What letting a
start through costs is measured beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.description import ClusterDescription

from .claiming import claiming
from .hubs import FAILURE_LIMIT, NAMESPACE, a_hub
from .people import Outcome, Person
from .report import Figures, cell, table

SPAWNERS = {"gpuspawner": "gpuspawner", "kubespawner": "KubeSpawner"}
GPU = "nvidia.com/gpu"
_PATIENCE = 60.0
_OWN_NAME = re.compile(r"person-\d+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contest:
    """Who asks for what at once.

    Attributes:
        profiles: what each person asks for, by slug in catalog.yaml.
        nodes: with GPUs.
        gpus: of each node.
        start_timeout: seconds, of both hubs.
    """

    title: str
    profiles: tuple[str, ...]
    nodes: int
    gpus: int
    start_timeout: int = 15


CONTESTS = (
    Contest("Five people at once for one GPU", ("one-a100",) * 5, nodes=1, gpus=1),
    Contest(
        "40 people at once, every third for two GPUs, for 20 GPUs on 10 nodes",
        tuple("one-a100" if number % 3 else "two-a100" for number in range(40)),
        nodes=10,
        gpus=2,
    ),
)


async def race(spawner: str, contest: Contest) -> Figures:
    """One contest at one hub."""
    log.info("%s: %s", spawner, contest.title)
    hub_of_its_own = a_hub(spawner, _description(contest), start_timeout=contest.start_timeout)
    async with hub_of_its_own as hub, AsyncExitStack() as stack:
        people = []
        for number in range(len(contest.profiles)):
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            people.append(Person(f"person-{number}", session, hub.base))
        await asyncio.gather(*(person.sign_in() for person in people))
        before = hub.cpu()
        asked = [
            asyncio.create_task(person.ask(profile))
            for person, profile in zip(people, contest.profiles, strict=True)
        ]
        _, undecided = await asyncio.wait(asked, timeout=contest.start_timeout * 2 / 3)
        pods, after = hub.pods(), hub.cpu()
        async with asyncio.timeout(contest.start_timeout + _PATIENCE):
            outcomes = await asyncio.gather(*asked)
        ended = await hub.ends_itself()
        return {
            **_counted(outcomes),
            "gpus_in_use": sum(_gpus(pod) for pod in pods if pod["spec"].get("nodeName")),
            "pods": len(pods),
            "hub_cpu": max(0.0, after - before),
            "pending": sum(not pod["spec"].get("nodeName") for pod in pods),
            "undecided": len(undecided),
            "failures_in_a_row": hub.failures(),
            "hub_ended": ended,
        }


def _counted(outcomes: Iterable[Outcome]) -> Figures:
    outcomes = tuple(outcomes)
    kinds = Counter(outcome.kind for outcome in outcomes)
    words = Counter(_OWN_NAME.sub("NAME", o.words) for o in outcomes if o.kind == "words")
    return {
        "admitted": kinds["admitted"],
        "answered": kinds["words"],
        "unanswered": [o.words for o in outcomes if o.kind == "silence"],
        "seconds_to_words": [o.seconds for o in outcomes if o.kind == "words"],
        "seconds_to_server": [o.seconds for o in outcomes if o.kind == "admitted"],
        "words": dict(words.most_common()),
    }


async def run(contests: Iterable[Contest] = CONTESTS, repeats: int = 100) -> Figures:
    """All figures: each contest at each hub, one after the other, and what a claim costs."""
    races = [
        {
            "title": contest.title,
            "people": len(contest.profiles),
            "gpus": contest.nodes * contest.gpus,
            "start_timeout": contest.start_timeout,
            "hubs": {spawner: await race(spawner, contest) for spawner in SPAWNERS},
        }
        for contest in contests
    ]
    log.info("the cost of a claim")
    return {"races": races, "claims": await claiming(repeats)}


def report(results: Figures) -> str:
    """All tables, as plain text."""
    return "\n".join(line.rstrip() for line in _lines(results)) + "\n"


def _lines(results: Figures) -> Iterator[str]:
    for contest in results["races"]:
        yield f"{contest['title']}; start_timeout {contest['start_timeout']} s"
        yield from table(list(_rows(contest)))
        for spawner, figures in contest["hubs"].items():
            for words, times in figures["words"].items():
                yield f'{SPAWNERS[spawner]}, {times} times: "{words}"'
        yield ""
    yield "CPU of letting a start for one GPU through or refusing it: median (lowest to highest)"
    rooms = list(dict.fromkeys(claim["room"] for claim in results["claims"]))
    rows: dict[tuple[int, int], list[str]] = {}
    for claim in results["claims"]:
        cells = rows.setdefault((claim["nodes"], claim["assumed"]), [])
        cells.append(cell([seconds * 1e3 for seconds in claim["cpu"]], "ms"))
    yield from table(
        [["nodes", "starts on their way", *rooms]]
        + [[str(nodes), str(assumed), *cells] for (nodes, assumed), cells in rows.items()]
    )


def _rows(contest: Figures) -> Iterator[list[str]]:
    hubs = contest["hubs"].values()
    yield ["", *(SPAWNERS[spawner] for spawner in contest["hubs"])]
    yield ["admitted: their server was ready", *(str(hub["admitted"]) for hub in hubs)]
    yield [f"GPUs in use, of {contest['gpus']}", *(str(hub["gpus_in_use"]) for hub in hubs)]
    yield ["answered with words", *(str(hub["answered"]) for hub in hubs)]
    yield ["never answered", *(str(len(hub["unanswered"])) for hub in hubs)]
    yield ["from the request to the words", *(cell(hub["seconds_to_words"], "s") for hub in hubs)]
    yield ["from the request to the server", *(cell(hub["seconds_to_server"], "s") for hub in hubs)]
    late = f"{contest['start_timeout'] * 2 / 3:.0f} s"
    yield [f"pods once all was decided, {late} at most", *(str(hub["pods"]) for hub in hubs)]
    yield ["of these on no node (Pending)", *(str(hub["pending"]) for hub in hubs)]
    yield ["CPU of the hub until then", *(f"{hub['hub_cpu']:.1f} s" for hub in hubs)]
    yield ["people who were told nothing by then", *(str(hub["undecided"]) for hub in hubs)]
    yield ["failed starts in a row", *(str(hub["failures_in_a_row"]) for hub in hubs)]
    words = f"the hub ended itself ({FAILURE_LIMIT} in a row)"
    yield [words, *("yes" if hub["hub_ended"] else "no" for hub in hubs)]


def _description(contest: Contest) -> ClusterDescription:
    plain = {"cpu": "64", "memory": "256Gi", "pods": "110"}
    taint = {"key": GPU, "value": "true", "effect": "NoSchedule"}
    return ClusterDescription.model_validate(
        {
            "name": "race",
            "namespaces": [NAMESPACE, "kube-system"],
            "node_pools": [
                {
                    "name": "a100",
                    "node_name": "a100-{index}",
                    "count": contest.nodes,
                    "labels": {"gpu-model": "a100"},
                    "taints": [taint],
                    "capacity": {**plain, GPU: str(contest.gpus)},
                },
                {"name": "plain", "node_name": "plain", "count": 1, "capacity": plain},
            ],
        }
    )


def _gpus(pod: Object) -> int:
    return sum(
        int((container.get("resources", {}).get("limits") or {}).get(GPU, 0))
        for container in pod["spec"]["containers"]
    )


@click.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write all figures there.")
def main(target: Path | None) -> None:
    """Let more people ask than there are GPUs, at a hub of each spawner, and print tables."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    results = asyncio.run(run())
    click.echo(report(results), nl=False)
    if target is not None:
        target.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""``python -m tests.bench.race``: more people than GPUs, at a hub of each spawner.

Each hub is a process on a cluster of its own, configured alike, and people ask as browsers do: by
the spawn form, and then by the events that the page of a pending start is fed from. What letting a
start through costs is measured beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import aiohttp
import click
from jupyterhub.utils import random_port
from yarl import URL

from gpuspawner.simcluster.apimachinery.objects import Object
from gpuspawner.simcluster.apimachinery.resources import PODS
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .claiming import claiming
from .report import Figures, cell, table

SPAWNERS = {"gpuspawner": "gpuspawner", "kubespawner": "KubeSpawner"}
NAMESPACE = "jupyterhub"
GPU = "nvidia.com/gpu"
FAILURE_LIMIT = 5
"""The one that Zero to JupyterHub sets."""
_PATIENCE = 60.0
_UNTIL_ABORTED = 3.0
"""JupyterHub ends itself two seconds after the failure that was one too many."""
# The simulated kubelet puts the pod's own address there.
_SERVER = [sys.executable, "-I", "-m", "http.server", "--bind", "0.0.0.0", "8888"]
_CONFIG = f"""
from traitlets.config import get_config
load_subconfig({str(Path(__file__).with_name("hub_config.py"))!r})
get_config().JupyterHub.log_level = "WARN"
"""
_RELOAD = 5.0
"""Seconds after which JupyterHub's page of a server that is being stopped loads itself again."""
_WORDS = re.compile(r'<p class="spawn-error-msg[^>]*>(.*?)</p>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_OWN_NAME = re.compile(r"person-\d+")
_IN_A_ROW = re.compile(r"(\d+) consecutive spawn")

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


Kind = Literal["admitted", "words", "silence"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person's request came to, after so many seconds.

    Attributes:
        words: what they read; of silence, what came instead.
    """

    kind: Kind
    seconds: float
    words: str


class Person:
    """Somebody at a browser."""

    def __init__(self, name: str, session: aiohttp.ClientSession, base: str) -> None:
        self._name = name
        self._session = session
        self._base = base

    async def sign_in(self) -> None:
        """Sign in, and open the spawn form once the hub knows the cluster."""
        await (await self._session.get(f"{self._base}/hub/login")).read()
        credentials = {"username": self._name, "password": "for the bench"}
        url = f"{self._base}/hub/login"
        async with self._session.post(
            url, params=self._xsrf, data=credentials, allow_redirects=False
        ) as answer:
            if answer.status != 302:
                raise RuntimeError(f"signing in: {answer.status} {await answer.text()}")
        async with asyncio.timeout(_PATIENCE):
            while 'data-standing="unknown"' in await self._form():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    async def ask(self, profile: str) -> Outcome:
        """Send the form, and wait for the server or for words."""
        began = time.perf_counter()
        try:
            kind, words = await self._ask(profile)
        except (aiohttp.ClientError, ConnectionError) as error:
            kind, words = "silence", repr(error)
        return Outcome(kind, time.perf_counter() - began, words)

    async def _ask(self, profile: str) -> tuple[Kind, str]:
        url = f"{self._base}/hub/spawn"
        async with self._session.post(
            url, params=self._xsrf, data={"profile": profile}, allow_redirects=False
        ) as answer:
            if answer.status != 302:
                return _read(await answer.text())
        url = f"{self._base}/hub/api/users/{self._name}/server/progress"
        headers = {"Referer": f"{self._base}/hub/spawn-pending/{self._name}"}
        answer = await self._session.get(url, params=self._xsrf, headers=headers)
        while answer.status == 400:
            # A start that has failed is stopped first, and tells nothing meanwhile.
            await asyncio.sleep(_RELOAD)
            answer = await self._session.get(url, params=self._xsrf, headers=headers)
        async with answer:
            async for line in answer.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line.removeprefix(b"data:"))
                if event.get("ready"):
                    return "admitted", ""
                if event.get("failed"):
                    return "words", event["message"]
            return "silence", f"no more events, status {answer.status}"

    async def _form(self) -> str:
        async with self._session.get(f"{self._base}/hub/spawn") as answer:
            return await answer.text()

    @property
    def _xsrf(self) -> dict[str, str]:
        cookies = self._session.cookie_jar.filter_cookies(URL(f"{self._base}/hub/"))
        return {"_xsrf": cookies["_xsrf"].value}


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub as a process, and its cluster."""

    cluster: SimCluster
    process: asyncio.subprocess.Process
    base: str
    log: Path

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    def pods(self) -> list[Object]:
        return self.cluster.store.list(PODS, NAMESPACE)[0]

    def failures(self) -> int:
        """Failed starts in a row, which the hub logs from the second on."""
        return max(map(int, _IN_A_ROW.findall(self.log.read_text())), default=0)

    async def ends_itself(self) -> bool:
        """Whether it does, if it is let."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), _UNTIL_ABORTED)
        return self.has_ended

    async def until_up(self) -> None:
        async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
            while not self.has_ended:
                try:
                    async with session.get(f"{self.base}/hub/login") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)
        raise RuntimeError(f"the hub ended:\n{self.log.read_text()}")


@asynccontextmanager
async def a_hub(spawner: str, contest: Contest) -> AsyncIterator[Hub]:
    """A hub on a new cluster; no server outlives it."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="gpuspawner-race-")))
        cluster = await stack.enter_async_context(SimCluster(_description(contest)))
        port = random_port()
        environment = {
            **os.environ,
            "BENCH_SPAWNER": spawner,
            "BENCH_API": cluster.url,
            "BENCH_PORT": str(port),
            "KUBECONFIG": str(cluster.write_kubeconfig(directory / "kubeconfig")),
        }
        config, target = directory / "config.py", directory / "hub.log"
        config.write_text(_CONFIG)
        with target.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jupyterhub"),
                *("--config", str(config)),
                "--JupyterHub.cleanup_servers=False",
                f"--KubeSpawner.cmd={_SERVER}",
                f"--KubeSpawner.start_timeout={contest.start_timeout}",
                f"--Spawner.consecutive_failure_limit={FAILURE_LIMIT}",
                env=environment,
                cwd=directory,
                stdout=output,
                stderr=output,
            )
        hub = Hub(cluster, process, f"http://127.0.0.1:{port}", target)
        try:
            await hub.until_up()
            yield hub
        finally:
            if not hub.has_ended:
                process.kill()
            await process.wait()


async def race(spawner: str, contest: Contest) -> Figures:
    """One contest at one hub."""
    log.info("%s: %s", spawner, contest.title)
    async with a_hub(spawner, contest) as hub, AsyncExitStack() as stack:
        people = []
        for number in range(len(contest.profiles)):
            jar = aiohttp.CookieJar(unsafe=True)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            people.append(Person(f"person-{number}", session, hub.base))
        await asyncio.gather(*(person.sign_in() for person in people))
        asked = [
            asyncio.create_task(person.ask(profile))
            for person, profile in zip(people, contest.profiles, strict=True)
        ]
        _, undecided = await asyncio.wait(asked, timeout=contest.start_timeout * 2 / 3)
        pods = hub.pods()
        async with asyncio.timeout(contest.start_timeout + _PATIENCE):
            outcomes = await asyncio.gather(*asked)
        ended = await hub.ends_itself()
        return {
            **_counted(outcomes),
            "gpus_in_use": sum(_gpus(pod) for pod in pods if pod["spec"].get("nodeName")),
            "pods": len(pods),
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


def _read(page: str) -> tuple[Kind, str]:
    found = _WORDS.search(page)
    return ("words", _plain(found[1])) if found else ("silence", _plain(page))


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", html)).split())


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

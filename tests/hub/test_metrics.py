"""What a real Prometheus gets from a real hub, and what the dashboard and the rules make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gpuspawner.metrics import counts
from gpuspawner.metrics.collecting import register
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from ..prometheus import RULES, Prometheus, panels, scraping
from .conftest import HERE, Hub, configuration, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "of-a-prometheus"
SECONDS = 30.0
NOTHING_TO_SHOW = {"Database answers", "Failures and restarts of watches", "Missing rights"}
"""The access is the file's, and all is well."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    description = ClusterDescription.load(HERE / "waiting_cluster.yaml")
    catalog = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    catalog.write_text((HERE / "waiting_catalog.yaml").read_text())
    async with SimCluster(description, state_dir=tmp_path_factory.mktemp("cluster")) as cluster:
        c = configuration(cluster, catalog)
        c.JupyterHub.services = [{"name": "prometheus", "api_token": TOKEN}]
        c.JupyterHub.load_roles = [
            {"name": "prometheus", "scopes": ["read:metrics"], "services": ["prometheus"]}
        ]
        c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1}
        async with running_hub(cluster, c) as hub:
            yield hub
            await register().settled()


@pytest.fixture
def prometheus(hub: Hub, tmp_path: Path) -> Iterator[Prometheus]:
    with scraping(tmp_path, f"{hub.base}hub/metrics", TOKEN) as prometheus:
        yield prometheus


async def scraped(hub: Hub, token: str | None = TOKEN) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    address = f"{hub.base}hub/metrics"
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        return answer.status, await answer.text()


async def samples(hub: Hub) -> dict[tuple[str, ...], float]:
    status, text = await scraped(hub)
    assert status == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("gpuspawner_")
    }


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110 - Prometheus tells nobody what it has
            await asyncio.sleep(0.2)


def read(hub: Hub) -> str:
    return Path(hub.app.config.GPUSpawner.catalog_file).read_text()


def write(hub: Hub, text: str) -> None:
    Path(hub.app.config.GPUSpawner.catalog_file).write_text(text)


async def test_only_who_may_read_metrics_gets_them(hub: Hub) -> None:
    assert (await scraped(hub, None))[0] == 403
    assert (await scraped(hub))[0] == 200


async def test_a_real_prometheus_has_data_for_each_panel_and_no_alert(
    hub: Hub, prometheus: Prometheus, new_name: Callable[[str], str]
) -> None:
    await until(lambda: _is_scraping(prometheus))
    first, second, third = (new_name("people") for _ in range(3))
    page = await (await hub.visitor(first)).get("hub/spawn")
    assert page.status == 200
    assert (await hub.start_server(third, "v100-refuse")).status >= 400
    assert (await hub.start_server(first, "one")).status in (201, 202)
    await hub.cluster.wait_until(lambda: hub.app.users[first].spawner.ready, SECONDS)
    for name in (second, third):
        assert (await hub.start_server(name, "one")).status in (201, 202)
    await until(lambda: prometheus.query("gpuspawner_line_length == 2"))
    hub.app.users[second].spawner.cancel_start()
    # What counts begins to exist in a scrape; only what then rises is a rate.
    await until(lambda: prometheus.query("gpuspawner_line_wait_seconds_count > 0"))
    await until(lambda: prometheus.query("gpuspawner_line_length == 1"))
    await hub.stop_server(first)
    await hub.cluster.wait_until(lambda: hub.app.users[third].spawner.ready, SECONDS)
    await until(lambda: prometheus.query("gpuspawner_start_duration_seconds_count == 2"))
    await until(lambda: prometheus.query("gpuspawner_line_wait_seconds_count == 2"))
    assert (await (await hub.visitor(first)).get("hub/spawn")).status == 200
    assert (await hub.start_server(first, "one")).status in (201, 202)
    await until(lambda: prometheus.query("gpuspawner_line_oldest_wait_seconds > 0"))
    found = {
        title: [await prometheus.query(one) for one in expressions]
        for title, expressions in panels().items()
    }
    empty = {title for title, results in found.items() if not any(results)}
    assert empty <= NOTHING_TO_SHOW
    free = 'gpuspawner_devices{resource="example.com/one", state="free"}'
    assert await prometheus.values(free) == [0]
    assert await prometheus.values('gpuspawner_profile_standing{profile="cpu"} == 1') == [1]
    rules = await prometheus.get("/api/v1/rules")
    [group] = rules["data"]["groups"]
    [written] = yaml.safe_load(RULES.read_text())["groups"]
    assert [rule["name"] for rule in group["rules"]] == [one["alert"] for one in written["rules"]]
    assert {(rule["health"], rule["state"]) for rule in group["rules"]} == {("ok", "inactive")}
    hub.app.users[first].spawner.cancel_start()
    await hub.stop_server(third)
    await until(lambda: prometheus.query("gpuspawner_line_length == 0"))


async def _is_scraping(prometheus: Prometheus) -> bool:
    try:
        return bool(await prometheus.query("gpuspawner_catalog_valid"))
    except aiohttp.ClientError:
        return False


async def test_nobody_is_named(hub: Hub) -> None:
    _, text = await scraped(hub)
    ours = [line for line in text.splitlines() if line.startswith("gpuspawner_")]
    assert len(ours) > 100
    for name in [*hub.app.users.keys(), "people", "one-0", "pair-0"]:
        word = str(getattr(name, "name", name))
        assert not [line for line in ours if f'"{word}"' in line or f"{word}-" in line]


async def test_a_profile_that_leaves_the_catalog_takes_its_series_along(hub: Hub) -> None:
    before = read(hub)
    await samples(hub)
    assert any("dual" in key for key in await samples(hub))
    try:
        start = before.index("  - slug: dual\n")
        without = before[:start] + before[before.index("  - slug: single-now") :]
        write(hub, without.replace("dual, ", ""))
        await until(lambda: _all(hub, lambda found: not any("dual" in key for key in found)))
        assert any("single-now" in key for key in await samples(hub))
    finally:
        write(hub, before)


async def test_a_bad_file_is_told_with_its_time(hub: Hub) -> None:
    before, began = read(hub), time.time()
    digest = sha256(before.encode()).hexdigest()
    await until(lambda: _all(hub, lambda found: any(digest in key for key in found)))
    [in_force] = [key for key in await samples(hub) if key[0] == "gpuspawner_catalog_info"]
    since = ("gpuspawner_catalog_invalid_since_timestamp_seconds",)
    assert since not in await samples(hub)
    try:
        write(hub, "profiles: [")
        await until(lambda: _all(hub, lambda found: found["gpuspawner_catalog_valid",] == 0))
        found = await samples(hub)
        assert began - 1 <= found[since] <= time.time()
        assert found[in_force] == 1
    finally:
        write(hub, before)
    await until(lambda: _all(hub, lambda found: found["gpuspawner_catalog_valid",] == 1))
    assert since not in await samples(hub)


async def test_what_fails_takes_nothing_else_away(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("a defect")

    failed = (await samples(hub))["gpuspawner_metrics_errors_total",]
    monkeypatch.setattr("gpuspawner.metrics.collecting.clusters_of_this_hub", fail)
    found = await samples(hub)
    assert found["gpuspawner_metrics_errors_total",] == failed + 1
    assert found["gpuspawner_catalog_valid",] == 1
    assert ("gpuspawner_cluster_live",) not in found
    _, text = await scraped(hub)
    assert "jupyterhub_running_servers" in text


async def test_a_cluster_that_is_not_known_is_neither_free_nor_zero(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, new_name: Callable[[str], str]
) -> None:
    standing = ("gpuspawner_profile_standing", "cpu", "free")
    # After a change of the catalog nobody was offered anything yet.
    assert (await (await hub.visitor(new_name("people"))).get("hub/spawn")).status == 200
    await until(lambda: _all(hub, lambda found: found[standing] == 1))
    assert any(key[0] == "gpuspawner_devices" for key in await samples(hub))
    monkeypatch.setattr("gpuspawner.capacity.freshness.Freshness.is_live", False)
    found = await samples(hub)
    assert not any(key[0] == "gpuspawner_devices" for key in found)
    assert found["gpuspawner_devices_known",] == found["gpuspawner_cluster_live",] == 0
    assert found[standing] == 0
    assert found["gpuspawner_profile_standing", "cpu", "unknown"] == 1
    # A line is there whatever is known of the cluster.
    assert found["gpuspawner_line_length",] == 0


async def _all(hub: Hub, holds: Callable[[dict[tuple[str, ...], float]], bool]) -> bool:
    return holds(await samples(hub))


async def test_it_counts_for_the_hub_of_this_loop_alone() -> None:
    assert counts() is counts()

    def elsewhere() -> object:
        async def own() -> object:
            return counts()

        return asyncio.run(own())

    assert await asyncio.to_thread(elsewhere) is not counts()
    assert register() is register()

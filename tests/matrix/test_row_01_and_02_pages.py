"""Rows 1 and 2 as people see them: the pages of a hub stay up, and say what is not known.

The cluster's API server fails for the whole of the hub, KubeSpawner's own watches included.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from tests.capacity.scripted_api import Clock
from tests.hub.conftest import HERE, Hub, cards, configuration, running_hub

from gpuspawner.capacity.shared import stop_shared_clusters
from gpuspawner.capacity.watching import ClusterWatch
from gpuspawner.simcluster.apiserver.faults import Answer, Drop, Fault, Refuse
from gpuspawner.simcluster.cluster import SimCluster
from gpuspawner.simcluster.description import ClusterDescription

from .conftest import FAST

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Drop(), id="connections are closed"),
        pytest.param(Answer(b"<html>Bad Gateway</html>"), id="a proxy answers 502"),
    ],
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    description = ClusterDescription.load(HERE / "cluster.yaml")
    directory = tmp_path_factory.mktemp("cluster")
    async with SimCluster(description, state_dir=directory) as cluster:
        config = configuration(cluster)
        config.GPUSpawner.first_look_timeout = 1.0
        async with running_hub(cluster, config) as hub:
            yield hub


@pytest_asyncio.fixture(loop_scope="module")
async def clock(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    """Have the hub watch its cluster anew, at the pace of the tests and by their clock."""
    clock = Clock()
    defaults = ClusterWatch.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "clock", clock)
    monkeypatch.setitem(defaults, "timing", FAST)
    await stop_shared_clusters()
    yield clock
    hub.cluster.faults.clear()
    await stop_shared_clusters()


@pytest.fixture
def new_name() -> Callable[[], str]:
    return lambda: f"gpu-users-{next(_numbers)}"


_numbers = iter(range(1000))


async def is_free(hub: Hub, name: str) -> bool:
    return (await cards(hub, name))["gpu"][0] == "free"


async def assert_unknown(hub: Hub, name: str, words: str) -> None:
    """Each card says so, may be tried, and nothing on the page says free."""
    visitor = await hub.visitor(name)
    answer = await visitor.get("hub/spawn")
    assert answer.status == 200
    assert 'data-standing="free"' not in answer.text
    found = await cards(hub, name)
    assert set(found) == {"cpu", "gpu", "huge"}
    for standing, said, can_choose in found.values():
        assert standing == "unknown"
        assert re.fullmatch(words, said)
        assert can_choose


@DOWN
async def test_row_01_down_at_the_start(
    hub: Hub, clock: Clock, new_name: Callable[[], str], fault: Fault
) -> None:
    name = new_name()
    await hub.visitor(name)
    down = hub.cluster.faults.add(fault, verb="[lw]*", times=None)
    await stop_shared_clusters()  # it begins with the next page
    await assert_unknown(hub, name, "unknown: the cluster (cannot be reached|has not answered yet)")
    hub.cluster.faults.remove(down)
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)
    assert clock.now == 1000.0


@DOWN
async def test_row_01_down_for_ten_minutes_in_mid_run(
    hub: Hub, clock: Clock, new_name: Callable[[], str], fault: Fault
) -> None:
    name = new_name()
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)
    down = hub.cluster.faults.add(fault, verb="[lw]*", times=None)
    hub.cluster.faults.sever(verb="watch")
    clock.now += 600
    await assert_unknown(hub, name, "unknown for 10 min: the cluster does not answer")
    hub.cluster.faults.remove(down)
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)


async def test_row_02_credentials_that_are_refused(
    hub: Hub, clock: Clock, new_name: Callable[[], str]
) -> None:
    name = new_name()
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)
    refused = hub.cluster.faults.add(Refuse(401, "Unauthorized"), verb="[lw]*", times=None)
    hub.cluster.faults.sever(verb="watch")
    clock.now += 60
    await assert_unknown(hub, name, "unknown for 60 s: the cluster does not answer")
    hub.cluster.faults.remove(refused)
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)


@pytest.mark.parametrize("resource", ["nodes", "pods"])
@pytest.mark.parametrize(
    ("verbs", "missing"),
    [
        pytest.param("[lw]*", "list {0} and watch {0}", id="all of it"),
        pytest.param("watch", "watch {0}", id="watch only"),
    ],
)
async def test_row_02_a_permission_that_is_missing(
    hub: Hub,
    clock: Clock,
    new_name: Callable[[], str],
    *,
    resource: str,
    verbs: str,
    missing: str,
) -> None:
    name = new_name()
    await hub.visitor(name)
    fault = Refuse(403, "Forbidden")
    path = f"/api/v1/{resource}"
    denied = hub.cluster.faults.add(fault, verb=verbs, path=path, times=None)
    await stop_shared_clusters()
    said = re.escape(f"({missing.format(resource)})")

    async def is_named() -> bool:
        return bool(re.search(said, (await cards(hub, name))["gpu"][1]))

    await hub.cluster.wait_until(is_named, 20)
    await assert_unknown(hub, name, f"unknown: the hub is not allowed to see the cluster {said}")
    hub.cluster.faults.remove(denied)
    await hub.cluster.wait_until(lambda: is_free(hub, name), 20)
    assert clock.now == 1000.0

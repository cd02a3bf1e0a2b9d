"""Row 4: 429 and 503 with Retry-After as seconds, as an HTTP date, as garbage."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from gpuspawner.simcluster.apiserver.faults import Refuse

from .conftest import Site


def in_two_seconds() -> str:
    moment = datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=2)
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("asks", "least"),
    [
        pytest.param(lambda: "1", 1.0, id="seconds"),
        pytest.param(in_two_seconds, 0.9, id="an HTTP date"),
        pytest.param(lambda: "in a while", 0.0, id="garbage"),
        pytest.param(lambda: None, 0.0, id="nothing"),
    ],
)
@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_what_is_asked_for_is_waited(
    site: Site, *, code: int, asks: object, least: float, verb: str
) -> None:
    assert callable(asks)
    if verb == "list":
        site.faults.add(Refuse(422, "Invalid"), verb="watch", resource="pods")
    refusal = Refuse(code, "TooManyRequests", "slow down", asks())
    site.faults.add(refusal, verb=verb, resource="pods")
    async with site.watch() as observed:
        await observed.converges()
    moments = [r.at for r in site.faults.requests if r.path == "/api/v1/pods"]
    if verb == "list":
        moments = moments[1:]  # the refusal of a stream asks for no delay
    first, second = next(pairwise(moments))
    assert second - first >= least


async def test_a_server_that_stays_busy_is_not_pressed(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        busy = site.faults.add(Refuse(429, "TooManyRequests", "no", "soon"), times=None)
        site.faults.sever()
        lists = site.faults.count("list")
        async with observed.bounded():
            site.add_pod("late", "n2", gpus=2)
        await observed.goes_stale()
        site.faults.remove(busy)
        await observed.converges()
        assert site.faults.count("list") == lists

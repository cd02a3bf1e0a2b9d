"""Row 6: garbage and cut-off lines, HTML, unknown events, ERROR without fields, odd objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gpuspawner.simcluster.apiserver.faults import Answer, CutOff, Fault, RawLine, Rewrite

from .conftest import GPU, UNHURRIED, Site, until


def edited(edit: Callable[[dict[str, Any]], None], kind: str = "ADDED") -> Rewrite:
    """Have `edit` change the object of each event of a kind about the pod ``late``."""

    def rewrite(line: bytes) -> Iterable[bytes]:
        event = json.loads(line)
        if event["type"] == kind and event["object"]["metadata"].get("name") == "late":
            edit(event["object"])
            line = json.dumps(event).encode()
        return (line,)

    return Rewrite(rewrite)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(RawLine(b"garbage"), id="a line of garbage"),
        pytest.param(RawLine(b"\xff\x00"), id="bytes that are no text"),
        pytest.param(RawLine(b'{"type":"ADDED","object":null}'), id="an event without an object"),
        pytest.param(RawLine(b'{"type":"RENAMED","object":{"metadata":{}}}'), id="unknown event"),
        pytest.param(RawLine(b'{"type":"ERROR","object":{}}'), id="ERROR without fields"),
        pytest.param(CutOff(), id="a line that is cut off"),
        pytest.param(Answer(b"<html>502</html>"), id="HTML with 502"),
        pytest.param(Answer(b"<html>hello</html>", 200), id="HTML with 200"),
        pytest.param(Answer(b"{}", 200, "application/json"), id="JSON that is no event"),
        pytest.param(Answer(b"[" * 10_000, 200, "application/json"), id="brackets without end"),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
async def test_what_is_no_event_harms_nothing(site: Site, fault: Fault, times: int) -> None:
    async with site.watch(UNHURRIED) as observed:
        await observed.converges()
        failed = len(site.delays)
        site.faults.add(fault, verb="watch", resource="pods", times=times)
        site.faults.sever(verb="watch", resource="pods")
        site.drop_pod("p0")
        site.add_pod("late", "n2", gpus=2)
        await observed.converges()
        assert len(site.delays) - failed <= times + 1  # the one is for the stream that was severed


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda pod: pod["metadata"].update(labels=None), id="null labels"),
        pytest.param(lambda pod: pod.update(status=None), id="a null status"),
        pytest.param(lambda pod: pod["spec"].update(tolerations=None), id="null tolerations"),
    ],
)
async def test_nulls_are_read(site: Site, edit: Callable[[dict[str, Any]], None]) -> None:
    site.faults.add(edited(edit), verb="watch", resource="pods", times=None)
    async with site.watch() as observed:
        await observed.converges()
        site.add_pod("late", "n2", gpus=2)
        nodes = observed.watch.snapshot
        await until(lambda: nodes().nodes["n2"].requested.get(GPU) == 4)
        assert observed.watch.freshness().malformed == 0


BAD: list[Any] = [
    pytest.param(
        lambda pod: pod["spec"]["containers"][0].update(resources={"requests": {GPU: "4 GPUs"}}),
        id="a quantity that does not parse",
    ),
    pytest.param(lambda pod: pod["spec"].update(containers=5), id="containers of a wrong type"),
    pytest.param(lambda pod: pod.update(status=[]), id="a status of a wrong type"),
]


@pytest.mark.parametrize("edit", BAD)
@pytest.mark.parametrize("when", ["in the list", "in the watch"])
async def test_a_bad_object_is_counted_and_kept_in_mind_and_spoils_no_other(
    site: Site, edit: Callable[[dict[str, Any]], None], when: str
) -> None:
    site.faults.add(edited(edit), verb="watch", resource="pods", times=None)
    if when == "in the list":
        site.add_pod("late", "n2", gpus=2)
    async with site.watch() as observed:
        await until(lambda: observed.watch.freshness().is_live)
        if when == "in the watch":
            site.add_pod("late", "n2", gpus=2)
        site.add_pod("good", "n3", gpus=1)
        nodes = observed.watch.snapshot
        await until(lambda: nodes().nodes["n3"].requested.get(GPU) == 3)
        await until(lambda: observed.watch.freshness().unreadable == 1)
        (held,) = observed.watch.unreadable()
        assert (held.name, held.node) == ("late", "n2")
        assert observed.watch.freshness().malformed >= 1
        assert observed.watch.freshness().is_live
        site.drop_pod("late")
        await until(lambda: observed.watch.freshness().unreadable == 0)
        await observed.converges()

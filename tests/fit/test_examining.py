"""Pods for which the scheduler has made room go before those of no higher priority."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuspawner.capacity.model import (
    HostPort,
    LabelSelector,
    Node,
    Pod,
    PodAffinityTerm,
    PodRequest,
    Requirement,
    SpreadConstraint,
)
from gpuspawner.fit import judge

from ..builders import GPU, a_node, a_pod, a_request, a_snapshot, altered

HOSTNAME = "kubernetes.io/hostname"
NOTEBOOK = {"app": "notebook"}
NOTEBOOKS = LabelSelector((Requirement("app", "In", ("notebook",)),))
TERM = PodAffinityTerm(HOSTNAME, NOTEBOOKS)
PORT = HostPort("", "TCP", 8443)


def promised(node: str = "n1", *, gpus: int = 1, **fields: Any) -> Pod:
    """A pod that waits for a node."""
    waiting = altered(a_pod("waiting", gpus=gpus), node=None, nominated_node=node, phase="Pending")
    return altered(waiting, **fields)


def wants(gpus: int = 1, **fields: Any) -> PodRequest:
    return replace(a_request(gpus=gpus), **fields)


@pytest.mark.parametrize(
    ("request_", "things", "slots"),
    [
        pytest.param(wants(), [a_node(gpus=1), promised()], 0, id="one of the same priority"),
        pytest.param(
            wants(), [a_node(gpus=1), promised(priority=5)], 0, id="one of higher priority"
        ),
        pytest.param(
            wants(), [a_node(gpus=1), promised(priority=-5)], 1, id="one of lower priority does not"
        ),
        pytest.param(wants(), [a_node(gpus=3), promised()], 2, id="its room is not free"),
        pytest.param(
            wants(uid="uid-of-waiting"), [a_node(gpus=1), promised()], 1, id="a pod beside itself"
        ),
        pytest.param(
            wants(), [a_node(gpus=1), promised("n2"), a_node("n2")], 1, id="one for another node"
        ),
        pytest.param(
            wants(), [a_node(gpus=1), promised(phase="Failed")], 1, id="one that has failed"
        ),
        pytest.param(
            wants(),
            [a_node(gpus=1, pods=1), promised(gpus=0), a_node("n2", gpus=1)],
            1,
            id="its place",
        ),
        pytest.param(
            wants(0, host_ports=(PORT,)),
            [a_node(pods=9), promised(gpus=0, host_ports=(PORT,))],
            0,
            id="its host port",
        ),
        pytest.param(
            wants(pod_anti_affinity=(TERM,)),
            [a_node(gpus=4), promised(labels=NOTEBOOK)],
            0,
            id="what the pod must be apart from",
        ),
        pytest.param(
            wants(labels=NOTEBOOK, pod_affinity=(TERM,)),
            [
                a_node(gpus=4),
                a_node("n2"),
                a_pod("there", node="n2"),
                altered(a_pod("near", node="n2"), labels=NOTEBOOK),
                promised(labels=NOTEBOOK),
            ],
            0,
            id="what it must be near may not come, and so does not help",
        ),
    ],
)
def test_room_that_was_made_for_others(
    request_: PodRequest, things: list[Node | Pod], slots: int
) -> None:
    verdict = judge(request_, a_snapshot(*things))
    assert verdict.fits is bool(slots)
    assert verdict.slots in (slots, None)


def test_what_is_promised_is_not_shown_as_left() -> None:
    verdict = judge(wants(2), a_snapshot(a_node(gpus=2), promised()))
    assert verdict.reasons == {f"Insufficient {GPU}": 1}
    assert verdict.free == {GPU: {1: 1}}


def test_what_keeps_the_pod_away_counts_while_it_waits_only_if_something_does_already() -> None:
    waiting = promised(anti_affinity=(TERM,))
    nodes = a_node(gpus=4), a_node("n2")
    request = wants(labels=NOTEBOOK)
    assert judge(request, a_snapshot(*nodes, waiting)).fits is True
    there = altered(a_pod("there", node="n2"), anti_affinity=(TERM,))
    assert judge(request, a_snapshot(*nodes, waiting, there)).fits is False


def test_a_promised_pod_counts_in_a_spread() -> None:
    request = wants(labels=NOTEBOOK, spread=(SpreadConstraint(HOSTNAME, 1, NOTEBOOKS),))
    nodes = a_node(gpus=4), a_node("n2")
    assert judge(request, a_snapshot(*nodes)).fits is True
    assert judge(request, a_snapshot(*nodes, promised(labels=NOTEBOOK))).fits is False

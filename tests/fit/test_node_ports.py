"""Which ports of a node are taken, and by whom."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import HostPort, read_pod, read_request
from gpuspawner.fit import Hindrance, judge
from gpuspawner.fit.node_ports import check

from ..builders import a_node, a_pod, a_request, a_snapshot, a_state

WORDS = "node(s) didn't have free ports for the requested pod ports"
ANY = HostPort("0.0.0.0", "TCP", 8888)
LOCAL = HostPort("127.0.0.1", "TCP", 8888)


@pytest.mark.parametrize(
    ("asked", "held", "is_free"),
    [
        pytest.param([ANY], [], True, id="nobody holds a port"),
        pytest.param([], [ANY], True, id="the pod asks for none"),
        pytest.param([ANY], [ANY], False, id="the same port"),
        pytest.param(
            [ANY], [HostPort(ANY.ip, "TCP", 8889)], True, id="another number is another port"
        ),
        pytest.param(
            [ANY], [HostPort(ANY.ip, "UDP", 8888)], True, id="another protocol is another port"
        ),
        pytest.param([ANY], [LOCAL], False, id="all addresses take in a single one"),
        pytest.param([LOCAL], [ANY], False, id="a single address lies within all of them"),
        pytest.param([LOCAL], [LOCAL], False, id="the same address"),
        pytest.param(
            [LOCAL],
            [HostPort("10.0.0.1", "TCP", 8888)],
            True,
            id="another address does not collide",
        ),
        pytest.param(
            [LOCAL, HostPort("127.0.0.1", "UDP", 53)],
            [HostPort("127.0.0.1", "UDP", 53)],
            False,
            id="one of several is enough",
        ),
    ],
)
def test_ports_of_the_node(asked: list[HostPort], held: list[HostPort], *, is_free: bool) -> None:
    state = a_state(a_node(), a_pod("other"), a_pod("holder", host_ports=held))
    reasons = check(a_request(host_ports=asked), state)
    assert [reason.words for reason in reasons] == ([] if is_free else [WORDS])
    assert {reason.hindrance for reason in reasons} <= {Hindrance.FULL}


def test_a_pod_that_waits_for_the_node_has_its_ports_already() -> None:
    waiting = a_pod("waiting", node=None, nominated_node="n1", phase="Pending", host_ports=[ANY])
    verdict = judge(a_request(host_ports=[ANY]), a_snapshot(a_node(), waiting))
    assert (verdict.fits, verdict.reasons) == (False, {WORDS: 1})


def test_ports_come_before_resources_and_a_port_is_no_resource() -> None:
    snapshot = a_snapshot(a_node(cpu=1), a_pod("holder", cpu=1, host_ports=[ANY]))
    verdict = judge(a_request(cpu=1, host_ports=[ANY]), snapshot)
    assert verdict.reasons == {WORDS: 1}
    ports_only = judge(a_request(host_ports=[ANY]), snapshot)
    assert (ports_only.short, ports_only.never) == ({}, False)


def test_copies_with_host_ports_fit_once_a_node() -> None:
    nodes = [a_node(f"n{number}") for number in range(3)]
    snapshot = a_snapshot(*nodes, a_pod("holder", node="n0", host_ports=[ANY]))
    verdict = judge(a_request(host_ports=[LOCAL]), snapshot)
    assert (verdict.slots, verdict.slots_if_empty) == (2, 3)


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        pytest.param({"containers": [{"ports": [{"containerPort": 8888}]}]}, (), id="a plain port"),
        pytest.param({"containers": [{"ports": None}]}, (), id="null ports"),
        pytest.param(
            {"containers": [{"ports": [{"containerPort": 1, "hostPort": 8888}]}]},
            (ANY,),
            id="a host port is on all addresses and TCP unless it says otherwise",
        ),
        pytest.param(
            {
                "containers": [
                    {"ports": [{"hostPort": 53, "hostIP": "10.0.0.1", "protocol": "UDP"}]}
                ]
            },
            (HostPort("10.0.0.1", "UDP", 53),),
            id="address and protocol",
        ),
        pytest.param(
            {"initContainers": [{"ports": [{"hostPort": 8888}]}]},
            (),
            id="an init container gives its port back",
        ),
        pytest.param(
            {"initContainers": [{"restartPolicy": "Always", "ports": [{"hostPort": 8888}]}]},
            (ANY,),
            id="a sidecar keeps its port",
        ),
        pytest.param(
            {"hostNetwork": True, "containers": [{"ports": [{"containerPort": 8888}]}]},
            (ANY,),
            id="on the host's network every port is a host port",
        ),
        pytest.param({"hostNetwork": True, "containers": [{}]}, (), id="host network, no port"),
    ],
)
def test_the_host_ports_of_a_pod(spec: object, ports: tuple[HostPort, ...]) -> None:
    assert read_request({"metadata": {}, "spec": spec}).host_ports == ports
    assert read_pod({"metadata": {"name": "p"}, "spec": spec}).host_ports == ports

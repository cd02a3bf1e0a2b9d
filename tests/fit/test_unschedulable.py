"""Cordoned nodes."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.model import Toleration
from gpuspawner.fit import Hindrance
from gpuspawner.fit.unschedulable import check

from ..builders import a_node, a_request, a_state

WORDS = "node(s) were unschedulable"


@pytest.mark.parametrize(
    ("unschedulable", "tolerations", "refused"),
    [
        pytest.param(False, [], False, id="an open node takes the pod"),
        pytest.param(True, [], True, id="a cordoned node refuses it"),
        pytest.param(
            True,
            [Toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule")],
            False,
            id="a cordoned node takes a pod that tolerates the cordon by name",
        ),
        pytest.param(
            True,
            [Toleration("node.kubernetes.io/unschedulable", "", "", "NoSchedule")],
            False,
            id="the cordon's value is empty, so Equal without a value tolerates it",
        ),
        pytest.param(
            True,
            [Toleration("node.kubernetes.io/unschedulable", "Equal", "true", "NoSchedule")],
            True,
            id="Equal with a value does not tolerate it",
        ),
        pytest.param(
            True,
            [Toleration(operator="Exists")],
            False,
            id="a pod that tolerates everything goes to a cordoned node",
        ),
        pytest.param(
            True,
            [Toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoExecute")],
            True,
            id="a toleration of another effect does not help",
        ),
    ],
)
def test_cordons(unschedulable: bool, tolerations: list[Toleration], refused: bool) -> None:
    state = a_state(a_node(unschedulable=unschedulable))
    reasons = check(a_request(tolerations=tolerations), state)
    assert [(reason.words, reason.hindrance) for reason in reasons] == (
        [(WORDS, Hindrance.CLOSED)] if refused else []
    )

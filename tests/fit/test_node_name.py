"""Pods that name their node."""

from __future__ import annotations

import pytest

from gpuspawner.fit import Hindrance
from gpuspawner.fit.node_name import check

from ..builders import a_node, a_request, a_state


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        pytest.param("", False, id="a pod that names no node goes anywhere"),
        pytest.param("n1", False, id="the node that is named takes it"),
        pytest.param("n2", True, id="a node that is not named refuses it"),
        pytest.param("N1", True, id="names differ by case"),
        pytest.param("n", True, id="a beginning of the name is not the name"),
    ],
)
def test_node_names(wanted: str, refused: bool) -> None:
    reasons = check(a_request(node_name=wanted), a_state(a_node("n1")))
    assert [(reason.words, reason.hindrance) for reason in reasons] == (
        [("node(s) didn't match the requested node name", Hindrance.NOT_FOR_POD)] if refused else []
    )

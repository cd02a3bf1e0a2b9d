"""Which taints repel, and which tolerations let a pod pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import Taint, Toleration
from gpuspawner.fit import Hindrance
from gpuspawner.fit.taints import check, is_tolerated

from ..builders import a_node, a_request, a_state

WORDS = "node(s) had untolerated taint(s)"
GPU_TAINT = Taint("nvidia.com/gpu", "present", "NoSchedule")
NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        pytest.param(
            Toleration("nvidia.com/gpu", "Equal", "present", "NoSchedule"),
            True,
            id="key, value and effect are all equal",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "", "present", "NoSchedule"),
            True,
            id="an empty operator is Equal",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "", "", "NoSchedule"),
            False,
            id="an empty operator compares the value, even with nothing",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Equal", "absent", "NoSchedule"),
            False,
            id="another value does not match",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Exists", "", "NoSchedule"),
            True,
            id="Exists takes any value",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Exists", "absent", "NoSchedule"),
            True,
            id="Exists does not look at its own value",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Exists", "", ""),
            True,
            id="an empty effect matches every effect",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Exists", "", "NoExecute"),
            False,
            id="another effect does not match",
        ),
        pytest.param(
            Toleration("", "Exists", "", ""),
            True,
            id="an empty key with Exists matches every taint",
        ),
        pytest.param(
            Toleration("", "Exists", "", "NoSchedule"),
            True,
            id="an empty key with an effect matches every taint of that effect",
        ),
        pytest.param(
            Toleration("", "Equal", "present", ""),
            True,
            id="an empty key with Equal matches every key of that value",
        ),
        pytest.param(
            Toleration("nvidia.com/mig", "Exists", "", ""), False, id="another key does not match"
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "Gt", "1", "NoSchedule"),
            False,
            id="an operator that is not known tolerates nothing",
        ),
        pytest.param(
            Toleration("nvidia.com/gpu", "exists", "", "NoSchedule"),
            False,
            id="operators differ by case",
        ),
    ],
)
def test_one_toleration_of_one_taint(toleration: Toleration, tolerated: bool) -> None:
    assert is_tolerated(GPU_TAINT, [toleration]) is tolerated


@pytest.mark.parametrize(
    ("taints", "tolerations", "hindrance"),
    [
        pytest.param([], [], None, id="a node without taints takes the pod"),
        pytest.param([GPU_TAINT], [], Hindrance.NOT_FOR_POD, id="NoSchedule repels"),
        pytest.param(
            [Taint("team", "bio", "NoExecute")], [], Hindrance.NOT_FOR_POD, id="NoExecute repels"
        ),
        pytest.param(
            [Taint("team", "bio", "PreferNoSchedule")], [], None, id="PreferNoSchedule is ignored"
        ),
        pytest.param([Taint("team", "bio", "")], [], None, id="a taint without effect is ignored"),
        pytest.param(
            [Taint("team", "bio", "noschedule")], [], None, id="an effect not known is ignored"
        ),
        pytest.param(
            [GPU_TAINT, Taint("team", "bio", "NoSchedule")],
            [Toleration("nvidia.com/gpu", "Exists")],
            Hindrance.NOT_FOR_POD,
            id="one taint of two that is not tolerated is enough to repel",
        ),
        pytest.param(
            [GPU_TAINT, Taint("team", "bio", "NoSchedule")],
            [Toleration("nvidia.com/gpu", "Exists"), Toleration("team", "Equal", "bio")],
            None,
            id="each taint may be tolerated by another toleration",
        ),
        pytest.param(
            [Taint("team", "bio", "NoSchedule"), Taint("team", "bio", "NoExecute")],
            [Toleration("team", "Exists", "", "NoSchedule")],
            Hindrance.NOT_FOR_POD,
            id="a key tolerated for one effect repels by its other",
        ),
        pytest.param([NOT_READY], [], Hindrance.CLOSED, id="a node that is not ready is closed"),
        pytest.param(
            [Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")],
            [],
            Hindrance.CLOSED,
            id="the taint of a cordon closes the node",
        ),
        pytest.param(
            [NOT_READY, GPU_TAINT],
            [],
            Hindrance.NOT_FOR_POD,
            id="a closed node that is not for the pod anyway is not for the pod",
        ),
        pytest.param(
            [NOT_READY, GPU_TAINT],
            [Toleration("nvidia.com/gpu", "Exists")],
            Hindrance.CLOSED,
            id="a closed node that is for the pod is closed",
        ),
    ],
)
def test_taints(
    taints: list[Taint], tolerations: list[Toleration], hindrance: Hindrance | None
) -> None:
    state = a_state(a_node(taints=taints))
    reasons = check(a_request(tolerations=tolerations), state)
    assert [(reason.words, reason.hindrance) for reason in reasons] == (
        [(WORDS, hindrance)] if hindrance else []
    )


KEYS = st.sampled_from(["", "a", "b"])
TAINTS = st.builds(Taint, st.sampled_from(["a", "b"]), KEYS, st.sampled_from(["NoSchedule", "x"]))
TOLERATIONS = st.builds(
    Toleration,
    KEYS,
    st.sampled_from(["", "Equal", "Exists", "Gt"]),
    KEYS,
    st.sampled_from(["", "NoSchedule", "NoExecute"]),
)


@given(TAINTS, st.lists(TOLERATIONS), TOLERATIONS)
def test_one_toleration_more_never_repels(
    taint: Taint, tolerations: list[Toleration], more: Toleration
) -> None:
    if is_tolerated(taint, tolerations):
        assert is_tolerated(taint, [*tolerations, more])

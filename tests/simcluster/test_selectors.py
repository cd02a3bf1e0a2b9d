from __future__ import annotations

import pytest

from gpuspawner.simcluster.apimachinery.resources import EVENTS, NODES, PODS, ResourceType
from gpuspawner.simcluster.apimachinery.selectors import make_selector
from gpuspawner.simcluster.apimachinery.status import ApiError

LABELS = {"app": "hub", "tier": "front", "rank": "5", "example.org/team": "blue"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        pytest.param("", True, id="an empty selector selects everything"),
        pytest.param("app=hub", True, id="an equal value"),
        pytest.param("app==hub", True, id="the double equals sign"),
        pytest.param("app=proxy", False, id="another value"),
        pytest.param("app!=proxy", True, id="not another value"),
        pytest.param("absent!=x", True, id="not equal holds for a missing label"),
        pytest.param("app in (proxy, hub)", True, id="one of a set"),
        pytest.param("app in (proxy)", False, id="none of a set"),
        pytest.param("absent in (x)", False, id="a missing label is in no set"),
        pytest.param("app notin (proxy,other)", True, id="outside a set"),
        pytest.param("absent notin (x)", True, id="notin holds for a missing label"),
        pytest.param("tier", True, id="the label exists"),
        pytest.param("absent", False, id="the label does not exist"),
        pytest.param("!absent", True, id="the label must not exist and does not"),
        pytest.param("!tier", False, id="the label must not exist but does"),
        pytest.param("rank>4,rank<6", True, id="numbers compare"),
        pytest.param("rank>5", False, id="greater than is strict"),
        pytest.param("tier>1", False, id="words do not compare"),
        pytest.param("app=hub,tier in (front,back),!absent", True, id="all clauses hold"),
        pytest.param("app=hub,tier in (back)", False, id="one clause does not hold"),
        pytest.param("example.org/team=blue", True, id="a prefixed key"),
        pytest.param("absent=", False, id="an empty value is not a missing label"),
    ],
)
def test_label_selectors(selector: str, selected: bool) -> None:
    assert make_selector(PODS, selector, "")({"metadata": {"labels": LABELS}}) is selected


def test_null_labels_are_no_labels() -> None:
    assert make_selector(PODS, "!app", "")({"metadata": {"labels": None}})


POD = {
    "metadata": {"name": "p1", "namespace": "default"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running"},
}
EVENT = {
    "metadata": {"name": "e1"},
    "involvedObject": {"kind": "Pod", "name": "p1", "uid": "u1"},
    "source": {"component": "kubelet"},
    "type": "Warning",
}


@pytest.mark.parametrize(
    ("resource", "obj", "selector", "selected"),
    [
        pytest.param(PODS, POD, "metadata.name=p1", True, id="by name"),
        pytest.param(PODS, POD, "metadata.namespace!=default", False, id="by other namespaces"),
        pytest.param(PODS, POD, "spec.nodeName==n1", True, id="by node"),
        pytest.param(PODS, POD, "spec.nodeName=", False, id="bound is not unbound"),
        pytest.param(
            PODS,
            POD,
            "status.phase!=Succeeded,status.phase!=Failed",
            True,
            id="the scheduler's own selector",
        ),
        pytest.param(EVENTS, EVENT, "involvedObject.uid=u1,type=Warning", True, id="by object"),
        pytest.param(EVENTS, EVENT, "source=kubelet", True, id="source is the component"),
        pytest.param(
            NODES, {"metadata": {}, "spec": {}}, "spec.unschedulable=false", True, id="default"
        ),
        pytest.param(
            NODES,
            {"metadata": {}, "spec": {"unschedulable": True}},
            "spec.unschedulable=true",
            True,
            id="booleans are words",
        ),
    ],
)
def test_field_selectors(
    resource: ResourceType, obj: dict[str, object], selector: str, selected: bool
) -> None:
    assert make_selector(resource, "", selector)(obj) is selected


@pytest.mark.parametrize(
    ("labels", "fields", "words"),
    [
        pytest.param("app in hub", "", "unable to parse requirement", id="a set needs parentheses"),
        pytest.param("=hub", "", "unable to parse requirement", id="a key is missing"),
        pytest.param("", "spec.nodeName", "can't understand", id="a field without a value"),
        pytest.param("", "spec.color=red", "field label not supported", id="an unknown field"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(labels: str, fields: str, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        make_selector(PODS, labels, fields)
    assert caught.value.code == 400

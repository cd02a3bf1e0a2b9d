"""Tolerations and affinity follow Kubernetes' rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuspawner.catalog import Catalog, read_catalog

Refusal = Callable[..., None]

WITHIN = "x:\n  title: X\n  resource: a.b/c\n  "

TOLERATIONS = [
    pytest.param(
        "{key: a, operator: Exist}",
        "operator",
        "expected 'Equal' or 'Exists', found the text 'Exist'",
        "did you mean 'Exists'?",
        id="an unknown operator names the one that was meant",
    ),
    pytest.param(
        "{key: a, effect: NoShedule}",
        "effect",
        "found the text 'NoShedule'",
        "did you mean 'NoSchedule'?",
        id="an unknown effect names the one that was meant",
    ),
    pytest.param(
        "{effect: NoSchedule}",
        "operator",
        "a toleration without a key tolerates everything",
        "operator: Exists",
        id="without a key the operator is Exists",
    ),
    pytest.param(
        "{key: a, operator: Exists, value: b}",
        "value",
        "`Exists` tolerates every value",
        "leave the value out",
        id="Exists takes no value",
    ),
    pytest.param(
        "{key: a, value: b c}",
        "value",
        "'b c' is not a taint's value",
        None,
        id="a taint's value has no spaces",
    ),
    pytest.param(
        "{key: a b, operator: Exists}",
        "key",
        "'a b' is not a taint's key",
        None,
        id="a taint's key has no spaces",
    ),
    pytest.param(
        "{key: a, operator: Exists, tolerationSeconds: 5}",
        "tolerationSeconds",
        "for the effect NoExecute only",
        None,
        id="seconds are for NoExecute",
    ),
    pytest.param(
        "{key: a, toleration_seconds: 5, effect: NoExecute}",
        "toleration_seconds",
        "unknown field",
        "did you mean 'tolerationSeconds'?",
        id="Kubernetes' spelling is the only one",
    ),
]

AFFINITY = [
    pytest.param("{}", "", "an empty term matches no node", "matchExpr", id="an empty term"),
    pytest.param(
        "{matchExpressions: [{key: a, operator: In}]}",
        ".matchExpressions[0].values",
        "In needs at least one value",
        None,
        id="In without values",
    ),
    pytest.param(
        "{matchExpressions: [{key: a, operator: NotIn, values: []}]}",
        ".matchExpressions[0].values",
        "NotIn needs at least one value",
        None,
        id="NotIn without values",
    ),
    pytest.param(
        "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
        ".matchExpressions[0].values",
        "Exists takes no values",
        None,
        id="Exists with values",
    ),
    pytest.param(
        '{matchExpressions: [{key: a, operator: Gt, values: ["1", "2"]}]}',
        ".matchExpressions[0].values",
        "Gt takes exactly one integer",
        "quotes",
        id="Gt with two values",
    ),
    pytest.param(
        "{matchExpressions: [{key: a, operator: Lt, values: [many]}]}",
        ".matchExpressions[0].values",
        "Lt takes exactly one integer",
        "quotes",
        id="Lt with a word",
    ),
    pytest.param(
        "{matchExpressions: [{key: a, operator: Lt, values: [24]}]}",
        ".matchExpressions[0].values[0]",
        "expected text, found the number 24",
        'quote it: "24"',
        id="Lt with a bare number",
    ),
    pytest.param(
        "{matchExpressions: [{key: a, operator: in, values: [b]}]}",
        ".matchExpressions[0].operator",
        "found the text 'in'",
        "did you mean 'In'?",
        id="an operator in lower case",
    ),
    pytest.param(
        "{matchExpressions: [{key: a b, operator: Exists}]}",
        ".matchExpressions[0].key",
        "'a b' is not a label key",
        None,
        id="a key with a space",
    ),
    pytest.param(
        "{matchFields: [{key: metadata.uid, operator: In, values: [a]}]}",
        ".matchFields[0].key",
        "expected 'metadata.name'",
        "did you mean 'metadata.name'?",
        id="a field that is not the node's name",
    ),
    pytest.param(
        "{matchFields: [{key: metadata.name, operator: In, values: [a, b]}]}",
        ".matchFields[0].values",
        "takes at most 1 of them, found 2",
        None,
        id="two names of nodes",
    ),
]


@pytest.mark.parametrize(("toleration", "field", "message", "hint"), TOLERATIONS)
def test_a_toleration_is_refused(
    toleration: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal(
        "accelerators",
        f"{WITHIN}tolerations:\n    - {toleration}  # <-",
        f"accelerators.x.tolerations[0].{field}",
        message,
        hint,
    )


@pytest.mark.parametrize(("term", "field", "message", "hint"), AFFINITY)
def test_an_affinity_term_is_refused(
    term: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal(
        "accelerators",
        f"{WITHIN}affinity:\n    - {term}  # <-",
        f"accelerators.x.affinity[0]{field}",
        message,
        hint,
    )


def test_placement_is_written_and_given_back_in_kubernetes_field_names(
    compose: Callable[..., str],
) -> None:
    added = """
        x:
          title: X
          resource: a.b/c
          tolerations:
            - {key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
            - {operator: Exists}
          affinity:
            - matchExpressions: [{key: gpus, operator: Gt, values: ["1"]}]
              matchFields: [{key: metadata.name, operator: NotIn, values: [node-1]}]
    """
    catalog: Catalog = read_catalog(compose(accelerators=added))
    accelerator = catalog.accelerators["x"]
    assert [toleration.manifest() for toleration in accelerator.tolerations] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
        {"operator": "Exists"},
    ]
    assert [term.manifest() for term in accelerator.affinity] == [
        {
            "matchExpressions": [{"key": "gpus", "operator": "Gt", "values": ["1"]}],
            "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}],
        }
    ]

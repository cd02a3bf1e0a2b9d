from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.simcluster.apimachinery.patching import PatchKind, apply_patch, merge_patch
from gpuspawner.simcluster.apimachinery.status import ApiError

POD: dict[str, Any] = {
    "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["x"]},
    "spec": {
        "containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}, {"name": "d"}],
        "tolerations": [{"key": "old"}],
    },
    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
}
MERGE, STRATEGIC, JSON = PatchKind.MERGE, PatchKind.STRATEGIC, PatchKind.JSON


@pytest.mark.parametrize(
    ("kind", "patch", "path", "expected"),
    [
        pytest.param(
            MERGE,
            {"metadata": {"labels": {"a": None, "b": "2"}}},
            "metadata.labels",
            {"b": "2"},
            id="merge: null removes, the rest stays",
        ),
        pytest.param(
            MERGE,
            {"spec": {"containers": [{"name": "e"}]}},
            "spec.containers",
            [{"name": "e"}],
            id="merge: a list is replaced",
        ),
        pytest.param(
            STRATEGIC,
            {"spec": {"containers": [{"name": "c", "env": [{"name": "B", "value": "2"}]}]}},
            "spec.containers",
            [
                {"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                {"name": "d"},
            ],
            id="strategic: containers merge by name, and their env too",
        ),
        pytest.param(
            STRATEGIC,
            {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "New"}]}},
            "status.conditions",
            [{"type": "Ready", "status": "True"}, {"type": "New"}],
            id="strategic: conditions merge by type",
        ),
        pytest.param(
            STRATEGIC,
            {"spec": {"tolerations": [{"key": "new"}]}},
            "spec.tolerations",
            [{"key": "new"}],
            id="strategic: a list without a merge key is replaced",
        ),
        pytest.param(
            STRATEGIC,
            {"spec": {"containers": [{"name": "d", "$patch": "delete"}]}},
            "spec.containers",
            [POD["spec"]["containers"][0]],
            id="strategic: $patch delete takes an item out",
        ),
        pytest.param(
            STRATEGIC,
            {"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}},
            "spec.containers",
            [{"name": "z"}],
            id="strategic: $patch replace replaces the list",
        ),
        pytest.param(
            STRATEGIC,
            {"metadata": {"finalizers": ["x", "y"]}},
            "metadata.finalizers",
            ["x", "y"],
            id="strategic: finalizers are a set",
        ),
        pytest.param(
            STRATEGIC,
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}},
            "metadata.finalizers",
            [],
            id="strategic: items leave a set",
        ),
        pytest.param(
            STRATEGIC,
            {"spec": {"$setElementOrder/containers": [{"name": "c"}]}},
            "spec",
            POD["spec"],
            id="strategic: the order directive leaves no trace",
        ),
        pytest.param(
            STRATEGIC,
            {"metadata": {"labels": {"$patch": "replace", "z": "9"}}},
            "metadata.labels",
            {"z": "9"},
            id="strategic: a map is replaced",
        ),
        pytest.param(
            JSON,
            [{"op": "add", "path": "/metadata/labels/x~1y", "value": "v"}],
            "metadata.labels",
            {"a": "1", "x/y": "v"},
            id="json: add with an escaped key",
        ),
        pytest.param(
            JSON,
            [{"op": "add", "path": "/spec/containers/-", "value": {"name": "e"}}],
            "spec.containers",
            [*POD["spec"]["containers"], {"name": "e"}],
            id="json: append",
        ),
        pytest.param(
            JSON,
            [
                {"op": "test", "path": "/spec/containers/1/name", "value": "d"},
                {"op": "remove", "path": "/spec/containers/1"},
                {"op": "replace", "path": "/spec/containers/0/env/0/value", "value": "2"},
            ],
            "spec.containers",
            [{"name": "c", "env": [{"name": "A", "value": "2"}]}],
            id="json: test, remove and replace within lists",
        ),
        pytest.param(
            JSON,
            [
                {"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/b"},
                {"op": "move", "from": "/metadata/labels/a", "path": "/metadata/labels/c"},
            ],
            "metadata.labels",
            {"b": "1", "c": "1"},
            id="json: copy and move",
        ),
    ],
)
def test_patches(kind: PatchKind, patch: Any, path: str, expected: Any) -> None:
    before = json.dumps(POD)
    result: Any = apply_patch(POD, patch, kind)
    for part in path.split("."):
        result = result[part]
    assert result == expected
    assert json.dumps(POD) == before


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        pytest.param(JSON, {"op": "add"}, 400, id="a JSON patch must be a list"),
        pytest.param(MERGE, [], 400, id="a merge patch must be an object"),
        pytest.param(MERGE, {"metadata": None}, 400, id="metadata must remain"),
        pytest.param(JSON, [{"op": "remove", "path": "/no"}], 422, id="a path must exist"),
        pytest.param(JSON, [{"op": "test", "path": "/kind", "value": 1}], 422, id="a test fails"),
        pytest.param(JSON, [{"op": "jump", "path": "/metadata"}], 422, id="an unknown operation"),
        pytest.param(
            JSON,
            [{"op": "replace", "path": "/spec/containers/9", "value": {}}],
            422,
            id="an index must exist",
        ),
        pytest.param(
            STRATEGIC, {"spec": {"containers": [{"image": "i"}]}}, 400, id="a merge key is missing"
        ),
    ],
)
def test_patches_that_do_not_apply(kind: PatchKind, patch: Any, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        apply_patch(POD, patch, kind)
    assert caught.value.code == code


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(target=JSON_VALUES, patch=JSON_VALUES)
def test_a_merge_patch_applied_twice_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once

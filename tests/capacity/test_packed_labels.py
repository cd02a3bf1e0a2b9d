"""Selectors asked of labels that are not read."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import Requirement, matches, pack, packed_matcher
from gpuspawner.capacity.model.packed_labels import repack, unpack
from gpuspawner.errors import MalformedObjectError

TEXT = st.text(st.sampled_from('ab,:{}"\\é'), max_size=3)
LABELS = st.dictionaries(TEXT, TEXT, max_size=3)
EXPRESSION = st.builds(
    Requirement,
    TEXT,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt"]),
    st.lists(TEXT, max_size=2).map(tuple),
)


@given(LABELS, st.none() | st.lists(EXPRESSION, max_size=2).map(tuple))
def test_a_selector_says_the_same_of_labels_that_are_read(
    labels: Mapping[str, str], selector: tuple[Requirement, ...] | None
) -> None:
    assert packed_matcher(selector)(pack(labels)) is matches(selector, labels)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"b": '"a":"x"'}, id="within a value"),
        pytest.param({"b": ',"a":"x"'}, id="within a value, after a comma"),
        pytest.param({"b,": ",", "ba": "x"}, id="as the end of another key"),
        pytest.param({"a": "xx"}, id="as the beginning of another value"),
    ],
)
def test_the_text_of_a_label_that_stands_elsewhere_is_none(labels: Mapping[str, str]) -> None:
    assert not packed_matcher((Requirement("a", "In", ("x",)),))(pack(labels))


def test_a_key_that_no_label_has_is_not_found_where_others_end() -> None:
    assert not packed_matcher((Requirement(":", "Exists"),))(pack({"a,": ":"}))


@given(labels=LABELS, spaced=st.booleans())
def test_labels_are_packed_in_the_same_way_however_they_are_sent(
    labels: Mapping[str, str], *, spaced: bool
) -> None:
    raw = json.dumps(labels, indent=1 if spaced else None, ensure_ascii=spaced).encode()
    assert repack(raw) == pack(labels)
    assert unpack(repack(raw)) == labels


def test_what_is_no_label_is_refused() -> None:
    assert repack(b"null") == pack({})
    with pytest.raises(MalformedObjectError):
        repack(b'{"a": 1}')

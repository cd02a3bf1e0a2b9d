"""Pages of a list and lines of a watch."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.capacity.model import read_node
from gpuspawner.capacity.stream import (
    INITIAL_EVENTS_END,
    ListPage,
    WatchLine,
    added_object,
    read_list_page,
    read_watch_line,
)
from gpuspawner.errors import MalformedObjectError


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(
            {"metadata": {"resourceVersion": "7"}, "items": [{"a": 1}, {"b": [2]}]},
            ListPage((b'{"a": 1}', b'{"b": [2]}'), "7", ""),
            id="items stay as they were sent",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "7", "continue": "abc"}, "items": []},
            ListPage((), "7", "abc"),
            id="a page that is not the last says where to go on",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": None, "continue": None}, "items": None},
            ListPage((), "", ""),
            id="nulls are empty",
        ),
        pytest.param({"metadata": {}}, ListPage((), "", ""), id="fields may be left out"),
    ],
)
def test_pages_of_a_list(page: object, expected: ListPage) -> None:
    assert read_list_page(json.dumps(page).encode()) == expected


def test_one_bad_item_spoils_only_itself() -> None:
    page = read_list_page(b'{"metadata": {}, "items": [{"metadata": {"name": "n1"}}, {"oops": 1}]}')
    good, bad = page.items
    assert read_node(good).name == "n1"
    with pytest.raises(MalformedObjectError):
        read_node(bad)


NODE = {"kind": "Node", "metadata": {"name": "n1", "resourceVersion": "9"}}


def line(kind: str, obj: object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED", "SOMETHING-NEW"])
def test_a_change_carries_its_object_and_version(kind: str) -> None:
    raw = json.dumps(NODE).encode()
    assert read_watch_line(line(kind, NODE)) == WatchLine(kind, raw, resource_version="9")


@pytest.mark.parametrize(
    ("kind", "annotations", "ends"),
    [
        pytest.param("BOOKMARK", {INITIAL_EVENTS_END: "true"}, True, id="a marked bookmark does"),
        pytest.param("BOOKMARK", {INITIAL_EVENTS_END: "false"}, False, id="another mark does not"),
        pytest.param("BOOKMARK", None, False, id="a bookmark without annotations does not"),
        pytest.param("ADDED", {INITIAL_EVENTS_END: "true"}, False, id="an object does not"),
    ],
)
def test_what_ends_a_list(kind: str, annotations: dict[str, str] | None, *, ends: bool) -> None:
    obj = {"metadata": {"resourceVersion": "9", "annotations": annotations}}
    read = read_watch_line(line(kind, obj))
    assert (read.resource_version, read.ends_list) == ("9", ends)


def test_a_malformed_part_of_an_object_does_not_spoil_its_line() -> None:
    obj = {"metadata": {"resourceVersion": "9", "labels": 5, "annotations": [1]}, "spec": []}
    assert read_watch_line(line("ADDED", obj)).resource_version == "9"


@pytest.mark.parametrize(
    ("raw", "obj"),
    [
        pytest.param(b'{"type":"ADDED","object":{"a":1}}', b'{"a":1}', id="an event as it is sent"),
        pytest.param(b'{"type":"DELETED","object":{"a":1}}', None, id="an event of another type"),
        pytest.param(b'{"type": "ADDED", "object": {}}', None, id="an event with blanks"),
        pytest.param(b'{"object":{},"type":"ADDED"}', None, id="an event in another order"),
        pytest.param(b'{"type":"ADDED","object":{"a":', None, id="an event that is cut off"),
    ],
)
def test_an_object_is_cut_out_of_a_line(raw: bytes, obj: bytes | None) -> None:
    assert added_object(raw) == obj


@given(st.text(alphabet='{}[]",:a1 '), st.text(alphabet='{}[]",:a1 '))
def test_what_is_cut_out_is_an_object_only_if_the_line_was_an_event(head: str, tail: str) -> None:
    raw = b'{"type":"ADDED","object":' + f'{head}{{"metadata":{{"name":"n"}}}}{tail}'.encode()
    cut = added_object(raw)
    with contextlib.suppress(MalformedObjectError):
        assert read_node(cut or b"").name == "n"
        assert read_watch_line(raw).object.strip() == (cut or b"").strip()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        pytest.param(
            {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
            410,
            "too old",
            id="an error says its code and its words",
        ),
        pytest.param({}, None, "", id="an error may say nothing"),
        pytest.param({"code": None, "message": None}, None, "", id="an error may say null"),
    ],
)
def test_errors(status: object, code: int | None, message: str) -> None:
    read = read_watch_line(line("ERROR", status))
    assert (read.code, read.message, read.resource_version) == (code, message, "")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="an empty line"),
        pytest.param(b"\n", id="a line end"),
        pytest.param(b'{"type": "ADDED"}', id="an event without object"),
        pytest.param(b'{"object": {"metadata": {}}}', id="an event without type"),
        pytest.param(line("ADDED", {}), id="an object without metadata"),
        pytest.param(line("ADDED", None), id="a null object"),
        pytest.param(line("ERROR", []), id="an error that is a list"),
        pytest.param(line("ADDED", NODE)[:-5], id="a line that was cut off"),
        pytest.param(line("ADDED", NODE) * 2, id="two events in one line"),
        pytest.param(b'{"type": "ADDED", "object": ' + b"[" * 100_000, id="brackets without end"),
        pytest.param(b"\xff\xfe", id="bytes that are not UTF-8"),
    ],
)
def test_what_is_no_event(raw: bytes) -> None:
    with pytest.raises(MalformedObjectError):
        read_watch_line(raw)


@given(st.binary())
def test_any_bytes_are_malformed_and_nothing_worse(raw: bytes) -> None:
    for read in (read_watch_line, read_list_page):
        with pytest.raises(MalformedObjectError):
            read(raw)

"""`gpuspawner verdict`: one line a candidate, in order, and clear words about bad input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gpuspawner.cli import main

GPU = "nvidia.com/gpu"
HEADER = {"oracle": "by hand"}


def a_node(name: str, gpus: int) -> dict[str, Any]:
    status = {"allocatable": {"cpu": "8", "pods": "10", GPU: str(gpus)}}
    return {"metadata": {"name": name}, "spec": {}, "status": status}


def a_pod(gpus: int = 0, **spec: Any) -> dict[str, Any]:
    requests = {"cpu": "1", **({GPU: str(gpus)} if gpus else {})}
    containers = [{"name": "notebook", "resources": {"requests": requests, "limits": {}}}]
    return {"metadata": {"name": "c"}, "spec": {"containers": containers, **spec}}


def a_state(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    nodes = [a_node("n1", 2), a_node("n2", 0)]
    return {"state": 0, "nodes": nodes, "pods": [], "candidates": list(candidates), **more}


def text_of(*lines: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def run(data: bytes, *arguments: str, file: Path | None = None) -> Result:
    if file is None:
        return CliRunner().invoke(main, ["verdict", "--recorded", "-", *arguments], input=data)
    file.write_bytes(data)
    return CliRunner().invoke(main, ["verdict", "--recorded", str(file), *arguments])


def lines_of(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_candidate_gets_its_line_in_order() -> None:
    states = [
        a_state({"pod": a_pod(1)}, {"pod": a_pod(3)}),
        {**a_state({"pod": a_pod()}), "state": 7},
    ]
    assert lines_of(run(text_of(HEADER, *states))) == [
        {
            "state": 0,
            "candidate": 0,
            "fits": True,
            "nodes": 1,
            "slots": 2,
            "reasons": {},
            "unchecked": [],
        },
        {
            "state": 0,
            "candidate": 1,
            "fits": False,
            "nodes": 0,
            "slots": 0,
            "reasons": {f"Insufficient {GPU}": 2},
            "unchecked": [],
        },
        {
            "state": 7,
            "candidate": 0,
            "fits": True,
            "nodes": 2,
            "slots": 16,
            "reasons": {},
            "unchecked": [],
        },
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_file_is_read_compressed_or_not(suffix: str, tmp_path: Path) -> None:
    data = text_of(HEADER, a_state({"pod": a_pod(1)}))
    packed = gzip.compress(data) if suffix.endswith("gz") else data
    assert len(lines_of(run(packed, file=tmp_path / f"r.{suffix}"))) == 1
    assert lines_of(run(packed)) == lines_of(run(data))


def test_what_was_not_checked_is_unknown_and_named() -> None:
    [line] = lines_of(
        run(text_of(HEADER, a_state({"pod": a_pod(1, volumes=[{"name": "v", "rbd": {}}])})))
    )
    assert (line["fits"], line["slots"], line["unchecked"]) == (None, None, ["rbd"])


def a_quota(used: int) -> dict[str, Any]:
    name = {"name": "hub", "namespace": "default"}
    resource = f"requests.{GPU}"
    hard, held = {resource: "4"}, {resource: str(used)}
    return {
        "kind": "ResourceQuota",
        "metadata": name,
        "spec": {"hard": hard},
        "status": {"hard": hard, "used": held},
    }


@pytest.mark.parametrize(("used", "admission"), [(3, True), (4, False)])
def test_a_family_gets_the_field_it_asks_for(used: int, admission: bool) -> None:
    [line] = lines_of(
        run(text_of(a_state({"pod": a_pod(1)}, objects=[a_quota(used)], family="quota")))
    )
    assert (line["admission"], line["fits"]) == (admission, admission)
    assert ("exceeded quota: hub" in line.get("message", "")) is not admission
    [line] = lines_of(run(text_of(a_state({"pod": a_pod(1)}, family="priority"))))
    assert line["preempts"] is False


def test_a_kind_that_is_not_listed_does_not_exist_and_one_that_is_unknown_is_unknown() -> None:
    pod = a_pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "home"}}])
    [line] = lines_of(run(text_of(a_state({"pod": pod}))))
    assert line["fits"] is False
    assert list(line["reasons"]) == ['persistentvolumeclaim "home" not found']
    [line] = lines_of(run(text_of(a_state({"pod": pod}, unknown=["PersistentVolumeClaim"]))))
    assert line["fits"] is None


def test_objects_of_a_candidate_exist_for_it_alone() -> None:
    states = a_state({"pod": a_pod(1), "objects": [a_quota(4)]}, {"pod": a_pod(1)}, family="quota")
    lines = lines_of(run(text_of(states)))
    assert [line["admission"] for line in lines] == [False, True]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "no pod waits in it", id="nothing"),
        pytest.param(text_of(HEADER), "no pod waits in it", id="a header alone"),
        pytest.param(b"PK\x03\x04", "line 1: not a state", id="another kind of file"),
        pytest.param(
            text_of(HEADER, a_state({"pod": a_pod()})) + b'{"nodes": [',
            "line 3: not a state",
            id="a line that is cut off",
        ),
        pytest.param(text_of(HEADER, HEADER), "line 2: a state without nodes", id="no nodes"),
        pytest.param(
            text_of(a_state({"fits": True})), "line 1: candidate 0 has no pod", id="no pod"
        ),
        pytest.param(
            text_of({**a_state({"pod": a_pod()}), "nodes": [{"metadata": {}}]}),
            "line 1: a node without metadata.name",
            id="a node without a name",
        ),
        pytest.param(
            text_of(a_state({"pod": {"spec": {"containers": 3}}})),
            "line 1: not a PodToJudge",
            id="a pod that is none",
        ),
        pytest.param(
            gzip.compress(text_of(a_state({"pod": a_pod()})))[:-20],
            "the gzip data break off",
            id="compressed data that break off",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(data: bytes, words: str) -> None:
    result = run(data)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_what_was_judged_before_the_fault_is_printed() -> None:
    result = run(text_of(HEADER, a_state({"pod": a_pod()}), HEADER))
    assert len(result.stdout.splitlines()) == 1
    assert result.exit_code == 1


def test_the_summary_goes_to_standard_error() -> None:
    result = run(text_of(a_state({"pod": a_pod()}, {"pod": a_pod(9)})), "--summary")
    assert result.stderr == "2 judged: 1 fit, 1 do not, 0 unknown\n"
    assert len(result.stdout.splitlines()) == 2

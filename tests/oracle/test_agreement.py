"""Our verdicts beside those that a real kube-scheduler reached on the same states."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gpuspawner.capacity.index import ClusterIndex
from gpuspawner.capacity.model import read_node, read_pod, read_request
from gpuspawner.fit import Verdict, judge

HERE = Path(__file__).parent
RECORDING_STOPPED_AT = 60


@dataclass
class Agreement:
    """How often we and the scheduler said the same, and the first few times we did not."""

    verdicts: int = 0
    unknown: int = 0
    agreed: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def note(self, what: str, where: str, ours: object, theirs: object) -> None:
        self.asked[what] += 1
        self.agreed[what] += ours == theirs
        if ours != theirs:
            self.differences.append(f"{where}: {what}: ours {ours}, the scheduler's {theirs}")

    def __str__(self) -> str:
        rows = [f"{what} {self.agreed[what]}/{self.asked[what]}" for what in sorted(self.asked)]
        return f"{self.verdicts} verdicts, {self.unknown} unknown; agreement: {', '.join(rows)}"


def recorded(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(HERE / f"{name}.jsonl.gz", "rt") as lines:
        next(lines)
        yield from map(json.loads, lines)


def histogram(message: str | None) -> dict[str, int]:
    """The reasons and their counts in the first sentence of the scheduler's message."""
    if message is None:
        return {}
    sentence = message.split(". ", 1)[0].removesuffix(".")
    counts = sentence.split(": ", 1)[1].split(", ")
    return {words: int(count) for count, words in (part.split(" ", 1) for part in counts)}


def compare(agreement: Agreement, where: str, candidate: dict[str, Any], verdict: Verdict) -> None:
    agreement.verdicts += 1
    if verdict.fits is None:
        agreement.unknown += 1
        return
    agreement.note("fits", where, verdict.fits, candidate["fits"])
    if not candidate["fits"]:
        agreement.note("reasons", where, verdict.reasons, histogram(candidate["message"]))
    if candidate.get("slots") is not None and verdict.slots is not None:
        ours = min(verdict.slots, RECORDING_STOPPED_AT)
        agreement.note("slots", where, ours, candidate["slots"])


def replay(name: str) -> Agreement:
    agreement = Agreement()
    for state in recorded(name):
        index = ClusterIndex()
        index.replace_nodes(map(read_node, state["nodes"]))
        index.replace_pods(map(read_pod, state["pods"]))
        snapshot = index.snapshot()
        for number, candidate in enumerate(state["candidates"]):
            verdict = judge(read_request(candidate["pod"]), snapshot)
            compare(agreement, f"state {state['state']}, candidate {number}", candidate, verdict)
    return agreement


def test_the_core_corpus_agrees_in_every_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    agreement = replay("core")
    with capsys.disabled():
        print(f"\ncore corpus: {agreement}")  # noqa: T201 - the report is the point
    assert agreement.verdicts == 3000
    assert agreement.differences == []


def test_the_extended_corpus_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    agreement = replay("extended")
    with capsys.disabled():
        print(f"extended corpus, not finished: {agreement}")  # noqa: T201
    assert agreement.verdicts == 1000

"""Our verdicts beside those that a real kube-scheduler reached on the same states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gpuspawner.fit import Verdict, judge
from gpuspawner.recording import Candidate, candidates, opened, verdict_line

HERE = Path(__file__).parent
RECORDING_STOPPED_AT = 60


@dataclass
class Agreement:
    """How often we and the scheduler said the same, and where we did not."""

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


def histogram(message: str) -> dict[str, int] | str:
    """The reasons and their counts in the first sentence; a refusal of the whole pod as it is."""
    sentence = message.split(". ", 1)[0].removesuffix(".").split(": ", 1)[1]
    parts = [part.split(" ", 1) for part in sentence.split(", ")]
    if not all(part[0].isdigit() for part in parts):
        return sentence
    return {words: int(count) for count, words in parts}


def compare(agreement: Agreement, candidate: Candidate) -> None:
    theirs, where = candidate.recorded, f"state {candidate.state}, candidate {candidate.number}"
    ours = verdict_line(candidate)
    verdict = judge(candidate.request, candidate.snapshot)
    agreement.verdicts += 1
    if "admission" in theirs:
        agreement.note("admission", where, ours["admission"], theirs["admission"])
        if not theirs["admission"]:
            words = theirs["message"].split("is forbidden: ", 1)[-1]
            agreement.note("the quota's words", where, verdict.refusal, words)
    elif verdict.fits is None:
        agreement.unknown += 1
    else:
        agreement.note("fits", where, verdict.fits, theirs["fits"])
        if theirs["fits"]:
            agreement.note("node", where, theirs["node"] in verdict.nodes, True)
        elif theirs["message"] is not None:
            compare_reasons(agreement, where, verdict, theirs["message"])
    compare_figures(agreement, where, verdict, theirs)


def compare_reasons(agreement: Agreement, where: str, verdict: Verdict, message: str) -> None:
    expected = histogram(message)
    if isinstance(expected, str):
        agreement.note("refusals as a whole", where, list(verdict.reasons), [expected])
    else:
        agreement.note("reasons", where, verdict.reasons, expected)


def compare_figures(
    agreement: Agreement, where: str, verdict: Verdict, theirs: Mapping[str, Any]
) -> None:
    if theirs.get("slots") is not None:
        ours = None if verdict.slots is None else min(verdict.slots, RECORDING_STOPPED_AT)
        agreement.note("slots", where, ours, theirs["slots"])
    if "preempts" in theirs:
        agreement.note("preempts", where, bool(verdict.evicts), theirs["preempts"])
    if "victims" in theirs:
        agreement.note("victims", where, verdict.evicts, len(theirs["victims"]))


def replay(name: str) -> dict[str, Agreement]:
    """Agreements by family."""
    found: dict[str, Agreement] = {}
    with (HERE / f"{name}.jsonl.gz").open("rb") as stream:
        for candidate in candidates(opened(stream)):
            compare(found.setdefault(candidate.family, Agreement()), candidate)
    return found


CORE, EXTENDED = {"": Counter(fits=3000, slots=293)}, {"": Counter(fits=1000, slots=90)}
ADVANCED = {
    "dra": Counter(fits=250),
    "priority": Counter(fits=250, preempts=111, victims=21),
    "quota": Counter(admission=250, **{"the quota's words": 118}),
    "volumes": Counter(fits=250),
}


@pytest.mark.parametrize(
    ("corpus", "least"),
    [
        pytest.param("core", CORE, id="core"),
        pytest.param("extended", EXTENDED, id="extended"),
        pytest.param("advanced", ADVANCED, id="advanced"),
    ],
)
def test_every_recorded_verdict_is_reached(
    corpus: str, least: dict[str, Counter[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fits, every reason with its count, the node taken, how many in a row, victims and quotas."""
    found = replay(corpus)
    with capsys.disabled():
        for family, agreement in found.items():
            print(f"\n{corpus} {family}: {agreement}", end="")  # noqa: T201 - the report is the point
    assert found.keys() == least.keys()
    for family, agreement in found.items():
        assert agreement.differences == []
        assert agreement.unknown == 0
        assert least[family] <= agreement.asked

"""Our verdict on random pods in random clusters, beside what kube-scheduler then does.

The pods are the same each time. GPUSPAWNER_TESTS_EXPLORE=1 seeks others, GPUSPAWNER_FUZZ_SEED
repeats what it found, and GPUSPAWNER_FUZZ_CANDIDATES sets how many are judged.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest
from kubernetes_asyncio.client import Configuration
from tests.controlplane.generating import Generator
from tests.controlplane.judging import MOST_SLOTS, Bench, Ruling, rest
from tests.controlplane.kube import Api, Object

from gpuspawner.capacity.index import Snapshot
from gpuspawner.capacity.model import read_request
from gpuspawner.capacity.shared import SharedCluster
from gpuspawner.fit import Verdict, judge

CANDIDATES_OF_A_STATE = 15
COUNTED = 0.15
"""The share of the pods that fit for which it is counted how many more do."""


@dataclass
class Report:
    """How often we and the scheduler said the same, and everything about when we did not."""

    tally: Counter[str] = field(default_factory=Counter)
    differences: list[Object] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(self.tally.items()))


def differs(verdict: Verdict, ruling: Ruling) -> bool:
    if verdict.fits is None:
        return False
    if verdict.fits != ruling.fits:
        return True
    if 0 in ruling.reasons.values():
        return set(verdict.reasons) != set(ruling.reasons)
    return not ruling.fits and dict(verdict.reasons) != ruling.reasons


class Comparison:
    """One state being judged, and what the hub sees of it.

    To be looked at before anything is judged.
    """

    def __init__(
        self, bench: Bench, configuration: Configuration, report: Report, random: Random
    ) -> None:
        self._bench = bench
        self._configuration = configuration
        self._report = report
        self._random = random

    async def look(self) -> None:
        """See the cluster as it is now, in ours and in the format of recorded verdicts."""
        self.recorded = await self._bench.recorded()
        self._terminating = await self._bench.terminating()
        self._snapshot = await seen_by_the_hub(self._configuration, self._bench.namespace)

    async def judged(self, candidate: Object) -> Object | None:
        """Judge a pod by both, and look again if it evicted others; what there is to tell."""
        told = await self.compare(candidate)
        if await self._bench.terminating() != self._terminating:
            self._report.tally["evicted others"] += 1
            await rest()
            await self.look()
        return told

    async def compare(self, candidate: Object) -> Object | None:
        """Judge a pod by both; what there is to tell if they differ."""
        admitted = await self._bench.api.create(self._bench.pods, candidate, dryRun="All")
        verdict = judge(read_request(admitted), self._snapshot)
        ruling = await self._rule(candidate)
        if differs(verdict, ruling):
            # The scheduler hears of nodes and pods by ways of their own, a moment later.
            await rest()
            ruling = await self._rule(candidate)
            self._report.tally["asked twice"] += 1
        self._report.tally["verdicts"] += 1
        self._report.tally["fits" if ruling.fits else "does not fit"] += 1
        if verdict.fits is None:
            self._report.tally["unknown: " + " ".join(verdict.unchecked)] += 1
        if differs(verdict, ruling):
            return _difference(admitted, verdict, ruling)
        return await self._compare_slots(candidate, admitted, verdict)

    async def _rule(self, candidate: Object) -> Ruling:
        ruling = await self._bench.rule(candidate)
        await self._bench.remove(candidate["metadata"]["name"])
        return ruling

    async def _compare_slots(
        self, candidate: Object, admitted: Object, verdict: Verdict
    ) -> Object | None:
        # Drawn always, so that a seed says the same whatever the verdicts are.
        chosen = self._random.random() < COUNTED
        # One that evicts changes the state; and copies of one that mounts a claim share it.
        is_plain = not candidate["spec"].keys() & {"priorityClassName", "volumes"}
        if verdict.slots is None or not verdict.fits or not chosen or not is_plain:
            return None
        slots = await self._bench.slots(candidate)
        self._report.tally["slots counted"] += 1
        if slots == min(verdict.slots, MOST_SLOTS):
            return None
        return _difference(admitted, verdict, Ruling(fits=True, reasons={})) | {"slots": slots}


def _difference(admitted: Object, verdict: Verdict, ruling: Ruling) -> Object:
    return {
        "pod": admitted,
        "fits": ruling.fits,
        "message": ruling.message or None,
        "ours": {
            "fits": verdict.fits,
            "reasons": dict(verdict.reasons),
            "slots": verdict.slots,
            "unchecked": verdict.unchecked,
        },
    }


async def seen_by_the_hub(configuration: Configuration, namespace: str) -> Snapshot:
    """The cluster as the hub would have it now."""
    cluster = SharedCluster(configuration, namespace)
    try:
        assert await cluster.wait_synced(30)
        return cluster.snapshot()
    finally:
        await cluster.stop()


@pytest.fixture
async def priority_classes(api: Api) -> tuple[str, str]:
    names = []
    for value in (-10, 100):
        metadata = {"generateName": "gpuspawner-test-"}
        made = await api.create_for_now(
            "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": metadata, "value": value}
        )
        names.append(made["metadata"]["name"])
    return names[0], names[1]


async def test_the_scheduler_does_what_we_said(
    api: Api,
    namespace: str,
    configuration: Configuration,
    *,
    priority_classes: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    explores = os.environ.get("GPUSPAWNER_TESTS_EXPLORE")
    drawn = SystemRandom().randrange(10**6) if explores else 302059
    seed = int(os.environ.get("GPUSPAWNER_FUZZ_SEED") or drawn)
    wanted = int(os.environ.get("GPUSPAWNER_FUZZ_CANDIDATES") or 150)
    random = Random(seed)
    bench = Bench(api, namespace, f"s{seed}")
    generator = Generator(random, f"s{seed}", namespace, priority_classes)
    report = Report()
    recording = tmp_path / "differences.jsonl"
    recording.write_text(json.dumps({"seed": seed}) + "\n")
    for number in range(-(-wanted // CANDIDATES_OF_A_STATE)):
        state = generator.state(number, CANDIDATES_OF_A_STATE)
        await bench.lay(state)
        comparison = Comparison(bench, configuration, report, random)
        await comparison.look()
        for candidate in state.candidates:
            before = comparison.recorded
            if told := await comparison.judged(candidate):
                line = {"state": number, **before, "candidates": [told]}
                recording.write_text(recording.read_text() + json.dumps(line) + "\n")
                report.differences.append(told)
        await bench.clear()
    with capsys.disabled():
        print(f"\nGPUSPAWNER_FUZZ_SEED={seed}: {report}")  # noqa: T201 - what repeats it
    assert not report.differences, (
        f"seed {seed}: {len(report.differences)} differ, in full in {recording}: "
        f"{json.dumps([told['ours'] | {'theirs': told['message']} for told in report.differences])}"
    )

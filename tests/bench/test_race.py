"""The race gives every figure, and what may never happen does not; who is faster is shown only."""

from __future__ import annotations

from .claiming import ON_THEIR_WAY, ROOM, SIZES, claiming
from .race import Contest, race, report
from .report import Figures

PATIENT = 30
"""Seconds of a `start_timeout` that nothing here waits for."""


def a_race(contest: Contest, **hubs: Figures) -> Figures:
    return {
        "title": contest.title,
        "people": len(contest.profiles),
        "gpus": contest.nodes * contest.gpus,
        "start_timeout": contest.start_timeout,
        "hubs": hubs,
    }


async def test_of_those_who_ask_at_once_as_many_are_admitted_as_there_are_gpus() -> None:
    people = ("one-a100",) * 5
    ours = await race("gpuspawner", Contest("", people, nodes=1, gpus=1, start_timeout=PATIENT))
    assert (ours["admitted"], ours["gpus_in_use"], ours["answered"]) == (1, 1, 4)
    assert (ours["pods"], ours["pending"], ours["undecided"], ours["unanswered"]) == (1, 0, 0, [])
    assert (ours["failures_in_a_row"], ours["hub_ended"]) == (0, False)
    [words] = ours["words"]
    assert "One A100 cannot be started now. Busy: none of 1 free." in words

    contest = Contest("Five for one", people, nodes=1, gpus=1, start_timeout=5)
    theirs = await race("kubespawner", contest)
    assert set(theirs) == set(ours)
    assert theirs["admitted"] + theirs["answered"] + len(theirs["unanswered"]) == len(people)
    claims = await claiming(repeats=2)
    text = report(
        {"races": [a_race(contest, gpuspawner=ours, kubespawner=theirs)], "claims": claims}
    )
    assert text.startswith("Five for one; start_timeout 5 s\n")
    assert f'gpuspawner, 4 times: "{words}"' in text
    assert len(claims) == len(SIZES) * len(ON_THEIR_WAY) * len(ROOM)
    assert all(len(claim["cpu"]) == 2 for claim in claims)


async def test_of_singles_and_duals_mixed_nobody_has_a_pod_without_its_gpus() -> None:
    people = ("two-a100", "one-a100", "one-a100") * 4
    contest = Contest("", people, nodes=3, gpus=2, start_timeout=PATIENT)
    ours = await race("gpuspawner", contest)
    assert ours["admitted"] == ours["pods"] >= 3
    assert ours["gpus_in_use"] <= 6
    assert (ours["pending"], ours["undecided"], ours["unanswered"]) == (0, 0, [])
    assert ours["answered"] == len(people) - ours["admitted"]
    assert (ours["failures_in_a_row"], ours["hub_ended"]) == (0, False)

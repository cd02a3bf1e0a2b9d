"""KubeSpawner's ``profile_list`` on spawners, without a hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner import profile_list
from gpuspawner.catalog import Stocked, with_profile_list
from gpuspawner.metrics.counting import ProfileLabels
from gpuspawner.metrics.families import OTHER
from gpuspawner.policy import Person
from gpuspawner.profile_list import ProfileList

from .builders import a_catalog, a_profile

ADA = Person("ada", frozenset())


def an_entry(name: str = "One") -> dict[str, Any]:
    return {"display_name": name, "kubespawner_override": {"environment": {"A": "1"}}}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The lists that were read."""
    found: list[object] = []

    def noted(given: object, *args: Any) -> Stocked:
        found.append(given)
        return with_profile_list(given, *args)

    monkeypatch.setattr(profile_list, "with_profile_list", noted)
    profile_list._reads.clear()
    yield found
    profile_list._reads.clear()


async def a_list(given: object) -> ProfileList:
    spawner = KubeSpawner(_mock=True, profile_list=given)
    # KubeSpawner's client is closed by a task, which has to have begun for that.
    await asyncio.sleep(0)
    return ProfileList(spawner)


async def test_a_list_is_read_once_for_all_spawners_that_have_it(reads: list[object]) -> None:
    catalog = a_catalog(a_profile("gpu"))
    one, other = await a_list([an_entry()]), await a_list([an_entry()])
    assert one.beside(catalog, ADA) == other.beside(catalog, ADA)
    assert len(reads) == 1


async def test_another_list_or_catalog_is_read_for_itself(reads: list[object]) -> None:
    catalog = a_catalog(a_profile("gpu"))
    for given, beside in (("One", catalog), ("Two", catalog), ("One", a_catalog(a_profile("b")))):
        found = (await a_list([an_entry(given)])).beside(beside, ADA)
        assert found.profiles[-1].title == given
        assert found.profiles[0] is beside.profiles[0]
    assert len(reads) == 3


async def test_what_a_hook_writes_into_one_spawner_s_list_is_its_own(reads: list[object]) -> None:
    given = [an_entry()]
    one = await a_list(given)
    await one.ask()
    one.beside(None, ADA)
    one._spawner.profile_list[0]["display_name"] = "Hers"
    await one.ask()
    other = await a_list([an_entry()])
    assert [each.title for each in one.beside(None, ADA).profiles] == ["Hers"]
    assert [each.title for each in other.beside(None, ADA).profiles] == ["One"]
    assert len(reads) == 2


async def test_what_a_function_gives_is_read_for_each(reads: list[object]) -> None:
    for _ in range(2):
        listed = await a_list(lambda _spawner: [an_entry()])
        await listed.ask()
        listed.beside(None, ADA)
    assert len(reads) == 2


async def test_a_metric_does_not_name_what_a_function_made_for_a_person() -> None:
    labels = ProfileLabels()
    for given in ([an_entry("Everybody's")], lambda _spawner: [an_entry("Ada's")]):
        listed = await a_list(given)
        await listed.ask()
        [profile] = listed.beside(None, ADA).profiles
        labels.of(profile)
        assert (labels.of(profile) == OTHER) is listed.is_function
    assert not any("ada" in label for label in labels._listed)


async def test_what_cannot_be_compared_is_read_each_time(reads: list[object]) -> None:
    class Odd:
        def __eq__(self, _other: object) -> bool:
            raise RuntimeError("not comparable")

        def __hash__(self) -> int:
            return 1

    for _ in range(2):
        listed = await a_list([an_entry(), {**an_entry("Other"), "mem_limit": Odd()}])
        await listed.ask()
        listed.beside(None, ADA)
    assert len(reads) == 2

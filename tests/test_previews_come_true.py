"""Through file, database and reload: who is said to gain and to lose is who does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.access.strategies import PEOPLE, RULES, SLUGS

from gpuspawner.access import PAGE, Draft, Effective, as_written
from gpuspawner.admin import checked, present_preview
from gpuspawner.catalog import AccessRule, Catalog, CatalogError, read_catalog
from gpuspawner.catalog_file import CatalogFile
from gpuspawner.database import AccessStore, UnchangedError, engine_for
from gpuspawner.in_force import InForce
from gpuspawner.policy import Person, decide

LOG = logging.getLogger("tests.previews")
LIKELY = (Person("a"), Person("b", frozenset({"a"})), Person("ab", frozenset({"b", "aa"})))
Rights = set[tuple[str, str]]


@dataclass
class Hub:
    """A file and a database, and processes that have just begun."""

    path: Path
    here: AccessStore
    elsewhere: AccessStore

    def write(self, rules: list[AccessRule]) -> None:
        profiles = [{"slug": s, "title": s, "cpu": 1, "default": s == "cpu"} for s in SLUGS]
        text = {"profiles": profiles, "access": as_written(rules)}
        self.path.write_text(json.dumps(text, default=list))

    async def process(self, store: AccessStore) -> tuple[InForce, Effective]:
        found = InForce(CatalogFile(self.path, read_catalog, LOG), PAGE, store, LOG)
        effective = (await found.fresh()).effective
        assert effective is not None
        return found, effective


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("hub")
    url = f"sqlite:///{directory}/hub.sqlite"
    stores = [AccessStore(lambda: engine_for(url)) for _ in range(2)]
    yield Hub(directory / "catalog.yaml", *stores)
    for store in stores:
        store.close()


def rights(catalog: Catalog, people: list[Person]) -> Rights:
    return {
        (person.name, slug)
        for person in people
        for slug in SLUGS
        if decide(catalog.access, person, slug).allowed
    }


def foretold(before: Effective, after: Catalog, people: list[Person]) -> tuple[Rights, Rights]:
    """Who is said to gain and to lose what, as the page says it."""
    shown = present_preview(before.catalog, after, people)
    gains, losses = (
        {(effect.person, slug) for effect in effects for slug in effect.profiles}
        for effects in (shown.gains, shown.losses)
    )
    assert (len(gains), len(losses)) == (shown.gained, shown.lost)
    return gains, losses


def number_of(effective: Effective) -> int:
    return effective.revision.number if effective.revision is not None else 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=RULES, edits=st.lists(RULES, min_size=1, max_size=3), some=PEOPLE, data=st.data())
async def test_what_is_said_before_saving_is_what_is_after_a_restart(
    hub: Hub,
    file: list[AccessRule],
    edits: list[list[AccessRule]],
    some: list[Person],
    data: st.DataObject,
) -> None:
    # Those whom the most rules are about, and whoever else.
    people = list({person.name: person for person in [*LIKELY, *some]}.values())
    hub.write([])
    hub.write(file if not _problems(hub, file) else [])
    for edit in edits:
        process, before = await hub.process(hub.here)
        after, problems = checked(as_written(edit), before.catalog.access, SLUGS)
        draft = Draft(as_written(edit), number_of(before), "root")
        had = rights(before.catalog, people)
        try:
            await process.save(draft)
        except CatalogError:
            assert problems, "what cannot be saved has no preview"
        except UnchangedError:
            assert as_written(edit) == as_written(before.catalog.access)
        else:
            assert not problems
            file_now = before.file.model_copy(update={"access": after})
            gains, losses = foretold(before, file_now, people)
            _, later = await hub.process(hub.elsewhere)
            has = rights(later.catalog, people)
            assert (gains, losses) == (has - had, had - has)
            assert number_of(later) == number_of(before) + 1
    await _undone(hub, people, data)


def _problems(hub: Hub, rules: list[AccessRule]) -> bool:
    text = json.loads(hub.path.read_text())
    text["access"] = as_written(rules)
    try:
        read_catalog(json.dumps(text, default=list), "catalog.yaml")
    except CatalogError:
        return True
    return False


async def _undone(hub: Hub, people: list[Person], data: st.DataObject) -> None:
    """Save an earlier revision once more: it says, and gives, exactly what it did."""
    history = hub.here.history(4)
    if not history:
        return
    earlier = data.draw(st.sampled_from(history))
    process, before = await hub.process(hub.here)
    draft = Draft(earlier.access, number_of(before), "root", restores=earlier.number)
    try:
        saved = await process.save(draft)
    except UnchangedError:
        assert earlier.access == as_written(before.catalog.access)
        return
    _, later = await hub.process(hub.elsewhere)
    assert later.revision == saved
    assert later.problems == ()
    assert (saved.access, saved.restores) == (earlier.access, earlier.number)
    assert as_written(later.catalog.access) == earlier.access
    rules = [AccessRule.model_validate(rule) for rule in earlier.access]
    wanted = before.file.model_copy(update={"access": tuple(rules)})
    assert rights(later.catalog, people) == rights(wanted, people)

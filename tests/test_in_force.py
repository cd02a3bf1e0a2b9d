"""What is in force, of a file and a database, in two processes of a hub."""

from __future__ import annotations

# ruff: noqa: ASYNC240 - the files are a test's own
import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpuspawner.access import GIT, PAGE, Draft, Effective, Mode, as_written, effective
from gpuspawner.catalog import Catalog, CatalogError, read_catalog
from gpuspawner.catalog_file import CatalogFile
from gpuspawner.database import AccessStore, ConflictError, engine_for
from gpuspawner.in_force import InForce, ReadOnlyError
from gpuspawner.policy import Person, decide

LOG = logging.getLogger("tests.in_force")
TEXT = """
profiles:
  - {slug: cpu, title: CPU, default: true}
  - {slug: big, title: Big, cpu: 8}
access:
  - {users: ["*"], profiles: [cpu]}
"""
BIG = {"groups": ["hpc"], "profiles": ["big"]}
ADA = Person("ada", frozenset({"hpc"}))


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def process(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., InForce]]:
    """A process of the hub; everybody who asks there asks anew."""
    stores: list[AccessStore] = []

    def new(mode: Mode = PAGE, database: Path = tmp_path / "hub.sqlite") -> InForce:
        stores.append(AccessStore(lambda: engine_for(f"sqlite:///{database}")))
        file = CatalogFile(path, read_catalog, LOG, clock=Clock(), pause=lambda _: None)
        made = InForce(file, mode, stores[-1], LOG)
        monkeypatch.setattr(made._latest._polled, "_clock", Clock())
        return made

    yield new
    for store in stores:
        store.close()


def may(catalog: Catalog, person: Person = ADA) -> list[str]:
    slugs = [profile.slug for profile in catalog.profiles]
    return [slug for slug in slugs if decide(catalog.access, person, slug).allowed]


async def in_force(process: InForce) -> Catalog:
    await process.fresh()
    return process.load()


def draft(*access: Any, parent: int = 0) -> Draft:
    return Draft(tuple(access), parent, "root")


async def test_until_something_is_saved_the_file_is_in_force(
    process: Callable[..., InForce],
) -> None:
    page, git = process(), process(GIT)
    assert may(await in_force(page)) == may(await in_force(git)) == ["cpu"]
    assert (await page.fresh()).effective is page.status.effective


async def test_an_edit_is_in_force_here_at_once_and_elsewhere_at_the_next_look(
    process: Callable[..., InForce],
) -> None:
    here, elsewhere, git = process(), process(), process(GIT)
    for one in (here, elsewhere, git):
        await one.fresh()
    await here.save(draft(BIG))
    assert may(here.load()) == ["big"]
    assert may(await in_force(elsewhere)) == ["big"]
    assert may(await in_force(git)) == ["cpu"]
    restarted = process()
    assert may(await in_force(restarted)) == ["big"]
    catalog = await in_force(restarted)
    assert await in_force(restarted) is catalog, "the same as long as nothing changes"


async def test_what_follows_of_an_edit_is_not_worked_out_on_the_event_loop(
    process: Callable[..., InForce], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = process()
    before = (await here.fresh()).effective
    started, go_on = threading.Event(), threading.Event()

    def worked_out(*given: Any) -> Effective:
        assert asyncio._get_running_loop() is None
        started.set()
        assert go_on.wait(30)
        return effective(*given)

    monkeypatch.setattr("gpuspawner.in_force.effective", worked_out)
    saved = asyncio.create_task(here.save(draft(BIG)))
    await asyncio.to_thread(started.wait, 30)
    # A form and a scrape of /hub/metrics do not wait for it either.
    assert here.status.effective is before
    assert may(here.load()) == ["cpu"]
    go_on.set()
    await saved
    assert may(here.load()) == ["big"]


async def test_who_began_before_an_edit_does_not_take_it_back(
    process: Callable[..., InForce], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = process()
    file = (await here.fresh()).file.catalog
    assert file is not None
    saved, lock = here.store.save(draft(BIG), file), here._combining

    class Late:
        """Another thread saves and is done before this one has its turn."""

        def __enter__(self) -> None:
            monkeypatch.setattr(here, "_combining", lock)
            here._latest.saved(saved)
            here._combined()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    monkeypatch.setattr(here, "_combining", Late())
    here._combined()
    assert may(here.load()) == ["big"]


async def test_the_second_of_two_admins_is_told(process: Callable[..., InForce]) -> None:
    first, second = process(), process()
    await second.fresh()
    saved = await first.save(draft(BIG))
    with pytest.raises(ConflictError) as raised:
        await second.save(draft())
    assert raised.value.latest == saved
    assert may(await in_force(second)) == ["big"]


async def test_in_the_mode_git_nothing_can_be_saved_and_that_is_noted(
    process: Callable[..., InForce],
) -> None:
    git = process(GIT)
    with pytest.raises(ReadOnlyError, match="access_mode"):
        await git.save(draft(BIG))
    [entry] = git.store.entries()
    assert (entry.who, entry.code) == ("root", "read-only")
    assert git.store.latest() is None


async def test_the_file_s_other_parts_change_under_an_edit(
    process: Callable[..., InForce], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = process()
    await page.fresh()
    await page.save(draft(BIG))
    path.write_text(TEXT.replace("title: Big", "title: Huge"))
    catalog = await in_force(page)
    assert (catalog.profiles[1].title, may(catalog)) == ("Huge", ["big"])
    path.write_text(TEXT.replace("[cpu]", "[cpu, big]"))
    for title in ("Big", "Huge", "Vast"):
        path.write_text(
            TEXT.replace("[cpu]", "[cpu, big]").replace("title: Big", f"title: {title}")
        )
        status = await page.fresh()
    assert status.effective is not None
    assert status.effective.has_drifted
    assert may(page.load()) == ["big"]
    warnings = [r for r in caplog.records if "has changed since access revision 1" in r.message]
    assert len(warnings) == 1
    adopted = await page.save(draft(*as_written(status.effective.file.access), parent=1))
    assert may(page.load()) == ["cpu", "big"]
    assert adopted.number == 2
    assert not (page.status.effective or status.effective).has_drifted


async def test_a_profile_that_an_edit_names_may_go_and_come(
    process: Callable[..., InForce], path: Path
) -> None:
    page = process()
    await page.fresh()
    await page.save(draft(BIG, {"users": ["*"], "profiles": ["cpu"]}))
    path.write_text(TEXT.replace("slug: big", "slug: other"))
    assert may(await in_force(page)) == ["cpu"]
    assert page.status.effective is not None
    assert "names 'big'" in str(page.status.effective.problems[0])
    path.write_text(TEXT)
    assert may(await in_force(page)) == ["cpu", "big"]


async def test_what_is_not_valid_is_not_saved(process: Callable[..., InForce]) -> None:
    page = process()
    with pytest.raises(CatalogError, match=r"access\[0\].profiles\[0\]: .*did you mean 'big'"):
        await page.save(draft({"groups": ["hpc"], "profiles": ["bigg"]}))
    assert may(await in_force(page)) == ["cpu"]


async def test_access_that_was_never_known_is_nobody_s(
    process: Callable[..., InForce], tmp_path: Path
) -> None:
    directory = tmp_path / "later"
    page = process(database=directory / "hub.sqlite")
    await page.fresh()
    with pytest.raises(CatalogError, match="the hub's database: access: cannot be read"):
        page.load()
    assert page.status.effective is None
    assert page.status.access.problem is not None
    directory.mkdir()
    assert may(await in_force(page)) == ["cpu"]


async def test_a_database_that_goes_away_takes_nothing_away(
    process: Callable[..., InForce], tmp_path: Path
) -> None:
    page = process()
    await page.fresh()
    await page.save(draft(BIG))
    database = tmp_path / "hub.sqlite"
    kept = database.read_bytes()
    database.write_bytes(b"not a database, and longer than the header of one" * 100)
    assert may(await in_force(page)) == ["big"]
    assert page.status.access.problem is not None
    database.write_bytes(kept)
    assert may(await in_force(page)) == ["big"]
    assert page.status.access.problem is None

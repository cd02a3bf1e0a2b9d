"""The catalog's file changes while the hub runs."""

# ruff: noqa: ASYNC240 - the files are a test's own

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from gpuspawner.catalog import Catalog, CatalogError, read_catalog
from gpuspawner.catalog_file import CatalogFile

START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = "profiles: [{slug: cpu, title: %s, default: true}]\n"
LOG = logging.getLogger("tests.catalog_file")


class Time:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_pause: list[Callable[[], object]] = []

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        if self.on_pause:
            self.on_pause.pop(0)()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(GOOD % "Plain")
    return path


@pytest.fixture
def file(path: Path, time: Time) -> CatalogFile:
    return a_file(path, time)


def a_file(path: Path, time: Time) -> CatalogFile:
    return CatalogFile(path, read_catalog, LOG, clock=time.clock, now=time.now, pause=time.pause)


def title(catalog: Catalog | None) -> str:
    assert catalog is not None
    return catalog.profiles[0].title


async def looked_at(file: CatalogFile, time: Time, *, after: float = 1.0) -> str:
    time.seconds += after
    return title((await file.fresh()).catalog)


def swapped_link(path: Path, text: str) -> None:
    """What the kubelet does to a ConfigMap's volume."""
    data = path.parent / "..data"
    fresh = path.parent / f"..{text.__hash__()}"
    fresh.mkdir()
    (fresh / path.name).write_text(text)
    link = path.parent / "..data_tmp"
    link.symlink_to(fresh.name)
    link.rename(data)
    if not path.is_symlink():
        path.unlink()
        path.symlink_to(f"..data/{path.name}")


def renamed(path: Path, text: str) -> None:
    other = path.with_suffix(".swp")
    other.write_text(text)
    other.rename(path)


def as_old_and_as_long_as_before(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


WAYS = [
    pytest.param(Path.write_text, id="written in place"),
    pytest.param(renamed, id="renamed over it, as editors do"),
    pytest.param(swapped_link, id="a ConfigMap's link swapped"),
    pytest.param(as_old_and_as_long_as_before, id="with the time and the length of before"),
]


@pytest.mark.parametrize("change", WAYS)
async def test_a_changed_file_is_in_force_at_the_next_look(
    change: Callable[[Path, str], object], file: CatalogFile, path: Path, time: Time
) -> None:
    assert title(file.load()) == "Plain"
    for words in ("Other", "Third"):
        change(path, GOOD % words)
        assert await looked_at(file, time) == words
        assert file.status.since == time.now()
        assert file.status.problem is None


async def test_within_a_second_nobody_looks_again(
    file: CatalogFile, path: Path, time: Time
) -> None:
    assert await looked_at(file, time) == "Plain"
    path.write_text(GOOD % "Other")
    assert await looked_at(file, time, after=0.9) == "Plain"
    assert await looked_at(file, time, after=0.2) == "Other"


BAD = [
    pytest.param("profiles: []\n", "a catalog needs at least one profile", id="no profiles"),
    pytest.param("profiles: [", "this is not YAML", id="no YAML"),
    pytest.param("", "the catalog is empty", id="empty"),
    pytest.param(None, "cannot be read: No such file", id="gone"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
async def test_a_bad_file_takes_nothing_away_and_is_told_of_once(  # noqa: PLR0917
    text: str | None,
    words: str,
    file: CatalogFile,
    path: Path,
    time: Time,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalog = file.load()
    path.unlink() if text is None else path.write_text(text)
    assert await looked_at(file, time) == "Plain"
    found = time.now()
    for _ in range(3):
        assert await looked_at(file, time) == "Plain"
    status = file.status
    assert status.catalog is catalog
    assert status.since == START
    assert words in str(status.problem)
    assert status.problem_since == found
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert words in errors[0]


async def test_a_good_file_after_a_bad_one_ends_the_problem(
    file: CatalogFile, path: Path, time: Time
) -> None:
    file.load()
    path.write_text("profiles: [")
    await looked_at(file, time)
    first = file.status.problem_since
    path.write_text("profiles: []")
    await looked_at(file, time)
    assert "at least one" in str(file.status.problem)
    assert file.status.problem_since == first
    path.write_text(GOOD % "Other")
    assert await looked_at(file, time) == "Other"
    assert (file.status.problem, file.status.problem_since) == (None, None)


async def test_back_to_what_is_in_force_is_no_change(
    file: CatalogFile, path: Path, time: Time
) -> None:
    catalog = file.load()
    path.write_text("profiles: [")
    await looked_at(file, time)
    path.write_text("# A comment.\n" + GOOD % "Plain")
    await looked_at(file, time)
    assert file.status.catalog is catalog
    assert file.status.since == START
    assert file.status.problem is None


async def test_who_writes_slowly_is_waited_for(
    file: CatalogFile, path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of this file is a catalog too, one that allows less."""
    whole = GOOD % "Other" + 'access: [{users: ["*"], profiles: [cpu]}]\n'
    file.load()
    path.write_text(GOOD % "Other")
    time.on_pause = [lambda: path.write_text(whole)]
    assert await looked_at(file, time) == "Other"
    assert len(file.catalog.access) == 1
    assert len([r for r in caplog.records if r.name == LOG.name]) <= 1


async def test_a_file_that_is_gone_for_a_moment_is_no_problem(
    file: CatalogFile, path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    file.load()
    path.unlink()
    time.on_pause = [lambda: path.write_text(GOOD % "Plain")]
    assert await looked_at(file, time) == "Plain"
    assert file.status.problem is None
    assert not caplog.records


async def test_a_file_that_never_stands_still_is_taken_when_it_does(
    file: CatalogFile, path: Path, time: Time
) -> None:
    file.load()
    path.write_text("0")
    time.on_pause = [partial(path.write_text, "#" * n) for n in range(2, 20)]
    assert await looked_at(file, time) == "Plain"
    assert file.status.problem is None
    time.on_pause = []
    path.write_text(GOOD % "Other")
    assert await looked_at(file, time) == "Other"


async def test_without_a_good_one_it_says_why_and_takes_the_first(
    file: CatalogFile, path: Path, time: Time
) -> None:
    path.write_text("profiles: [")
    with pytest.raises(CatalogError, match="not YAML"):
        file.load()
    time.seconds += 1
    await file.fresh()
    with pytest.raises(CatalogError, match="not YAML"):
        _ = file.catalog
    path.write_text(GOOD % "Other")
    assert await looked_at(file, time) == "Other"


async def test_a_file_that_hangs_holds_nobody_up_and_comes_back(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(path, time)
    file.load()
    monkeypatch.setattr(file._polled, "_patience", 0.01)
    hangs, read = threading.Event(), file._content
    count: list[int] = []

    def content() -> str | CatalogError:
        count.append(1)
        hangs.wait(30)
        return read()

    monkeypatch.setattr(file, "_content", content)
    path.write_text(GOOD % "Other")
    for _ in range(3):
        assert await looked_at(file, time) == "Plain"
    assert len(count) == 1
    hangs.set()
    monkeypatch.setattr(file._polled, "_patience", 30)
    assert await looked_at(file, time) == "Other"


async def test_one_that_hangs_from_the_first_does_not_hold_the_event_loop_either(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(path, time)
    monkeypatch.setattr("gpuspawner.catalog_file._FIRST_PATIENCE", 0.01)
    hangs, read = threading.Event(), file._content

    def content() -> str | CatalogError:
        hangs.wait(30)
        return read()

    monkeypatch.setattr(file, "_content", content)
    await file.fresh()
    with pytest.raises(CatalogError, match="could not be read in time"):
        file.load()
    assert not file.is_missing, "that cannot be told"
    assert not hangs.is_set()
    hangs.set()
    monkeypatch.setattr("gpuspawner.catalog_file._FIRST_PATIENCE", 30)
    assert await looked_at(file, time) == "Plain"


async def test_whether_there_is_one_is_told_without_looking(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.unlink()
    file = a_file(path, time)
    assert file.is_missing, "the first to ask looks"
    looks = []
    monkeypatch.setattr(file, "_look", lambda: looks.append(1))
    assert file.is_missing
    assert not looks
    monkeypatch.undo()
    for is_there in (True, False, True):
        path.write_text(GOOD % "Plain") if is_there else path.unlink()
        time.seconds += 1
        await file.fresh()
        assert file.is_missing is not is_there
        assert file.status.catalog is not None, "one that goes takes nothing away"


async def test_one_that_is_there_and_cannot_be_read_is_not_missing(path: Path, time: Time) -> None:
    path.unlink()
    path.mkdir()
    file = a_file(path, time)
    assert not file.is_missing
    assert "cannot be read: Is a directory" in str(file.status.problem)


async def test_all_who_ask_at_once_share_one_look(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(path, time)
    file.load()
    path.write_text(GOOD % "Other")
    time.seconds += 1
    read = file._content
    count: list[int] = []

    def content() -> str | CatalogError:
        count.append(1)
        return read()

    monkeypatch.setattr(file, "_content", content)
    seen = await asyncio.gather(*(file.fresh() for _ in range(50)))
    assert {title(status.catalog) for status in seen} == {"Other"}
    assert len(count) == 2, "once, and once more to see that it stays"


async def test_a_fault_of_ours_takes_nothing_away(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(path, time)
    file.load()
    monkeypatch.setattr(file, "_read", lambda *_: 1 / 0)
    path.write_text(GOOD % "Other")
    assert await looked_at(file, time) == "Plain"
    assert "ZeroDivisionError" in str(file.status.problem)

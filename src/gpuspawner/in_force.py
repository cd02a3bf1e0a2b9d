"""The catalog and the access that are in force in this process of the hub."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyterhub.app import JupyterHub
from sqlalchemy import Engine
from tornado.log import app_log

from gpuspawner.access import GIT, PAGE, Draft, Effective, Mode, Revision, effective
from gpuspawner.catalog import Catalog, CatalogError, Problem
from gpuspawner.catalog_file import CatalogFile, CatalogStatus
from gpuspawner.database import (
    AUDIT_LOG,
    AccessStore,
    DatabaseAwayError,
    LatestRevision,
    RevisionStatus,
    engine_for,
    is_in_memory,
)
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.kubespawner_config import read_catalog_for_kubespawner

_DATABASE: Final = "the hub's database"


class ReadOnlyError(GPUSpawnerError):
    """The access is kept in the file, and cannot be saved here."""

    def __init__(self) -> None:
        super().__init__(
            "the access is kept in the catalog's file, which is to be changed instead; with "
            'c.GPUSpawner.access_mode = "page" it can be changed here'
        )


@dataclass(frozen=True, slots=True)
class InForceStatus:
    """What is in force, and what stands in the way of something newer.

    Attributes:
        mode: where the access is kept.
        file: since when the file's catalog is in force, and what is wrong with the file now.
        access: which revision is known, and why not a later one; nothing in the mode "git".
        effective: what follows from both; None as long as one of them was never known.
    """

    mode: Mode
    file: CatalogStatus
    access: RevisionStatus
    effective: Effective | None


class InForce:
    """What is in force, as all spawners and pages of this process see it.

    Args:
        file: the catalog's.
        mode: "git" or "page".
        store: the revisions and the audit.
        log: is told of what comes into force.
    """

    def __init__(
        self, file: CatalogFile, mode: Mode, store: AccessStore, log: logging.Logger
    ) -> None:
        self.mode = mode
        self.store = store
        self._file = file
        self._latest = LatestRevision(store, log)
        self._log = log
        self._combining = threading.Lock()
        self._effective: Effective | None = None

    @property
    def status(self) -> InForceStatus:
        """As of the last time that anybody needed it; nothing is read, and nothing waited for."""
        return InForceStatus(self.mode, self._file.status, self._latest.status, self._at_hand())

    @property
    def is_file_missing(self) -> bool:
        """Whether there is no catalog file, as of the last look; if there was none, one is had."""
        return self._file.is_missing

    async def fresh(self) -> InForceStatus:
        """What is in force now: no older than a second, if file and database answer in two."""
        if self.mode == PAGE:
            await asyncio.gather(self._file.fresh(), self._latest.fresh())
            if self._is_outdated():
                await asyncio.to_thread(self._combined)
        else:
            await self._file.fresh()
        return self.status

    def load(self) -> Catalog:
        """The catalog with the access in force; a file that was never read is read.

        Raises:
            CatalogError: there never was a good catalog, or the access was never known.
        """
        self._file.load()
        found = self._at_hand() or self._combined()
        if found is None:
            status = self._latest.status
            words = f"cannot be read: {status.problem or 'it has not answered yet'}"
            raise CatalogError([Problem(_DATABASE, None, "access", words)])
        return found.catalog

    async def save(self, draft: Draft) -> Revision:
        """Save an edit, which is then in force here at once, and within seconds elsewhere.

        Raises:
            ReadOnlyError: the mode is "git".
            CatalogError: the rules are not valid, each problem with its place; or there is no file.
            ConflictError: somebody else has saved since.
            UnchangedError: it is what is in force already.
            DatabaseAwayError: it cannot be saved now.
        """
        if self.mode != PAGE:
            error = ReadOnlyError()
            await self.refused(draft.who, "save", "read-only", str(error), draft.parent)
            raise error
        await self._file.fresh()
        revision = await asyncio.to_thread(self.store.save, draft, self._file.catalog)
        self._latest.saved(revision)
        await asyncio.to_thread(self._combined)
        return revision

    async def refused(
        self, who: str, action: str, code: str, reason: str, parent: int | None = None
    ) -> None:
        """Note that somebody was refused a change, by a page for example."""
        await asyncio.to_thread(self.store.refused, who, action, code, reason, parent)

    def _is_outdated(self) -> bool:
        found, revision = self._effective, self._latest.status.revision
        return (
            found is None
            or found.file is not self._file.status.catalog
            or found.revision is not revision
        )

    def _at_hand(self) -> Effective | None:
        """As `fresh` has combined it: of a thousand rules that takes too long for an event loop."""
        return self._effective if self.mode == PAGE else self._combined()

    def _combined(self) -> Effective | None:
        with self._combining:
            catalog, access = self._file.status.catalog, self._latest.status
            if catalog is None or (self.mode == PAGE and not access.is_known):
                return None
            revision = access.revision if self.mode == PAGE else None
            found = self._effective
            if found is None or found.file is not catalog or found.revision is not revision:
                before, found = found, effective(catalog, revision)
                self._effective = found
                self._tell(found, before)
            return found

    def _tell(self, found: Effective, before: Effective | None) -> None:
        revision = found.revision
        if revision is None:
            return
        if before is None or before.revision != revision:
            self._log.info("Access revision %d is in force", revision.number)
        if found.problems and (before is None or before.problems != found.problems):
            problems = "\n".join(map(str, found.problems))
            self._log.warning("Access revision %d, over this file:\n%s", revision.number, problems)
        if found.has_drifted and not (before is not None and before.has_drifted):
            self._log.warning(
                "The catalog file's access has changed since access revision %d was saved, which "
                "stays in force",
                revision.number,
            )


class _OfHub:
    """What a hub of this process has one of each of."""

    def __init__(self, hub: JupyterHub | None) -> None:
        reference = weakref.ref(hub) if hub is not None else None
        self.store = AccessStore(lambda: _engine_of(reference() if reference else None))
        self.in_force: dict[tuple[Path, Mode], InForce] = {}
        if hub is not None:
            weakref.finalize(hub, self.store.close)


_files: dict[Path, CatalogFile] = {}
_hubs: weakref.WeakKeyDictionary[JupyterHub, _OfHub] = weakref.WeakKeyDictionary()
_without_hub = _OfHub(None)


def in_force(path: Path, mode: Mode = GIT) -> InForce:
    """What is in force of the file at a path, in the hub of this process."""
    of_hub = _of_hub()
    found = of_hub.in_force.get((path, mode))
    if found is None:
        if mode == PAGE:
            _warn_of_memory()
        found = InForce(_catalog_file(path), mode, of_hub.store, app_log)
        of_hub.in_force[path, mode] = found
    return found


def known_in_force() -> tuple[InForce, ...]:
    """All that anybody of the hub of this process has asked for."""
    return tuple(_of_hub().in_force.values())


def known_files() -> tuple[CatalogFile, ...]:
    """The files that anybody of this process has asked for."""
    return tuple(_files.values())


def loaded_catalog(path: Path) -> Catalog:
    """The catalog of a hub that is about to start, whatever the file was before.

    Raises:
        CatalogError: it is not valid.
    """
    forget(path)
    return _catalog_file(path).load()


def forget(path: Path | None = None) -> None:
    """Know nothing of a file any more, or of any: as a process that has just begun."""
    for known in [known for known in _files if path in (None, known)]:
        del _files[known]
    for of_hub in (_without_hub, *_hubs.values()):
        for key in [key for key in of_hub.in_force if path in (None, key[0])]:
            del of_hub.in_force[key]


def _catalog_file(path: Path) -> CatalogFile:
    if path not in _files:
        _files[path] = CatalogFile(path, read_catalog_for_kubespawner, app_log)
    return _files[path]


def _of_hub() -> _OfHub:
    if not JupyterHub.initialized():
        return _without_hub
    hub = JupyterHub.instance()
    if hub not in _hubs:
        _let_the_hub_log(logging.getLogger(AUDIT_LOG))
        _hubs[hub] = _OfHub(hub)
    return _hubs[hub]


def _engine_of(hub: Any) -> Engine:
    if hub is None:
        raise DatabaseAwayError("there is no hub in this process, and so no database")
    return engine_for(hub.db_url, hub.db_kwargs)


def _warn_of_memory() -> None:
    url = JupyterHub.instance().db_url if JupyterHub.initialized() else ""
    if url and is_in_memory(url):
        app_log.warning(
            "The hub's database is in memory: what is saved of the access is lost when the hub "
            "stops. Set c.JupyterHub.db_url to a file or a server"
        )


def _let_the_hub_log(log: logging.Logger) -> None:
    """Where the operator has no handler for the audit, its lines are in the hub's log."""
    if not log.handlers and log.parent is logging.getLogger():
        log.parent = app_log
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)

"""What is in force in this process of the hub: one of everything for each catalog file."""

from __future__ import annotations

from pathlib import Path

from tornado.log import app_log

from gpuspawner.catalog import Catalog
from gpuspawner.catalog_file import CatalogFile
from gpuspawner.kubespawner_config import read_catalog_for_kubespawner

_files: dict[Path, CatalogFile] = {}


def catalog_file(path: Path) -> CatalogFile:
    """The file at a path, as all spawners of this process know it."""
    if path not in _files:
        _files[path] = CatalogFile(path, read_catalog_for_kubespawner, app_log)
    return _files[path]


def loaded_catalog(path: Path) -> Catalog:
    """The catalog of a hub that is about to start, whatever the file was before.

    Raises:
        CatalogError: it is not valid.
    """
    _files.pop(path, None)
    return catalog_file(path).load()


def forget() -> None:
    """Know no file any more, as a process that has just begun."""
    _files.clear()

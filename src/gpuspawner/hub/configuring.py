"""The one line of a hub's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import TraitError

from gpuspawner.catalog import CatalogError
from gpuspawner.kubespawner_config import loaded_catalog
from gpuspawner.spawner import DEFAULT_CATALOG, GPUSpawner

CATALOG_VARIABLE = "GPUSPAWNER_CATALOG"


def setup(c: Any, catalog: str | os.PathLike[str] | None = None) -> None:
    """Make a hub use `GPUSpawner`, or the subclass of it that is configured already.

    Call it in ``jupyterhub_config.py``.

    Args:
        c: the configuration object of ``jupyterhub_config.py``.
        catalog: the catalog's file. Without it ``c.GPUSpawner.catalog_file`` counts, then the
            environment's ``GPUSPAWNER_CATALOG``, then ``/etc/gpuspawner/catalog.yaml``.

    Raises:
        TraitError: the catalog is not valid; the text has every problem with its file and line.
            JupyterHub prints it and does not start.
    """
    given = Path(catalog or _configured(c) or os.environ.get(CATALOG_VARIABLE) or DEFAULT_CATALOG)
    path = given.absolute()
    try:
        loaded_catalog(path)
    except CatalogError as error:
        raise TraitError(f"The catalog is not valid, so the hub does not start:\n{error}") from None
    if not _is_ours(c.JupyterHub.get("spawner_class")):
        c.JupyterHub.spawner_class = "gpuspawner.GPUSpawner"
    c.GPUSpawner.catalog_file = str(path)


def _configured(c: Any) -> str | None:
    value = c.GPUSpawner.get("catalog_file")
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None


def _is_ours(spawner_class: object) -> bool:
    """Whether the operator configured a subclass of ours already."""
    return isinstance(spawner_class, type) and issubclass(spawner_class, GPUSpawner)

"""The one line of a hub's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import TraitError

from gpuspawner.catalog import CatalogError
from gpuspawner.spawner import DEFAULT_CATALOG, load_catalog_for_kubespawner

CATALOG_VARIABLE = "GPUSPAWNER_CATALOG"


def setup(c: Any, catalog: str | os.PathLike[str] | None = None) -> None:
    """Make a hub use `GPUSpawner`; call it in ``jupyterhub_config.py``.

    Args:
        c: the configuration object of ``jupyterhub_config.py``.
        catalog: the catalog's file. Without it ``c.GPUSpawner.catalog_file`` counts, then the
            environment's ``GPUSPAWNER_CATALOG``, then ``/etc/gpuspawner/catalog.yaml``.

    Raises:
        TraitError: the catalog is not valid; the text has every problem with its file and line.
            JupyterHub prints it and does not start.
    """
    path = Path(catalog or _configured(c) or os.environ.get(CATALOG_VARIABLE) or DEFAULT_CATALOG)
    try:
        load_catalog_for_kubespawner(path)
    except CatalogError as error:
        raise TraitError(f"The catalog is not valid, so the hub does not start:\n{error}") from None
    c.JupyterHub.spawner_class = "gpuspawner.GPUSpawner"
    c.GPUSpawner.catalog_file = str(path.absolute())


def _configured(c: Any) -> str | None:
    value = c.GPUSpawner.get("catalog_file")
    return value if isinstance(value, str) else None

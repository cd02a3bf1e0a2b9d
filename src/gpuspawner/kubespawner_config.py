"""What there is to know of KubeSpawner's configuration before anything is merged with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog, load_catalog, read_catalog


def load_catalog_for_kubespawner(path: Path) -> Catalog:
    """A catalog whose ``kubespawner_override`` names only traits that this KubeSpawner has.

    Raises:
        CatalogError: it is not valid.
    """
    return load_catalog(path, known_traits=_known_traits())


def read_catalog_for_kubespawner(text: str, name: str) -> Catalog:
    """The same, of a text; `name` stands for its file in problems.

    Raises:
        CatalogError: it is not valid.
    """
    return read_catalog(text, name, known_traits=_known_traits())


def _known_traits() -> frozenset[str]:
    return frozenset(KubeSpawner.class_trait_names(config=True))


def ignored_settings(config: Any) -> list[str]:
    """What a configuration says of KubeSpawner's own form, which ours replaces."""
    return [
        f"{section}.{name}"
        for section in ("Spawner", "KubeSpawner", "GPUSpawner")
        for name in ("options_form", "options_from_form", "profile_form_template")
        if config[section].get(name)
    ]


@cache
def warn_once(log: logging.Logger, name: str) -> None:
    """Say, once in the life of the hub, that a setting has no effect."""
    log.warning("%s is set and has no effect: GPUSpawner has a form of its own", name)


def plain(value: Any, serialize: Callable[[Any], Any]) -> Any:
    """A setting with JSON in place of the Kubernetes client's models.

    The Zero to JupyterHub chart configures its init container as a ``V1Container``.
    """
    if hasattr(value, "openapi_types"):
        return serialize(value)
    if isinstance(value, dict):
        return {key: plain(item, serialize) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, serialize) for item in value]
    return value

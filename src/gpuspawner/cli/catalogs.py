"""Catalogs as the commands read them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gpuspawner.catalog import CatalogError, Written, load_written


def load_for_kubespawner(file: Path) -> Written:
    """A catalog whose overrides name only traits that this KubeSpawner has.

    Raises:
        CatalogError: it is not valid.
    """
    from kubespawner import KubeSpawner  # noqa: PLC0415 - takes a second

    return load_written(file, known_traits=frozenset(KubeSpawner.class_trait_names(config=True)))


def load_or_exit(file: Path) -> Written:
    """The same; if it is not valid, its problems are printed and the process ends with 1."""
    try:
        return load_for_kubespawner(file)
    except CatalogError as error:
        click.echo(error, err=True)
        sys.exit(1)

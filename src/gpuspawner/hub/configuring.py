"""The one line of a hub's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets import TraitError

from gpuspawner.access import GIT, PAGE, Mode
from gpuspawner.catalog import CatalogError
from gpuspawner.confirming import refresh_user
from gpuspawner.form import rendering
from gpuspawner.hub import admin, choosing, cluster, live, offers, pending
from gpuspawner.hub.navigation import NAVIGATION
from gpuspawner.in_force import loaded_catalog
from gpuspawner.language import gettext_noop
from gpuspawner.metrics import collecting
from gpuspawner.offering import DEFAULT_CATALOG
from gpuspawner.profile_list import has_profile_list
from gpuspawner.spawner import GPUSpawner

CATALOG_VARIABLE = "GPUSPAWNER_CATALOG"


def setup(
    c: Any, catalog: str | os.PathLike[str] | None = None, *, access_mode: Mode | None = None
) -> None:
    """Make a hub use `GPUSpawner`, or the subclass of it that is configured already.

    Call it in ``jupyterhub_config.py``, after ``spawner_class``, ``template_paths``,
    ``extra_handlers``, ``template_vars`` and ``load_roles`` of ``c.JupyterHub`` are assigned.
    Whoever assigns one of the last four later gets JupyterHub's own page of a start under way, no
    API, no links to the admins' pages, or no rights to them; to add to them later is fine.

    Args:
        c: the configuration object of ``jupyterhub_config.py``.
        catalog: the catalog's file. Without it ``c.GPUSpawner.catalog_file`` counts, then the
            environment's ``GPUSPAWNER_CATALOG``, then ``/etc/gpuspawner/catalog.yaml``. With a
            ``profile_list`` the last need not be there.
        access_mode: "git", where the access rules are the file's alone, or "page", where what
            admins save in the hub counts in their place. Without it
            ``c.GPUSpawner.access_mode`` counts, else "git".

    Raises:
        TraitError: the catalog is not valid, and the text has every problem with its file and
            line; or there is no such mode; or the configured ``spawner_class`` cannot be
            imported. JupyterHub prints it and does not start.
    """
    given = Path(catalog or _configured(c) or os.environ.get(CATALOG_VARIABLE) or DEFAULT_CATALOG)
    path = given.absolute()
    # KubeSpawner's own list can do without a catalog, where none is meant to be there.
    is_needed = (
        str(given) != DEFAULT_CATALOG or given.exists() or not has_profile_list(c, *_sections(c))
    )
    if access_mode not in (None, GIT, PAGE):
        raise TraitError(f'access_mode is {access_mode!r}; write "{GIT}" or "{PAGE}"')
    try:
        if is_needed:
            loaded_catalog(path)
    except CatalogError as error:
        raise TraitError(f"The catalog is not valid, so the hub does not start:\n{error}") from None
    if not _is_ours(c.JupyterHub.get("spawner_class")):
        c.JupyterHub.spawner_class = "gpuspawner.GPUSpawner"
    c.GPUSpawner.catalog_file = str(path)
    if access_mode is not None:
        c.GPUSpawner.access_mode = access_mode
    _refresh_groups(c)
    _add_pages(c)
    rendering.compiled()
    collecting.register()
    admin.allow_hub_admins(c)


def _refresh_groups(c: Any) -> None:
    """Have JupyterHub ask for somebody's groups before each start, where nothing else is set."""
    if "refresh_pre_spawn" not in c.Authenticator:
        c.Authenticator.refresh_pre_spawn = True
    if "refresh_user_hook" not in c.OAuthenticator:
        c.OAuthenticator.refresh_user_hook = refresh_user


def _add_pages(c: Any) -> None:
    """Our pages, behind the templates that the operator has, and the API."""
    paths = c.JupyterHub.template_paths
    if isinstance(paths, list | tuple):
        c.JupyterHub.template_paths = list(dict.fromkeys([*paths, str(pending.TEMPLATES)]))
    else:
        # Not a list as yet: before JupyterHub's own, and behind what the operator prepends.
        paths.insert(0, str(pending.TEMPLATES))
    ours = [
        *pending.handlers(),
        *choosing.handlers(),
        *live.handlers(),
        *offers.handlers(),
        *admin.handlers(),
        *cluster.handlers(),
    ]
    # A dict, or what is to be put into one: what the operator has stays.
    c.JupyterHub.template_vars.update(
        {
            "gpuspawner_access_page": gettext_noop("GPU access"),
            "gpuspawner_cluster_page": gettext_noop("GPU cluster"),
            "gpuspawner_navigation": NAVIGATION,
        }
    )
    given = c.JupyterHub.extra_handlers
    if isinstance(given, list | tuple):
        c.JupyterHub.extra_handlers = [*given, *ours]
    else:
        given.extend(ours)


def _sections(c: Any) -> list[str]:
    """The section of a subclass of ours that is configured."""
    spawner_class = c.JupyterHub.get("spawner_class")
    name = getattr(spawner_class, "__name__", spawner_class)
    return [name.rpartition(".")[2]] if isinstance(name, str) else []


def _configured(c: Any) -> str | None:
    value = c.GPUSpawner.get("catalog_file")
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None


def _is_ours(spawner_class: object) -> bool:
    """Whether the operator configured a subclass of ours already, itself or by its name.

    Raises:
        TraitError: there is nothing of that name.
    """
    if isinstance(spawner_class, str):
        try:
            spawner_class = JupyterHub.spawner_class.validate(None, spawner_class)
        except (ImportError, TraitError) as error:
            raise TraitError(
                f"c.JupyterHub.spawner_class is {spawner_class!r}, which cannot be imported, so "
                "the hub does not start. Install it, or make it importable before "
                f"gpuspawner.setup(c): {error.__cause__ or error}"
            ) from error
    return isinstance(spawner_class, type) and issubclass(spawner_class, GPUSpawner)

"""The admins' pages: who may have what, why, and edits of it."""

from __future__ import annotations

from typing import Any

from gpuspawner.hub.admin import api, editing, pages
from gpuspawner.hub.admin.rights import allow_hub_admins, define_scopes

__all__ = ["allow_hub_admins", "define_scopes", "handlers"]


def handlers() -> list[tuple[Any, ...]]:
    """What JupyterHub mounts below ``/hub/``."""
    return [
        (r"/gpuspawner/admin/?", pages.OverviewHandler),
        (r"/gpuspawner/admin/why", pages.WhyHandler),
        (r"/gpuspawner/admin/access\.yaml", pages.ExportHandler),
        (r"/gpuspawner/admin/rules", editing.RulesHandler),
        (r"/api/gpuspawner/access", api.AccessHandler),
        (r"/api/gpuspawner/access/preview", api.PreviewHandler),
    ]

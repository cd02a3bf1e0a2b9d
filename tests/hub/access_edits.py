"""Edits of the access in the admins' page, as a browser without scripts makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import pytest
from sqlalchemy import create_engine

from gpuspawner.hub.access import in_force_of
from gpuspawner.hub.admin.rights import READ
from gpuspawner.simcluster.cluster import SimCluster

from .conftest import Answer, Hub, Visitor, configuration

READER = "readers-1"


def configured(cluster: SimCluster, mode: str) -> Any:
    config = configuration(cluster)
    config.GPUSpawner.access_mode = mode
    config.JupyterHub.load_roles.append({"name": "readers", "scopes": [READ], "users": [READER]})
    return config


@contextmanager
def database_away(hub: Hub) -> Iterator[None]:
    """Nobody answers where the revisions are."""
    nowhere = create_engine("postgresql+psycopg://127.0.0.1:1/none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_force_of(hub.app).store._connections, "_made", nowhere)
        yield
    nowhere.dispose()


def hidden(answer: Answer) -> dict[str, str]:
    """The fields of the edit's form that nobody sees."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text)
    return {name: unescape(value) for name, value in found if name != "_xsrf"}


async def press(visitor: Visitor, page: Answer, button: str, **fields: str) -> Answer:
    return await visitor.post_form(
        "hub/gpuspawner/admin/rules", {**hidden(page), **fields, "do": button}
    )


async def added(visitor: Visitor, group: str, profile: str, page: Answer | None = None) -> Answer:
    """The page with a draft that has one more rule."""
    page = page or await visitor.get("hub/gpuspawner/admin/rules")
    page = await press(visitor, page, "new")
    return await press(visitor, page, "close", groups=group, profiles=profile, deny="no", place="")


async def audit(hub: Hub) -> Any:
    return in_force_of(hub.app).store.entries()[0]

"""Where ``setup`` puts the page of a start under way among what the operator has configured."""

from __future__ import annotations

from typing import Any

import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import Config

import gpuspawner
from gpuspawner.hub.pending import TEMPLATES

from .conftest import HERE

OURS = str(TEMPLATES)


def effective(c: Config, name: str) -> list[Any]:
    """What JupyterHub takes from a configuration."""
    value: list[Any] = getattr(JupyterHub(config=c), name)
    return value


def configured(paths: list[str] | None = None) -> Config:
    c = Config()
    if paths is not None:
        c.JupyterHub.template_paths = paths
    return c


def test_it_comes_before_jupyterhubs_own_templates() -> None:
    c = configured()
    gpuspawner.setup(c, HERE / "catalog.yaml")
    own = JupyterHub()._template_paths_default()
    assert effective(c, "template_paths") == [OURS, *own]


def test_the_operators_templates_come_before_it() -> None:
    theirs = ["/etc/jupyterhub/templates"]
    c = configured(theirs)
    gpuspawner.setup(c, HERE / "catalog.yaml")
    assert effective(c, "template_paths") == ["/etc/jupyterhub/templates", OURS]
    assert theirs == ["/etc/jupyterhub/templates"]


def test_templates_that_the_operator_prepends_come_before_it() -> None:
    c = configured()
    c.JupyterHub.template_paths.prepend(["/theirs"])
    gpuspawner.setup(c, HERE / "catalog.yaml")
    assert effective(c, "template_paths")[:2] == ["/theirs", OURS]


@pytest.mark.parametrize("lazy", [True, False])
def test_the_operators_handlers_stay(*, lazy: bool) -> None:
    c = configured()
    theirs = (r"/about", object)
    if lazy:
        c.JupyterHub.extra_handlers.append(theirs)
    else:
        c.JupyterHub.extra_handlers = [theirs]
    gpuspawner.setup(c, HERE / "catalog.yaml")
    routes = [handler[0] for handler in effective(c, "extra_handlers")]
    assert effective(c, "extra_handlers")[0] == theirs
    assert len(routes) == len(set(routes))
    assert {"/api/gpuspawner/offers", "/gpuspawner/admin/why"} <= set(routes)

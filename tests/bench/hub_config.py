"""A hub with nothing but its forms: ``BENCH_SPAWNER`` says whose, ``BENCH_API`` which cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from jupyterhub.proxy import Proxy
from kubespawner import KubeSpawner
from traitlets.config import get_config

import gpuspawner

CATALOG = Path(__file__).with_name("catalog.yaml")


class NoProxy(Proxy):  # type: ignore[misc] # JupyterHub has no types
    """Routes that nobody follows: the bench asks the hub itself, to measure no proxy."""

    should_start = False

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._routes: dict[str, dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        self._routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self._routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return self._routes


def static_profiles() -> list[dict[str, Any]]:
    """The catalog's profiles as KubeSpawner's ``profile_list``."""
    catalog = yaml.safe_load(CATALOG.read_text())
    profiles = []
    for profile in catalog["profiles"]:
        override: dict[str, Any] = {
            "cpu_guarantee": profile["cpu"],
            "mem_guarantee": profile["memory"].removesuffix("i"),
        }
        if name := profile.get("accelerator"):
            accelerator = catalog["accelerators"][name]
            override["extra_resource_limits"] = {
                accelerator["resource"]: str(profile.get("count", 1))
            }
            override["node_selector"] = accelerator["node_selector"]
            override["tolerations"] = accelerator["tolerations"]
        profiles.append(
            {
                "display_name": profile["title"],
                "description": profile.get("description", ""),
                "slug": profile["slug"],
                "default": profile.get("default", False),
                "kubespawner_override": override,
            }
        )
    return profiles


c = get_config()
c.JupyterHub.hub_port = int(os.environ["BENCH_PORT"])
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = "for the bench"
c.JupyterHub.cookie_secret = os.urandom(32)
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.log_level = "ERROR"
c.KubeSpawner.k8s_api_host = os.environ["BENCH_API"]
c.KubeSpawner.namespace = "jupyterhub"
if os.environ["BENCH_SPAWNER"] == "gpuspawner":
    gpuspawner.setup(c, CATALOG)
else:
    c.JupyterHub.spawner_class = KubeSpawner
    c.KubeSpawner.profile_list = static_profiles()

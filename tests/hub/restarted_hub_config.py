"""The hub of `test_hub_restarts` as a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from traitlets.config import get_config

import gpuspawner
from gpuspawner.cli.demo_sign_in import DemoAuthenticator

c = get_config()
settings = json.loads(Path(os.environ["HUB_SETTINGS"]).read_text())

gpuspawner.setup(c, settings["catalog"], access_mode=settings.get("access_mode"))
c.JupyterHub.bind_url = settings["url"]
c.JupyterHub.hub_bind_url = settings["hub_url"]
c.JupyterHub.db_url = settings.get("database_url", f"sqlite:///{settings['database']}")
c.JupyterHub.cookie_secret = bytes.fromhex(settings["cookie_secret"])
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0.1}
# As in the chart: the proxy goes on while the hub does not.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = settings["proxy_api_url"]
c.JupyterHub.authenticator_class = DemoAuthenticator
c.DemoAuthenticator.people = settings["people"]
c.DemoAuthenticator.password = settings["password"]
c.Authenticator.manage_groups = True
c.Authenticator.allow_all = True
c.KubeSpawner.k8s_api_host = settings["cluster"]
c.KubeSpawner.namespace = settings["namespace"]
c.KubeSpawner.cmd = settings["cmd"]
if "pod_name_template" in settings:
    c.KubeSpawner.pod_name_template = settings["pod_name_template"]
c.KubeSpawner.delete_grace_period = 1
c.KubeSpawner.start_timeout = settings["start_timeout"]
c.KubeSpawner.k8s_api_request_timeout = 2
c.KubeSpawner.consecutive_failure_limit = 5
c.KubeSpawner.http_timeout = 300


async def _silence(spawner: Any, pod: Any) -> Any:
    """One person's notebook never answers, and ends when it is told to."""
    if spawner.user.name == "silent":
        loop = f"until test -e {settings['end_of_silent']}; do sleep 0.1; done; exit 3"
        pod.spec.containers[0].args = ["sh", "-c", loop]
    return pod


c.KubeSpawner.modify_pod_hook = _silence
# Nobody's: pods wait until a test binds them.
c.KubeSpawner.scheduler_name = "a-test"

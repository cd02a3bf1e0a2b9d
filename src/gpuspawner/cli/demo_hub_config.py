"""The demo's ``jupyterhub_config.py``. `gpuspawner.cli.demo` gives it its settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from gpuspawner.cli.demo_sign_in import DemoAuthenticator
from gpuspawner.cli.examples import configure

c = get_config()  # type: ignore[name-defined] # noqa: F821 - JupyterHub puts it here
settings = json.loads(Path(os.environ["GPUSPAWNER_DEMO_SETTINGS"]).read_text())

c.KubeSpawner.start_timeout = 120
# Somebody who tries it wants to change the access, too. An example's hub.yaml may say otherwise.
c.GPUSpawner.access_mode = "page"
configure(c, settings["hub"], settings["catalog"])

# What makes it a demo, whatever the example says.
c.JupyterHub.bind_url = settings["url"]
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = settings["hub_port"]
c.JupyterHub.db_url = f"sqlite:///{settings['state']}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{settings['state']}/cookie_secret"
c.JupyterHub.cleanup_servers = True
c.JupyterHub.allow_named_servers = True
# -P: a module beside it may be called as one that the proxy imports.
c.ConfigurableHTTPProxy.command = [sys.executable, "-P", settings["proxy"]]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings['proxy_api_port']}"
c.ConfigurableHTTPProxy.pid_file = f"{settings['state']}/proxy.pid"

c.JupyterHub.authenticator_class = DemoAuthenticator
c.DemoAuthenticator.people = settings["people"]
c.DemoAuthenticator.password = settings["password"]
c.DemoAuthenticator.allowed_users = set(settings["people"])
c.DemoAuthenticator.manage_groups = True

c.KubeSpawner.k8s_api_host = settings["cluster"]
c.KubeSpawner.namespace = "jupyterhub"
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.delete_grace_period = 5

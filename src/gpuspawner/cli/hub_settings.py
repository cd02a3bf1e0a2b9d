"""What KubeSpawner is configured to, without a hub: the base over which profiles are laid."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from jupyterhub.spawner import Spawner
from kubernetes_asyncio.client import ApiClient
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from gpuspawner.applied import AppliedSettings
from gpuspawner.policy import Person
from gpuspawner.spawner import GPUSpawner

SOMEBODY = "somebody"
"""Whose home and labels a pod has that is nobody's in particular."""


class _Unconnected(GPUSpawner):
    """A spawner of which only the settings are asked for."""

    def __init__(self, person: Person, config: Config) -> None:
        name = person.name or SOMEBODY
        user = SimpleNamespace(name=name, id=0, url="", groups=[], escaped_name=name)
        # Not KubeSpawner's own: it looks for a kubeconfig by itself, and makes a client of it.
        Spawner.__init__(self, user=user, hub=SimpleNamespace(), config=config)
        self.api = SimpleNamespace(api_client=ApiClient())
        self.pod_name = self._expand_user_properties(self.pod_name_template)
        self.pvc_name = self._expand_user_properties(self.pvc_name_template)
        self.port = self.port or 8888


class HubSettings:
    """The settings of one person's server.

    Args:
        person: whose server it is.
        file: a ``jupyterhub_config.py``, which is run; None for KubeSpawner's defaults.
        namespace: where pods are made.
        is_default: whether what the file says of the namespace goes before.

    Raises:
        click.ClickException: the file cannot be run.
    """

    def __init__(
        self, person: Person, file: Path | None, namespace: str, *, is_default: bool
    ) -> None:
        self._spawner = _Unconnected(person, _loaded(file))
        if not (is_default and _sets_namespace(self._spawner.config)):
            self._spawner.namespace = namespace
        self.applied = AppliedSettings(self._spawner)

    @property
    def namespace(self) -> str:
        """Where the pods are made."""
        return str(self._spawner.namespace)

    async def aclose(self) -> None:
        """Let go of what was opened."""
        await self._spawner.api.api_client.close()


def _loaded(file: Path | None) -> Config:
    if file is None:
        return Config()
    try:
        loaded: Config = PyFileConfigLoader(file.name, path=str(file.parent)).load_config()
    except (Exception, SystemExit) as error:  # the file is a program of the operator's
        raise click.ClickException(f"{file} cannot be run: {error!r}") from error
    return loaded


def _sets_namespace(config: Any) -> bool:
    return any("namespace" in config[name] for name in ("KubeSpawner", "GPUSpawner"))

"""What pages and the API need of the access that is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub

from gpuspawner.in_force import InForce, in_force
from gpuspawner.spawner import GPUSpawner


def in_force_of(hub: JupyterHub) -> InForce:
    """What is in force on a hub, as its spawners see it, without one of them.

    Args:
        hub: the running one, whose ``spawner_class`` is ours or a subclass.
    """
    spawner_class: type[GPUSpawner] = hub.spawner_class
    path = _setting(spawner_class, hub.config, "catalog_file")
    return in_force(Path(path), _setting(spawner_class, hub.config, "access_mode"))


def _setting(spawner_class: type[GPUSpawner], config: Any, name: str) -> Any:
    """A setting as traitlets would have it on an instance: the section of a subclass comes last."""
    sections = [config[section] for section in spawner_class.section_names()]
    given = [section[name] for section in sections if name in section]
    return given[-1] if given else spawner_class.class_traits()[name].default()

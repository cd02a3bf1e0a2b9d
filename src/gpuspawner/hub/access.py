"""What pages and the API need of the access that is in force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub

from gpuspawner.catalog import Catalog, Stocked, with_profile_list
from gpuspawner.in_force import InForce, in_force
from gpuspawner.offering import DEFAULT_CATALOG
from gpuspawner.profile_list import traits_of
from gpuspawner.spawner import GPUSpawner


@dataclass(frozen=True, slots=True)
class HubList:
    """KubeSpawner's own ``profile_list`` in a hub's configuration.

    Attributes:
        given: the list, a mapping, or a function; None if there is none.
        spawner_class: of the hub.
        has_catalog: whether there is a catalog beside it, or is meant to be.
    """

    given: Any
    spawner_class: type[GPUSpawner]
    has_catalog: bool

    @property
    def is_function(self) -> bool:
        """Whether there is no one list: it is made for each person."""
        return callable(self.given)

    def beside(self, catalog: Catalog | None) -> Stocked | None:
        """The entries after a catalog's profiles; None if that cannot be told for everybody."""
        if not self.given or self.is_function:
            return None
        return with_profile_list(self.given, catalog, traits_of(self.spawner_class))


def in_force_of(hub: JupyterHub) -> InForce:
    """What is in force on a hub, as its spawners see it, without one of them.

    Args:
        hub: the running one, whose ``spawner_class`` is ours or a subclass.
    """
    spawner_class: type[GPUSpawner] = hub.spawner_class
    path = _setting(spawner_class, hub.config, "catalog_file")
    return in_force(Path(path), _setting(spawner_class, hub.config, "access_mode"))


def list_of(hub: JupyterHub) -> HubList:
    """The ``profile_list`` of a hub, and whether there is more than that.

    Args:
        hub: the running one, whose ``spawner_class`` is ours or a subclass.
    """
    spawner_class: type[GPUSpawner] = hub.spawner_class
    given = _setting(spawner_class, hub.config, "profile_list") or None
    path = _setting(spawner_class, hub.config, "catalog_file")
    has_catalog = given is None or path != DEFAULT_CATALOG or not in_force_of(hub).is_file_missing
    return HubList(given, spawner_class, has_catalog)


def _setting(spawner_class: type[GPUSpawner], config: Any, name: str) -> Any:
    """A setting as traitlets would have it on an instance: the section of a subclass comes last."""
    sections = [config[section] for section in spawner_class.section_names()]
    given = [section[name] for section in sections if name in section]
    return given[-1] if given else spawner_class.class_traits()[name].default()

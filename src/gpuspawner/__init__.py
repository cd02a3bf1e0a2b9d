"""A KubeSpawner that knows who may start which GPU profile right now, and says why not.

In a hub's configuration::

    import gpuspawner

    gpuspawner.setup(c, "/etc/gpuspawner/catalog.yaml")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gpuspawner._version import __version__

if TYPE_CHECKING:
    from gpuspawner.hub import setup
    from gpuspawner.spawner import GPUSpawner

__all__ = ["GPUSpawner", "__version__", "setup"]


_HOMES = {"GPUSpawner": "gpuspawner.spawner", "setup": "gpuspawner.hub"}


def __getattr__(name: str) -> Any:
    """Import the hub's side only when it is asked for: the core and the CLI do without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

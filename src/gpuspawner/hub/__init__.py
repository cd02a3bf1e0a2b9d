"""What a hub's configuration calls."""

from __future__ import annotations

from gpuspawner.hub.configuring import setup

__all__ = ["setup"]

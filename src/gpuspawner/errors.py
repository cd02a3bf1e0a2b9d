"""One tree of errors, so that a caller can catch what is ours and nothing else."""

from __future__ import annotations


class GPUSpawnerError(Exception):
    """The root of every error this package raises on purpose."""


class QuantityError(GPUSpawnerError, ValueError):
    """A text is not a Kubernetes quantity."""


class MalformedObjectError(GPUSpawnerError, ValueError):
    """The API server sent something that is not the object it should be."""

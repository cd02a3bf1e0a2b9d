"""What a profile can mount, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from gpuspawner.catalog.amounts import Bytes
from gpuspawner.catalog.base import Model
from gpuspawner.catalog.problems import Finding, sound
from gpuspawner.catalog.texts import (
    AbsolutePath,
    MountPath,
    NameTemplate,
    ObjectName,
    RelativePath,
    Template,
)

SHARED_MEMORY_PATH: Final = "/dev/shm"  # noqa: S108 - the path that POSIX shared memory has


class Ephemeral(Model):
    """A volume made for each server from a storage class, and deleted with it."""

    storage_class: ObjectName | None = None
    """The StorageClass; left out, the cluster's default."""

    size: Bytes
    """How much to ask for, such as 100Gi."""

    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    """How the claim may be mounted."""


class EmptyDir(Model):
    """A directory on the node's disk that starts empty and goes with the server."""

    size_limit: Bytes | None = None
    """The server is evicted when it writes more."""


class HostPath(Model):
    """A directory or device of the node itself."""

    path: AbsolutePath
    """The path on the node."""

    type: Literal[
        "",
        "DirectoryOrCreate",
        "Directory",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ] = ""
    """What must be there before the server starts; empty, anything."""


class NFS(Model):
    """A directory that an NFS server exports."""

    server: Template = Field(min_length=1)
    """The server's host name or address."""

    path: AbsolutePath
    """The exported path."""


class Claim(Model):
    """A PersistentVolumeClaim that exists already in the servers' namespace."""

    name: NameTemplate
    """The claim's name; {username} and KubeSpawner's other names are expanded."""


class SharedMemory(Model):
    """Memory at /dev/shm, which PyTorch's data loaders need; it counts toward the memory limit."""

    size: Bytes
    """How much of the server's memory it may use."""


SOURCES: Final = ("ephemeral", "empty_dir", "host_path", "nfs", "claim", "shared_memory")


def _require_one_source(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [
        {"required": [source] if source == "shared_memory" else ["mount_path", source]}
        for source in SOURCES
    ]
    schema.pop("required", None)


class Volume(Model):
    """A mount with exactly one source."""

    model_config = ConfigDict(json_schema_extra=_require_one_source)

    mount_path: MountPath
    """Where the container sees it; /dev/shm when left out for shared memory."""

    read_only: StrictBool = False
    """Whether the container may only read."""

    sub_path: RelativePath | None = None
    """A directory within the source to mount instead of its top."""

    ephemeral: Ephemeral | None = None
    """From a storage class, for the life of the server."""

    empty_dir: EmptyDir | None = None
    """From the node's disk, for the life of the server."""

    host_path: HostPath | None = None
    """From the node, whoever runs there."""

    nfs: NFS | None = None
    """From an NFS server."""

    claim: Claim | None = None
    """From a claim that exists."""

    shared_memory: SharedMemory | None = None
    """From the server's own memory."""

    @model_validator(mode="before")
    @classmethod
    def _mount_shared_memory(cls, value: Any) -> Any:
        if isinstance(value, dict) and "shared_memory" in value:
            return {"mount_path": SHARED_MEMORY_PATH, **value}
        return value

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        return sound(self, _source_faults(self))


def _source_faults(volume: Volume) -> Iterator[Finding]:
    present = [source for source in SOURCES if getattr(volume, source) is not None]
    if not present:
        unless = tuple((source,) for source in SOURCES)
        hint = f"write one of {', '.join(SOURCES)}"
        yield Finding((), "the volume has no source", hint, unless)
    for extra in present[1:]:
        message = f"a volume has one source, and this one has {present[0]} already"
        yield Finding((extra,), message, "make two volumes of it")

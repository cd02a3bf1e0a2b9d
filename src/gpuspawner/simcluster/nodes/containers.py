"""From a container's specification to a command that runs on this machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from gpuspawner.errors import GPUSpawnerError
from gpuspawner.simcluster.apimachinery.objects import Object

SIMULATED = "simcluster/simulated"
"""A label or annotation: the pod is only marked as running, no process is started."""
FAIL = "simcluster/fail"
"""An annotation that makes a pod fail: ``image``, ``admission``, ``exit`` or ``crash-loop``."""
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - what is replaced, never bound
SERVICE_URL = "JUPYTERHUB_SERVICE_URL"
SINGLEUSER = "jupyterhub-singleuser"
ALLOW_ROOT = "--allow-root"

_REFERENCE = re.compile(r"\$\$|\$\(([^()$]+)\)")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

KeyLookup = Callable[[str, str, str], str | None]
"""The value of a key, None if there is no such key: (``secret`` or ``configmap``, name, key).

It raises a MissingObjectError if there is no such object.
"""


class ContainerConfigError(GPUSpawnerError):
    """A container's environment refers to something that is not there."""


class MissingObjectError(ContainerConfigError):
    """A Secret or ConfigMap is not there."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f'{kind} "{name}" not found')


@dataclass(frozen=True, slots=True)
class Placement:
    """What a pod knows of itself once it is on a node."""

    node_name: str
    host_ip: str
    pod_ip: str


def metadata_value(pod: Object, key: str) -> str | None:
    """The value of a label, or failing that of an annotation."""
    metadata = pod["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    value = labels.get(key, annotations.get(key))
    return None if value is None else str(value)


def main_container(pod: Object) -> Object:
    """The container that is run: the one an annotation names, or the first."""
    containers: list[Object] = pod["spec"]["containers"]
    wanted = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    return next((c for c in containers if c["name"] == wanted), containers[0])


def is_simulated(pod: Object) -> bool:
    """Whether a pod is only marked as running.

    That is a pod which says so, and one that leaves its command to an image there is none of.
    """
    container = main_container(pod)
    has_command = bool(container.get("command") or container.get("args"))
    return metadata_value(pod, SIMULATED) == "true" or not has_command


def container_ports(pod: Object) -> tuple[int, ...]:
    """The TCP ports of the main container."""
    ports = main_container(pod).get("ports") or []
    return tuple(
        port["containerPort"] for port in ports if port.get("protocol", "TCP") in ("TCP", "")
    )


def home_claim(pod: Object) -> str | None:
    """The first volume claim that the main container mounts writable, below ``/home`` if any is."""
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or []
        if volume.get("persistentVolumeClaim")
    }
    mounted = [
        (not str(mount["mountPath"]).startswith("/home"), claims[mount["name"]])
        for mount in main_container(pod).get("volumeMounts") or []
        if mount["name"] in claims and not mount.get("readOnly")
    ]
    return min(mounted, key=lambda mount: mount[0])[1] if mounted else None


def environment(
    pod: Object, placement: Placement, lookup: KeyLookup, *, node_env: Mapping[str, str]
) -> dict[str, str]:
    """The main container's environment, over which `node_env` wins.

    A hub tells its servers to listen on every address; here each pod has one of its own.

    Raises:
        ContainerConfigError: a value is taken from something that is not there.
    """
    env = {"HOSTNAME": str(pod["metadata"]["name"]), "LANG": "C.UTF-8"}
    for entry in main_container(pod).get("env") or []:
        source = entry.get("valueFrom")
        value = _referred(pod, placement, source, lookup) if source else entry.get("value") or ""
        if value is not None:
            env[entry["name"]] = value if source else expand(value, env)
    env.update(node_env)
    if SERVICE_URL in env:
        env[SERVICE_URL] = _url_at(env[SERVICE_URL], placement.pod_ip)
    return env


def arguments(pod: Object, env: Mapping[str, str], pod_ip: str, *, as_root: bool) -> list[str]:
    """The main container's command line, as it runs here."""
    container = main_container(pod)
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    argv = [_word_at(expand(word, env), pod_ip) for word in words]
    is_singleuser = PurePosixPath(argv[0]).name == SINGLEUSER
    if as_root and is_singleuser and ALLOW_ROOT not in argv:
        argv.append(ALLOW_ROOT)
    return argv


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as the kubelet does; ``$$`` is one dollar, an unknown name stays."""
    return _REFERENCE.sub(
        lambda match: "$" if match[1] is None else env.get(match[1], match[0]), text
    )


def _url_at(url: str, address: str) -> str:
    """`url` with its host replaced by `address` if it means every address."""
    parts = urlsplit(url)
    if parts.hostname not in (None, "::", EVERY_ADDRESS):
        return url
    port = f":{parts.port}" if parts.port is not None else ""
    return parts._replace(netloc=f"{address}{port}").geturl()


def _word_at(word: str, address: str) -> str:
    """``0.0.0.0`` or ``--option=0.0.0.0`` with `address` in its place."""
    if word == EVERY_ADDRESS or word.endswith(f"={EVERY_ADDRESS}"):
        return word.removesuffix(EVERY_ADDRESS) + address
    return word


def _referred(
    pod: Object, placement: Placement, source: Mapping[str, Any], lookup: KeyLookup
) -> str | None:
    """A value from elsewhere; None for an optional one that is not there."""
    if "fieldRef" in source:
        return _field(pod, placement, source["fieldRef"]["fieldPath"])
    for source_kind, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if source_kind in source:
            reference = source[source_kind]
            try:
                value = lookup(kind.lower(), reference["name"], reference["key"])
            except MissingObjectError:
                if not reference.get("optional"):
                    raise
                return None
            if value is None and not reference.get("optional"):
                raise ContainerConfigError(
                    f"couldn't find key {reference['key']} in {kind} "
                    f"{pod['metadata']['namespace']}/{reference['name']}"
                )
            return value
    raise ContainerConfigError(f"env valueFrom {', '.join(source)} is not simulated")


def _field(pod: Object, placement: Placement, path: str) -> str:
    metadata, spec = pod["metadata"], pod["spec"]
    keyed = _KEYED_FIELD.fullmatch(path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": placement.node_name,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": placement.host_ip,
        "status.podIP": placement.pod_ip,
        "status.podIPs": placement.pod_ip,
    }
    if path not in fields:
        raise ContainerConfigError(f"env valueFrom fieldRef {path} is not simulated")
    return str(fields[path])

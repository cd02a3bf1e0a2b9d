"""Ports of the node itself that a pod takes."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.capacity import wire

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - the API's word for it


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node; an `ip` of `ALL_ADDRESSES` is every one it has."""

    ip: str
    protocol: str
    port: int


def host_ports_of(spec: wire.PodSpec | wire.PresentPodSpec) -> tuple[HostPort, ...]:
    """The host ports of a pod's containers and sidecars, as the API server defaults them."""
    ports = [port for container in spec.containers or () for port in container.ports or ()]
    for container in spec.init_containers or ():
        if container.restart_policy == "Always":
            ports += container.ports or ()
    if not ports:
        return ()
    on_host = spec.host_network
    return tuple(
        HostPort(port.host_ip or ALL_ADDRESSES, port.protocol or "TCP", number)
        for port in ports
        if (number := port.host_port or (port.container_port if on_host else None))
    )

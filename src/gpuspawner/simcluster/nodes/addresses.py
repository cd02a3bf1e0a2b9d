"""Loopback addresses for pods: each has its own, so that all can listen on the same port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import islice

from gpuspawner.errors import GPUSpawnerError

FIRST = "127.1.0.3"
LAST = "127.1.255.254"
DEFAULT_PORT = 8888


class AddressError(GPUSpawnerError):
    """There is no loopback address left for a pod."""


class LoopbackAddresses:
    """The addresses from 127.1.0.3 upward, shared with other clusters on this machine.

    A UDP socket bound to the pod's address and port is the reservation: other clusters fail to bind
    it, and TCP, which is what pods speak, stays free for the pod.
    """

    def __init__(self, first: str = FIRST) -> None:
        self._first = IPv4Address(first)
        self._reserved: dict[str, socket.socket] = {}

    def reserve(self, ports: Sequence[int] = ()) -> str:
        """The lowest address on which nothing listens on any of `ports`.

        Raises:
            AddressError: there is none, or this system has only 127.0.0.1.
        """
        wanted = tuple(ports) or (DEFAULT_PORT,)
        for number in range(int(self._first), int(IPv4Address(LAST)) + 1):
            address = str(IPv4Address(number))
            if address in self._reserved:
                continue
            reservation = _reservation(address, wanted)
            if reservation is not None:
                self._reserved[address] = reservation
                return address
        raise AddressError(f"all loopback addresses from {self._first} to {LAST} are taken")

    def release(self, address: str) -> None:
        """Give back an address; one that is not reserved is left alone."""
        reservation = self._reserved.pop(address, None)
        if reservation is not None:
            reservation.close()

    def close(self) -> None:
        """Give back every address."""
        for address in tuple(self._reserved):
            self.release(address)


class PodSubnet:
    """The addresses of a node's simulated pods, on which nothing listens."""

    def __init__(self, network: IPv4Network) -> None:
        self._network = network
        self._reserved: set[str] = set()

    def reserve(self) -> str:
        """The lowest address that no pod has; the first of the network is the gateway's.

        Raises:
            AddressError: there is none left.
        """
        for host in islice(self._network.hosts(), 1, None):
            address = str(host)
            if address not in self._reserved:
                self._reserved.add(address)
                return address
        raise AddressError(f"no IP addresses available in {self._network}")

    def release(self, address: str) -> None:
        """Give back an address; one that is not reserved is left alone."""
        self._reserved.discard(address)


def _reservation(address: str, ports: Sequence[int]) -> socket.socket | None:
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reservation.bind((address, ports[0]))
        for port in ports:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind((address, port))
    except OSError as error:
        reservation.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise AddressError(
            f"cannot listen on {address}: {error.strerror}; pods need the addresses of 127.0.0.0/8 "
            "as Linux has them, and ports this user may bind"
        ) from error
    return reservation

"""A registered URL is a name, and its owner decides what it resolves to: the operator's own pod, the node's
metadata service, whatever a network lets pass. So addresses are judged where a socket is made for them, and
what was judged is what gets connected: there is no second look-up in between that could answer differently."""

import socket
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA: Final = tuple(
    ip_network(each)
    for each in (
        "169.254.169.254/32",  # most clouds
        "169.254.170.2/32",  # container credentials
        "169.254.170.23/32",  # pod identity
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::254/128",
        "fd00:ec2::23/128",
        "fd20:ce::254/128",
        "fd00:c1::a9fe:a9fe/128",
    )
)
"""Services that give a cloud's credentials to whoever asks from the machine; nothing allows them."""

_NAT64: Final = ip_network("64:ff9b::/96")
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_THIS_HOST: Final = (ip_network("0.0.0.0/8"), ip_network("::/128"))


class Denied(OSError):
    """An address that must not be connected."""


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses a prober may connect. Private networks are where servers live, and are not refused."""

    allow_loopback: bool = False
    denied: tuple[Network, ...] = ()

    def objection(self, address: Address) -> str | None:
        """Why this address must not be connected, or None."""
        return next(
            (words for each in _faces(address) if (words := self._objection(each)) is not None),
            None,
        )

    def _objection(self, address: Address) -> str | None:
        if any(address in network for network in METADATA):
            return "a cloud's metadata service"
        if any(address in network for network in self.denied):
            return "in a denied network"
        if any(address in network for network in _LOOPBACK):
            return None if self.allow_loopback else "loopback"
        if any(address in network for network in _THIS_HOST):
            return "this host"
        if address.is_link_local:
            return "link-local"
        if address.is_multicast or address == IPv4Address("255.255.255.255"):
            return "multicast or broadcast"
        return None


def _faces(address: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 address that it stands for: mapped, compatible, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return (address,)
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *(each for each in inner if each is not None))


class Guard:
    """Makes the sockets of one probe, and remembers which addresses it refused."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self.refusals: list[str] = []

    def __call__(self, target: tuple[Any, ...]) -> socket.socket:
        """A socket for one result of getaddrinfo.

        :raises Denied: it must not be connected
        """
        family, kind, protocol, _, where = target
        address = ip_address(str(where[0]).partition("%")[0])
        objection = self._policy.objection(address)
        if objection is not None:
            self.refusals.append(f"{address} is {objection}")
            raise Denied(self.refusals[-1])
        return socket.socket(family, kind, protocol)

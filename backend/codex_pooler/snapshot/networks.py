"""Addresses and networks: reading them as people write them, and asking quickly whether an address is in a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 as IPv6 sockets show it


@lru_cache(4096)  # the same few clients come again and again
def read_address(text: str) -> Address:
    """An address without its zone; IPv4 written as IPv6 becomes IPv4.  Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@lru_cache(4096)
def address_text(text: str) -> str:
    """An address as it is shown and stored.  Raises ValueError."""
    return str(read_address(text))


def read_network(text: str) -> Network:
    """``10.0.0.0/8``, ``2001:db8::/32`` or a single address.  Raises ValueError, also when host bits are set."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED.prefixlen and network.subnet_of(MAPPED):
        return ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - MAPPED.prefixlen))
    return network


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """Networks as they were written; ``in`` takes one set look-up per different prefix length, not per network."""

    written: tuple[str, ...] = ()
    _starts: dict[int, list[tuple[int, frozenset[int]]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        grouped: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in map(read_network, self.written):
            shift = network.max_prefixlen - network.prefixlen
            grouped[network.version].setdefault(shift, set()).add(int(network.network_address) >> shift)
        starts = {version: [(s, frozenset(n)) for s, n in found.items()] for version, found in grouped.items()}
        object.__setattr__(self, "_starts", starts)

    def __bool__(self) -> bool:
        return bool(self.written)

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(number >> shift in starts for shift, starts in self._starts[address.version])


NO_NETWORKS = NetworkSet()


def network_set(written: Iterable[str]) -> NetworkSet:
    """Raises ValueError when one of them is not a network."""
    return NetworkSet(tuple(written))

"""The one guard for addresses that a caller names: `voice_url`, a job's own bucket.

A caller must not reach, through the worker, what only the worker's machine can reach. So a host is resolved once, every
address that it has must be public, and the connection goes to an address that was checked: a name that resolves to a
public address for the check and to 127.0.0.1 for the connection gains nothing. TLS still verifies the host's name.

`net.client` has the HTTP client; it is a module of its own because httpx is not needed to start a worker.

What an operator sets (BUCKET_*, CHATTERBOX_BACKEND, HF_ENDPOINT) may be private and does not come here.
"""

from __future__ import annotations

import ipaddress
import socket

_SPECIAL_PURPOSE: tuple[tuple[str, bool, str], ...] = (
    # The IANA IPv4 Special-Purpose Address Registry: network, "Globally Reachable", name. N/A counts as False.
    ("0.0.0.0/8", False, "This network, RFC 791"),
    ("10.0.0.0/8", False, "Private-Use, RFC 1918"),
    ("100.64.0.0/10", False, "Shared Address Space, RFC 6598"),
    ("127.0.0.0/8", False, "Loopback, RFC 1122"),
    ("169.254.0.0/16", False, "Link Local, RFC 3927"),
    ("172.16.0.0/12", False, "Private-Use, RFC 1918"),
    ("192.0.0.0/24", False, "IETF Protocol Assignments, RFC 6890"),
    ("192.0.0.9/32", True, "Port Control Protocol Anycast, RFC 7723"),
    ("192.0.0.10/32", True, "Traversal Using Relays around NAT Anycast, RFC 8155"),
    ("192.0.2.0/24", False, "Documentation (TEST-NET-1), RFC 5737"),
    ("192.31.196.0/24", True, "AS112-v4, RFC 7535"),
    ("192.52.193.0/24", True, "AMT, RFC 7450"),
    ("192.88.99.0/24", False, "Deprecated (6to4 Relay Anycast), RFC 7526"),
    ("192.168.0.0/16", False, "Private-Use, RFC 1918"),
    ("192.175.48.0/24", True, "Direct Delegation AS112 Service, RFC 7534"),
    ("198.18.0.0/15", False, "Benchmarking, RFC 2544"),
    ("198.51.100.0/24", False, "Documentation (TEST-NET-2), RFC 5737"),
    ("203.0.113.0/24", False, "Documentation (TEST-NET-3), RFC 5737"),
    ("240.0.0.0/4", False, "Reserved, RFC 1112; with 255.255.255.255, Limited Broadcast"),
    # The IANA IPv4 Address Space Registry
    ("224.0.0.0/4", False, "Multicast, RFC 5771"),
    # The IANA IPv6 Special-Purpose Address Registry, inside of global unicast. Those that embed an IPv4 address: below.
    ("2001::/23", False, "IETF Protocol Assignments, RFC 2928; with 2001::/32, TEREDO, and 2001:2::/48, Benchmarking"),
    ("2001:1::1/128", True, "Port Control Protocol Anycast, RFC 7723"),
    ("2001:1::2/128", True, "Traversal Using Relays around NAT Anycast, RFC 8155"),
    ("2001:1::3/128", True, "DNS-SD Service Registration Protocol Anycast, RFC 9665"),
    ("2001:3::/32", True, "AMT, RFC 7450"),
    ("2001:4:112::/48", True, "AS112-v6, RFC 7535"),
    ("2001:20::/28", True, "ORCHIDv2, RFC 7343"),
    ("2001:30::/28", True, "Drone Remote ID Protocol Entity Tags, RFC 9374"),
    ("2001:db8::/32", False, "Documentation, RFC 3849"),
    ("3fff::/20", False, "Documentation, RFC 9637"),
)

_SPECIAL = sorted(
    ((ipaddress.ip_network(network), is_reachable) for network, is_reachable, _ in _SPECIAL_PURPOSE),
    key=lambda entry: -entry[0].prefixlen,  # the most specific entry counts
)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that the IANA IPv6 Address Space Registry assigns to global unicast. Outside of it are ::1, ::, 100::/64,
100:0:0:1::/64, 64:ff9b:1::/48, 5f00::/16, fc00::/7, fe80::/10 of the special-purpose registry, the deprecated ::/96
and fec0::/10, multicast (ff00::/8), and what is reserved."""

_EMBEDDING = (  # networks whose addresses stand for an IPv4 address, and how many bits are to the right of it
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291: the system connects over IPv4
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # IPv4-IPv6 translation, RFC 6052
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)


class AddressError(Exception):
    """Completes a sentence that starts with the host: "cannot be resolved", "is not a public address"."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(reason)
        self.host = host


def is_public(address: str) -> bool:
    """Whether IANA's registries call an IP address globally reachable; one that embeds an IPv4 address is judged by it.

    A table of our own, because `ipaddress.is_global` differs between Python 3.11 and 3.12 and between their patches.

    Raises:
        ValueError: not an IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])  # without the scope of fe80::1%eth0
    for network, shift in _EMBEDDING:
        if ip in network:
            return is_public(str(ipaddress.IPv4Address(int(ip) >> shift & 0xFFFFFFFF)))
    for special, is_reachable in _SPECIAL:
        if ip in special:
            return is_reachable
    return ip.version == 4 or ip in _GLOBAL_UNICAST


def resolve_public(host: str) -> list[str]:
    """The addresses of `host`, in the order to try them, from one look-up.

    Raises:
        AddressError: there are none, or one of them is not public.
    """
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise AddressError(host, "cannot be resolved")
    if not all(is_public(address) for address in found):
        raise AddressError(host, "is not a public address")
    return found

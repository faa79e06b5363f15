"""Network interfaces: which one leads to an address (collectives often take a wrong one), and whether a port can be reached."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915


def towards(host: str) -> tuple[str, str]:
    """Name the interface that leads to a host, and this node's IPv4 address there; raises OSError where no way leads there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # of UDP: nothing is sent
        own = probe.getsockname()[0]
    for _, name in socket.if_nameindex():
        with contextlib.suppress(OSError):  # it has no IPv4 address
            if address_of(name) == own:
                return name, own
    if own.startswith("127."):
        return "lo", own
    raise OSError(f"no interface has the address {own}, which leads to {host}")


def address_of(interface: str) -> str:
    """Return an interface's IPv4 address; raises OSError where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        return socket.inet_ntoa(answer[20:24])


def knock(address: str, port: int, seconds: float) -> str:
    """Try whether a door is open; return why it is not, and nothing where it is."""
    try:
        socket.create_connection((address, port), seconds).close()
    except OSError as error:
        return f"{address}:{port}: {error.strerror or error}"
    return ""

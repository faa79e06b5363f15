"""Which network interface leads to an address. Collectives take the first one that they find, which is often the wrong one."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915


def towards(host: str) -> str:
    """Name the interface whose IPv4 address this node uses towards a host; raises OSError where no way leads there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # of UDP: nothing is sent
        own = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has no IPv4 address
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == own and name != "lo":
                    return name
    if own.startswith("127."):
        return "lo"
    raise OSError(f"no interface has the address {own}, which leads to {host}")

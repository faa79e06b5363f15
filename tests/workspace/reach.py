"""Say which addresses answer.

Usage: python - HOST:PORT... < reach.py      (printed: those that a connection could be opened to)
"""

import socket
import sys

for place in sys.argv[1:]:
    host, port = place.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        continue
    print(place)

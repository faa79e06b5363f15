"""Who hears the ports that nginx is to hear."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

PATH = Path(__file__).parents[4] / "roles/reverse_proxy/files/look.py"
specification = importlib.util.spec_from_file_location("reverse_proxy_look", PATH)
look = importlib.util.module_from_spec(specification)
specification.loader.exec_module(look)

# Read on Linux 6.1: 443 is heard on 127.0.0.1, and a connection to 443 of another host is open.
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:A000 0100007F:01BB 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
"""


def proc(place: Path, comm: str, inode: str) -> Path:
    """Make a /proc with one process."""
    (place / "net").mkdir(parents=True)
    (place / "net/tcp").write_text(TABLE)
    (place / "7/fd").mkdir(parents=True)
    (place / "7/comm").write_text(f"{comm}\n")
    (place / "7/fd/3").symlink_to(f"socket:[{inode}]")
    (place / "7/fd/4").symlink_to("/dev/null")
    return place


def test_a_program_that_hears_the_port_is_named(tmp_path: Path) -> None:
    assert look.others({443}, proc(tmp_path, "caddy", "4711")) == {443: "caddy"}


def test_nginx_may(tmp_path: Path) -> None:
    assert look.others({443}, proc(tmp_path, "nginx", "4711")) == {}


def test_who_is_not_shown_is_somebody_else(tmp_path: Path) -> None:
    assert look.others({443, 80}, proc(tmp_path, "nginx", "4711")) == {80: "a program that the node does not show"}


def test_what_nobody_hears_is_free(tmp_path: Path) -> None:
    assert look.others({8443}, proc(tmp_path, "caddy", "4711")) == {}


def test_this_very_process_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert look.others({port}) == {port: Path(f"/proc/{os.getpid()}/comm").read_text().strip()}

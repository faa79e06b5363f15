"""What is read of a node's fstab and its automounts."""

from __future__ import annotations

from ansible_collections.gpu.fleet.roles.nfs_client.files.look import parse, parse_states

FSTAB = """# a comment
UUID=1 / ext4 errors=remount-ro 0 1

nfs-01:/export /data nfs ro,x-gpu-fleet 0 0
broken line
"""
# systemctl 252 and 257
STATES = "Where=/data\nActiveState=active\n\nWhere=/proc/sys/fs/binfmt_misc\nActiveState=inactive\n"


def test_fstab() -> None:
    assert parse(FSTAB) == [
        {"src": "UUID=1", "path": "/", "type": "ext4", "opts": "errors=remount-ro"},
        {"src": "nfs-01:/export", "path": "/data", "type": "nfs", "opts": "ro,x-gpu-fleet"},
    ]


def test_automounts() -> None:
    assert parse_states(STATES) == {"/data": "active", "/proc/sys/fs/binfmt_misc": "inactive"}
    assert parse_states("") == {}

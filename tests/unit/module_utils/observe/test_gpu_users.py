"""Who has the GPUs' device nodes open: read from a folder that looks like /proc, and from this machine's own."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.observe.gpu_users import gpu_users


def process(root: Path, pid: int, name: str, *opened: str) -> None:
    folder = root / "proc" / str(pid) / "fd"
    folder.mkdir(parents=True)
    (folder.parent / "comm").write_text(name + "\n")
    for number, target in enumerate(opened):
        (folder / str(number)).symlink_to(target)


def test_who_has_a_node_open_is_named_with_it(tmp_path: Path) -> None:
    process(tmp_path, 4711, "python", "/dev/null", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia1")
    process(tmp_path, 12, "bash", "/dev/pts/0", "/home/a/dev/nvidia0", "socket:[1]")
    process(tmp_path, 9, "nvidia-persiste", "/dev/nvidia0")
    (tmp_path / "proc/5").mkdir()  # one that ends meanwhile
    found = gpu_users(tmp_path)
    assert [(each.pid, each.name, each.nodes) for each in found] == [
        (9, "nvidia-persiste", ("/dev/nvidia0",)),
        (4711, "python", ("/dev/nvidia1", "/dev/nvidiactl")),
    ]
    assert str(found[1]).startswith("4711 (python, of ")
    assert str(found[1]).endswith(", /dev/nvidia1, /dev/nvidiactl)")


def test_this_machine_is_read_without_an_error() -> None:
    assert all(each.pid != os.getpid() for each in gpu_users())

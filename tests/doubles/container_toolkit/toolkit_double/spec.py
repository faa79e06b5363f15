"""A CDI specification: found on the node as the real tool finds it, built as plain data, written as the real tool writes it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from . import nvml

Spec = dict[str, Any]

CONTROL_NODES = ("/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl")
BINARIES = (
    "nvidia-smi",
    "nvidia-debugdump",
    "nvidia-persistenced",
    "nvidia-cuda-mps-control",
    "nvidia-cuda-mps-server",
    "nvidia-imex",
    "nvidia-imex-ctl",
)
SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket", "/tmp/nvidia-mps")
HOOK = "/usr/bin/nvidia-cdi-hook"
FILE_OPTIONS = ["ro", "nosuid", "nodev", "rbind", "rprivate"]
SOCKET_OPTIONS = ["nosuid", "nodev", "rbind", "rprivate", "noexec"]


class Node(NamedTuple):
    """A character device as the node has it."""

    path: str
    major: int
    minor: int
    mode: int
    uid: int = 0
    gid: int = 0


class Files(NamedTuple):
    """What of the driver lies on the node."""

    libraries: tuple[tuple[str, str], ...] = ()  # (path of the file, name of the link that the loader knows it by)
    others: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    control_nodes: tuple[Node, ...] = ()


def find_node(path: str) -> Node:
    status = Path(path).stat()
    if not stat.S_ISCHR(status.st_mode):
        raise FileNotFoundError(f"{path} is not a device node")
    return Node(path, os.major(status.st_rdev), os.minor(status.st_rdev), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def find_files(version: str) -> Files:
    """Look for the driver's files as the real tool does: the loader's cache, the path, well-known sockets."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    binaries = [path for path in map(shutil.which, BINARIES) if path]
    firmware = sorted(map(str, Path(f"/lib/firmware/nvidia/{version}").glob("gsp*.bin")))
    control = [find_node(path) for path in CONTROL_NODES if Path(path).exists()]
    return Files(
        parse_cache(cache, version),
        tuple(binaries + firmware),
        tuple(path for path in SOCKETS if Path(path).exists()),
        tuple(control),
    )


def parse_cache(text: str, version: str) -> tuple[tuple[str, str], ...]:
    """The libraries of one driver version in the output of `ldconfig -p`, each with the name of its link."""
    found = {}
    for name, path in re.findall(r"^\s*(\S+) \([^)]*x86-64[^)]*\) => (\S+)$", text, re.MULTILINE):
        target = str(Path(path).resolve())
        if target.endswith(f".so.{version}") and ".so.1" in name:
            found[target] = name
    return tuple(sorted(found.items()))


def build(driver: nvml.Driver, gpu_nodes: dict[int, Node], files: Files, strategies: tuple[str, ...] = ("index", "uuid")) -> Spec:
    """The specification for one node's GPUs; `gpu_nodes` maps a GPU's index to its device node."""
    devices: dict[str, list[Node]] = {_name(gpu, strategy): [gpu_nodes[gpu.index]] for strategy in strategies for gpu in driver.gpus}
    devices["all"] = [gpu_nodes[gpu.index] for gpu in driver.gpus]
    libraries = [(Path(path), name) for path, name in files.libraries]
    folders = sorted({str(path.parent) for path, _ in libraries})
    links = [f"{path.name}::{path.parent}/{name}" for path, name in libraries]
    links += [f"libcuda.so.1::{path.parent}/libcuda.so" for path, name in libraries if name == "libcuda.so.1"]
    hooks = []
    if links:
        hooks.append(_hook("create-symlinks", *(part for link in sorted(links) for part in ("--link", link))))
    hooks.append(_hook("enable-cuda-compat", f"--host-driver-version={driver.version}"))
    if folders:
        hooks.append(_hook("update-ldcache", *(part for folder in folders for part in ("--folder", folder))))
    hooks += [_hook("disable-device-node-modification"), _hook("update-application-profile")]
    mounts = [_mount(path, FILE_OPTIONS) for path in (*(path for path, _ in files.libraries), *files.others)]
    mounts += [_mount(path, SOCKET_OPTIONS) for path in files.sockets]
    common: Spec = {"env": [f"NVIDIA_CTK_LIBCUDA_DIR={':'.join(folders)}", "NVIDIA_VISIBLE_DEVICES=void"]}
    if files.control_nodes:
        common["deviceNodes"] = [_device_node(node) for node in sorted(files.control_nodes)]
    common["hooks"] = hooks
    if mounts:
        common["mounts"] = sorted(mounts, key=lambda mount: mount["containerPath"])
    return {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [
            {"name": name, "containerEdits": {"deviceNodes": [_device_node(node) for node in sorted(nodes)]}}
            for name, nodes in sorted(devices.items())
        ],
        "containerEdits": common,
    }


def generate(strategies: tuple[str, ...] = ("index", "uuid"), *, skip_lost: bool = False) -> Spec:
    """The specification for this node."""
    driver = nvml.read(skip_lost=skip_lost)
    nodes = {gpu.index: find_node(f"/dev/nvidia{gpu.minor}") for gpu in driver.gpus}
    return build(driver, nodes, find_files(driver.version), strategies)


def _name(gpu: nvml.Gpu, strategy: str) -> str:
    names = {"index": str(gpu.index), "uuid": gpu.uuid, "type-index": f"gpu{gpu.index}"}
    if strategy not in names:
        raise ValueError(f"invalid device name strategy: {strategy}")
    return names[strategy]


def _device_node(node: Node) -> Spec:
    """As Go writes it: what is zero is left out, the mode is decimal."""
    optional = {"major": node.major, "minor": node.minor, "fileMode": node.mode, "permissions": "rwm", "uid": node.uid, "gid": node.gid}
    return {"path": node.path, **{key: value for key, value in optional.items() if value}}


def _hook(name: str, *arguments: str) -> Spec:
    return {
        "hookName": "createContainer",
        "path": HOOK,
        "args": [Path(HOOK).name, name, *arguments],
        "env": ["NVIDIA_CTK_DEBUG=false"],
    }


def _mount(path: str, options: list[str]) -> Spec:
    return {"hostPath": path, "containerPath": path, "options": options}

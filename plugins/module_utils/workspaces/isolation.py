"""What an entry may not ask for, since it would take a workspace out of its container, or hand the node itself to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What no directory of a workspace may be, lie in or hold.
_PATHS = {
    **dict.fromkeys(("/run", "/var/run"), "the sockets of services that run as root"),
    **dict.fromkeys(("/proc", "/sys", "/dev"), "the kernel's own"),
    **dict.fromkeys(("/etc", "/boot"), "what the node is set up with"),
    **dict.fromkeys(("/var/lib/docker", "/var/lib/containerd"), "the engine's own, with the containers of all"),
}
# What the role would give another owner and mode, besides.
_PROGRAMS = dict.fromkeys(("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"), "the node's programs")
_SOCKETS = ("docker.sock", "containerd.sock")

_OPTION = re.compile(r"--(?P<name>[a-z][a-z0-9-]*)(=(?P<value>.*))?", re.DOTALL)
# Names of options, which values of them are meant, and what a workspace would have.
_OPTIONS = (
    (("privileged", "cap-add", "security-opt", "user", "userns"), r"", "privileges"),
    (("pid", "ipc", "uts", "cgroupns"), r"", "the node's processes and memory in sight; for more shared memory say shm_size"),
    (("network", "net"), r"(^|name=)(host|container:)", "the node's network, with what listens on its loopback"),
    (("volume", "mount", "volumes-from"), r"", "directories that nobody has checked; say volumes or datasets"),
    (("device",), r"^(?!/dev/infiniband(/\w+)?$)", "a device of the node; say gpus, or --device=/dev/infiniband"),
    (("device-cgroup-rule", "gpus", "runtime"), r"", "devices of the node; say gpus"),
    (("env",), r"^NVIDIA_", "GPUs that others have; say gpus"),
    (("group-add",), r"", "groups that nobody has checked; say groups"),
    (("use-api-socket",), r"", "the engine, and by it the node"),
    (("env-file", "label-file", "cidfile"), r"", "files that root reads or writes"),
    (("read-only", "cgroup-parent"), r"", "no limits any more"),
)


def wrong_paths(path: str, *, is_data: bool = False) -> Iterator[str]:
    """Say why a directory of the node cannot be a workspace's: its data, a volume or a data set."""
    expected = "expected one that is for workspaces, such as /srv/workspaces/NAME"
    if {".", ".."} & set(path.split("/")):
        yield f"found the path {path!r}, expected one without . and .."
    elif path.endswith(_SOCKETS):
        yield f"found the path {path!r}, expected anything but the engine's socket: who can use it is root on the node"
    else:
        for kept, reason in {**_PATHS, **(_PROGRAMS if is_data else {})}.items():
            if f"{path}/".startswith(f"{kept}/") or kept.startswith(f"{path}/"):
                yield f"found the path {path!r}, which is, lies in or holds {kept} ({reason}), {expected}"


def wrong_options(options: list[str]) -> Iterator[str]:
    """Say which options of `docker create` cannot be had, and why."""
    for option in options:
        match = _OPTION.fullmatch(str(option))
        if not match:
            yield f"found the option {str(option)[:20]!r}, expected --name, or --name=value in one word, such as --ulimit=memlock=-1"
            continue
        for names, values, gives in _OPTIONS:
            if match["name"] in names and re.search(values, match["value"] or ""):
                yield f"found the option --{match['name']}, expected none that gives a workspace {gives}"

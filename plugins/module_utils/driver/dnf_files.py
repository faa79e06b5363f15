"""The files that a node's dnf has of NVIDIA's repository, and those of others for the same one."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.repository import Repository, same_place

NAME = "gpu-fleet-nvidia-driver"
SOURCE = Path("/etc/yum.repos.d") / f"{NAME}.repo"


def key_path(repository: Repository) -> Path:
    """Return where the key is. Its fingerprint is in its name: another key is another file."""
    return Path("/etc/pki/rpm-gpg") / f"RPM-GPG-KEY-gpu-fleet-nvidia-{repository.fingerprint[-16:]}"


def section(repository: Repository) -> str:
    """Return the repository as dnf's source, whose packages are accepted only with a good signature."""
    return (
        f"# Written by gpu.fleet.nvidia_driver.\n[{NAME}]\nname=NVIDIA driver\nbaseurl={repository.url}\n"
        f"enabled=1\ngpgcheck=1\ngpgkey=file://{key_path(repository)}\n"
    )


def in_the_way(files: Mapping[str, str], repository: Repository) -> list[str]:
    """List the files that name the same repository, whose packages would come from two sources, with whatever key that file trusts.

    A file that names others too cannot be put aside, and is refused.
    """
    found = []
    for path, text in sorted(files.items()):
        sections = _enabled(text)
        same = [name for name, urls in sections.items() if any(same_place(url, repository.url) for url in urls)]
        if path != str(SOURCE) and same:
            found.append(path)
            if len(same) < len(sections):
                raise Refusal(
                    f"{path} with {', '.join(same)}, which is {repository.url}, and with other repositories",
                    "one source for that repository",
                    f"disable {same[0]} there by hand: dnf config-manager --set-disabled {same[0]}",
                )
    return found


def _enabled(text: str) -> dict[str, list[str]]:
    """Return the enabled sections of a source with their addresses."""
    source = ConfigParser(interpolation=None, strict=False)
    try:
        source.read_string(text)
    except ConfigError:  # dnf does not read such a file either
        return {}
    on = (name for name in source.sections() if source.get(name, "enabled", fallback="1").lower() not in {"0", "false", "no"})
    return {name: source.get(name, "baseurl", fallback="").replace(",", " ").split() for name in on}

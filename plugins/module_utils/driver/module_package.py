"""The package of a kernel module that one node compiled and others install: what it is called, and what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import upstream

# Where a package has its provenance, under its own name.
PROVENANCE = "usr/share/doc/{name}/provenance.json"

PREFIX = "nvidia-modules-"  # of all packages' names


def package_name(flavour: str, kernel: str) -> str:
    """Return the package's name: of letters, digits and +-. only."""
    return PREFIX + re.sub(r"[^a-z0-9+.-]", "-", f"{flavour}-{kernel}".lower())


def file_name(name: str, version: str, architecture: str) -> str:
    """Return what apt calls the package's file."""
    return f"{name}_{version}_{architecture}.deb"


@dataclass(frozen=True)
class Provenance:
    """Where the modules come from, and what they are for."""

    kernel: str
    version: str  # the driver's, and so the package's
    flavour: str
    vermagic: str  # what of a kernel the modules need
    compiler: str  # gcc and its version
    signer: str  # empty: nobody
    signing_key: str  # the certificate's number in hexadecimal digits
    source: str  # the package that compiled it, with its version
    built_on: str
    built_at: str  # UTC

    @property
    def name(self) -> str:
        """The package's name."""
        return package_name(self.flavour, self.kernel)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Provenance:
        """Read what `plain` made; raises KeyError or TypeError where it is something else."""
        return cls(**{name: str(data[name]) for name in cls.__dataclass_fields__})

    def plain(self) -> dict[str, str]:
        """Return it as data."""
        return asdict(self)


@dataclass(frozen=True)
class DkmsPackage:
    """The installed package that compiled the modules, as dpkg knows it."""

    name: str
    version: str
    depends: str
    provides: str

    @property
    def driver(self) -> str:
        """The driver's version."""
        return upstream(self.version)


# What it takes to compile, and not to run what was compiled.
_TOOLS = re.compile(r"dkms|gcc|make|patch|libc6-dev|dpkg-dev|build-essential|linux-headers|nvidia-kernel-source")


def _without(field: str) -> list[str]:
    return [entry for entry in map(str.strip, field.split(",")) if entry and not _TOOLS.match(entry) and "-dkms" not in entry]


def control(provenance: Provenance, dkms: DkmsPackage, compilers: list[str], architecture: str, size_kib: int) -> str:
    """Return the control file: it needs and gives what the package does that compiled it, but for the compiling, and takes its place."""
    virtual = provenance.name.replace(f"-{provenance.flavour}-", "-", 1)
    fields = {
        "Package": provenance.name,
        "Version": provenance.version,
        "Architecture": architecture,
        "Maintainer": "GPU fleet toolkit <root@localhost>",
        "Installed-Size": str(size_kib),
        "Depends": ", ".join(_without(dkms.depends)),
        "Provides": ", ".join([virtual, *_without(dkms.provides)]),
        # Of one kernel there are either these files, or those that are compiled here, or those of the other flavour.
        "Conflicts": ", ".join([virtual, *compilers]),
        "Replaces": virtual,
        "Section": "kernel",
        "Priority": "optional",
        "Description": f"NVIDIA's {provenance.flavour} kernel modules {provenance.version} for {provenance.kernel}\n"
        f" Compiled by {provenance.source} on {provenance.built_on}.",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def script(kernel: str, moment: str) -> str:
    """Return postinst (moment "configure") or postrm ("remove"): the kernel's list of modules follows.

    So does its initial file system, where modules of the driver are in it.
    """
    return f"""#!/bin/sh
set -e
if [ "$1" = {moment} ] && [ -e /lib/modules/{kernel}/modules.builtin ]; then
    depmod {kernel}
    if lsinitramfs /boot/initrd.img-{kernel} 2>/dev/null | grep -q '/nvidia[^/]*[.]ko'; then
        update-initramfs -u -k {kernel}
    fi
fi
"""

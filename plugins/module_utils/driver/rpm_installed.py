"""What is installed, from rpm's list."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.versionlock import entry, package_in

RPM_LIST = ("rpm", "-qa", "--qf", "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n")


def parse_rpm(text: str, locks: Sequence[str], architecture: str) -> dict[str, Installed]:
    """Read the lines "PACKAGE VERSION", without other architectures' libraries. Held is what the locks keep at just that version.

    Of kernels several are installed side by side: they are found by name and version too, as `uname -r` has it.
    """
    installed = {}
    for line in text.splitlines():
        name, version = line.split()
        if version.rpartition(".")[2] in {architecture, "noarch"}:
            package = Installed(version, held={lock for lock in locks if package_in(lock)[0] == name} == {entry(name, version)})
            plain = version.partition(":")[2]
            several = (f"{name}-{plain}", f"{name}-{plain.rpartition('.')[0]}") if name.startswith("kernel") else ()
            installed.update(dict.fromkeys((name, *several), package))
    return installed

"""Whether modules that another node compiled fit this one."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpu.fleet.plugins.module_utils.driver.local import modinfo
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import Provenance
from ansible_collections.gpu.fleet.plugins.module_utils.driver.secure_boot import SecureBoot


def misfit(modules: Provenance, root: Path, secure_boot: SecureBoot) -> str:
    """Return why the kernel here would not load them, or nothing."""
    if not modules.vermagic:
        return ""  # not compiled yet: nobody knows
    needed = vermagic(root, modules.kernel)
    if not needed:
        return f"no kernel {modules.kernel} is here"
    if modules.vermagic != needed:
        return f"they are for {modules.vermagic!r}, and kernel {modules.kernel} here needs {needed!r}"
    if secure_boot.enabled and not secure_boot.trusts(modules.signing_key):
        return f"Secure Boot, and {modules.signer or 'nobody'} who signed them is not among the machine owner's keys (MOK)"
    return ""


def vermagic(root: Path, kernel: str) -> str:
    """Return what a module of the kernel's own says that it needs of it; nothing where there is none."""
    own = next((root / "lib/modules" / kernel / "kernel").glob("**/*.ko*"), None)
    return modinfo(own, "vermagic") if own else ""

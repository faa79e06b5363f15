"""Packages that are not the driver's: it must not cost a node one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.gpu.fleet.plugins.module_utils.driver.installed import Installed
from ansible_collections.gpu.fleet.plugins.module_utils.driver.module_package import PREFIX
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal
from ansible_collections.gpu.fleet.plugins.module_utils.driver.rule import Rule
from ansible_collections.gpu.fleet.plugins.module_utils.driver.version import is_drivers, upstream


@dataclass(frozen=True)
class Own:
    """What on a node is the driver's own: what a rule names, what came along at its version, and modules that another node compiled."""

    rules: Collection[Rule]  # of all sources: what one brought may go for another
    installed: Mapping[str, Installed]

    def has(self, name: str) -> bool:
        """Tell whether a package is. By the name alone, the container toolkit and CUDA would be the driver too."""
        return name.startswith(PREFIX) or self._is_named(name) or self._came_along(name)

    def _version(self, name: str) -> str:
        return upstream(self.installed[name].version) if name in self.installed else ""

    def _is_named(self, name: str) -> bool:
        rules = [rule for rule in self.rules if rule.names_it(name)]
        # The rules name what the driver needs too, such as a kernel.
        return any(not rule.own_version or rule.is_compiled for rule in rules) or bool(rules and is_drivers(self._version(name)))

    def _came_along(self, name: str) -> bool:
        # CUDA's compatibility libraries have the version of a driver, but are none.
        drivers = {self._version(each) for each in self.installed if self._is_named(each)}
        return is_drivers(self._version(name)) and self._version(name) in drivers and not name.startswith("cuda-compat")


def refuse_strangers(removed: Iterable[str], own: Own) -> None:
    """Refuse an installation that takes away what is not the driver's."""
    # Of another architecture's package, apt names that too.
    strangers = [name for name in removed if not own.has(name.split(":")[0])]
    if strangers:
        raise Refusal(
            f"that the driver's packages would remove {', '.join(strangers)}",
            "them to replace only driver packages",
            "remove these by hand if that is right, and run again",
        )

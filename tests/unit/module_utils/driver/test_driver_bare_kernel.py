"""No kernel comes along without the module that was compiled for it."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.bare_kernel import refuse_bare_kernel
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

KERNEL = "Inst linux-image-6.8.0-88-generic (6.8.0-88.89 Ubuntu:24.04/noble-updates [amd64])"
MODULES = "Inst linux-modules-nvidia-580-server-open-6.8.0-88-generic (6.8.0-88.89 Ubuntu:24.04/noble-updates [amd64])"
OTHERS = "Inst linux-modules-nvidia-580-server-open-6.8.0-87-generic (6.8.0-87.88 Ubuntu:24.04/noble-updates [amd64])"


@pytest.mark.parametrize("changes", [[], [MODULES], [KERNEL, MODULES], ["Inst linux-image-generic (6.8.0-88.89 Ubuntu:24.04 [amd64])"]])
def test_a_kernel_with_its_modules_may_come(changes: list[str]) -> None:
    refuse_bare_kernel(changes)


@pytest.mark.parametrize("changes", [[KERNEL], [KERNEL, OTHERS]])
def test_a_kernel_ahead_of_its_modules_is_refused(changes: list[str]) -> None:
    with pytest.raises(Refusal, match=r"Found that the driver's packages bring kernel 6\.8\.0-88-generic, and no package"):
        refuse_bare_kernel(changes)

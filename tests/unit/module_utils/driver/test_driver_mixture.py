"""An installation that would bring another driver along is refused."""

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.mixture import refuse_mixture
from ansible_collections.gpu.fleet.plugins.module_utils.driver.refusal import Refusal

ARCHIVE = "Ubuntu:22.04/jammy-updates [amd64])"


def test_a_branch_that_ended_and_installs_its_successor_is_refused() -> None:
    changes = [
        f"Inst nvidia-kernel-common-580-server (580.159.03-0ubuntu0.22.04.1 {ARCHIVE}",
        f"Inst libnvidia-compute-580-server (580.159.03-0ubuntu0.22.04.1 {ARCHIVE}",
        f"Inst libnvidia-compute-570-server [570.211.01-0ubuntu0.22.04.1] (570.211.01-0ubuntu1.22.04.1 {ARCHIVE}",
    ]
    with pytest.raises(Refusal, match=r"570\.211\.01 bring .*libnvidia-compute-580-server 580\.159\.03 along\. .* to 580\.159\.03"):
        refuse_mixture(changes, {"libnvidia-compute-570-server"}, "570.211.01")


def test_what_has_versions_of_its_own_or_was_named_is_no_mixture() -> None:
    changes = [
        "Inst nvidia-modprobe (570.133.07-1 Debian:13/stable [amd64])",
        "Inst nvidia-firmware-580-server-580.159.03 [580.126.09-0ubuntu0.22.04.1] (580.159.03-0ubuntu0.22.04.1 x [amd64])",
        "Inst nvidia-support (20220217+3~deb12u1 Debian:12/stable [amd64])",
        "Inst linux-image-6.8.0-60-generic (6.8.0-60.63 x [amd64])",
        "Inst nvidia-driver-pinning-580 (580-5 x [amd64])",
        "Remv libnvidia-compute-570-server [570.211.01-0ubuntu0.22.04.1]",
    ]
    refuse_mixture(changes, {"nvidia-modprobe"}, "580.159.03")

from __future__ import annotations

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.driver.waves import checked


@pytest.mark.parametrize("waves", [[1, "10%", "100%"], ["1", "25%"], [250]])
def test_numbers_and_shares_are_waves(waves: list[object]) -> None:
    assert checked(waves) == waves


@pytest.mark.parametrize("wave", [0, -1, "0%", "110%", "some", "1.5", 1.5, True, None, ""])
def test_what_ansible_would_take_for_all_nodes_or_stumble_over_is_refused(wave: object) -> None:
    with pytest.raises(ValueError, match="expected a number of nodes"):
        checked([1, wave])

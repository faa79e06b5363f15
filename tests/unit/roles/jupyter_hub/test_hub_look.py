"""What a node says of the data sets that its hub is to have."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PATH = Path(__file__).parents[4] / "roles/jupyter_hub/files/look.py"
specification = importlib.util.spec_from_file_location("jupyter_hub_look", PATH)
look = importlib.util.module_from_spec(specification)
specification.loader.exec_module(look)


def test_a_data_set_is_a_directory_that_answers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not look.is_missing(str(tmp_path))
    assert look.is_missing(str(tmp_path / "none"))
    assert look.is_missing(str(tmp_path / "file"))


def test_what_does_not_answer_in_time_has_said_nothing() -> None:
    assert look.run("sleep", "60", timeout_s=0.1) == ""

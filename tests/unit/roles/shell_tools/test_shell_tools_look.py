"""What is read of the tools on a node."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.roles.shell_tools.files import look as module
from ansible_collections.gpu.fleet.roles.shell_tools.files.look import look, offered


def test_what_a_source_offers() -> None:
    # apt 2.6.1 and 3.0.3
    assert offered("nvitop:\n  Installed: (none)\n  Candidate: 1.5.0-1\n  Version table:\n")
    assert not offered("nvitop:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n")
    assert not offered("")


def test_an_installation_that_was_cut_off_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "LINK", tmp_path / "nvitop")
    monkeypatch.setattr(module, "output", lambda *_: "")
    directory = tmp_path / "venv"
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "nvitop").touch()
    (directory / "requirements.txt").write_text("nvitop==1\npsutil==2\n")
    cut_off = look(["tmux"], directory)
    assert (cut_off["missing"], cut_off["nvitop_ours"], cut_off["nvitop_requirements"]) == (["tmux"], True, [])
    (tmp_path / "nvitop").symlink_to(directory / "bin" / "nvitop")
    assert look([], directory)["nvitop_requirements"] == ["nvitop==1", "psutil==2"]

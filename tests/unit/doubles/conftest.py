"""The NVML double, built once, and a way to ask it: always in a child process, whose loader is pointed at the double."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DOUBLES = Path(__file__).parents[2] / "doubles"
CHILD = """
import json, sys
import pynvml as nvml
answers = {}
def ask(name, function, *arguments):
    try:
        answers[name] = function(*arguments)
    except nvml.NVMLError as error:
        answers[name] = type(error).__name__
%s
print(json.dumps(answers, default=lambda answer: answer.decode() if isinstance(answer, bytes) else str(answer)))
"""


def header_folder() -> Path:
    """Where the test dependency nvidia-nvml-dev has put NVIDIA's nvml.h (NVML_INCLUDE overrides)."""
    if "NVML_INCLUDE" in os.environ:
        return Path(os.environ["NVML_INCLUDE"])
    found = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/include/nvml.h"))
    assert found, "found no nvml.h beside this Python, expected the package nvidia-nvml-dev: pip install -e '.[test]'"
    return found[-1].parent


@pytest.fixture(scope="session")
def include() -> Path:
    return header_folder()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, include: Path) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    make = ["make", "--silent", "-j2", f"NVML_INCLUDE={include}", f"BUILD={folder}", "CFLAGS=-O0 -Werror"]
    result = subprocess.run(make, cwd=DOUBLES / "nvml", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "libnvidia-ml.so.1"


@dataclass
class Double:
    """The library under a name of its own, and what it says of a scenario."""

    library: Path
    folder: Path

    def environment(self, scenario: str, version: str) -> dict[str, str]:
        name = f"libnvidia-ml.so.{version}"
        if version != "1":
            shutil.copy(self.library, self.folder / name)
        link = self.folder / "libnvidia-ml.so.1"
        link.unlink(missing_ok=True)
        link.symlink_to(self.library if version == "1" else name)
        path = self.folder / "scenario.conf"
        path.write_text(scenario)
        return {**os.environ, "LD_LIBRARY_PATH": str(self.folder), "GPU_FLEET_DOUBLE_SCENARIO": str(path)}

    def run(self, scenario: str, code: str, version: str = "1") -> subprocess.CompletedProcess[str]:
        environment = self.environment(scenario, version)
        command = [sys.executable, "-c", CHILD % code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)

    def ask(self, scenario: str, code: str, version: str = "1") -> dict[str, Any]:
        """Run the code after nvmlInit in the child: what it asks for by name comes back, an error as its class's name."""
        result = self.run(scenario, f"nvml.nvmlInit()\n{code}", version)
        assert result.returncode == 0, result.stderr
        answers: dict[str, Any] = json.loads(result.stdout)
        return answers


@pytest.fixture
def double(library: Path, tmp_path: Path) -> Double:
    return Double(library, tmp_path)

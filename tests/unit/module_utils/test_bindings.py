"""NVML's bindings on a node: all that is called is there, it is what NVIDIA wrote, and little else is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils import bindings, kit
from ansible_collections.gpu.fleet.plugins.module_utils.observe import nvml
from ansible_collections.gpu.fleet.plugins.module_utils.observe.nvml_gpu import READERS

OBSERVERS = Path(bindings.__file__).parent / "observe"
SOURCE = """\
# License: keep me.
import sys

ERROR_ONE, ERROR_TWO = 1, 2
ERROR_THREE = 3
UNUSED = 4


def kept(function):
    return function


@kept
def called():  # as `indirect` is
    return [name for name in dir(sys) if name.startswith("ERROR_")]


indirect = called
def named(): return 5
class Unused: pass
class First(object): pass
First = 6
"""


@pytest.fixture(scope="module")
def whole() -> ModuleType:
    return loaded("whole", kit.bindings_file().read_text())


@pytest.fixture(scope="module")
def lean() -> ModuleType:
    return loaded("lean", bindings.lean(kit.bindings_file()).decode())


def loaded(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    with patch.dict(sys.modules, {name: module}):  # where it looks for its own constants
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def test_what_is_mentioned_is_kept_with_all_that_it_mentions() -> None:
    cut = bindings.cut(SOURCE, 'nvml.indirect(); getattr(nvml, "named"); First')
    kept = ["# License: keep me.", "import sys", "ERROR_ONE, ERROR_TWO = 1, 2", "ERROR_THREE = 3", "def kept(function):"]
    kept += ["    return function", "@kept", "def called():  # as `indirect` is"]
    kept += ['    return [name for name in dir(sys) if name.startswith("ERROR_")]', "indirect = called", "def named(): return 5"]
    assert [line for line in cut.splitlines() if line] == [*kept, "class First(object): pass", "First = 6"]


def names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def test_nothing_of_the_whole_is_missing_in_what_is_kept(whole: ModuleType, lean: ModuleType) -> None:
    kept = [value for value in vars(lean).values() if getattr(value, "__module__", "") == "lean"]
    functions = [each for value in kept for each in (vars(value).values() if isinstance(value, type) else [value])]
    used = {name for function in functions if isinstance(function, FunctionType) for name in names(function.__code__)}
    assert len(used) > 100
    assert {name for name in used if hasattr(whole, name)} == {name for name in used if hasattr(lean, name)}


def test_the_errors_are_the_same(whole: ModuleType, lean: ModuleType) -> None:
    classes, here = ({name: vars(module)[name] for name in dir(module) if name.startswith("NVML")} for module in (whole, lean))
    errors = {name for name in classes if name.startswith(("NVMLError", "NVML_ERROR_"))}
    assert len(errors) > 50
    assert errors == {name for name in here if name.startswith(("NVMLError", "NVML_ERROR_"))}
    for number in (1, 3, 15, 999):
        one, other = whole.NVMLError(number), lean.NVMLError(number)
        assert (type(one).__name__, one.value, str(one)) == (type(other).__name__, other.value, str(other))


class Recorder:
    """Stands in for the bindings: notes what it is asked for, and answers with an error, or with something that does for anything."""

    class NVMLError(Exception):
        value = 13

    def __init__(self, *, answers: bool) -> None:
        self.answers, self.asked = answers, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        if name.startswith("NVML_"):
            return 2
        return lambda *_arguments: self._called(name)

    def _called(self, name: str) -> Any:
        if self.answers or name.startswith(("c_", "nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandle")):
            return Answer(8)
        raise self.NVMLError(name)


class Answer(int):
    """Does for a number, a name, a list and a structure."""

    def __getattr__(self, _name: str) -> Answer:
        return Answer(8)


@pytest.mark.parametrize("answers", [False, True])
def test_whatever_is_asked_of_the_whole_is_there(whole: ModuleType, lean: ModuleType, answers: bool) -> None:  # noqa: FBT001
    recorder = Recorder(answers=answers)
    nvml.read(recorder, lambda _item: None)
    assert len(recorder.asked) > len(READERS) / 2
    assert {name for name in recorder.asked if hasattr(whole, name)} == {name for name in recorder.asked if hasattr(lean, name)}


def test_no_name_is_put_together() -> None:
    """What is mentioned is found in the text: a name that is made of parts would not be."""
    for file in OBSERVERS.glob("*.py"):
        assert not re.search(r"""["'](nvml|NVML|c_nvml)\w*\{""", file.read_text()), file


def test_little_else_is_kept() -> None:
    assert len(bindings.lean(kit.bindings_file())) < len(kit.bindings_file().read_bytes()) / 5

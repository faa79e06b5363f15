"""What the role nvidia_container_toolkit decides from one look at a node."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gpu.fleet.roles.nvidia_container_toolkit.files import look
from ansible_collections.gpu.fleet.roles.nvidia_container_toolkit.files.look import Result

STATUS = "nvidia-container-toolkit 1.17.8-1 hold installed\nlibnvidia-container1 1.17.8-1 install installed\n"
RUNTIME = {"runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}}


def test_packages_are_wanted_at_one_version_and_held() -> None:
    wanted = dict.fromkeys(["nvidia-container-toolkit", "libnvidia-container1", "libnvidia-container-tools"], "1.17.8-1")
    assert look.packages_differ(STATUS, wanted) == ["libnvidia-container1", "libnvidia-container-tools"]
    assert look.packages_differ(STATUS, {"nvidia-container-toolkit": "1.17.7-1"}) == ["nvidia-container-toolkit"]


@pytest.mark.parametrize(
    ("version", "knows"), [("20.10.24+dfsg1", False), ("24.0.7", False), ("25.0.0", True), ("28.2.2", True), ("dev", False)]
)
def test_engines_that_know_cdi(version: str, *, knows: bool) -> None:
    assert look.knows_cdi(version) is knows


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        ("", True),
        (json.dumps(RUNTIME), False),
        (json.dumps({**RUNTIME, "features": {"buildkit": True}}), False),
        (json.dumps({"runtimes": {"nvidia": {"path": "other"}}}), True),
    ],
)
def test_docker_is_compared_by_what_nvidia_ctk_would_add(text: str, *, differs: bool) -> None:
    assert look.docker({}, text, Result(0, json.dumps(RUNTIME)))["differs"] is differs


def test_a_daemon_json_that_nvidia_ctk_cannot_read() -> None:
    log = 'time="2026-11-23T02:48:06Z" level=error msg="unable to load config for runtime docker: unexpected EOF"\n'
    with pytest.raises(ValueError, match=r"Found that nvidia-ctk cannot read .*unexpected EOF.*Nothing was changed"):
        look.docker({}, "{", Result(1, "", log))


SPEC = "---\nkind: nvidia.com/gpu\n- /usr/lib/libcuda.so.535.261.03\n- /dev/nvidia0\n"
REORDERED = "---\nkind: nvidia.com/gpu\n- /dev/nvidia0\n- /usr/lib/libcuda.so.535.261.03\n"


@pytest.mark.parametrize(
    ("found", "unit", "state"),
    [
        (SPEC, True, "fresh"),
        (REORDERED, True, "fresh"),
        (SPEC, False, "stale"),
        (SPEC.replace("535.261.03", "550.163.01"), True, "stale"),
        (None, True, "stale"),
    ],
)
def test_specification_against_the_driver(found: str | None, state: str, *, unit: bool) -> None:
    assert look.cdi_state(Result(0, SPEC), found, unit=unit) == {"state": state}


def test_gpus_that_cannot_be_described() -> None:
    error = 'time="x" level=warning msg="a"\ntime="x" level=error msg="failed: \\"GPU\\" is lost"\n'
    assert look.cdi_state(Result(1, "", error), SPEC, unit=True) == {"state": "unknown", "reason": 'failed: "GPU" is lost'}


@pytest.mark.parametrize(
    ("log", "message"),
    [('time="x" level=info msg=short', "short"), ("nvidia-ctk: not found\n", "nvidia-ctk: not found")],
)
def test_last_message(log: str, message: str) -> None:
    assert look.last_message(log.replace('"x"', "x")) == message


def test_a_proof_is_void_when_anything_changes() -> None:
    key = look.proof_key("1.17.8", {"ServerVersion": "26.1.5"}, ["spec"])
    assert key == look.proof_key("1.17.8", {"ServerVersion": "26.1.5"}, ["spec"])
    assert key != look.proof_key("1.17.8", {"ServerVersion": "28.0.0"}, ["spec"])


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ('{"ServerVersion": "", "ServerErrors": ["Cannot connect to the Docker daemon"]}', 0),
        ('{"ServerErrors": ["Cannot connect to the Docker daemon"]}', 0),
        ("", 1),
    ],
    ids=["Docker 29", "Docker 20.10", "no client"],
)
def test_an_engine_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, says: str, code: int) -> None:
    """The client ends with status 0 where there is no engine, and says so in what it prints."""
    monkeypatch.setattr(look, "run", lambda *_command: look.Result(code, says, "Cannot connect to the Docker daemon"))
    with pytest.raises(ValueError, match=r"Docker does not answer \(Cannot connect to the Docker daemon\), expected a running engine"):
        look.engine_info()


@pytest.mark.parametrize("path", ["/etc/cdi/nvidia.json", "/etc/cdi/nvidia"])
def test_a_specification_that_would_be_of_another_format_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"expected a path that ends with \.yaml"):
        look.look({"cdi_spec": path})

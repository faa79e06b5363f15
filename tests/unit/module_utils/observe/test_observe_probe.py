"""The probe's commands, its output, and what becomes of a container that hangs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observe import probe as observed
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import probe

IMAGE = "registry:5000/pytorch/pytorch:2.7.1"
DIGEST = "sha256:" + 8 * "0123abcd"
INFO = {"ServerVersion": "26.1.5", "CDISpecDirs": ["/etc/cdi"], "Runtimes": {"runc": {}}}


def request(folder: Path, runtime: str = "container") -> observed.ProbeRequest:
    return observed.ProbeRequest(runtime, IMAGE, "cuda", folder)


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, run: str, info: str = json.dumps(INFO), status: int = 0) -> None:
    """Put a docker in the path that logs what it is asked, and does `run` for `docker run`."""
    (folder / "info").write_text(info)
    (folder / "result").write_text(json.dumps(to_plain(probe())) + "\n")
    (folder / "digests").write_text(json.dumps([f"registry:5000/pytorch/pytorch@{DIGEST}"]) + "\n")
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/log\ncase "$1" in\n'
        f"info) cat {folder}/info; exit {status};;\nimage) cat {folder}/digests;;\nrun) {run};;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_container_gets_gpus_and_no_network() -> None:
    command = observed.container_command(request(Path("/tmp/kit/probe")), ["--device", "nvidia.com/gpu=all"], "gpu-readiness-1", 59.6)
    assert " ".join(command) == (
        "docker run --rm --name gpu-readiness-1 --label gpu.fleet=readiness --pull never --network none --shm-size 1g "
        "--device nvidia.com/gpu=all --volume /tmp/kit/probe:/probe:ro --entrypoint python3 "
        f"{IMAGE} /probe --device cuda --seconds 60"
    )


def test_the_native_command() -> None:
    command = observed.native_command("/opt/python", request(Path("/tmp/kit/probe"), "native"), 30)
    assert command == ["/opt/python", "/tmp/kit/probe", "--device", "cuda", "--seconds", "30"]


def test_the_last_line_is_the_result() -> None:
    noise = "NCCL version 2.26.2+cuda12.6\n\n"
    assert observed.parse(noise + json.dumps(to_plain(probe())) + "\n\n").value == probe()


@pytest.mark.parametrize("output", ["", "\n", "Segmentation fault", "{}", '{"device": "cuda"', "[]", '"cuda"', "null"])
def test_output_that_is_no_result_is_unreadable(output: str) -> None:
    assert "expected its result in JSON" in observed.parse(output).why


def test_the_image_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    assert observed.observe(request(tmp_path), Deadline(20)).value == probe(image=Reading.of(DIGEST))
    assert "--device nvidia.com/gpu=all" in (tmp_path / "log").read_text()


def test_an_image_that_is_not_here_is_not_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f'echo "docker: Error response from daemon: No such image: {IMAGE}." >&2; exit 125')
    why = observed.observe(request(tmp_path), Deadline(20)).why
    assert f"found no image {IMAGE} on this node" in why
    assert "gpu.fleet.pytorch_image" in why


def test_a_container_that_hangs_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "sleep 60")
    assert "no answer within" in observed.observe(request(tmp_path), Deadline(2)).why
    run, remove = (tmp_path / "log").read_text().splitlines()[1:]
    assert remove.split() == ["rm", "--force", run.split()[3]]


@pytest.mark.parametrize(
    ("info", "status", "why"),
    [
        ("", 1, "the Docker engine does not answer: exit status 1"),
        (json.dumps({"ServerErrors": ["Cannot connect to the Docker daemon"]}), 0, "Cannot connect to the Docker daemon"),
        ("not JSON", 0, "Expecting value"),
        (json.dumps({"Runtimes": {"runc": {}}}), 0, "cannot hand GPUs to containers"),
    ],
)
def test_an_engine_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: str, status: int, why: str) -> None:
    docker(tmp_path, monkeypatch, "exit 1", info, status)
    assert why in observed.observe(request(tmp_path), Deadline(20)).why


def test_no_engine_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "docker could not be started" in observed.observe(request(tmp_path), Deadline(20)).why


def test_a_probe_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "echo ModuleNotFoundError: No module named torch >&2; exit 1")
    assert (
        observed.observe(request(tmp_path), Deadline(20)).why
        == "the probe ended with exit status 1: ModuleNotFoundError: No module named torch"
    )


def test_natively_the_first_python_with_torch_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "")
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$1" in -c) exit 0;; esac\ncat {tmp_path}/result\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", "/no/python")
    assert replace(observed.observe(request(tmp_path, "native"), Deadline(20)).value, image=probe().image) == probe()


@pytest.mark.parametrize(
    ("told", "image", "digest"),
    [
        (["registry:5000/a@sha256:1"], "registry:5000/a:2.7", "sha256:1"),
        (["registry:5000/a@sha256:1", "b/a@sha256:2"], "registry:5000/a:2.7", "sha256:1"),
        (["registry:5000/a@sha256:1", "b/a@sha256:2"], "b/a@sha256:2", "sha256:2"),
        (["registry:5000/a@sha256:1", "registry/a@sha256:1"], "sha256:77", "sha256:1"),
        ([], "registry:5000/a:2.7", None),
        (None, "registry:5000/a:2.7", None),
        (["registry:5000/a@sha256:1", "b/a@sha256:2"], "c/a", None),
    ],
)
def test_an_image_is_known_by_its_digest(told: list[str] | None, image: str, digest: str | None) -> None:
    read = observed.parse_digests(json.dumps(told), image)
    assert read.value == digest if digest else read.is_unsupported


@pytest.mark.parametrize("told", ["", "Error", "{}x", "[1]", '["a"]'])
def test_digests_in_another_form_are_unreadable(told: str) -> None:
    assert observed.parse_digests(told, "a").is_unreadable


def test_natively_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", "/no/python")
    assert "found no Python with PyTorch" in observed.observe(request(tmp_path, "native"), Deadline(20)).why

"""The probe's commands, its output, who is left alone, and what becomes of a container that hangs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpu.fleet.plugins.module_utils.deadline import Deadline
from ansible_collections.gpu.fleet.plugins.module_utils.observation_gpu import GpuProcess
from ansible_collections.gpu.fleet.plugins.module_utils.observe import probe as observed
from ansible_collections.gpu.fleet.plugins.module_utils.observe.sampling import Sample
from ansible_collections.gpu.fleet.plugins.module_utils.plain import to_plain
from ansible_collections.gpu.fleet.plugins.module_utils.reading import Reading
from unit.module_utils.healthy_node import broken, known, observation
from unit.module_utils.healthy_probe import probe

IMAGE = "registry:5000/pytorch/pytorch:2.7.1"
DIGEST = "sha256:" + 8 * "0123abcd"
INFO = {"ServerVersion": "26.1.5", "CDISpecDirs": ["/etc/cdi"], "Runtimes": {"runc": {}}}


def request(folder: Path, runtime: str = "container") -> observed.ProbeRequest:
    return observed.ProbeRequest(runtime, IMAGE, "cuda", "quick", folder)


class Calm:
    """NVML's bindings, of a node with one GPU at work."""

    class NVMLError(Exception):
        value = 3

    def __getattr__(self, name: str) -> Any:
        told = {"nvmlDeviceGetCount": 1, "nvmlDeviceGetUUID": "GPU-0", "nvmlDeviceGetPowerUsage": 690_000}
        return lambda *_arguments: told.get(name, 1)


def observe(folder: Path, runtime: str = "container", seconds: float = 20, **changes: Any) -> Any:
    return observed.observe(request(folder, runtime), Calm, observation(**changes).nvml, Deadline(seconds), folder)


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, run: str, info: str = json.dumps(INFO), status: int = 0) -> None:
    """Put a docker in the path that logs what it is asked, and does `run` for `docker run`, and what is in `remove` for `docker rm`."""
    (folder / "remove").touch()
    (folder / "info").write_text(info)
    (folder / "etc/cdi").mkdir(parents=True, exist_ok=True)
    (folder / "etc/cdi/nvidia.yaml").write_text("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n  - name: all\n")
    (folder / "result").write_text(json.dumps(to_plain(probe())) + "\n")
    (folder / "digests").write_text(json.dumps([f"registry:5000/pytorch/pytorch@{DIGEST}"]) + "\n")
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/log\ncase "$1" in\n'
        f"info) cat {folder}/info; exit {status};;\nimage) cat {folder}/digests;;\nrun) {run};;\nrm) . {folder}/remove;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_container_gets_gpus_and_no_network() -> None:
    asked = request(Path("/tmp/kit/probe"))
    command = observed.container_command(asked, ["--device", "nvidia.com/gpu=all"], "gpu-readiness-1", observed.arguments(asked, 59.6))
    assert " ".join(command) == (
        "docker run --rm --interactive --name gpu-readiness-1 --label gpu.fleet=readiness --pull never --network none --shm-size 1g "
        "--device nvidia.com/gpu=all --env NCCL_CUMEM_HOST_ENABLE=0 --volume /tmp/kit/probe:/probe:ro --entrypoint python3 "
        f"{IMAGE} /probe --device cuda --level quick --seconds 60 --while-stdin"
    )


def test_the_native_command() -> None:
    asked = request(Path("/tmp/kit/probe"), "native")
    command = observed.native_command("/opt/python", asked, observed.arguments(asked, 30))
    assert command == ["/opt/python", "/tmp/kit/probe", "--device", "cuda", "--level", "quick", "--seconds", "30", "--while-stdin"]


def test_the_last_line_is_the_result() -> None:
    noise = "NCCL version 2.26.2+cuda12.6\n\n"
    assert observed.parse(noise + json.dumps(to_plain(probe())) + "\n\n").value == probe()


@pytest.mark.parametrize("output", ["", "\n", "Segmentation fault", "{}", '{"device": "cuda"', "[]", '"cuda"', "null"])
def test_output_that_is_no_result_is_unreadable(output: str) -> None:
    assert "expected its result in JSON" in observed.parse(output).why


def test_the_image_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    during = next(phase for phase in probe().phases if phase.name == "matmul")
    monkeypatch.setattr(observed.Sampler, "taken", lambda _self: [Sample(during.began, "GPU-0", 1755.0, 690.0, 63.0, 5, 0)])
    found = observe(tmp_path).value
    assert replace(found, sampled=probe().sampled) == probe(image=Reading.of(DIGEST))
    assert [(each.uuid, each.phase) for each in found.sampled.value] == [("GPU-0", "matmul")]
    assert "--device nvidia.com/gpu=all" in (tmp_path / "log").read_text()


def test_an_engine_that_would_do_cdi_has_the_runtime_where_no_gpu_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result", json.dumps({**INFO, "Runtimes": {"nvidia": {}}}))
    (tmp_path / "etc/cdi/nvidia.yaml").unlink()
    assert observe(tmp_path).is_known
    assert "--runtime nvidia --env NVIDIA_VISIBLE_DEVICES=all" in (tmp_path / "log").read_text()


def test_an_image_that_is_not_here_is_not_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f'echo "docker: Error response from daemon: No such image: {IMAGE}." >&2; exit 125')
    why = observe(tmp_path).why
    assert f"found no image {IMAGE} on this node" in why
    assert "gpu.fleet.pytorch_image" in why


def test_a_container_that_hangs_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "sleep 60")
    assert "no answer within" in observe(tmp_path, seconds=2).why
    _info, run, remove, _digest = (tmp_path / "log").read_text().splitlines()
    assert remove.split() == ["rm", "--force", run.split()[4]]


@pytest.mark.parametrize(
    ("run", "remove", "stopped"),
    [
        ("sleep 60", ":", r"ended badly \(docker gave no answer within [\d.]+ s\)"),
        (
            "sleep 60",
            "echo stuck >&2; exit 1",
            r"ended badly \(docker gave .* its container \S+ could not be removed: exit status 1: stuck\)",
        ),
        ("exit 137", "", r"ended badly \(exit status 137: .*\)"),
    ],
    ids=["its container stays", "its container cannot be removed", "its container is killed"],
)
def test_what_was_measured_counts_though_it_did_not_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, remove: str, stopped: str
) -> None:
    (tmp_path / "remove").write_text(remove)
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result; {run}")
    found = observe(tmp_path, seconds=2)
    assert re.fullmatch(stopped, found.value.stopped)
    assert found.value.ranks == probe().ranks
    assert ("rm --force" in (tmp_path / "log").read_text()) == bool(remove)


def test_natively_what_was_measured_counts_though_a_process_of_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    natively(tmp_path, monkeypatch, f"cat {tmp_path}/result; sleep 60 >&2 &")
    found = observe(tmp_path, "native", seconds=2)
    assert "not all that it started did" in found.value.stopped
    assert found.value.ranks == probe().ranks


@pytest.mark.parametrize(("seconds", "left_s"), [(100, 20), (20, 7)])
def test_the_probe_is_to_end_well_before_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, left_s: float
) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    observe(tmp_path, seconds=seconds)
    given = float((tmp_path / "log").read_text().partition("--seconds ")[2].split()[0])
    assert left_s <= seconds - given < left_s + 5


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
    assert why in observe(tmp_path).why


def test_no_engine_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "docker could not be started" in observe(tmp_path).why


def test_a_probe_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "echo ModuleNotFoundError: No module named torch >&2; exit 1")
    assert observe(tmp_path).why == "the probe ended with exit status 1: ModuleNotFoundError: No module named torch"


def natively(folder: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    """Put a Python that has PyTorch in the path, which does `run` for the probe."""
    docker(folder, monkeypatch, "")
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\ncase "$1" in -c) exit 0;; esac\n{run}\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", "/no/python")


def test_natively_the_first_python_with_torch_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    natively(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    found = observe(tmp_path, "native").value
    assert replace(found, image=probe().image, sampled=probe().sampled) == probe()


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
    assert "found no Python with PyTorch" in observe(tmp_path, "native").why


LIVES, ENDED, UNKNOWN = Reading.of(True), Reading.of(False), Reading.unsupported("in a container")  # noqa: FBT003 - values of readings


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"processes": known((GpuProcess(4711, "python3", known(70_000), LIVES),))}, "4711 (python3) on GPU 3, 70000 MiB"),
        (
            {"processes": known((GpuProcess(4711, "python3", UNKNOWN, UNKNOWN),))},
            "4711 (python3) on GPU 3, expected nobody: drain the node",
        ),
        ({"processes": broken}, "whether the GPUs are in use could not be read (GPU 3: Unknown Error), so nothing was started"),
        ({"processes": known((GpuProcess(4711, "python3", known(70_000), ENDED),))}, ""),
        ({"processes": broken, "state": known("lost")}, ""),
        ({"processes": UNKNOWN}, "whether the GPUs are in use could not be read (GPU 3: in a container), so nothing was started"),
        ({"processes": UNKNOWN, "mig_enabled": LIVES}, ""),
    ],
    ids=[
        "a job",
        "a job of which little is told",
        "who uses it is not told",
        "what has ended",
        "a lost GPU",
        "a GPU that tells nobody",
        "a GPU whose slices may tell",
    ],
)
def test_nobody_is_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], why: str) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    found = observe(tmp_path, gpus={3: changes})
    assert why in found.why
    assert found.is_known == (why == "") == (tmp_path / "log").exists()


def test_on_the_cpu_nobody_can_be_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/result")
    busy = observation(gpus={3: {"processes": known((GpuProcess(4711, "python3", UNKNOWN, LIVES),))}}).nvml
    assert observed.observe(replace(request(tmp_path), device="cpu"), Calm, busy, Deadline(20), tmp_path).is_known


def test_a_burn_in_is_written_down_as_it_goes_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = {"value": {"tflops": 780.0, "correct": True}}
    ranks = [{"rank": 0, "uuid": "GPU-0", "matmul": product}]
    sample = {"began": 0.0, "ended": 60.0, "seconds": 60.0, "ranks": ranks, "allreduce": {"unsupported": "one GPU"}}
    (tmp_path / "sample").write_text(json.dumps({"burn_in": sample}) + "\n")
    docker(tmp_path, monkeypatch, f"cat {tmp_path}/sample {tmp_path}/result")
    path = tmp_path / "burn_in.jsonl"
    asked = replace(request(tmp_path), level="burn_in", burn_in=observed.BurnInRequest(120, path, anew=False))
    left = []
    for _ in range(2):
        found = observed.observe(asked, Calm, observation().nvml, Deadline(20), tmp_path).value.burn_in.value
        left.append(found.asked_s - found.done_s)
    assert left == [60, 0]
    assert len(path.read_text().splitlines()) == 3
    runs = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("run ")]
    assert [line.partition("--burn-in-s ")[2] for line in runs] == ["120 --period-s 30", "60 --period-s 30"]
    assert "burn-in, 120 of 120 s, 780 to 780 TFLOP/s" in (tmp_path / "run/gpu-fleet/progress").read_text()


def test_who_waits_sees_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, f"echo 'probe: matrix product' >&2; echo noise >&2; cat {tmp_path}/result")
    for _ in range(2):
        observe(tmp_path)
    lines = (tmp_path / "run/gpu-fleet/progress").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["level quick", "matrix product", "done"]

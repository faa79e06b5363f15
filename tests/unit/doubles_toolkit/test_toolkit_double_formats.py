"""The double of nvidia-ctk writes what the real one wrote: captured from version 1.20.0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles.container_toolkit.toolkit_double import cli, engine, nvml, spec, yaml

CAPTURED = Path(__file__).parent / "nvidia-ctk-1.20.0"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
DRIVER = nvml.Driver("550.163.01", tuple(nvml.Gpu(index, f"GPU-01000100-0000-0000-0000-00000000000{index}", index) for index in range(8)))
NODES = {index: spec.Node(f"/dev/nvidia{index}", 195, index, 0o644) for index in range(8)}
FILES = spec.Files(
    libraries=((f"{LIBRARIES}/libnvidia-ml.so.550.163.01", "libnvidia-ml.so.1"),),
    control_nodes=(spec.Node("/dev/nvidiactl", 195, 255, 0o644), spec.Node("/dev/nvidia-uvm", 508, 0, 0o644)),
)


def without_status(name: str) -> str:
    return "".join(line for line in (CAPTURED / name).read_text().splitlines(keepends=True) if not line.startswith("rc="))


def test_cdi_specification_is_the_captured_one() -> None:
    assert yaml.dump(spec.build(DRIVER, NODES, FILES)) == (CAPTURED / "cdi-generate.yaml").read_text()


def test_device_names_of_a_specification() -> None:
    names = cli.device_names((CAPTURED / "cdi-generate.yaml").read_text())
    assert len(names) == 17
    assert {"nvidia.com/gpu=0", "nvidia.com/gpu=all", f"nvidia.com/gpu={DRIVER.gpus[7].uuid}"} <= names
    assert cli.device_names(json.dumps(spec.build(DRIVER, NODES, FILES))) == names
    assert cli.device_names("") == set()


@pytest.mark.parametrize(("strategy", "name"), [("index", "7"), ("uuid", DRIVER.gpus[7].uuid), ("type-index", "gpu7")])
def test_device_name_strategies(strategy: str, name: str) -> None:
    assert {device["name"] for device in spec.build(DRIVER, NODES, FILES, (strategy,))["devices"]} >= {name, "all"}


def test_unknown_device_name_strategy() -> None:
    with pytest.raises(ValueError, match="invalid device name strategy: colour"):
        spec.build(DRIVER, NODES, FILES, ("colour",))


@pytest.mark.parametrize(
    ("captured", "set_as_default"),
    [("runtime-configure-docker-dry-run.json", False), ("runtime-configure-docker-set-as-default-cdi-dry-run.json", True)],
)
def test_daemon_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, captured: str, *, set_as_default: bool) -> None:
    options = ["--set-as-default"] if set_as_default else []
    config = tmp_path / "daemon.json"
    assert cli.main(["runtime", "configure", "--runtime=docker", f"--config={config}", "--cdi.enabled", "--dry-run", *options]) == 0
    assert capsys.readouterr().out.strip() == without_status(captured).strip()
    assert not config.exists()


def test_daemon_json_that_is_cut_off(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text('{"live-restore": true,')
    assert cli.main(["runtime", "configure", f"--config={config}"]) == 1
    messages = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    captured = [line.partition(" ")[2] for line in without_status("runtime-configure-bad-json.txt").splitlines()]
    assert messages == [line.replace("/etc/docker/daemon.json", str(config)) for line in captured]
    assert config.read_text() == '{"live-restore": true,'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "EOF"),
        ('{"a": "b', "unexpected EOF"),
        ("{\n  b\n}", "invalid character 'b' looking for beginning of value"),
        ("[1]", "json: cannot unmarshal array into Go value of type docker.Config"),
    ],
)
def test_words_for_what_is_not_a_json_object(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        engine.load(text)


def test_the_rest_of_daemon_json_stays_except_other_features() -> None:
    before = {"log-driver": "journald", "runtimes": {"other": {"path": "x"}}, "features": {"buildkit": True}}
    after = engine.configure(before, name="nvidia", path="nvidia-container-runtime", set_as_default=False, cdi=True)
    assert after["log-driver"] == "journald"
    assert set(after["runtimes"]) == {"other", "nvidia"}
    assert after["features"] == {"cdi": True}
    assert engine.configure(before, name="nvidia", path="x", set_as_default=False, cdi=False)["features"] == {"buildkit": True}


def test_configuring_writes_the_file(tmp_path: Path) -> None:
    config = tmp_path / "docker" / "daemon.json"
    assert cli.main(["runtime", "configure", f"--config={config}", "--cdi.enabled=false"]) == 0
    assert json.loads(config.read_text()) == {"runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}}


def test_no_library(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libnvidia-ml.so.none")
    assert cli.main(["cdi", "generate"]) == 1
    last = capsys.readouterr().err.splitlines()[-1].partition(" ")[2]
    assert last == without_status("cdi-generate-no-nvml.txt").splitlines()[-1].partition(" ")[2]


def test_version_has_the_real_first_line_and_says_simulated() -> None:
    first, second = cli.version_lines()
    assert first.startswith((CAPTURED / "version.txt").read_text().split("1.20")[0])
    assert second == "commit: simulated"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", '"0"'),
        ("0.5.0", "0.5.0"),
        ("true", '"true"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a::b", "a::b"),
        ("--link", "--link"),
        (420, "420"),
    ],
)
def test_scalars(value: object, text: str) -> None:
    assert yaml.dump({"key": value}) == f"---\nkey: {text}\n"


def test_libraries_in_the_loaders_cache(tmp_path: Path) -> None:
    real = tmp_path / "libcuda.so.550.163.01"
    real.touch()
    link = tmp_path / "libcuda.so.1"
    link.symlink_to(real.name)
    cache = f"2 libs found in cache\n\tlibcuda.so.1 (libc6,x86-64) => {link}\n\tlibc.so.6 (libc6,x86-64) => /lib/libc.so.6\n"
    assert spec.parse_cache(cache, "550.163.01") == ((str(real), "libcuda.so.1"),)
    assert spec.parse_cache(cache, "535.1") == ()

"""The NVML double gives what its scenario says, in NVML's own terms."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.doubles.conftest import Double

ALL = "gpus = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]\n"
FIRST = "gpu = nvml.nvmlDeviceGetHandleByIndex(0)\n"
FABRIC = """
def fabric(gpu, version):
    info = nvml.c_nvmlGpuFabricInfo_v2_t()
    info.version = version
    nvml.nvmlDeviceGetGpuFabricInfoV(gpu, nvml.byref(info))
    return [info.state, info.status, info.healthMask]
"""


def test_default_is_eight_healthy_h100(double: Double) -> None:
    answers = double.ask(
        "",
        ALL
        + """
for name in "Name Serial UUID MinorNumber VbiosVersion PcieReplayCounter CurrPcieLinkWidth Temperature".split():
    function = getattr(nvml, "nvmlDeviceGet" + name)
    ask(name, lambda: [function(gpu, *([0] if name == "Temperature" else [])) for gpu in gpus])
ask("bus", lambda: [nvml.nvmlDeviceGetPciInfo(gpu).busId for gpu in gpus])
ask("links", lambda: [sum(nvml.nvmlDeviceGetNvLinkState(gpu, link) for link in range(18)) for gpu in gpus])
ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(gpus[0]).total)
ask("remapped", lambda: list(nvml.nvmlDeviceGetRemappedRows(gpus[7])))
ask("ecc", lambda: [nvml.nvmlDeviceGetTotalEccErrors(gpu, kind, counter) for gpu in gpus for kind in (0, 1) for counter in (0, 1)])
ask("by uuid", lambda: nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByUUID(nvml.nvmlDeviceGetUUID(gpus[5]))))
ask("by bus", lambda: nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByPciBusId("0000:9d:00.0")))
""",
    )
    assert answers["Name"] == ["NVIDIA H100 80GB HBM3"] * 8
    assert all(serial.startswith("SIM") for serial in answers["Serial"])
    assert len(set(answers["Serial"])) == len(set(answers["UUID"])) == 8
    assert answers["MinorNumber"] == list(range(8))
    assert answers["bus"][0] == "00000000:1B:00.0"
    assert answers["links"] == [18] * 8
    assert answers["CurrPcieLinkWidth"] == [16] * 8
    assert answers["memory"] == 81559 * 2**20
    assert answers["remapped"] == [0, 0, 0, 0]
    assert not any(answers["ecc"] + answers["PcieReplayCounter"])
    assert (answers["by uuid"], answers["by bus"]) == (5, 4)


def test_values_of_one_and_of_all_gpus(double: Double) -> None:
    answers = double.ask(
        "gpus = 4\ngpu.*.temperature = 45\ngpu.2.temperature = 91\ngpu.1.power.draw_w = 71.5\n"
        "gpu.*.clocks.event_reasons = hw_slowdown|hw_thermal",
        ALL
        + """
ask("temperature", lambda: [nvml.nvmlDeviceGetTemperature(gpu, 0) for gpu in gpus])
ask("power", lambda: nvml.nvmlDeviceGetPowerUsage(gpus[1]))
ask("reasons", lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(gpus[3]))
""",
    )
    assert answers == {"temperature": [45, 45, 91, 45], "power": 71500, "reasons": 0x48}


def test_a_value_may_be_an_error(double: Double) -> None:
    answers = double.ask(
        "gpu.0.temperature = UNKNOWN\ngpu.0.ecc.mode = NOT_SUPPORTED",
        FIRST + "ask('t', nvml.nvmlDeviceGetTemperature, gpu, 0)\nask('e', nvml.nvmlDeviceGetTotalEccErrors, gpu, 1, 0)",
    )
    assert answers == {"t": "NVMLError_Unknown", "e": "NVMLError_NotSupported"}


def test_memory_health(double: Double) -> None:
    answers = double.ask(
        "gpu.0.ecc.volatile.uncorrected.dram = 2\ngpu.0.ecc.volatile.uncorrected.sram = 1\ngpu.0.remapped_rows.pending = true\n"
        "gpu.0.remapped_rows.banks.none = 3",
        FIRST
        + """
ask("total", nvml.nvmlDeviceGetTotalEccErrors, gpu, 1, 0)
ask("dram", nvml.nvmlDeviceGetMemoryErrorCounter, gpu, 1, 0, nvml.NVML_MEMORY_LOCATION_DRAM)
ask("rows", lambda: list(nvml.nvmlDeviceGetRemappedRows(gpu)))
ask("none", lambda: nvml.nvmlDeviceGetRowRemapperHistogram(gpu).none)
ask("retired", nvml.nvmlDeviceGetRetiredPagesPendingStatus, gpu)
""",
    )
    assert answers == {"total": 3, "dram": 2, "rows": [0, 0, 1, 0], "none": 3, "retired": "NVMLError_NotSupported"}


def test_links(double: Double) -> None:
    answers = double.ask(
        "gpu.0.nvlink.5.state = down\ngpu.0.nvlink.*.crc_flit_errors = 7",
        FIRST
        + """
ask("up", lambda: [nvml.nvmlDeviceGetNvLinkState(gpu, link) for link in range(18)])
ask("beyond", nvml.nvmlDeviceGetNvLinkState, gpu, 18)
ask("crc", nvml.nvmlDeviceGetNvLinkErrorCounter, gpu, 3, nvml.NVML_NVLINK_ERROR_DL_CRC_FLIT)
ask("remote", lambda: nvml.nvmlDeviceGetNvLinkRemotePciInfo(gpu, 0).busId)
ask("type", nvml.nvmlDeviceGetNvLinkRemoteDeviceType, gpu, 0)
""",
    )
    assert answers["up"] == [1] * 5 + [0] + [1] * 12
    assert answers["beyond"] == "NVMLError_InvalidArgument"
    assert (answers["crc"], answers["remote"], answers["type"]) == (7, "00000000:07:00.0", 2)


@pytest.mark.parametrize(("profile", "up"), [("t4", 0), ("a100-sxm-80", 12), ("h100-nvl", 12), ("h200", 18), ("l40s", 0), ("b200", 18)])
def test_profiles_have_their_links(double: Double, profile: str, up: int) -> None:
    code = """
def states():
    for link in range(18):
        try:
            yield nvml.nvmlDeviceGetNvLinkState(gpu, link)
        except nvml.NVMLError_NotSupported:
            return
ask("up", lambda: sum(states()))
"""
    assert double.ask(f"profile = {profile}", FIRST + code) == {"up": up}


def test_field_values_have_a_status_each(double: Double) -> None:
    code = (
        FIRST
        + """
fields = nvml.nvmlDeviceGetFieldValues(gpu, [nvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, nvml.NVML_FI_DEV_NVLINK_LINK_COUNT, 9999,
    (nvml.NVML_FI_DEV_NVLINK_GET_STATE, 5), nvml.NVML_FI_DEV_MEMORY_TEMP])
answers["status"] = [field.nvmlReturn for field in fields]
answers["values"] = [field.value.uiVal for field in fields]
"""
    )
    scenario = "gpu.0.recovery_action = drain_and_reset\ngpu.0.nvlink.5.state = down"
    new = double.ask(scenario, code, "570.86.15")
    assert new["status"] == [0, 0, 3, 0, 0]
    assert new["values"][:2] == [4, 18]
    assert new["values"][3] == 0
    old = double.ask(scenario, code, "535.309.01")
    assert old["status"] == [3, 0, 3, 0, 0], "the recovery action came with driver 570"


def test_versions_come_from_the_file_name(double: Double) -> None:
    code = """
ask("driver", nvml.nvmlSystemGetDriverVersion)
ask("nvml", nvml.nvmlSystemGetNVMLVersion)
ask("cuda", nvml.nvmlSystemGetCudaDriverVersion_v2)
"""
    assert double.ask("", code, "535.309.01") == {"driver": "535.309.01", "nvml": "12.535.309.01", "cuda": 12020}
    assert double.ask("", code, "580.65.06") == {"driver": "580.65.06", "nvml": "13.580.65.06", "cuda": 13000}
    assert double.ask("driver_version = 570.133.20", code) == {"driver": "570.133.20", "nvml": "12.570.133.20", "cuda": 12080}


def test_functions_younger_than_the_driver_are_not_there(double: Double) -> None:
    code = FIRST + FABRIC + "ask('fabric', fabric, gpu, nvml.nvmlGpuFabricInfo_v2)"
    assert double.ask("", code, "535.309.01") == {"fabric": "NVMLError_FunctionNotFound"}
    assert double.ask("", code, "550.163.01") == {"fabric": [3, 0, 2]}


def test_structures_check_their_version(double: Double) -> None:
    code = (
        FIRST
        + FABRIC
        + """
ask("fabric", fabric, gpu, 77)
ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(gpu, nvml.nvmlMemory_v2).reserved)
ask("wrong memory", lambda: nvml.nvmlDeviceGetMemoryInfo(gpu, 1 << 24))
"""
    )
    answers = double.ask("", code, "570.86.15")
    assert answers == {
        "fabric": "NVMLError_ArgumentVersionMismatch",
        "memory": 551 * 2**20,
        "wrong memory": "NVMLError_ArgumentVersionMismatch",
    }


def test_fabric_state_status_and_health(double: Double) -> None:
    scenario = "gpu.0.fabric.state = in_progress\ngpu.1.fabric.status = UNKNOWN\ngpu.2.fabric.health_mask = 0x1"
    code = ALL + FABRIC + "ask('fabric', lambda: [fabric(gpu, nvml.nvmlGpuFabricInfo_v2) for gpu in gpus[:3]])"
    assert double.ask(scenario, code, "550.163.01") == {"fabric": [[2, 0, 2], [3, 999, 2], [3, 0, 1]]}


def test_processes(double: Double) -> None:
    code = FIRST + "ask('p', lambda: [(p.pid, p.usedGpuMemory) for p in nvml.nvmlDeviceGetComputeRunningProcesses(gpu)])"
    scenario = "gpu.0.process = 4242, 2048, python3\ngpu.0.process = 4243, 1, nccl"
    assert double.ask(scenario, code) == {"p": [[4242, 2048 * 2**20], [4243, 2**20]]}


def test_settings_are_kept_by_the_process_only(double: Double) -> None:
    code = FIRST + "nvml.nvmlDeviceSetPersistenceMode(gpu, 0)\nask('mode', nvml.nvmlDeviceGetPersistenceMode, gpu)"
    assert double.ask("", code) == {"mode": 0}
    assert double.ask("", FIRST + "ask('mode', nvml.nvmlDeviceGetPersistenceMode, gpu)") == {"mode": 1}


def test_mig_hides_what_it_hides(double: Double) -> None:
    code = FIRST + "ask('mig', lambda: list(nvml.nvmlDeviceGetMigMode(gpu)))\nask('rows', nvml.nvmlDeviceGetRemappedRows, gpu)"
    assert double.ask("gpu.*.mig.mode = enabled", code) == {"mig": [1, 0], "rows": "NVMLError_NotSupported"}


@pytest.mark.parametrize(
    ("scenario", "limit", "devices"),
    [("mig.mode = enabled", 7, 7), ("mig.devices = 3", 0, 0), ("mig.mode = enabled\ngpu.*.mig.devices = 3", 7, 3)],
)
def test_mig_devices_are_there_while_mig_is_on(double: Double, scenario: str, limit: int, devices: int) -> None:
    code = FIRST + "ask('limit', nvml.nvmlDeviceGetMaxMigDeviceCount, gpu)\n"
    code += "for index in range(7): ask(index, lambda: bool(nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)))"
    answers = double.ask(f"gpu.*.{scenario}", code)
    assert answers.pop("limit") == limit
    assert sorted(answers.values(), key=str) == ["NVMLError_NotFound"] * (7 - devices) + [True] * devices


def test_every_public_function_is_there(library: Path, include: Path) -> None:
    header = re.sub(r"/\*.*?\*/", "", (include / "nvml.h").read_text(), flags=re.DOTALL)
    public = set(re.findall(r"DECLDIR\s*(?:char\s*\*)?\s*(nvml\w+)\s*\(", header))
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1] for line in symbols.splitlines()}
    assert len(public) > 400
    assert public <= exported
    assert exported - public <= {"nvmlInternalGetExportTable", "gpuFleetDoubleDescribe"}


def test_it_loads_with_the_c_library_of_ubuntu_22_04(library: Path) -> None:
    needed = subprocess.run(["readelf", "--dyn-syms", "--wide", library], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"@GLIBC_([0-9.]+)", needed)}
    assert max(versions) <= (2, 35)
    dynamic = subprocess.run(["readelf", "--dynamic", library], capture_output=True, text=True, check=True).stdout
    assert "soname: [libnvidia-ml.so.1]" in dynamic


def test_every_profile_can_be_asked_everything(double: Double) -> None:
    """No call of the bindings takes the library down, whatever the product."""
    code = """
import inspect, os
def one_gpu_functions():
    for name, function in inspect.getmembers(nvml, inspect.isfunction):
        if name.startswith("nvmlDeviceGet") and len(inspect.signature(function).parameters) == 1:
            yield function
nvml.nvmlShutdown()
for profile in %r:
    with open(os.environ["GPU_FLEET_DOUBLE_SCENARIO"], "w") as scenario:
        scenario.write("profile = " + profile)
    nvml.nvmlInit()
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    for function in one_gpu_functions():
        try:
            function(gpu)
        except (nvml.NVMLError, TypeError, AttributeError):
            pass
    ask(profile, nvml.nvmlDeviceGetName, gpu)
    nvml.nvmlShutdown()
"""
    profiles = sorted(path.stem for path in Path(__file__).parents[2].glob("doubles/nvml/profiles/*.conf"))
    answers = double.ask("", code % profiles, "580.65.06")
    assert len(profiles) >= 5
    assert set(answers) == set(profiles)
    assert answers["t4"] == "Tesla T4"


def test_readme_names_every_key() -> None:
    doubles = Path(__file__).parents[2] / "doubles"
    readme = (doubles / "README.md").read_text()
    definitions = "".join((doubles / "nvml" / name).read_text() for name in ("gpu_keys.def", "link_keys.def", "node_lines.c"))
    keys = re.findall(r'^(?:KEY|FIXED)\(\w+, "([^"]+)"|^    \{"(\w+)", \w+\},$', definitions, flags=re.MULTILINE)
    assert len(keys) > 100
    assert [key for pair in keys for key in pair if key and f"`{key}`" not in readme] == []
    profiles = [path.stem for path in (doubles / "nvml" / "profiles").glob("*.conf")]
    assert [profile for profile in profiles if f"`{profile}`" not in readme] == []
